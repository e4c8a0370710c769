"""How a host is reached and who talks with whom on it: from the script's lines, and what was seen at earlier looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from debugtui.model.system import HostNetwork, Socket
from debugtui.model.text import line

#: Most rows of each kind that are kept.
MOST = 2_000
#: Seconds for which a socket that is gone is remembered, and most of them: a database that is down has no clients.
MEMORY_S, MOST_GONE = 3_600.0, 500

_Key = tuple[str, str, int]


def parse_network(rows: Iterable[str]) -> HostNetwork:
    """Read the script's section about the network; rows of another form are left out."""
    addresses: dict[str, None] = {}
    macs: dict[str, None] = {}
    neighbours: dict[tuple[str, str], None] = {}
    sockets: dict[object, Socket] = {}
    machines: dict[int, str] = {}
    known = False
    for row in rows:
        word, _, rest = row.partition(" ")
        if (word == "address" and (address := _address(rest))) or (word == "inet6" and (address := _from_hex(rest))):
            addresses[address] = None
        elif word == "mac" and rest.strip("0:"):
            macs[line(rest.lower(), 32)] = None
        elif word == "neighbour":
            address, _, mac = rest.partition(" ")
            if _address(address) and mac.strip("0:"):
                neighbours[address, line(mac.lower(), 32)] = None
        elif word == "sockets":
            known = True
        elif word == "vm":
            pid, _, name = rest.partition(" ")
            if pid.isascii() and pid.isdigit() and len(pid) < 10:
                machines[int(pid)] = line(name, 200)
        elif word == "socket" and (socket := _socket(rest, machines)) is not None:
            sockets.setdefault(_key(socket) if socket.container else socket, socket)
    return HostNetwork(
        tuple(addresses)[:MOST],
        tuple(macs)[:MOST],
        tuple(neighbours)[:MOST],
        tuple(sockets.values())[:MOST] if known else None,
    )


def _address(text: str) -> str:
    """Return an address that leads to a machine from outside it; empty for any other text."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return ""
    return "" if found.is_loopback or found.is_unspecified or found.is_link_local else str(found)


def _from_hex(row: str) -> str:
    digits = row.split(" ", 1)[0]
    if len(digits) != 32:
        return ""
    return _address(":".join(digits[at : at + 4] for at in range(0, 32, 4)))


def _socket(row: str, machines: Mapping[int, str]) -> Socket | None:
    words = row.split(" ", 5)
    if len(words) < 6:
        return None
    state, own, other, pid, container, program = words
    address, port = _split(own)
    peer, peer_port = _split(other) if state != "LISTEN" else ("", 0)
    if not port or (state != "LISTEN" and not peer_port):
        return None
    program = "" if program == "-" else line(program, 40)
    number = int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 10 else 0
    inside = "" if container == "-" else line(container, 64)
    # What a process in a container has in its arguments makes it no VM.
    machine = machines.get(number, "") if program.startswith("qemu") and not inside else ""
    return Socket(address, port, peer, peer_port, program, number, inside, machine)


def _split(text: str) -> tuple[str, int]:
    """Return address and port of `[::ffff:127.0.0.1]:80`, without what says which interface it is."""
    address, _, port = text.rpartition(":")
    address = line(address.strip("[]").partition("%")[0], 60).removeprefix("::ffff:")
    return address, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0


def _key(socket: Socket) -> _Key:
    """Return what makes a container's socket the same at the next look: for a client not its own port, which changes."""
    return (socket.container, socket.peer, socket.peer_port) if socket.peer_port else (socket.container, "", -socket.port)


class SocketMemory:
    """The sockets of containers that were there at earlier looks."""

    def __init__(self) -> None:
        self._seen: dict[_Key, tuple[float, Socket]] = {}

    def with_gone(self, network: HostNetwork, now: float) -> HostNetwork:
        """Return a look with what is gone since earlier ones.

        Args:
            network: the newest look.
            now: seconds of a clock that only grows.
        """
        if network.sockets is None:
            return network
        present = {_key(socket): socket for socket in network.sockets if socket.container}
        gone = {key: (at, socket) for key, (at, socket) in self._seen.items() if key not in present and now - at < MEMORY_S}
        newest = sorted(gone, key=lambda key: (-gone[key][0], key))[:MOST_GONE]
        self._seen = {key: gone[key] for key in newest} | {key: (now, socket) for key, socket in present.items()}
        before = tuple(replace(gone[key][1], open=False) for key in newest)
        return replace(network, sockets=(*network.sockets, *before)) if before else network
