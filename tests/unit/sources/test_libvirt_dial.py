"""From a URI as seen from the host to one for this machine's library."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from debugtui.hosts.link import CommandResult, Endpoint, LinkError, NoSuchSocketError
from debugtui.model.source import LinkState, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt.dial import dial
from tests.unit.fakes import FakeLink


class Host(FakeLink):
    """Has some sockets; others it does not let in."""

    def __init__(self, *there: str, shut: tuple[str, ...] = (), folders: str = "/run/user/1000\n/home/ops/.cache\n") -> None:
        super().__init__()
        self.there, self.shut, self.folders = there, shut, folders
        self.asked: list[str] = []

    async def reach_unix(self, path: str) -> Endpoint:
        self.asked.append(path)
        if path in self.shut:
            raise LinkError(Problem(f"{path}: permission denied", "add ops to the group libvirt"))
        if path not in self.there:
            raise NoSuchSocketError(Problem(f"no {path}"))
        return Endpoint(path="/tmp/a b/sock")

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        return CommandResult(0, self.folders.encode(), b"")


@pytest.mark.parametrize(
    ("uri", "socket", "inner"),
    [
        ("qemu:///system", "/var/run/libvirt/libvirt-sock-ro", "qemu+unix:///system"),
        ("qemu:///system", "/var/run/libvirt/virtqemud-sock-ro", "qemu+unix:///system"),
        ("qemu:///system", "/var/run/libvirt/libvirt-sock", "qemu+unix:///system"),
        ("xen:///system", "/var/run/libvirt/libvirt-sock-ro", "xen+unix:///system"),
        ("qemu:///session", "/run/user/1000/libvirt/libvirt-sock", "qemu+unix:///session"),
        ("qemu:///session", "/home/ops/.cache/libvirt/virtqemud-sock", "qemu+unix:///session"),
        ("qemu+unix:///session?socket=/x/y%20z", "/x/y z", "qemu+unix:///session"),
    ],
)
async def test_the_first_socket_that_is_there_is_taken(uri: str, socket: str, inner: str) -> None:
    way = await dial(Host(socket), uri)
    assert way.socket == socket
    assert way.uri == f"{inner}?socket=/tmp/a%20b/sock"


async def test_read_only_sockets_come_first() -> None:
    host = Host("/var/run/libvirt/libvirt-sock", "/var/run/libvirt/virtqemud-sock-ro")
    assert (await dial(host, "qemu:///system")).socket.endswith("virtqemud-sock-ro")
    assert host.asked == ["/var/run/libvirt/libvirt-sock-ro", "/var/run/libvirt/virtqemud-sock-ro"]


@pytest.mark.parametrize("uri", ["test:///default", "test:///path/to/node.xml"])
async def test_the_test_driver_stays_in_this_process(uri: str) -> None:
    host = Host()
    assert (await dial(host, uri)).uri == uri
    assert not host.asked


@pytest.mark.parametrize("uri", ["qemu:///system", "qemu:///session", "qemu+unix:///system?socket=/x"])
async def test_no_socket_is_absent(uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        await dial(Host(), uri)
    assert raised.value.absent
    assert raised.value.problem.hint


async def test_a_socket_that_is_shut_is_not_absent() -> None:
    with pytest.raises(SourceError, match="permission denied") as raised:
        await dial(Host(shut=("/var/run/libvirt/libvirt-sock",)), "qemu:///system")
    assert not raised.value.absent
    assert "group libvirt" in raised.value.problem.hint


async def test_a_link_that_is_down_is_the_links_matter() -> None:
    host = Host(shut=("/x",))
    host.become(LinkState.LOST)
    with pytest.raises(LinkError):
        await dial(host, "qemu+unix:///system?socket=/x")


@pytest.mark.parametrize(
    "uri", ["qemu+ssh://kvm-02/system", "qemu+tcp:///system", "qemu://kvm-02/system", "/system", "qemu://[x"]
)
async def test_uris_with_a_transport_of_their_own_are_refused(uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        await dial(Host(), uri)
    assert not raised.value.absent
    assert "qemu:///system" in raised.value.problem.hint


async def test_a_host_without_folders_says_how_to_name_one() -> None:
    with pytest.raises(SourceError, match="socket="):
        await dial(Host(folders="\n"), "qemu:///session")
