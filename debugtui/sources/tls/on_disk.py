"""Which certificate files nginx names for an address, as nginx itself chooses among its servers."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.tls.nginx_text import ConfigError, Directive, parse

#: What stands for "any address of this machine" in a `listen`.
_ANY = frozenset({"*", "0.0.0.0", "[::]", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class PairOnDisk:
    """The files of a certificate and its key, absolute."""

    certificate: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class _Listen:
    address: str
    port: int
    tls: bool
    default: bool


@dataclass(frozen=True, slots=True)
class _Server:
    names: tuple[str, ...]
    listens: tuple[_Listen, ...]
    pairs: tuple[PairOnDisk, ...]


def certificate_for(text: str, name: str, port: int, *, folder: str = "/etc/nginx") -> tuple[PairOnDisk, ...]:
    """Return the certificates for a name and port in the text of a whole configuration; see `certificates_for`."""
    return certificates_for(parse(text, "the configuration"), name, port, folder=folder)


def certificates_for(directives: Iterable[Directive], name: str, port: int, *, folder: str) -> tuple[PairOnDisk, ...]:
    """Return the certificate files of the server that answers for a name on a port; several where it has several keys.

    Args:
        directives: the whole configuration.
        name: the server name that a client asks for, or an IP address.
        port: that it listens on.
        folder: of the main file, where relative names begin.

    Raises:
        ConfigError: no server listens there, it has no certificate, or which one answers cannot be told.
    """
    servers = [one for http in directives if http.name == "http" for one in _servers(http, folder)]
    groups: dict[str, list[_Server]] = {}
    for server in servers:
        for address in {listen.address for listen in server.listens if listen.port == port}:
            groups.setdefault(address, []).append(server)
    if not any(listen.tls for server in servers for listen in server.listens if listen.port == port):
        raise ConfigError(Problem(f"no server of it listens on port {port} with TLS", "correct nginx or url"))
    groups = _reachable(groups, name)
    chosen = {_choose(group, name, port).pairs for group in groups.values()}
    if len(chosen) > 1:
        where = ", ".join(sorted(groups))
        raise ConfigError(Problem(f"port {port} has other certificates on other addresses ({line(where, 150)})"))
    pairs = chosen.pop() if chosen else ()
    if not pairs:
        raise ConfigError(Problem(f"the server for {line(name, 100)} on port {port} names no certificate"))
    odd = next((path for pair in pairs for path in (pair.certificate, pair.key) if "$" in path), None)
    if odd is not None:
        raise ConfigError(Problem(f"its file has a variable in its name: {line(odd, 150)}"))
    return pairs


def _servers(http: Directive, folder: str) -> list[_Server]:
    above = _pairs(http, folder)
    found = []
    for server in http.all("server"):
        names = tuple(name for one in server.all("server_name") for name in one.args)
        on = any(one.args == ("on",) for one in server.all("ssl"))
        listens = tuple(_listen(one.args, on) for one in server.all("listen") if one.args)
        found.append(_Server(names, listens or (_Listen("*", 80, on, False),), _pairs(server, folder) or above))
    return found


def _pairs(block: Directive, folder: str) -> tuple[PairOnDisk, ...]:
    certificates = [_path(one.args[0], folder) for one in block.all("ssl_certificate") if one.args]
    keys = [_path(one.args[0], folder) for one in block.all("ssl_certificate_key") if one.args]
    keys += [""] * (len(certificates) - len(keys))
    return tuple(PairOnDisk(certificate, key) for certificate, key in zip(certificates, keys, strict=False))


def _path(written: str, folder: str) -> str:
    return written if written.startswith(("data:", "engine:", "store:")) else posixpath.join(folder, written)


def _listen(args: Sequence[str], on: bool) -> _Listen:
    where = args[0]
    address, _, digits = where.rpartition(":") if not where.endswith("]") else (where, "", "")
    if where.isdecimal():
        address, port = "*", int(where)
    elif digits.isdecimal() and not where.startswith("unix:"):
        port = int(digits)
    else:
        address, port = where, 0 if where.startswith("unix:") else 80
    return _Listen("*" if address in _ANY else address.strip("[]"), port, on or "ssl" in args, "default_server" in args)


def _reachable(groups: dict[str, list[_Server]], name: str) -> dict[str, list[_Server]]:
    """The groups of listens that a connection to an address may end at: an exact address goes before any address."""
    try:
        address = str(ipaddress.ip_address(name))
    except ValueError:
        return groups
    exact = {written: group for written, group in groups.items() if written == address}
    return exact or {written: group for written, group in groups.items() if written == "*"} or groups


def _choose(group: Sequence[_Server], name: str, port: int) -> _Server:
    """The server that nginx takes for a name: exact, longest `*.name`, longest `name.*`, first `~regex`, default, first.

    A client that connects to an IP address sends no name: the default answers.
    """
    name = name.lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        best = max(
            ((_rank(name, written), -at) for at, server in enumerate(group) for written in server.names), default=((0, 0), 0)
        )
        if best[0] > (0, 0):
            return group[-best[1]]
    default = [server for server in group if any(listen.port == port and listen.default for listen in server.listens)]
    return (default or list(group))[0]


def _rank(name: str, written: str) -> tuple[int, int]:
    """How well a written server name fits, higher is better; (0, 0): not at all."""
    if written.startswith("~"):
        # PCRE names its groups `(?<name>`, Python `(?P<name>`.
        pattern = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", written[1:])
        try:
            return (1, 0) if re.search(pattern, name, re.IGNORECASE) else (0, 0)
        except re.error:
            return (0, 0)
    written = written.lower()
    if written == name or (written.startswith(".") and written[1:] == name):
        return (4, 0)
    if written.startswith((".", "*.")) and name.endswith(written.lstrip("*")):
        return (3, len(written))
    if written.endswith(".*") and name.startswith(written[:-1]):
        return (2, len(written))
    return (0, 0)
