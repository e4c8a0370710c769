"""Environment variables that a recreated container gets: secrets among them never enter a plan."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debugtui.config.redaction import MASK, redact_env, register
from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.docker.seal import sealed

if TYPE_CHECKING:
    from debugtui.remediation.eyes import Eyes

PREFIX = "env."

#: A key of a use of the Groq API, as its configuration says where it is found: `@groq:NAME/next_key`.
GROQ_KEY = "@groq:"

#: Longest value that is read from a file, in bytes.
LONGEST = 65_536

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


def wanted(params: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are asked for, by name; a value may be `@env:NAME` or `@file:PATH` of the operator's machine.

    Raises:
        PlanError: a name is none, or a secret stands in plain sight.
    """
    found: dict[str, str] = {}
    for name, value in params.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX)
        if not _KEY.fullmatch(key) or "\0" in value:
            raise PlanError(f"{line(key, 80)!r} is no name of an environment variable, or its value is none")
        if not is_reference(value) and is_secret(key, value):
            raise PlanError(
                f"env.{key} looks like a secret, and a plan is kept: give it as env.{key}=@env:NAME or env.{key}=@file:PATH,"
                " read on this machine when the plan is applied"
            )
        found[key] = value
    return dict(sorted(found.items()))


def is_reference(value: str) -> bool:
    """Return whether a value names where the real one is read."""
    return value.startswith(("@env:", "@file:", GROQ_KEY))


def is_secret(key: str, value: str) -> bool:
    """Return whether a variable looks like a secret, by its name or its value."""
    return bool(value) and redact_env([f"{key}={value}"])[0] != f"{key}={value}"


async def resolve(value: str, eyes: Eyes | None = None) -> str:
    """Return a variable's real value; one that was read is removed from whatever is shown from now on.

    Args:
        value: as it was given.
        eyes: whose configuration says where a key of the Groq API is found.

    Raises:
        PlanError: it cannot be read; the message holds no value.
    """
    if not is_reference(value):
        return value
    if value.startswith(GROQ_KEY):
        return await _configured(value.removeprefix(GROQ_KEY), eyes)
    kind, _, where = value.partition(":")
    if kind == "@env":
        found = os.environ.get(where)
        if found is None:
            raise PlanError(f"the variable {line(where, 80)} is not set on this machine")
    else:
        found = await asyncio.to_thread(_read, where)
    if "\0" in found:
        raise PlanError(f"{line(value, 200)} holds a zero byte: no variable can")
    register(found)
    return found


async def _configured(where: str, eyes: Eyes | None) -> str:
    from debugtui.config.secrets import SecretError
    from debugtui.remediation.configured import groq_key

    name, _, which = where.rpartition("/")
    if eyes is None or not name or which not in ("api_key", "next_key"):
        raise PlanError(f"{line(where, 80)!r} names no key of the configuration: NAME/api_key or NAME/next_key")
    try:
        return (await groq_key(eyes, name, "next_key" if which == "next_key" else "api_key")).reveal()
    except SecretError as error:
        raise PlanError(str(error.problem)) from None


def _read(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LONGEST + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PlanError(f"{line(path, 200)} cannot be read: {words}") from None
    if len(data) > LONGEST:
        raise PlanError(f"{line(path, 200)} is larger than {LONGEST} bytes")
    return text.removesuffix("\n")


async def recorded(values: Mapping[str, str], key: bytes, eyes: Eyes | None = None) -> dict[str, dict[str, str]]:
    """Return the variables as a plan keeps them: plain ones as they are, read ones by where and by a keyed hash."""
    kept: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        if is_reference(value):
            kept[name] = {"from": value, "seal": sealed(key, await resolve(value, eyes))}
        else:
            kept[name] = {"value": value}
    return kept


async def released(kept: Mapping[str, Any], key: bytes, eyes: Eyes | None = None) -> dict[str, str]:
    """Return the real values of what a plan keeps.

    Raises:
        PlanError: one cannot be read, or is another one than when the plan was made.
    """
    found: dict[str, str] = {}
    for name, entry in kept.items():
        if "value" in entry:
            found[name] = str(entry["value"])
            continue
        value = await resolve(str(entry["from"]), eyes)
        if sealed(key, value) != entry["seal"]:
            raise PlanError(f"{line(str(entry['from']), 200)} holds another value than when the plan was made")
        found[name] = value
    return found


def merged(before: list[str], changes: Mapping[str, str]) -> list[str]:
    """Return an environment with changes: a variable that is there keeps its place, a new one comes behind."""
    left = dict(changes)
    after = []
    for entry in before:
        name = entry.partition("=")[0]
        after.append(f"{name}={left.pop(name)}" if name in left else entry)
    return [*after, *(f"{name}={value}" for name, value in left.items())]


def shown(entries: list[str], key: bytes) -> list[str]:
    """Return an environment to show: of a secret its name, and a few signs of the keyed hash that tell whether it changes."""
    lines = []
    for entry in entries:
        masked = redact_env([entry])[0]
        name, _, value = entry.partition("=")
        lines.append(line(masked if masked == entry else f"{name}={MASK} ({sealed(key, value)[:8]})", 500))
    return sorted(lines)
