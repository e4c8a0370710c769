"""From exceptions and results to one class of fault: the whole table, without a server."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import groq
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from debugtui.model.groq import GroqFault
from debugtui.sources.groq.classify import (
    SENTENCE_LIMIT,
    AnswerTooBigError,
    Progress,
    ShapeError,
    classify,
    of_status,
    page,
    sentence,
)

REQUEST = httpx.Request("POST", "https://api.groq.com/openai/v1/chat/completions")
STREAM = Progress(stream=True, headers=True, chunks=2, waited_s=4.0)
BEGUN = Progress(stream=True, headers=True)


def answered(status: int, body: object) -> groq.APIStatusError:
    response = httpx.Response(status, request=REQUEST)
    kinds: dict[int, type[groq.APIStatusError]] = {
        400: groq.BadRequestError,
        401: groq.AuthenticationError,
        403: groq.PermissionDeniedError,
        404: groq.NotFoundError,
        422: groq.UnprocessableEntityError,
        429: groq.RateLimitError,
    }
    kind = kinds.get(status, groq.InternalServerError if status >= 500 else groq.APIStatusError)
    return kind("said", response=response, body=body)


def error_body(message: str = "no", code: str = "some_code") -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "code": code}}


def connection(*chain: BaseException) -> groq.APIConnectionError:
    """The SDK's error, caused by the first, which is caused by the next..."""
    error = groq.APIConnectionError(request=REQUEST)
    above: BaseException = error
    for one in chain:
        above.__cause__ = one
        above = one
    return error


def timed_out(cause: BaseException) -> groq.APITimeoutError:
    error = groq.APITimeoutError(request=REQUEST)
    error.__cause__ = cause
    return error


def verify_error() -> ssl.SSLCertVerificationError:
    return ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")


def garbage(text: str) -> json.JSONDecodeError:
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads(text)
    return raised.value


def of_exceptions() -> list[tuple[str, BaseException, Progress, GroqFault]]:
    plain = Progress()
    body = error_body()
    return [
        ("400", answered(400, body), plain, GroqFault.BAD_REQUEST),
        ("401", answered(401, body), plain, GroqFault.AUTHENTICATION),
        ("403", answered(403, body), plain, GroqFault.PERMISSION),
        ("404", answered(404, body), plain, GroqFault.NO_MODEL),
        ("404 of another URL", answered(404, error_body(code="unknown_url")), plain, GroqFault.NOT_THE_API),
        ("404 of another server", answered(404, "<html>nginx</html>"), plain, GroqFault.NOT_THE_API),
        ("413", answered(413, error_body(code="rate_limit_exceeded")), plain, GroqFault.TOO_LARGE),
        ("422", answered(422, body), plain, GroqFault.BAD_REQUEST),
        ("424", answered(424, body), plain, GroqFault.BAD_REQUEST),
        ("429", answered(429, error_body(code="rate_limit_exceeded")), plain, GroqFault.RATE_LIMITED),
        ("498", answered(498, error_body(code="capacity_exceeded")), plain, GroqFault.CAPACITY),
        ("499", answered(499, body), plain, GroqFault.CANCELLED),
        ("500", answered(500, body), plain, GroqFault.SERVER),
        ("502", answered(502, "<html><title>502 Bad Gateway</title></html>"), plain, GroqFault.SERVER),
        ("503", answered(503, body), plain, GroqFault.SERVER),
        ("reset", connection(httpx.ReadError(""), ConnectionResetError(104, "reset")), plain, GroqFault.RESET),
        (
            "closed",
            connection(httpx.RemoteProtocolError("Server disconnected without sending a response.")),
            plain,
            GroqFault.RESET,
        ),
        (
            "refused",
            connection(
                httpx.ConnectError("All connection attempts failed"),
                OSError("All connection attempts failed"),
                ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)"),
            ),
            plain,
            GroqFault.REFUSED,
        ),
        ("refused without details", connection(httpx.ConnectError("All connection attempts failed")), plain, GroqFault.REFUSED),
        (
            "refused by several",
            connection(
                httpx.ConnectError("All connection attempts failed"),
                ExceptionGroup("several", [OSError(101, "Network is unreachable"), ConnectionRefusedError(111, "refused")]),
            ),
            plain,
            GroqFault.REFUSED,
        ),
        (
            "no way there",
            connection(httpx.ConnectError("All connection attempts failed"), OSError(113, "No route to host")),
            plain,
            GroqFault.CONNECTION,
        ),
        (
            "dns",
            connection(
                httpx.ConnectError("[Errno -2] Name or service not known"), socket.gaierror(-2, "Name or service not known")
            ),
            plain,
            GroqFault.DNS,
        ),
        ("dns of the host", OSError("Temporary failure in name resolution"), plain, GroqFault.DNS),
        ("refused to the host", OSError("Connection refused"), plain, GroqFault.REFUSED),
        ("tls", connection(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), verify_error()), plain, GroqFault.TLS),
        ("tls without details", connection(httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER]")), plain, GroqFault.TLS),
        ("illegal header", connection(httpx.LocalProtocolError("Illegal header value")), plain, GroqFault.CONNECTION),
        ("late headers", timed_out(httpx.ReadTimeout("")), plain, GroqFault.TIMEOUT),
        ("no connection in time", timed_out(httpx.ConnectTimeout("")), plain, GroqFault.TIMEOUT),
        ("own deadline", TimeoutError(), Progress(stream=True), GroqFault.TIMEOUT),
        ("own deadline in a body", TimeoutError(), Progress(headers=True), GroqFault.TIMEOUT),
        ("first token late", httpx.ReadTimeout(""), BEGUN, GroqFault.SLOW_FIRST_TOKEN),
        ("first token later than the deadline", TimeoutError(), BEGUN, GroqFault.SLOW_FIRST_TOKEN),
        ("stall", httpx.ReadTimeout(""), STREAM, GroqFault.STALLED),
        ("stall to the deadline", TimeoutError(), STREAM, GroqFault.STALLED),
        (
            "cut",
            httpx.RemoteProtocolError("peer closed connection without sending complete message body (incomplete chunked read)"),
            STREAM,
            GroqFault.CUT,
        ),
        ("reset in a stream", httpx.ReadError(""), STREAM, GroqFault.CUT),
        (
            "cut body",
            connection(
                httpx.RemoteProtocolError(
                    "peer closed connection without sending complete message body (received 5 bytes, expected 9)"
                )
            ),
            plain,
            GroqFault.CUT,
        ),
        ("error in the stream", groq.APIError("x", REQUEST, body={"message": "over"}), STREAM, GroqFault.STREAM_ERROR),
        ("x_groq.error", ShapeError(GroqFault.STREAM_ERROR, "over"), STREAM, GroqFault.STREAM_ERROR),
        ("chunk not JSON", garbage('{"id":"chat'), STREAM, GroqFault.MALFORMED),
        ("chunk not UTF-8", UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), STREAM, GroqFault.MALFORMED),
        ("chunk of another shape", TypeError("no"), STREAM, GroqFault.MALFORMED),
        ("no finish", ShapeError(GroqFault.INCOMPLETE, "ended"), STREAM, GroqFault.INCOMPLETE),
        ("cut JSON", garbage('{"id":"chatcmpl-1","object":"chat.comp'), plain, GroqFault.CUT),
        ("JSON cut between values", garbage('{"id":"chatcmpl-1",'), plain, GroqFault.CUT),
        ("broken JSON", garbage('{"id":: 3}'), plain, GroqFault.MALFORMED),
        ("empty JSON", garbage(""), plain, GroqFault.NOT_THE_API),
        ("HTML called JSON", garbage("<html></html>"), plain, GroqFault.NOT_THE_API),
        ("another shape", AttributeError("data"), plain, GroqFault.NOT_THE_API),
        ("too much", AnswerTooBigError(), plain, GroqFault.NOT_THE_API),
    ]


