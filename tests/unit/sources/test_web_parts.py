"""Parts of the web probe that need no server: matching, the window, kinds of faults, what of an address is shown."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from debugtui.config.hosts import ExpectConfig
from debugtui.hosts.link import Endpoint, LinkError
from debugtui.model.source import Problem
from debugtui.model.web import WebFault
from debugtui.sources.web.dial import Dialer, DialError, causes, of_os_error, words
from debugtui.sources.web.matching import matches
from debugtui.sources.web.probe import shown
from debugtui.sources.web.window import Window
from tests.unit.fakes import FakeLink

JSON = {"content-type": "application/json; charset=utf-8"}


class Broken(FakeLink):
    """A link whose way to a service fails because of `cause`."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__()
        self.cause = cause

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        raise LinkError(Problem(f"{host}:{port} cannot be reached: {self.cause}")) from self.cause


class ChannelError(Exception):
    """As asyncssh says that a channel was not opened."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        (OSError(errno.ECONNREFUSED, "refused"), WebFault.REFUSED),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"), WebFault.REFUSED),
        (OSError(errno.EHOSTUNREACH, "no route"), WebFault.UNREACHABLE),
        (OSError(errno.ENETUNREACH, "no net"), WebFault.UNREACHABLE),
        (TimeoutError(), WebFault.TIMEOUT),
        (socket.gaierror(-2, "Name or service not known"), WebFault.DNS),
        (ChannelError(2, "Connection refused"), WebFault.REFUSED),
        (ChannelError(2, "Name or service not known"), WebFault.DNS),
        (ChannelError(2, "Temporary failure in name resolution"), WebFault.DNS),
        (ChannelError(2, "No route to host"), WebFault.UNREACHABLE),
        (ChannelError(2, "Network is unreachable"), WebFault.UNREACHABLE),
        (ChannelError(2, "Connection timed out"), WebFault.TIMEOUT),
        (ChannelError(2, "Verbindungsaufbau misslungen"), WebFault.UNREACHABLE),
    ],
)
async def test_why_an_address_cannot_be_reached(cause: BaseException, fault: WebFault) -> None:
    with pytest.raises(DialError) as failed:
        await Dialer(Broken(cause)).reach("shop.example", 80)
    assert failed.value.fault is fault
    assert "shop.example:80" in failed.value.says


@pytest.mark.parametrize(
    "cause",
    [
        None,  # the link is not up
        ChannelError(1, "administratively prohibited"),  # forwarding is not allowed: nothing is known of the page
        ChannelError(2, "SSH connection closed"),
        RuntimeError("something else"),
    ],
)
async def test_a_fault_of_the_link_is_none_of_the_page(cause: BaseException | None) -> None:
    with pytest.raises(LinkError):
        await Dialer(Broken(cause)).reach("shop.example", 80)


async def test_without_a_link_the_address_is_its_own_end() -> None:
    assert await Dialer(None).reach("::1", 8080) == Endpoint(host="::1", port=8080)


def test_errors_of_the_system() -> None:
    assert of_os_error(ConnectionResetError()) is WebFault.RESET
    assert of_os_error(BrokenPipeError(errno.EPIPE, "x")) is WebFault.RESET
    assert of_os_error(ssl.SSLEOFError()) is WebFault.RESET
    assert of_os_error(ssl.SSLError(1, "[SSL] x")) is WebFault.TLS
    assert words(OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 80)")) == "Connection refused"
    assert words(OSError()) == "OSError"


def test_causes_take_groups_apart_and_end() -> None:
    inner = OSError(1, "x")
    group = ExceptionGroup("several", [inner, ValueError("y")])
    outer = RuntimeError("z")
    outer.__cause__ = group
    inner.__context__ = outer  # a circle
    assert inner in list(causes(outer))


def test_status_body_and_json() -> None:
    expect = ExpectConfig(status=200, body="ready", json_path={"checks.db": "ok", "n": "3", "flag": "true"})
    body = b'{"checks":{"db":"ok"},"n":3,"flag":true,"says":"ready"}'
    found = matches(expect, 200, JSON, body, cut=False)
    assert [one.what for one in found] == ["status", "body", "json checks.db", "json n", "json flag"]
    assert all(one.ok for one in found)
    wrong = matches(expect, 503, JSON, b'{"checks":{"db":"down"},"n":"x","flag":null}', cut=False)
    assert not any(one.ok for one in wrong)
    assert [one.found for one in wrong[2:]] == ["down", "x", "null"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"n": NaN}', b'{"n":' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_said(body: bytes) -> None:
    found = matches(ExpectConfig(json_path={"n": "3"}), 200, JSON, body, cut=False)
    assert not found[1].ok
    assert found[1].found.startswith("no JSON")


def test_a_path_that_is_none_is_said() -> None:
    found = matches(ExpectConfig(json_path={"a..b": "3"}), 200, JSON, b"{}", cut=False)
    assert found[1].found.startswith("the path cannot be read")


def test_packed_bodies_are_not_unpacked() -> None:
    expect = ExpectConfig(body="x", json_path={"a": "1"})
    found = matches(expect, 200, {"content-encoding": "gzip"}, b"\x1f\x8b", cut=False)
    assert [one.ok for one in found] == [True, False, False]
    assert "gzip" in found[1].found


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "idna", "no-such", "hex"])
def test_any_charset_is_read(charset: str) -> None:
    body = "grün".encode(charset if charset in ("utf-8", "iso-8859-1") else "utf-8")
    found = matches(ExpectConfig(body="grün"), 200, {"content-type": f"text/html; charset={charset}"}, body, cut=False)
    assert found[1].ok


def test_secrets_and_long_values_are_not_shown() -> None:
    body = b'{"a":"gsk_' + b"a" * 40 + b'","b":"' + b"x" * 5000 + b'"}'
    found = matches(ExpectConfig(json_path={"a": "1", "b": "1"}), 200, JSON, body, cut=False)
    assert "gsk_" not in found[1].found
    assert len(found[2].found) < 200


def test_queries_of_addresses_are_not_shown() -> None:
    assert shown(httpx.URL("https://user:pw@shop.example:8443/a/b?code=secret#x")) == "https://shop.example:8443/a/b?…"
    assert shown(httpx.URL("http://[::1]:80/")) == "http://[::1]/"


def test_the_window_forgets_and_stays_small() -> None:
    window = Window()
    for second in range(4):
        window.add(second, 10.0 * (second + 1), failed=False)
    assert window.percentile(0.5) is window.failed_share is None
    window.add(4, None, failed=True)
    assert window.failed_share == 0.2
    assert window.percentile(0.5) is None  # only four were answered
    window.add(5, 50.0, failed=False)
    assert (window.percentile(0.5), window.percentile(0.95)) == (30.0, 50.0)
    for second in range(10_000):
        window.add(10_000 + second, 1.0, failed=False)
    assert len(window._probes) <= 601
    assert (window.percentile(0.95), window.failed_share) == (1.0, 0.0)
