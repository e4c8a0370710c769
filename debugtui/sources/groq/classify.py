"""From what a call of the API came to, to the one class of fault that it is, and a sentence about it. Pure."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from debugtui.config.redaction import redact
from debugtui.model.groq import GroqFault
from debugtui.model.text import line

#: Most characters of a sentence about a fault.
SENTENCE_LIMIT = 240
#: Most characters of a text from outside that are looked at.
_LOOKED_AT = 8_000


class Verdict(NamedTuple):
    """A fault, and what it says for itself (redacted, safe to show)."""

    fault: GroqFault
    says: str
    status: int | None = None


class AnswerTooBigError(Exception):
    """The answer holds more bytes than any answer of the API to a probe."""


class ShapeError(Exception):
    """The answer came, but it is not the API's. `fault` says which kind of wrong it is."""

    def __init__(self, fault: GroqFault, says: str, status: int | None = None) -> None:
        super().__init__(says)
        self.fault, self.says, self.status = fault, says, status


class Progress(NamedTuple):
    """How far a call had come when it ended.

    Attributes:
        stream: whether a stream was asked for.
        headers: whether the headers of an answer had come.
        chunks: how many chunks of the stream had come.
        waited_s: seconds from sending to the end.
    """

    stream: bool = False
    headers: bool = False
    chunks: int = 0
    waited_s: float = 0.0


def sentence(text: str) -> str:
    """Return a text from outside as one line: redacted first, so that no cut leaves half a secret, then cut."""
    said = line(redact(" ".join(text[:_LOOKED_AT].split())))
    return said if len(said) <= SENTENCE_LIMIT else f"{said[: SENTENCE_LIMIT - 1]}…"


#: What the API calls models that it no longer serves, beside those that it never did (404).
_NO_MODEL = ("model_decommissioned", "model_not_found", "model_not_active")


def of_status(status: int, *, is_json: bool = True, code: str = "") -> GroqFault:
    """Return the fault that an HTTP status stands for.

    Args:
        status: not one of success.
        is_json: whether the answer's body is an error in the API's form; a 404 without one comes from another server.
        code: the `code` of that error.
    """
    if status >= 500:
        return GroqFault.SERVER
    if status == 404:
        return GroqFault.NO_MODEL if is_json and code != "unknown_url" else GroqFault.NOT_THE_API
    if status == 400 and code in _NO_MODEL:
        return GroqFault.NO_MODEL
    if status < 400 or status in (405, 406, 407, 415, 421, 426):
        return GroqFault.NOT_THE_API
    return {
        401: GroqFault.AUTHENTICATION,
        402: GroqFault.PERMISSION,
        403: GroqFault.PERMISSION,
        408: GroqFault.TIMEOUT,
        413: GroqFault.TOO_LARGE,
        429: GroqFault.RATE_LIMITED,
        498: GroqFault.CAPACITY,
        499: GroqFault.CANCELLED,
    }.get(status, GroqFault.BAD_REQUEST)


def classify(error: BaseException, progress: Progress | None = None) -> Verdict:
    """Return which fault an exception of the SDK, of its HTTP library, or of reading their results is."""
    progress = progress or Progress()
    chain = tuple(_chain(error))
    for one in chain:
        if isinstance(one, ShapeError):
            return Verdict(one.fault, sentence(one.says), one.status)
        if isinstance(one, AnswerTooBigError):
            return Verdict(GroqFault.NOT_THE_API, "the answer is far too big for the API's")
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _of_answer(status, getattr(error, "body", None))
    if _timed_out(chain):
        return _of_silence(progress)
    if isinstance(error, (json.JSONDecodeError, UnicodeError)):
        return _of_garbage(error, progress)
    if _is_stream_error(error):
        return Verdict(GroqFault.STREAM_ERROR, sentence(f"the stream says: {_message(getattr(error, 'body', None)) or error}"))
    if isinstance(error, (TypeError, AttributeError, ValueError, LookupError)):
        fault = GroqFault.MALFORMED if progress.stream else GroqFault.NOT_THE_API
        return Verdict(fault, f"the answer has another shape than the API's ({type(error).__name__})")
    return _of_connection(chain, progress)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it came from, members of groups too, at most twenty."""
    ahead, seen = [error], 0
    while ahead and seen < 20:
        one = ahead.pop(0)
        seen += 1
        yield one
        if isinstance(one, BaseExceptionGroup):
            ahead += one.exceptions
        below = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if below is not None:
            ahead.append(below)


def _message(body: object) -> str:
    """Return what an error body says, with its code."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            said, code = inner.get("message"), inner.get("code")
            text = said if isinstance(said, str) else ""
            return f"{text} ({code})" if isinstance(code, str) and code else text
        return inner if isinstance(inner, str) else ""
    return ""


_TITLE = re.compile(r"<title[^>]{0,100}>\s*([^<]{1,100})", re.IGNORECASE)


def page(text: str) -> str:
    """Say what a page that is not the API's calls itself."""
    if not text.strip():
        return "an empty answer"
    title = _TITLE.search(text[:_LOOKED_AT])
    if title:
        return f"a page called {title[1].strip()!r}"
    return "an HTML page" if "<html" in text[:_LOOKED_AT].lower() or "<!doctype" in text[:200].lower() else "a text"


