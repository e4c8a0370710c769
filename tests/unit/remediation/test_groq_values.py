"""What the repairs of the Groq API's uses read and write: environment files, log lines, fingerprints, worst cases."""

from __future__ import annotations

import pytest

from debugtui.config.models import GroqConfig, GroqLogsConfig
from debugtui.config.redaction import redact
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.groq.checks import statuses
from debugtui.remediation.catalogue.groq.common import fingerprint, fit_for_a_key
from debugtui.remediation.catalogue.groq.env_file import changed, decoded, rest, seal, value_of
from debugtui.remediation.catalogue.groq.set_timeouts import _worst

TEXT = "# head\nA=1\n  export KEY = 'old one'\r\nKEYS=2\nLAST=\"x\""


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", "1"), ("KEY", "old one"), ("KEYS", "2"), ("LAST", "x"), ("B", None), ("head", None), ("# head", None)],
)
def test_a_variable_is_read(name: str, value: str | None) -> None:
    assert value_of(TEXT, name) == value


def test_only_the_variables_own_line_changes() -> None:
    assert changed(TEXT, {"KEY": "new"}) == TEXT.replace("'old one'", "'new'")
    assert changed(TEXT, {"LAST": "y", "NEW": "z"}) == TEXT.replace('"x"', '"y"') + "\nNEW=z\n"
    assert changed("", {"NEW": "z"}) == "NEW=z\n"
    assert changed("A=1\n", {"NEW": "z"}) == "A=1\nNEW=z\n"
    assert rest(changed(TEXT, {"KEY": "new"}), {"KEY": ""}) == rest(TEXT, {"KEY": ""})


@pytest.mark.parametrize(
    "value", ["", "two words", "a'b", 'a"b', "a#b", "$HOME", "`id`", "a\\b", "a\nB=2", "ä", "a;b", "x" * 600]
)
def test_what_readers_take_differently_is_not_written_and_not_repeated(value: str) -> None:
    with pytest.raises(PlanError) as caught:
        changed(TEXT, {"KEY": value})
    assert not value or value not in str(caught.value)


def test_what_is_no_text_is_no_environment_file() -> None:
    for content in (b"A=\xff", b"A=\0", b"x" * 70_000):
        with pytest.raises(PlanError):
            decoded(content, "/etc/x")


def test_a_seal_tells_files_and_places_apart() -> None:
    assert seal("A=1", "/a") == seal("A=1", "/a")
    assert len({seal("A=1", "/a"), seal("A=2", "/a"), seal("A=1", "/b")}) == 3


@pytest.mark.parametrize("key", ["gsk_" + "a" * 52, "velvet-otter-0451-old", "A1b2C3d4"])
def test_a_key_is_fit(key: str) -> None:
    assert fit_for_a_key(key)
    assert redact(f"{fingerprint(key)} is the fingerprint") == f"{fingerprint(key)} is the fingerprint"
    assert not any(key[at : at + 8] == fingerprint(key) for at in range(len(key)))


@pytest.mark.parametrize(
    "key", ["", "short", "two words here", "line-end-here\n", "gsk_ümlaut-ümlaut", "a\tb-c-d-e-f", "$(reboot)1234"]
)
def test_a_key_is_not_fit(key: str) -> None:
    assert not fit_for_a_key(key)


def test_only_calls_of_the_api_count() -> None:
    use = GroqConfig(name="x", base_url="https://api.groq.com")
    lines = [
        'INFO:httpx:HTTP Request: POST https://api.groq.com/openai/v1/chat/completions "HTTP/1.1 401 Unauthorized"',
        'HTTP Request: POST https://api.groq.com/openai/v1/chat/completions "HTTP/1.1 200 OK"',
        'HTTP Request: GET https://shop.example.org/x "HTTP/1.1 404 Not Found"',
        '127.0.0.1 - "GET /nothing HTTP/1.1" 404 Not Found',
        "groq.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit reached'}}",
        "401 sausages were sold",
    ]
    assert statuses(lines, use) == [401, 200, 429]
    own = GroqConfig(name="x", logs=GroqLogsConfig(container="h/docker/x", pattern=r"groq status=(?P<status>\d+)"))
    assert statuses(["groq status=498 ms=3", *lines], own) == [498]


@pytest.mark.parametrize(
    ("timeout", "retries", "total"),
    [
        ("60", "2", "180"),
        (None, None, "180"),
        ("20", None, "60"),
        (None, "0", "60"),
        ("12.5", "1", "25"),
        ("x", "1", "?"),
        ("5", "y", "?"),
    ],
)
def test_the_worst_case(timeout: str | None, retries: str | None, total: str) -> None:
    assert _worst(timeout, retries)[0] == total
