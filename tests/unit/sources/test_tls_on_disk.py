"""Which certificate nginx takes for a name: by its own rules, from text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.hosts.link import CommandResult
from debugtui.sources.tls.nginx_text import ConfigError, Directive, fetch, parse
from debugtui.sources.tls.on_disk import PairOnDisk, certificate_for
from tests.unit.fakes import FakeLink


def server(listen: str, names: str, pair: str, extra: str = "") -> str:
    return f"server {{ {listen} server_name {names}; ssl_certificate {pair}.pem; ssl_certificate_key {pair}.key; {extra} }}"


MANY = "\n".join(
    (
        "events {} http {",
        server("listen 443 ssl;", "exact.example a.example", "exact"),
        server("listen 443 ssl; listen [::]:443 ssl;", "*.example", "wild"),
        server("listen 443 ssl;", "*.deep.example .dot.example", "deep"),
        server("listen 443 ssl;", "mail.*", "mail"),
        server("listen 443 ssl;", "~^re(?<n>[0-9]+)\\.test$ '~^quoted{2}$'", "regex"),
        server("listen 443 ssl default_server;", "_", "default"),
        server("listen 8443 ssl;", "other.example", "other"),
        server("listen 8443 ssl;", "more.example", "more"),
        server("listen 80;", "plain.example", "plain"),
        "}",
    )
)


def chosen(text: str, name: str, port: int = 443) -> list[str]:
    return [pair.certificate for pair in certificate_for(text, name, port)]


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("exact.example", "exact"),
        ("EXACT.example.", "exact"),
        ("b.example", "wild"),
        ("x.deep.example", "deep"),
        ("dot.example", "deep"),
        ("y.dot.example", "deep"),
        ("mail.test", "mail"),
        ("mail.example", "wild"),
        ("re7.test", "regex"),
        ("quoted", "default"),
        ("quotedd", "regex"),
        ("unknown.test", "default"),
        ("10.1.2.3", "default"),
    ],
)
def test_the_server_of_a_name(name: str, pair: str) -> None:
    text = MANY.replace("listen [::]:443 ssl;", "")
    assert chosen(text, name) == [f"/etc/nginx/{pair}.pem"]


def test_without_a_default_the_first_answers() -> None:
    assert chosen(MANY, "unknown.test", 8443) == ["/etc/nginx/other.pem"]


def test_other_certificates_on_other_addresses_are_no_guess() -> None:
    # IPv6 has one server only, so that a name of another one is answered differently there.
    with pytest.raises(ConfigError, match="other certificates on other addresses"):
        chosen(MANY.replace("listen [::]:443 ssl;", "listen [::1]:443 ssl;"), "exact.example")
    both = "http {" + server("listen 10.0.0.1:443 ssl;", "a", "one") + server("listen 443 ssl;", "a", "two") + "}"
    assert chosen(both, "10.0.0.1") == ["/etc/nginx/one.pem"]
    assert chosen(both, "10.0.0.2") == ["/etc/nginx/two.pem"]
    with pytest.raises(ConfigError):
        chosen(both, "a")


def test_certificates_come_from_above_and_from_where_paths_begin() -> None:
    text = "http { ssl_certificate ../up.pem; ssl_certificate_key /k/up.key; server { listen 443; ssl on; } }"
    assert certificate_for(text, "a", 443, folder="/opt/nginx") == (PairOnDisk("/opt/nginx/../up.pem", "/k/up.key"),)
    two = server("listen 443 ssl;", "a", "one", "ssl_certificate two.pem; ssl_certificate_key two.key;")
    assert chosen(f"http {{ {two} }}", "a") == ["/etc/nginx/one.pem", "/etc/nginx/two.pem"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("events {}", "no server of it listens on port 443 with TLS"),
        ("http { server { listen 443; } }", "with TLS"),
        ("http { server { listen unix:/run/x.sock ssl; } }", "with TLS"),
        ("http { server { listen 443 ssl; } }", "names no certificate"),
        ("http { server { listen 443 ssl; ssl_certificate /c/$ssl_server_name.pem; } }", "variable"),
        ("http { server { listen 443 ssl; }", "comes too early"),
        ("http } {", "unexpected"),
    ],
)
def test_what_cannot_be_told_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        certificate_for(text, "a", 443)


def test_the_text_as_nginx_reads_it() -> None:
    text = """
    # server { listen 443; }
    user "www data"; # a comment ; {
    log_format main '$remote_addr { "$request" }';
    location ~ "^/a{2}$" { return 200 "a;b"; }
    """
    assert parse(text, "x") == (
        Directive("user", ("www data",)),
        Directive("log_format", ("main", '$remote_addr { "$request" }')),
        Directive("location", ("~", "^/a{2}$"), (Directive("return", ("200", "a;b")),)),
    )


def test_lua_is_left_alone() -> None:
    found = parse('content_by_lua_block { if x then return "}" end }\nafter 1;', "x")
    assert found[-1] == Directive("after", ("1",))


@given(st.text(alphabet="abc{};#'\"\\ \n$", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "x")
    except ConfigError:
        return


class Files(FakeLink):
    """A link to a host that answers with what the test says."""

    def __init__(self, answer: CommandResult) -> None:
        super().__init__()
        self.answer = answer

    async def run(self, argv: object, *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (CommandResult(0, b"", b""), "no such file"),
        (CommandResult(127, b"", b"sh: not found"), "not found"),
        (CommandResult(0, b"/x\0a 1;\0", b"", truncated=True), "too long"),
        (CommandResult(0, b"/x\0\x01\0", b""), "permission denied"),
        (CommandResult(0, b"/x\0a 1;\0" * 301, b""), "more than 300 files"),
        (CommandResult(0, b"/x\0include y;\0", b""), "includes within each other"),
    ],
)
async def test_files_that_cannot_be_read(answer: CommandResult, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        await fetch(Files(answer), "/etc/nginx/nginx.conf")
