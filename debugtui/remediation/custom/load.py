"""Reads the files of own remediations. A broken one is named, and never breaks the others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from debugtui.model.text import line
from debugtui.remediation.base import Remediation
from debugtui.remediation.custom.models import OwnRemediation
from debugtui.remediation.custom.own import Own

_LIMIT = 200_000


def load_folder(folder: Path) -> tuple[tuple[Remediation, ...], tuple[str, ...]]:
    """Return the remediations of a folder, and one sentence for each file that is none. No folder: none of either."""
    found: dict[str, Remediation] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            made = Own(OwnRemediation.model_validate(_read(path)))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
            problems.extend(f"{path}: {says}" for says in _says(error))
            continue
        if made.spec.name in found:
            problems.append(f"{path}: there is another {made.spec.name}")
            continue
        found[made.spec.name] = made
    return tuple(found.values()), tuple(problems)


def _read(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise ValueError("it is larger than 200 kB")
    return tomllib.loads(data.decode("utf-8"))


def _says(error: Exception) -> Iterator[str]:
    if isinstance(error, ValidationError):
        for one in error.errors(include_input=False, include_url=False):
            place = ".".join(str(part) for part in one["loc"]) or "the file"
            yield line(f"{place}: {one['msg']}", 300)
    elif isinstance(error, OSError):
        yield error.strerror or type(error).__name__
    else:
        yield line(str(error), 300)
