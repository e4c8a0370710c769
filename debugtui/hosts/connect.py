"""Opens the chain of connections to a host, each hop through the one before it, each host key checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncssh

from debugtui.config.ask import Asker, HostKeyQuestion
from debugtui.hosts import credentials, hostkeys, problems
from debugtui.hosts.hops import Hop
from debugtui.hosts.hostkeys import Known, Verdict
from debugtui.hosts.problems import Stage
from debugtui.hosts.questions import Questions

# A hop is given up after this many rounds of "accepted, tried again, and it showed yet another key".
_MOST_ROUNDS = 4

#: Seconds between two signs of life of the target, and how many may be missed: a hung sshd is noticed after three intervals.
KEEPALIVE = 2.0
KEEPALIVE_MISSES = 2

# Without a handler of its own the library's warnings would be printed over the screen.
logging.getLogger("asyncssh").addHandler(logging.NullHandler())


class HopClient(asyncssh.SSHClient):
    """Follows one connection: how far it got, which key it was shown, why it ended."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.stage = Stage.TCP
        self.offered: asyncssh.SSHKey | None = None
        self.ended: BaseException | None = None
        #: Called when the connection ends, while its socket can still be asked.
        self.at_end: Callable[[], object] | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """The TCP connection, or the channel of the hop before, stands."""
        self.stage = Stage.EXCHANGE

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for keys that are not trusted yet: note it and refuse; the operator is asked outside, without a time limit."""
        self.stage = Stage.HOST_KEY
        self.offered = key
        return False

    def begin_auth(self, username: str) -> None:
        """The host key was accepted."""
        self.stage = Stage.LOGIN

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self.ended = exc
        if self.at_end is not None:
            self.at_end()


@dataclass(frozen=True, slots=True)
class OpenHop:
    """One open connection of the chain."""

    hop: Hop
    connection: asyncssh.SSHClientConnection
    client: HopClient


async def open_chain(hops: Sequence[Hop], asker: Asker, questions: Questions) -> list[OpenHop]:
    """Connect to every hop, the target last.

    Raises:
        LinkError: names the hop and the stage that failed; everything opened before is closed again.
    """
    chain: list[OpenHop] = []
    try:
        for index, hop in enumerate(hops):
            # Earlier hops are asked for signs of life a little more often: when one hangs, it and not the target is named.
            interval = max(1.0, KEEPALIVE - 0.25 * (len(hops) - 1 - index))
            tunnel = chain[-1].connection if chain else None
            chain.append(await _Opening(hop, tunnel, interval, asker, questions).open())
    except BaseException:
        await close_chain(chain)
        raise
    return chain


async def close_chain(chain: Sequence[OpenHop]) -> None:
    """Close all connections, the target first. Never waits long for a host that does not answer."""
    for opened in reversed(chain):
        opened.connection.close()
    for opened in reversed(chain):
        try:
            async with asyncio.timeout(1.0):
                await opened.connection.wait_closed()
        except TimeoutError:
            opened.connection.abort()


class _Opening:
    """One hop being opened, as often as answers of the operator change what can be tried."""

    def __init__(
        self, hop: Hop, tunnel: asyncssh.SSHClientConnection | None, interval: float, asker: Asker, questions: Questions
    ) -> None:
        self.hop = hop
        self.tunnel = tunnel
        self.interval = interval
        self.asker = asker
        self.questions = questions
        self.unlock = False
        self.certificates = True

    async def open(self) -> OpenHop:
        for _ in range(_MOST_ROUNDS):
            known = await self._known()
            client = HopClient(known)
            async with credentials.gather(self.hop, self.asker, self.questions, unlock=self.unlock) as found:
                try:
                    return OpenHop(self.hop, await self._connect(client, found), client)
                except asyncssh.HostKeyNotVerifiable as error:
                    failure: asyncssh.Error = error
                except asyncssh.Error as error:
                    if client.stage is not Stage.LOGIN or not _is_refusal(error):
                        raise problems.connecting(self.hop, client.stage, error, tunnelled=self.tunnel is not None) from error
                    if not found.locked or self.unlock:
                        raise problems.login_refused(self.hop, found.names, found.notes, error) from error
                    self.unlock = True
                    continue
                except (OSError, TimeoutError, ValueError) as error:
                    raise problems.connecting(self.hop, client.stage, error, tunnelled=self.tunnel is not None) from error
            await self._settle_key(client, failure)
        raise problems.connecting(
            self.hop, Stage.HOST_KEY, ValueError("the host shows another key at every attempt"), tunnelled=False
        )

    async def _connect(self, client: HopClient, found: credentials.Credentials) -> asyncssh.SSHClientConnection:
        hop, known = self.hop, client.known
        trusted = [entry.key for entry in (*known.keys, *known.elsewhere)]
        trusted += [key for host, port, key in self._accepted() if (host, port) == (hop.known_as, hop.known_port)]
        authorities = [entry.key for entry in known.authorities] if self.certificates else []
        async with asyncio.timeout(problems.CONNECT_LIMIT):
            return await asyncssh.connect(
                hop.destination.host,
                hop.destination.port or (),
                username=hop.destination.user or (),
                config=[str(path) for path in hop.ssh_config],
                tunnel=self.tunnel,
                canonicalize_hostname=False,
                client_factory=lambda: client,
                known_hosts=(trusted, authorities, [entry.key for entry in known.revoked]),
                server_host_key_algs=() if hop.own_algorithms else known.algorithms(certificates=self.certificates),
                x509_trusted_certs=None,
                x509_trusted_cert_paths=[],
                client_keys=found.pairs or None,
                agent_path=None,
                agent_forwarding=False,
                password_auth=False,
                kbdint_auth=False,
                login_timeout=problems.CONNECT_LIMIT,
                connect_timeout=None,
                keepalive_interval=self.interval,
                keepalive_count_max=KEEPALIVE_MISSES,
            )

    def _accepted(self) -> list[tuple[str, int, asyncssh.SSHKey]]:
        return [(host, port, asyncssh.import_public_key(key)) for host, port, key in self.questions.accepted]

    async def _known(self) -> Known:
        files = (*self.hop.user_files, *self.hop.system_files)
        try:
            return await asyncio.to_thread(hostkeys.find, files, self.hop.known_as, self.hop.known_port)
        except hostkeys.KnownHostsError as error:
            raise problems.files_unusable(self.hop, error) from error

    async def _settle_key(self, client: HopClient, error: asyncssh.Error) -> None:
        """Return where connecting again can succeed; raise where the key is refused."""
        known = client.known
        if client.offered is None:
            if "revoked" in str(error):
                raise problems.key_revoked(self.hop, known.revoked) from error
            if "not trusted" in str(error) and self.certificates:
                # Signed by an authority that nobody here knows: the plain key counts then, as for ssh itself.
                self.certificates = False
                return
            raise problems.certificate_refused(self.hop, error) from error
        async with self.questions.one:
            # Another link may have been told about this very key while this one waited.
            known = await self._known()
            verdict = known.judge(client.offered)
            if verdict is Verdict.CHANGED:
                raise problems.key_changed(self.hop, client.offered, known.keys) from error
            if verdict is Verdict.REVOKED:
                raise problems.key_revoked(self.hop, known.revoked) from error
            if verdict is Verdict.UNKNOWN:
                await self._ask_about(client.offered)

    async def _ask_about(self, key: asyncssh.SSHKey) -> None:
        hop = self.hop
        name = f"{hop.known_as} {hop.known_port} {key.get_fingerprint()}"
        if name in self.questions.declined:
            raise problems.key_not_trusted(hop, key)
        file = hop.user_files[0] if hop.user_files else None
        question = HostKeyQuestion(
            host=hop.name,
            address=hop.address,
            algorithm=key.get_algorithm(),
            fingerprint=key.get_fingerprint(),
            known_hosts=str(file) if file else "(nowhere: no known_hosts file is configured)",
        )
        if not await self.asker.trust_host_key(question):
            self.questions.declined[name] = 1
            raise problems.key_not_trusted(hop, key)
        if file is None:
            self.questions.accepted.add((hop.known_as, hop.known_port, key.export_public_key()))
            return
        try:
            await asyncio.to_thread(hostkeys.remember, file, hop.known_as, hop.known_port, key)
        except hostkeys.KnownHostsError as error:
            raise problems.files_unusable(hop, error) from error


def _is_refusal(error: asyncssh.Error) -> bool:
    """Whether the host refused who we are, rather than going away in the middle of it."""
    return isinstance(error, asyncssh.PermissionDenied) or "authentication" in str(error).lower()
