"""The keys that a hop may be logged in with: named files, the agent, ssh's usual files; encrypted ones after a question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from debugtui.config.ask import Asker, SecretQuestion
from debugtui.hosts import problems
from debugtui.hosts.hops import Hop
from debugtui.hosts.questions import Questions
from debugtui.model.text import line

#: Wrong passphrases that are taken for one key before giving up.
TRIES = 3
#: Most seconds to wait for the agent's list of keys.
AGENT_LIMIT = 3.0
#: A key file larger than this is none, in bytes.
_KEY_FILE_LIMIT = 100_000


@dataclass(slots=True)
class Credentials:
    """What to log in with.

    Attributes:
        pairs: in the order in which they are offered.
        names: of the same keys, for messages.
        locked: encrypted key files that nobody was asked about yet.
        notes: what could not be used, and why.
    """

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, pair: asyncssh.SSHKeyPair, name: str) -> None:
        """Offer one more key."""
        self.pairs.append(pair)
        self.names.append(name)


@dataclass(frozen=True, slots=True)
class _KeyFile:
    """A file as it was found: a private key, or a locked one, or only a public half that the agent may hold the other of."""

    path: Path
    stamp: int
    private: asyncssh.SSHKey | None
    public: bytes
    locked: bool


@asynccontextmanager
async def gather(hop: Hop, asker: Asker, questions: Questions, *, unlock: bool) -> AsyncIterator[Credentials]:
    """Collect the keys for a hop; the agent stays connected until the block ends, since it signs.

    Args:
        hop: where to log in.
        asker: who knows passphrases.
        questions: what was asked before.
        unlock: ask for the passphrase of every locked key; otherwise only for named ones, and where there is no other key.

    Raises:
        LinkError: a named key is unreadable, or stays locked and there is no other.
    """
    found = Credentials()
    agent = await _open_agent(hop, found)
    try:
        held = await _agent_keys(agent, found)
        files = [file for path in hop.identities if (file := await _read(hop, path, found)) is not None]
        for file in files:
            twin = held.pop(file.public, None)
            if twin is not None:
                found.add(twin, f"{file.path} (agent)")
            elif file.private is not None:
                _add_file(found, hop, file, file.private)
            elif file.locked:
                await _locked(found, hop, file, asker, questions, ask=unlock or hop.named)
            else:
                found.notes.append(f"{file.path} is only a public key, and the agent does not hold it")
        if not hop.only:
            for pair in held.values():
                found.add(pair, f"agent key {line(pair.get_comment_bytes() or b'', 80) or pair.get_algorithm()}")
        if not found.pairs and found.locked:
            waiting, found.locked = found.locked, []
            for file in files:
                if file.path in waiting:
                    await _locked(found, hop, file, asker, questions, ask=True)
        yield found
    finally:
        if agent is not None:
            agent.close()
            await agent.wait_closed()


async def _open_agent(hop: Hop, found: Credentials) -> asyncssh.SSHAgentClient | None:
    if not hop.agent:
        return None
    try:
        async with asyncio.timeout(AGENT_LIMIT):
            return await asyncssh.connect_agent(hop.agent)
    except (OSError, TimeoutError, asyncssh.Error) as error:
        found.notes.append(f"the agent at {hop.agent} does not answer: {problems.words(error)}")
        return None


async def _agent_keys(agent: asyncssh.SSHAgentClient | None, found: Credentials) -> dict[bytes, asyncssh.SSHKeyPair]:
    if agent is None:
        return {}
    try:
        async with asyncio.timeout(AGENT_LIMIT):
            return {pair.public_data: pair for pair in await agent.get_keys()}
    except (ValueError, OSError, TimeoutError) as error:
        found.notes.append(f"the agent does not tell its keys: {problems.words(error)}")
        return {}


async def _read(hop: Hop, path: Path, found: Credentials) -> _KeyFile | None:
    """Read a key file. A missing or broken one is an error only where somebody named it."""
    try:
        return await asyncio.to_thread(_read_file, path)
    except (OSError, ValueError) as error:
        if hop.named:
            raise problems.key_unreadable(hop, str(path), error) from error
        if not isinstance(error, FileNotFoundError):
            found.notes.append(f"{path} cannot be used: {problems.words(error)}")
        return None


def _read_file(path: Path) -> _KeyFile:
    status = path.stat()
    if status.st_size > _KEY_FILE_LIMIT:
        raise ValueError(f"{status.st_size} bytes is too large for a key")
    data = path.read_bytes()
    try:
        private = asyncssh.import_private_key(data)
    except asyncssh.KeyImportError as error:
        public = _public_half(path, data)
        locked = str(error).startswith("Passphrase")
        if not locked and not public:
            raise
        return _KeyFile(path, status.st_mtime_ns, None, public, locked)
    return _KeyFile(path, status.st_mtime_ns, private, private.public_data, locked=False)


def _public_half(path: Path, data: bytes) -> bytes:
    """The public key of a locked or public file; empty where nothing tells it."""
    beside = path.with_name(f"{path.name}.pub")
    for source in (data, beside):
        try:
            text = source if isinstance(source, bytes) else source.read_bytes()
            return asyncssh.import_public_key(text).public_data
        except (OSError, asyncssh.KeyImportError):
            continue
    return b""


def _add_file(found: Credentials, hop: Hop, file: _KeyFile, key: asyncssh.SSHKey) -> None:
    certificate = file.path.with_name(f"{file.path.name}-cert.pub")
    wanted = (key, str(certificate)) if certificate.exists() else key
    try:
        pairs = asyncssh.load_keypairs([wanted], certlist=list(hop.certificates))
    except (OSError, ValueError) as error:
        found.notes.append(f"certificate of {file.path}: {problems.words(error)}")
        pairs = asyncssh.load_keypairs([key])
    for pair in pairs:
        found.add(pair, f"{file.path} ({key.get_fingerprint()})")


async def _locked(found: Credentials, hop: Hop, file: _KeyFile, asker: Asker, questions: Questions, *, ask: bool) -> None:
    """Offer a locked key: one that was unlocked before, or one that the operator unlocks now."""
    name = (str(file.path), file.stamp)
    if name not in questions.keys and not ask:
        found.locked.append(file.path)
        return
    async with questions.one:
        if name not in questions.keys and name[0] not in questions.declined:
            await _ask(hop, file, asker, questions)
    if key := questions.keys.get(name):
        _add_file(found, hop, file, key)
        return
    tries = questions.declined.get(name[0], 0)
    if hop.named or not found.pairs:
        raise problems.no_passphrase(hop, name[0], tries=tries)
    found.notes.append(f"{name[0]} stays locked")


async def _ask(hop: Hop, file: _KeyFile, asker: Asker, questions: Questions) -> None:
    path = str(file.path)
    question = SecretQuestion(f"passphrase of {path}", f"to log in on {hop}")
    for attempt in range(TRIES):
        passphrase = await asker.secret(question)
        if passphrase is None:
            questions.declined[path] = attempt
            return
        key = await asyncio.to_thread(_unlock, file.path, passphrase)
        if key is not None:
            questions.keys[path, file.stamp] = key
            return
        question = SecretQuestion(f"passphrase of {path}", f"wrong; {TRIES - attempt - 1} more tries, to log in on {hop}")
    questions.declined[path] = TRIES


def _unlock(path: Path, passphrase: str) -> asyncssh.SSHKey | None:
    """Return the key; None where the passphrase is wrong. Slow by design (the key derivation): call it in a thread."""
    try:
        return asyncssh.read_private_key(path, passphrase)
    except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError):
        return None