@pytest.mark.parametrize(("name", "error", "progress", "fault"), of_exceptions(), ids=[row[0] for row in of_exceptions()])
def test_each_exception_has_its_class(name: str, error: BaseException, progress: Progress, fault: GroqFault) -> None:
    verdict = classify(error, progress)
    assert verdict.fault is fault, verdict
    assert verdict.says
    assert "\n" not in verdict.says


def test_the_sentence_holds_the_apis_own_words() -> None:
    verdict = classify(answered(429, error_body("Rate limit reached. Please try again in 4.77s.", "rate_limit_exceeded")))
    assert verdict.says == "429 Rate limit reached. Please try again in 4.77s. (rate_limit_exceeded)"
    assert verdict.status == 429


def test_a_page_is_told_by_its_title_only() -> None:
    verdict = classify(answered(502, "<html><head><title> 502 Bad Gateway </title></head><body>secret</body></html>"))
    assert verdict.says == "502 with a page called '502 Bad Gateway'"
    assert page("") == "an empty answer"
    assert page("<!DOCTYPE html><p>x") == "an HTML page"
    assert page("moved") == "a text"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (301, GroqFault.NOT_THE_API),
        (402, GroqFault.PERMISSION),
        (405, GroqFault.NOT_THE_API),
        (407, GroqFault.NOT_THE_API),
        (408, GroqFault.TIMEOUT),
        (409, GroqFault.BAD_REQUEST),
        (451, GroqFault.BAD_REQUEST),
        (504, GroqFault.SERVER),
        (599, GroqFault.SERVER),
    ],
)
def test_other_statuses(status: int, fault: GroqFault) -> None:
    assert of_status(status) is fault


@given(some.integers(300, 999))
def test_every_status_has_a_class(status: int) -> None:
    assert isinstance(of_status(status), GroqFault)


@given(some.text(max_size=400))
def test_a_sentence_is_one_short_line(text: str) -> None:
    said = sentence(text * 20)
    assert len(said) <= SENTENCE_LIMIT
    assert "\n" not in said
    assert "\x1b" not in said


def test_a_secret_at_the_cut_leaves_no_half_behind() -> None:
    key = "gsk_" + "a1B2" * 13
    assert "gsk_" not in sentence("x " * (SENTENCE_LIMIT // 2 - 6) + key)


def test_a_loop_of_causes_ends() -> None:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert classify(one).fault is GroqFault.CONNECTION


BODIES = some.recursive(
    some.none() | some.integers() | some.text(), lambda below: some.lists(below) | some.dictionaries(some.text(), below)
)


@given(BODIES)
def test_any_body_of_an_error_is_survived(body: object) -> None:
    assert classify(answered(400, body)).fault is GroqFault.BAD_REQUEST


def test_a_model_that_is_no_longer_served_is_no_bad_request() -> None:
    assert of_status(400, code="model_decommissioned") is GroqFault.NO_MODEL
    assert of_status(400, code="json_validate_failed") is GroqFault.BAD_REQUEST
