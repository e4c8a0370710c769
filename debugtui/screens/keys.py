"""From the action table to Textual bindings, and from a configured key map to a checked one."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding

from debugtui.model.actions import ACTIONS, BY_ID, in_scope


def bindings(scope: str, methods: Mapping[str, str] | None = None) -> list[Binding]:
    """Return the bindings of one scope. The action method is the action's name, unless `methods` says otherwise."""
    return [
        Binding(action.keys, (methods or {}).get(action.name, action.name), action.label, id=action.id, show=False)
        for action in in_scope(scope)
    ]


#: How a key is written on screen.
_SIGNS = {
    "question_mark": "?", "slash": "/", "plus": "+", "minus": "-", "right_square_bracket": "]", "left_square_bracket": "[",
    "ampersand": "&", "at": "@", "less_than_sign": "<", "greater_than_sign": ">", "number_sign": "#",
    "colon": ":", "escape": "esc", "pageup": "pgup", "pagedown": "pgdn",
}  # fmt: skip


def shown_key(keys: str) -> str:
    """Return the first of comma-separated keys as it is written on screen: `ctrl+p` is `^p`."""
    first = keys.split(",")[0].strip()
    if first.startswith("ctrl+"):
        return f"^{first.removeprefix('ctrl+')}"
    return _SIGNS.get(first, first)


def keys_of(action_id: str, keymap: Mapping[str, str]) -> str:
    """Return the keys of an action: the operator's, else the default ones."""
    return keymap.get(action_id) or BY_ID[action_id].keys


def hints(action_ids: tuple[str, ...], keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (key as shown, label) for a key line."""
    return [(shown_key(keys_of(action_id, keymap)), BY_ID[action_id].label) for action_id in action_ids]


def scopes() -> tuple[str, ...]:
    """Return every scope once, in the order of the table."""
    return tuple(dict.fromkeys(action.scope for action in ACTIONS))
