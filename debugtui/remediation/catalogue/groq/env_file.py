"""Environment files, `NAME=value` lines: what they say, and the same file with other values. Pure.

systemd, docker and dotenv read them in slightly different ways. Only what all of them read alike is written, and what one of
them would read otherwise is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from debugtui.model.text import line
from debugtui.remediation.base import PlanError

#: Largest file, in bytes.
LARGEST = 65_536

#: Cost of the hash of a file: about 30 ms and 8 MB (RFC 7914). A plan keeps it, and the file may hold a weak secret.
_COST, _BLOCK = 1 << 13, 8

#: Values that no reader takes apart: no blanks, quotes, escapes, comments or substitutions.
_PLAIN = re.compile(r"[A-Za-z0-9._~+/=:@%,^-]{1,512}")


def _row(name: str) -> re.Pattern[str]:
    return re.compile(rf"^([ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=[ \t]*)(.*?)([ \t]*\r?)$")


def decoded(content: bytes, path: str) -> str:
    """Return a file's text.

    Raises:
        PlanError: it is too large, or none.
    """
    if len(content) > LARGEST:
        raise PlanError(f"{line(path, 200)} is larger than {LARGEST} bytes: it is no environment file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise PlanError(f"{line(path, 200)} is no text in UTF-8") from None
    if "\0" in text:
        raise PlanError(f"{line(path, 200)} holds a zero byte")
    return text


def value_of(text: str, name: str) -> str | None:
    """Return a variable's value; None where it is not set.

    Raises:
        PlanError: it is set more than once, or goes on in the next line; the message holds no value.
    """
    row = _row(name)
    found = [match[2] for match in map(row.match, text.split("\n")) if match]
    if len(found) > 1:
        raise PlanError(f"{name} is set {len(found)} times in the file: which one counts depends on who reads it")
    if not found:
        return None
    value = found[0]
    if value.endswith("\\"):
        raise PlanError(f"{name} goes on in the next line of the file: write it on one line first")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return the file with other values: a variable keeps its line, its quotes and what stands before it; a new one comes last.

    Raises:
        PlanError: a value cannot be written so that everybody reads it alike; the message does not hold it.
    """
    for name, value in changes.items():
        if not _PLAIN.fullmatch(value):
            raise PlanError(f"the value for {name} holds signs that an environment file cannot carry plainly")
        row = _row(name)
        rows = text.split("\n")
        at = next((number for number, entry in enumerate(rows) if row.match(entry)), None)
        if at is None:
            text = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{name}={value}\n"
            continue
        match = row.match(rows[at])
        assert match is not None  # noqa: S101 - found above
        old = match[2]
        quote = old[0] if len(old) >= 2 and old[0] == old[-1] and old[0] in "\"'" else ""
        rows[at] = f"{match[1]}{quote}{value}{quote}{match[3]}"
        text = "\n".join(rows)
    return text


def rest(text: str, names: Mapping[str, object]) -> list[str]:
    """Return every line but those of some variables."""
    rows = [_row(name) for name in names]
    return [entry for entry in text.split("\n") if entry and not any(row.match(entry) for row in rows)]


def seal(text: str, path: str) -> str:
    """Return a slow hash of a file's text: says whether it is the same without serving to guess a short secret in it."""
    data = text.encode("utf-8")
    return hashlib.scrypt(data, salt=f"environment file {path}".encode(), n=_COST, r=_BLOCK, p=1, dklen=16).hex()
