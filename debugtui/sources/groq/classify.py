"""From what the SDK raises or returns to one class of fault and a sentence. Pure.

Not everything that goes wrong is an error of the SDK: a stream that is cut raises the HTTP library's own errors, a proxy's page
comes back as a `str`, a stream that ends early simply ends.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.groq import GroqFault
from debugtui.model.text import clean, line

_STATUS = {
    401: GroqFault.AUTHENTICATION,
    403: GroqFault.PERMISSION,
    404: GroqFault.NO_MODEL,
    408: GroqFault.TIMEOUT,
    413: GroqFault.TOO_LARGE,
    429: GroqFault.RATE_LIMITED,
    498: GroqFault.CAPACITY,
    499: GroqFault.CANCELLED,
}


def of_status(status: int) -> GroqFault:
    """Return the class of an HTTP status that is no success."""
    if status in _STATUS:
        return _STATUS[status]
    return GroqFault.SERVER if status >= 500 else GroqFault.BAD_REQUEST


def of_error(error: BaseException, *, streaming: bool = False, tokens: int = 0) -> tuple[GroqFault, str]:
    """Return the class of an exception, and one sentence about it, redacted.

    Args:
        error: what was raised.
        streaming: the answer's headers had come: the stream broke.
        tokens: chunks with content that had come by then.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return of_status(status), f"{status}: {_message(error)}"
    causes = list(_causes(error))
    names = {type(one).__name__ for one in causes}
    if streaming:
        return _of_stream(error, causes, names, tokens)
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return GroqFault.NOT_THE_API, "the answer is no JSON, or was cut off"
    if names & _TIMEOUTS:
        return GroqFault.TIMEOUT, "no answer in time"
    return _of_connection(error, causes, names)


_TIMEOUTS = frozenset({"ReadTimeout", "TimeoutError", "APITimeoutError", "ConnectTimeout", "PoolTimeout", "WriteTimeout"})
_CUTS = frozenset({"RemoteProtocolError", "ReadError", "ConnectionResetError"})


def _of_stream(error: BaseException, causes: list[BaseException], names: set[str], tokens: int) -> tuple[GroqFault, str]:
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return GroqFault.MALFORMED, "a chunk of the stream is no JSON"
    if names & _TIMEOUTS:
        stalled = (GroqFault.STALLED, f"the stream stalled after {tokens} tokens")
        return stalled if tokens else (GroqFault.SLOW_FIRST_TOKEN, "no first token in time")
    if names & _CUTS:
        return GroqFault.CUT, f"the stream was cut after {tokens} tokens"
    if type(error).__name__ == "APIError":
        return GroqFault.STREAM_ERROR, f"an error came in the stream: {_message(error)}"
    return _of_connection(error, causes, names)


def _of_connection(error: BaseException, causes: list[BaseException], names: set[str]) -> tuple[GroqFault, str]:
    words = _words(causes)
    texts = [str(one) for one in causes]
    if any(isinstance(one, ssl.SSLError) for one in causes) or any("[SSL" in text for text in texts):
        return GroqFault.TLS, f"the TLS handshake failed: {words}"
    if any(isinstance(one, socket.gaierror) for one in causes) or any("Name or service not known" in text for text in texts):
        return GroqFault.DNS, f"the name is not found: {words}"
    if names & _CUTS:
        return GroqFault.RESET, "the connection was closed without an answer"
    if any("refused" in text.lower() or "All connection attempts failed" in text for text in texts):
        return GroqFault.REFUSED, f"no connection: {words}"
    return GroqFault.CONNECTION, f"no connection ({type(error).__name__}): {words}"


def of_models(answer: Any) -> tuple[list[str], str]:
    """Return (ids of the models, why this is no list of models; empty where it is)."""
    if isinstance(answer, str):
        return [], f"the answer is no list of models but {_beginning(answer)}"
    data = getattr(answer, "data", None)
    if not isinstance(data, list):
        return [], "the answer is JSON of another shape: is this the API?"
    return [name for one in data if isinstance(name := getattr(one, "id", None), str)], ""


def _beginning(text: str) -> str:
    return repr(line(clean(text.strip(), 200), 60)) if text.strip() else "empty"


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        return redact(line(clean(inner["message"]), 200))
    if isinstance(body, str):
        return f"no JSON but {_beginning(body)}"
    return redact(line(str(error), 200))


def _words(causes: list[BaseException]) -> str:
    return redact(line(next((str(one) for one in reversed(causes) if str(one)), "no word"), 200))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
