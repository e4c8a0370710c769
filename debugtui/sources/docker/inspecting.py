"""Everything the engine tells of one container, made fit to be shown: secrets removed, text made safe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from debugtui.config.redaction import redact, redact_env
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import AnswerError, EngineClient
from debugtui.sources.docker.secrets import redact_arguments, redact_field

#: Most bytes of an answer.
INSPECT_LIMIT = 1_000_000

#: Above this size (bytes) the work is done in a thread: it would be felt.
_BIG = 32_000

#: How deep the answer may be nested; the engine's own goes to about six.
_DEEPEST = 30

#: Longest string kept, in characters.
_STRING_LIMIT = 65_536


async def inspect(client: EngineClient, identity: str) -> dict[str, Any]:
    """Return the inspect answer, redacted and safe to show.

    Raises:
        SourceError: there is no such container, or its answer is too large, or the engine did not answer.
        LinkError: the link is down.
    """
    try:
        body = await client.get(container_path(identity, "json"), limit=INSPECT_LIMIT)
        return await asyncio.to_thread(_document, body) if len(body) > _BIG else _document(body)
    except AnswerError as error:
        raise refusal(error, identity) from error


def container_path(identity: str, what: str) -> str:
    """Return the path of a request about a container.

    Raises:
        SourceError: it is no id or name that the engine could have given.
    """
    if not identity or not all(sign.isascii() and (sign.isalnum() or sign in "_.-") for sign in identity) or identity[0] == ".":
        raise SourceError(Problem(f"{line(identity, 100)!r} names no container"))
    return f"containers/{identity}/{what}"


def refusal(error: AnswerError, identity: str) -> SourceError:
    """Return the engine's refusal of a request about a container, in words."""
    if error.status == 404:
        return SourceError(
            Problem(f"the container {line(identity, 100)[:12]} is gone", "it was removed, or made anew under another id")
        )
    return SourceError(Problem(f"the Docker engine refuses: {error.words}"))


def _document(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AnswerError(200, "its answer is no JSON") from error
    if not isinstance(answer, dict):
        raise AnswerError(200, "its answer is not about a container")
    return {_key(key): _value(key, value, _DEEPEST) for key, value in answer.items()}


def _key(key: str) -> str:
    return line(key, 1_000)


def _value(name: str, value: Any, depth: int) -> Any:
    """Return a value, safe and redacted; `name` is the field's, which tells what it may hold."""
    if isinstance(value, str):
        return _field(name, value)
    if depth <= 0:
        return "…" if isinstance(value, (dict, list)) else value
    if isinstance(value, dict):
        if name == "Labels":
            return {_key(key): _label(key, one, depth) for key, one in value.items()}
        return {_key(key): _value(key, one, depth - 1) for key, one in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, str) for one in value):
            return redact_env(clean(one, _STRING_LIMIT) for one in value) if name == "Env" else redact_arguments(value)
        return [_value(name, one, depth - 1) for one in value]
    return value


def _field(name: str, value: str) -> str:
    """Redact a string together with the name it has, as in the options of a log driver: `splunk-token`."""
    shown, name = clean(value, _STRING_LIMIT), _key(name)
    return redact_field(name, redact(f"{name}={shown}"))


def _label(name: str, value: Any, depth: int) -> Any:
    if not isinstance(value, str):
        return _value(name, value, depth - 1)
    shown, name = clean(value, _STRING_LIMIT), _key(name)
    return redact_field(name, redact_env([f"{name}={shown}"])[0])
