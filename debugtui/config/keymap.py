"""Key maps, checked: the toolkit accepts unknown actions and nonsense keys in silence, so nothing reaches it unchecked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from itertools import combinations

from debugtui.config.faults import fault, nearest
from debugtui.model.actions import ACTIONS, BY_ID, Action
from debugtui.model.text import line

_SHORT_NAMES = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_MODIFIERS = ("alt", "ctrl", "shift")
_MOVES = frozenset({"home", "end", "pageup", "pagedown", "up", "down", "left", "right", "insert", "delete"})
_FUNCTION = frozenset(f"f{number}" for number in range(1, 25))
_PLAIN = frozenset({"escape", "enter", "tab", "space", "backspace"}) | _MOVES | _FUNCTION

# What terminals send for these is the other key, or nothing at all (seen in tmux 3.3a and in the VT encodings themselves).
_SAME = {
    "ctrl+h": "arrives as backspace",
    "ctrl+i": "arrives as tab",
    "ctrl+m": "arrives as enter",
    "alt+enter": "arrives as enter",
    "ctrl+enter": "does not arrive in many terminals",
    "shift+enter": "does not arrive in many terminals",
    "ctrl+tab": "does not arrive in many terminals",
    "ctrl+c": "is kept for copying a selection and the hint how to quit",
}

# Scopes that are active at the same time: one key may mean one thing only among them.
_TOGETHER = (
    frozenset({"app", "main", "table", "alerts"}),
    frozenset({"app", "detail", "table", "alerts", "monitoring"}),
    frozenset({"app", "detail", "log"}),
    frozenset({"app", "detail", "runbook", "table"}),
)


def _character_name(character: str) -> str:
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _SHORT_NAMES.get(name, name)


_CHARACTERS = frozenset(_character_name(chr(code)) for code in range(0x20, 0x7F))
_KNOWN = sorted(_PLAIN | {name for name in _CHARACTERS if len(name) > 1})


def canonical_key(text: str) -> str:
    """Return the toolkit's name of one key: `/` becomes `slash`, `shift+g` becomes `G`, `Ctrl+R` becomes `ctrl+r`.

    Raises:
        ValueError: no such key, or one that terminals cannot tell from another; the message says which.
    """
    shown = line(text, 40)
    *modifiers, key = [text] if len(text) == 1 else text.split("+")
    modifiers = sorted({modifier.strip().lower() for modifier in modifiers})
    if any(modifier not in _MODIFIERS for modifier in modifiers):
        raise fault(f'"{shown}" is no key; modifiers are ctrl+, alt+ and shift+')
    key = key.strip() or key
    name = _character_name(key) if len(key) == 1 else key.lower()
    if not name or (name not in _PLAIN and name not in _CHARACTERS and not (len(name) == 1 and name.isprintable())):
        raise fault(f'"{shown}" is no key', nearest(name, _KNOWN))
    if len(name) == 1 and name.isalpha():
        modifiers, name = _letter(modifiers, name, shown)
    whole = "+".join((*modifiers, name))
    if whole in _SAME:
        raise fault(f'"{shown}" {_SAME[whole]}')
    return whole


def _letter(modifiers: list[str], letter: str, shown: str) -> tuple[list[str], str]:
    if "ctrl" in modifiers:
        if "shift" in modifiers:
            raise fault(f'"{shown}" arrives as ctrl+{letter.lower()}')
        return modifiers, letter.lower()
    if "shift" in modifiers:
        return [modifier for modifier in modifiers if modifier != "shift"], letter.upper()
    return modifiers, letter


def split_keys(text: str) -> list[str]:
    """Return the single keys of a comma separated text; a comma itself is the key `comma`."""
    return [part.strip() or " " for part in text.split(",") if part]


def effective_keys(keys: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the keys of every action: the configured ones where they are named, else its own.

    Raises:
        ValueError: a key map that `key_faults` refuses.
    """
    return {action.id: canonical_keys(keys.get(action.id, action.keys)) for action in ACTIONS}


def canonical_keys(text: str) -> tuple[str, ...]:
    """Return the toolkit's names of comma separated keys, each once.

    Raises:
        ValueError: one of them is no key.
    """
    return tuple(dict.fromkeys(canonical_key(key) for key in split_keys(text)))


def key_faults(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield what is wrong with a key map: (action id, what, nearest valid word)."""
    sound: dict[str, str] = {}
    for action_id, text in keys.items():
        action = BY_ID.get(action_id)
        if action is None:
            yield action_id, "unknown action", nearest(action_id, tuple(BY_ID))
            continue
        faults = list(_text_faults(action, text))
        yield from faults
        if not faults:
            sound[action_id] = text
    yield from _clashes(sound)


def _text_faults(action: Action, text: str) -> Iterator[tuple[str, str, str | None]]:
    if not text.strip(" ,"):
        yield action.id, "an action needs a key: it may be moved, not taken away", None
        return
    for key in split_keys(text):
        try:
            canonical_key(key)
        except ValueError as error:
            context = getattr(error, "context", None) or {}
            yield action.id, str(context.get("says", "is no key")), context.get("nearest")


def _clashes(configured: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    effective = effective_keys(configured)
    for one, other in combinations(ACTIONS, 2):
        moved = next((action.id for action in (other, one) if action.id in configured), None)
        if moved is None or not _meet(one, other):
            continue
        rival = one.id if moved == other.id else other.id
        for key in effective[one.id]:
            if key in effective[other.id]:
                yield moved, f'"{key}" is a key of {rival} already', None


def _meet(one: Action, other: Action) -> bool:
    scopes = {one.scope, other.scope}
    return len(scopes) == 1 or any(scopes <= together for together in _TOGETHER) or "app" in scopes