def _of_answer(status: int, body: object) -> Verdict:
    is_json = isinstance(body, dict)
    inner = body.get("error", body) if isinstance(body, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    fault = of_status(status, is_json=is_json, code=code if isinstance(code, str) else "")
    said = _message(body) if is_json else (f"with {page(body)}" if isinstance(body, str) and body.strip() else "")
    return Verdict(fault, sentence(f"{status} {said}" if said else f"answers {status}"), status)


#: Names of the libraries' exceptions, so that this module need not load them.
_TIMEOUTS = frozenset({"APITimeoutError", "ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout"})


def _timed_out(chain: tuple[BaseException, ...]) -> bool:
    return any(isinstance(one, TimeoutError) or type(one).__name__ in _TIMEOUTS for one in chain)


def _of_silence(progress: Progress) -> Verdict:
    waited = f"{progress.waited_s:.1f} s" if progress.waited_s else "its time limit"
    if progress.stream and progress.headers:
        if progress.chunks:
            said = f"the stream fell silent after {progress.chunks} chunk{'s' * (progress.chunks > 1)}; given up after {waited}"
            return Verdict(GroqFault.STALLED, said, 200)
        return Verdict(GroqFault.SLOW_FIRST_TOKEN, f"no first token within {waited}, though the stream began", 200)
    return Verdict(GroqFault.TIMEOUT, f"no whole answer within {waited}" if progress.headers else f"no answer within {waited}")


def _of_garbage(error: json.JSONDecodeError | UnicodeError, progress: Progress) -> Verdict:
    if progress.stream:
        what = "not JSON" if isinstance(error, json.JSONDecodeError) else "not UTF-8"
        return Verdict(GroqFault.MALFORMED, f"a chunk of the stream is {what}, after {progress.chunks} sound ones", 200)
    if isinstance(error, json.JSONDecodeError):
        if not error.doc.strip():
            return Verdict(GroqFault.NOT_THE_API, "an empty answer", 200)
        if error.doc.lstrip()[:1] in ("{", "["):
            said = f"the answer's JSON breaks off or is broken at character {error.pos} of {len(error.doc)}"
            return Verdict(GroqFault.CUT if _breaks_off(error.doc) else GroqFault.MALFORMED, said, 200)
        return Verdict(GroqFault.NOT_THE_API, f"{page(error.doc)} instead of JSON", 200)
    return Verdict(GroqFault.MALFORMED, "the answer is not UTF-8", 200)


def _breaks_off(text: str) -> bool:
    """Whether JSON is sound as far as it goes, but more brackets open in it than close."""
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if quoted:
            quoted = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
        elif sign == '"':
            quoted = True
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
    return quoted or depth > 0


def _is_stream_error(error: BaseException) -> bool:
    """Whether it is the SDK's own error for an error that came inside a stream: the base class, with a body."""
    return type(error).__name__ == "APIError" and getattr(error, "body", None) is not None


_DNS_WORDS = re.compile(
    r"name or service not known|nodename nor servname|name resolution|getaddrinfo|name does not resolve|could not resolve"
    r"|no address associated|no such host|name is not found|unknown host",
    re.IGNORECASE,
)
_TLS_WORDS = re.compile(r"\[SSL|CERTIFICATE_VERIFY|certificate|\bTLS\b|handshake|hostname mismatch", re.IGNORECASE)
_REFUSED_WORDS = re.compile(r"connection refused|\[Errno (?:111|61)\]|connect call failed", re.IGNORECASE)
_UNREACHABLE_WORDS = re.compile(r"unreachable|no route", re.IGNORECASE)
_CUT_WORDS = re.compile(r"without sending complete message body|incomplete chunked read|incomplete message", re.IGNORECASE)
_RESET_WORDS = re.compile(r"disconnected without sending|connection reset|broken pipe|\[Errno (?:104|54|32)\]", re.IGNORECASE)


def _of_connection(chain: tuple[BaseException, ...], progress: Progress) -> Verdict:
    words = " / ".join(dict.fromkeys(str(one).strip() for one in chain if str(one).strip()))[:_LOOKED_AT]
    # The deepest error says most; the SDK's own says "Connection error." for all of them.
    said = sentence(next((str(one) for one in reversed(chain) if str(one).strip()), type(chain[0]).__name__))
    kinds = {type(one).__name__ for one in chain}
    if any(isinstance(one, socket.gaierror) for one in chain) or _DNS_WORDS.search(words):
        return Verdict(GroqFault.DNS, f"the name cannot be resolved: {said}")
    tls = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if tls is not None or (_TLS_WORDS.search(words) and "ConnectError" in kinds):
        return Verdict(GroqFault.TLS, f"TLS fails: {sentence(str(tls)) if tls is not None else said}")
    if _CUT_WORDS.search(words) or (progress.headers and kinds & {"ReadError", "RemoteProtocolError"}):
        after = f" after {progress.chunks} chunks" if progress.stream else ""
        return Verdict(GroqFault.CUT, f"the connection was cut in the middle of the answer{after}: {said}", 200)
    if any(isinstance(one, ConnectionRefusedError) for one in chain) or _REFUSED_WORDS.search(words):
        return Verdict(GroqFault.REFUSED, f"nothing listens there: {said}")
    if _UNREACHABLE_WORDS.search(words):
        return Verdict(GroqFault.CONNECTION, f"not reachable: {said}")
    if "All connection attempts failed" in words:
        return Verdict(GroqFault.REFUSED, "nothing listens there: all connection attempts failed")
    if any(isinstance(one, ConnectionError) for one in chain) or _RESET_WORDS.search(words) or "ReadError" in kinds:
        return Verdict(GroqFault.RESET, f"the connection was ended before an answer: {said}")
    return Verdict(GroqFault.CONNECTION, f"the connection failed: {said}")
