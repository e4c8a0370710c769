"""From what the operator wrote to the chain of machines that a connection goes through, as ssh's own configuration says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import asyncssh

from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem
from debugtui.model.text import line

#: Longest chain of jump hosts; a longer one is taken for a mistake.
MOST_HOPS = 8

_DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_DEFAULT_USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_DEFAULT_SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

# What a host or user name may not hold: white space and control characters, and what means something in a known_hosts line.
_BAD_NAME = re.compile(r"[\s,/@*?!|#\[\]\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Destination:
    """`[user@]host[:port]`, each part as written; the rest comes from ssh's configuration."""

    host: str
    user: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Hop:
    """One machine of the chain.

    Attributes:
        name: what the operator calls it.
        destination: as written; asyncssh looks the rest up again when it connects.
        host, port, user: what that means.
        known_as: the name that known_hosts files are searched for (HostKeyAlias, else the host).
        known_port: the port that belongs to that name; 22 with an alias, which stands for itself.
        identities: key files to try, in this order; `named` if somebody chose them, so a missing one is an error.
        certificates: of those keys.
        only: use no other key of the agent.
        agent: socket of the ssh agent; empty: none.
        user_files, system_files: known_hosts files; an accepted key goes to the first of `user_files`.
        own_algorithms: the configuration names the host key algorithms; they are not reordered then.
        proxied: reached through a ProxyCommand.
        jump_for: name of the target for which this is a jump host; empty for the target itself.
        ssh_config: the files that say all this.
    """

    name: str
    destination: Destination
    host: str
    port: int
    user: str
    known_as: str
    known_port: int
    identities: tuple[Path, ...]
    named: bool
    certificates: tuple[str, ...]
    only: bool
    agent: str
    user_files: tuple[Path, ...]
    system_files: tuple[Path, ...]
    own_algorithms: bool
    proxied: bool
    jump_for: str
    ssh_config: tuple[Path, ...]

    @property
    def address(self) -> str:
        """`user@host:port`, safe to show."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return line(f"{self.user}@{host}:{self.port}", 200)

    def __str__(self) -> str:
        if self.jump_for:
            return f"jump host {line(self.name, 100)} ({self.address}) on the way to {line(self.jump_for, 100)}"
        return f"{line(self.name, 100)} ({self.address})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the operator configured for one host. `ssh_config`: files to read, the operator's own first."""

    name: str
    address: str
    identity: Path | None = None
    known_hosts: Path | None = None
    jump: str | None = None
    ssh_config: tuple[Path, ...] = ()


