"""Paths into a reading, as `check --json` shows it: `containers[name={container}].restarts`, `locks[depth=0].waiters`.

A part names a key; brackets behind it choose among the elements of a list: by number, all of them (`[*]`, or nothing), or by a
key of theirs compared with a value. Several brackets narrow it down further.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from debugtui.config.faults import fault, nearest
from debugtui.diagnosis.runbooks.comparing import Comparison, comparison
from debugtui.model.source import Kind

_PART = re.compile(r"([a-z_][\w-]*)((?:\[[^\[\]]*\])*)", re.IGNORECASE | re.ASCII)
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_BY_KEY = re.compile(r"([a-z_]\w*)\s*(>=|<=|!=|==|=|>|<|~)\s*(.+)", re.IGNORECASE | re.ASCII)
#: Most leaves that are looked at.
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What brackets say. `index`: a number; `key` and `wanted`: elements by a key; neither: all."""

    index: int | None = None
    key: str = ""
    wanted: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One name of a path, and what narrows down the list behind it."""

    name: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a path leads to. `row`: the nearest element of a list around it, which knows more of the same thing."""

    value: object
    row: Mapping[str, object]


class Missing:
    """Stands where a path leads through something that is not known."""


def parts_of(text: str) -> tuple[Part, ...]:
    """Read a path.

    Raises:
        PydanticCustomError: it is none.
    """
    parts: list[Part] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or len(parts) >= 20:
            raise fault("must be a path such as containers[name=api].restarts")
        parts.append(Part(match[1], tuple(_choice(inside) for inside in _CHOICE.findall(match[2]))))
        at = match.end()
        if at < len(text):
            if text[at] != "." or at + 1 == len(text):
                raise fault("must be a path such as containers[name=api].restarts")
            at += 1
    if not parts:
        raise fault("may not be empty")
    return tuple(parts)


def _choice(inside: str) -> Choice:
    inside = inside.strip()
    if inside == "*":
        return Choice()
    if re.fullmatch(r"-?\d{1,4}", inside, re.ASCII):
        return Choice(index=int(inside))
    match = _BY_KEY.fullmatch(inside)
    if match is None:
        raise fault("brackets hold a number, *, or a key compared with a value: [state!=running]")
    return Choice(key=match[1], wanted=comparison(f"{match[2]} {match[3]}"))


# --- walking through a document


def leaves(document: object, parts: Iterable[Part]) -> Iterator[Leaf | Missing]:
    """Yield what a path leads to in a JSON document; `Missing` where something on the way is not known.

    What stands at its end may be None.
    """
    found: list[tuple[object, Mapping[str, object]]] = [(document, {})]
    path = tuple(parts)
    for number, part in enumerate(path):
        ahead: list[tuple[object, Mapping[str, object]]] = []
        for value, row in found:
            for one, its in _elements(value, row):
                if not isinstance(one, Mapping) or (
                    one.get(part.name) is None and (number < len(path) - 1 or part.name not in one)
                ):
                    yield Missing()
                else:
                    ahead += _chosen(one[part.name], its, part.choices)
            if len(ahead) > MOST:
                break
        found = ahead[:MOST]
    for value, row in found:
        yield from (Leaf(one, its) for one, its in _elements(value, row))


def _elements(value: object, row: Mapping[str, object]) -> Iterator[tuple[object, Mapping[str, object]]]:
    """Yield the elements of a list, each its own row (a plain one as `value`); anything else as it is."""
    if isinstance(value, list):
        for one in value:
            yield one, one if isinstance(one, Mapping) else {"value": one}
    else:
        yield value, row


def _chosen(value: object, row: Mapping[str, object], choices: tuple[Choice, ...]) -> list[tuple[object, Mapping[str, object]]]:
    found = list(_elements(value, row))
    for choice in choices:
        if choice.index is not None:
            found = found[choice.index :][:1]
        elif choice.wanted is not None:
            found = [
                (one, its)
                for one, its in found
                if isinstance(one, Mapping) and choice.wanted.holds(one.get(choice.key)) is True
            ]
    return found


# --- whether a path exists


@cache
def reading_of(kind: Kind) -> type | None:
    """Return the class of a kind's readings; None: there is none in this house."""
    try:
        module = import_module(f"debugtui.model.{kind.value}")
    except ModuleNotFoundError:
        return None
    wanted = f"{kind.value}reading"
    return next((one for name, one in vars(module).items() if name.lower() == wanted and isinstance(one, type)), None)


def check_path(kind: Kind, parts: Iterable[Part]) -> None:
    """See that readings of a kind have what a path names.

    Raises:
        PydanticCustomError: they have not; it names the nearest that they have.
    """
    kinds: tuple[object, ...] = (reading_of(kind),)
    for part in parts:
        known = _fields(kinds)
        if known is None:
            return
        if part.name not in known:
            raise fault(f"readings of {kind.value} have no {part.name!r} there", nearest(part.name, tuple(known)))
        kinds = _inside(known[part.name])
        below = _fields(kinds)
        for choice in part.choices:
            if choice.key and below is not None and choice.key not in below:
                raise fault(f"{part.name} of {kind.value} has no {choice.key!r}", nearest(choice.key, tuple(below)))


def _fields(kinds: Iterable[object]) -> dict[str, object] | None:
    """Return the fields of the one dataclass among some types; {} for none, None where everything may be."""
    if any(one is None or one is dict for one in kinds):
        return None
    for one in kinds:
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            hints = typing.get_type_hints(one)
            return {field.name: hints[field.name] for field in dataclasses.fields(one)}
    return {}


def _inside(hint: object) -> tuple[object, ...]:
    """Return the types behind a hint: of the elements of a tuple, of each alternative."""
    origin = typing.get_origin(hint)
    if origin in (tuple, typing.Union, types.UnionType):
        return tuple(one for argument in typing.get_args(hint) for one in _inside(argument) if argument is not types.NoneType)
    return (dict,) if origin is dict else (hint,)
