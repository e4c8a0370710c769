"""How a host is reached and who talks with whom on it, from the script's lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.system import HostNetwork, Socket
from debugtui.sources.system.network import MEMORY_S, SocketMemory, parse_network

BOX = "ab" * 32
ROWS = f"""mac 52:54:00:AA:00:01
mac 00:00:00:00:00:00
address 10.3.0.7
address 127.0.0.1
address 169.254.1.1
inet6 00000000000000000000000000000001
inet6 fd000000000000000000000000000002
neighbour 192.168.122.40 52:54:00:aa:00:02
neighbour 192.168.122.41 00:00:00:00:00:00
vm 77 intra-01
vm x y
sockets
socket LISTEN 0.0.0.0:22 0.0.0.0:* 0 - -
socket LISTEN [::]:8001 [::]:* 41 {BOX} python3
socket LISTEN 127.0.0.53%lo:53 0.0.0.0:* 9 - systemd-resolve
socket ESTAB [::ffff:127.0.0.1]:40001 [::ffff:127.0.0.1]:6001 41 {BOX} python3
socket ESTAB 127.0.0.1:40002 127.0.0.1:6001 42 {BOX} python3
socket LISTEN 0.0.0.0:8088 0.0.0.0:* 77 - qemu-system-x86
socket LISTEN 0.0.0.0:8089 0.0.0.0:* 77 - notqemu
socket nonsense
"""


def test_the_lines_of_the_script_are_understood() -> None:
    network = parse_network(ROWS.splitlines())
    assert network.addresses == ("10.3.0.7", "fd00::2")
    assert network.macs == ("52:54:00:aa:00:01",)
    assert network.neighbours == (("192.168.122.40", "52:54:00:aa:00:02"),)
    assert network.sockets == (
        Socket("0.0.0.0", 22),
        Socket("::", 8001, program="python3", pid=41, container=BOX),
        Socket("127.0.0.53", 53, program="systemd-resolve", pid=9),
        Socket("127.0.0.1", 40001, "127.0.0.1", 6001, "python3", 41, BOX),
        Socket("0.0.0.0", 8088, program="qemu-system-x86", pid=77, vm="intra-01"),
        Socket("0.0.0.0", 8089, program="notqemu", pid=77),
    )


def test_without_ss_the_sockets_are_not_known() -> None:
    assert parse_network(["address 10.3.0.7"]).sockets is None
    assert parse_network(["sockets"]).sockets == ()


@given(st.lists(st.text(max_size=60), max_size=30))
def test_any_line_is_read(rows: list[str]) -> None:
    network = parse_network([*rows, *(f"socket {row}" for row in rows)])
    assert all(0 < socket.port < 100_000 for socket in network.sockets or ())


def look(*sockets: Socket) -> HostNetwork:
    return HostNetwork(sockets=sockets)


def test_what_is_gone_is_remembered_for_a_while() -> None:
    memory = SocketMemory()
    client = Socket("127.0.0.1", 40_001, "127.0.0.1", 6001, "app", 5, BOX)
    serves, other = Socket("0.0.0.0", 8001, program="app", pid=5, container=BOX), Socket("0.0.0.0", 22)
    assert memory.with_gone(look(client, serves, other), 0.0) == look(client, serves, other)
    gone = memory.with_gone(look(other), 60.0).sockets
    assert gone is not None
    assert {(one.port, one.open) for one in gone} == {(22, True), (40_001, False), (8001, False)}
    again = memory.with_gone(look(serves), 120.0).sockets
    assert again is not None
    assert [(one.port, one.open) for one in again] == [(8001, True), (40_001, False)]
    assert memory.with_gone(look(serves), MEMORY_S + 1) == look(serves)
    assert memory.with_gone(HostNetwork(), 130.0) == HostNetwork()