def default_ssh_config() -> tuple[Path, ...]:
    """The files that ssh itself reads, as far as they exist."""
    files = (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config"))
    return tuple(path for path in files if os.access(path, os.R_OK))


def parse_destination(text: str) -> Destination:
    """Read `ssh://[user@]host[:port]`, `[user@]host[:port]` or an alias.

    Raises:
        ValueError: it is neither.
    """
    rest = text.strip()
    is_url = rest.lower().startswith("ssh://")
    if is_url:
        rest = rest[6:].rstrip("/")
    user, at, host = rest.rpartition("@")
    port = ""
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError(f"{text!r}: an IPv6 address is written [address]:port")
        port = port[1:]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    user = unquote(user.partition(":")[0]) if is_url else user
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if (port and not 0 < number < 65536) or (at and not user):
        raise ValueError(f"{text!r} is not [user@]host[:port]")
    if not host or host.startswith("-") or user.startswith("-") or _BAD_NAME.search(host) or _BAD_NAME.search(user):
        raise ValueError(f"{text!r} is not [user@]host[:port]")
    return Destination(host, user, number)


def resolve(plan: Plan) -> tuple[Hop, ...]:
    """Return the chain, the target last. Reads files: call it in a thread.

    Raises:
        LinkError: the address or a file of ssh's configuration is not understood; `refused`, since trying again is useless.
    """
    try:
        return _resolve(plan)
    except (ValueError, OSError) as error:
        problem = Problem(
            f"{line(plan.name, 100)}: {line(str(error), 400)}",
            "correct the address in the configuration, or the named line of ssh's configuration",
        )
        raise LinkError(problem, refused=True) from error


def _resolve(plan: Plan) -> tuple[Hop, ...]:
    destination = parse_destination(plan.address)
    options = _options(destination, plan.ssh_config)
    jump = plan.jump if plan.jump is not None else _text(options.tunnel)
    target = _hop(plan, destination, options, name=plan.name, jump_for="", proxied=not jump and bool(options.proxy_command))
    if not jump or jump.strip().lower() == "none":
        return (target,)
    return (*_jumps(plan, jump, MOST_HOPS), target)


def _jumps(plan: Plan, jump: str, room: int) -> list[Hop]:
    """Resolve `a,b,c`: a is reached as its own configuration says, b through a, c through b."""
    hops: list[Hop] = []
    for index, part in enumerate(jump.split(",")):
        if len(hops) >= room:
            raise ValueError(f"more than {MOST_HOPS} jump hosts: does ProxyJump go in a circle?")
        destination = parse_destination(part)
        options = _options(destination, plan.ssh_config)
        before = _text(options.tunnel)
        if index == 0 and before:
            hops += _jumps(plan, before, room - 1)
        proxied = not hops and bool(options.proxy_command)
        hops.append(_hop(plan, destination, options, name=part.strip(), jump_for=plan.name, proxied=proxied))
    return hops


def _options(destination: Destination, ssh_config: Sequence[Path]) -> asyncssh.SSHClientConnectionOptions:
    """Look a destination up in ssh's configuration, without loading keys."""
    return asyncssh.SSHClientConnectionOptions(
        config=[str(path) for path in ssh_config],
        host=destination.host,
        port=destination.port or (),
        username=destination.user or (),
        client_keys=None,
        known_hosts=None,
        x509_trusted_certs=None,
        x509_trusted_cert_paths=[],
    )


def _hop(
    plan: Plan,
    destination: Destination,
    options: asyncssh.SSHClientConnectionOptions,
    *,
    name: str,
    jump_for: str,
    proxied: bool,
) -> Hop:
    identities = _texts(options.config.get("IdentityFile"))
    named = bool(identities)
    if plan.identity is not None and (not jump_for or not identities):
        identities, named = [str(plan.identity)], True
    alias = _text(options.config.get("HostKeyAlias"))
    user_files, system_files = _known_hosts(plan, options)
    return Hop(
        name=name,
        destination=destination,
        host=options.host,
        port=options.port,
        user=options.username,
        known_as=(alias or options.host).lower(),
        known_port=22 if alias else options.port,
        identities=_paths(identities or _DEFAULT_IDENTITIES),
        named=named,
        certificates=tuple(str(path) for path in _paths(_texts(options.config.get("CertificateFile")))),
        only=bool(options.config.get("IdentitiesOnly")),
        agent=_agent(options.config.get("IdentityAgent", ())),
        user_files=user_files,
        system_files=system_files,
        own_algorithms=options.config.get("HostKeyAlgorithms") is not None,
        proxied=proxied,
        jump_for=jump_for,
        ssh_config=plan.ssh_config,
    )


def _known_hosts(plan: Plan, options: asyncssh.SSHClientConnectionOptions) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    if plan.known_hosts is not None:
        return _paths([str(plan.known_hosts)]), ()
    user = options.config.get("UserKnownHostsFile")
    system = options.config.get("GlobalKnownHostsFile")
    return (
        _paths(_DEFAULT_USER_FILES if user is None else _texts(user)),
        _paths(_DEFAULT_SYSTEM_FILES if system is None else _texts(system)),
    )


def _agent(configured: object) -> str:
    """The agent's socket: IdentityAgent (`none`, `SSH_AUTH_SOCK`, `$VARIABLE` or a path), else what the environment says."""
    if configured is None:
        return ""
    text = str(configured) if isinstance(configured, str) else "SSH_AUTH_SOCK"
    if text == "SSH_AUTH_SOCK" or text.startswith("$"):
        text = os.environ.get(text.removeprefix("$").strip("{}"), "")
    return str(Path(text).expanduser()) if text else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, Iterable) else []


def _paths(names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names if name not in {"none", "/dev/null"})
