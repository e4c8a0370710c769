"""The arguments of `find` that only look: tests that it knows by name, and printing."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.diagnosis.runbooks.allow.files import tree_fault
from debugtui.diagnosis.runbooks.allow.program import Check, NotAllowedError, like, number, one_of

_AGE = like(r"[+-]?\d{1,7}", "a number such as -60 or +7")
_NAME = like(r"[\w.@:+*?\[\]/][\w.@:+*?\[\]/ -]{0,199}", "a pattern of names")
_TEXT = like(r"[^-\n][^\n]{0,199}", "a text that does not begin with a dash")

#: Test or action, and the check of its value; None: it has none.
_KNOWN: dict[str, Check | None] = {
    "-maxdepth": number(20),
    "-mindepth": number(20),
    "-name": _NAME,
    "-iname": _NAME,
    "-path": _NAME,
    "-type": one_of("f", "d", "l", "s", "p"),
    "-size": like(r"[+-]?\d{1,9}[cwbkMG]?", "a size such as +100M"),
    "-mtime": _AGE,
    "-mmin": _AGE,
    "-ctime": _AGE,
    "-cmin": _AGE,
    "-newermt": _TEXT,
    "-user": _NAME,
    "-group": _NAME,
    "-perm": like(r"[-/]?[0-7]{3,4}", "a mode such as -0002"),
    "-links": _AGE,
    "-printf": _TEXT,
    **dict.fromkeys(("-xdev", "-mount", "-empty", "-print", "-ls", "-quit", "-not", "!", "-o", "-or", "-a", "-and", "(", ")")),
}
_WHY = {
    **dict.fromkeys(("-delete",), "it deletes"),
    **dict.fromkeys(("-exec", "-execdir", "-ok", "-okdir"), "it runs programs"),
    **dict.fromkeys(("-fprint", "-fprint0", "-fprintf", "-fls"), "it writes a file"),
    **dict.fromkeys(("-files0-from",), "it reads names from a file"),
    **dict.fromkeys(("-L", "-follow"), "links may lead anywhere"),
}


def check_find(arguments: Sequence[str]) -> None:
    """See that they only look: folders first, then tests.

    Raises:
        NotAllowedError: they do more, or nobody knows.
    """
    left = list(arguments)
    folders = 0
    while left and left[0] not in ("(", ")", "!") and not left[0].startswith("-"):
        folder = left.pop(0)
        folders += 1
        if wrong := tree_fault(folder):
            raise NotAllowedError(f"find: {folder!r}: {wrong}")
    if not 1 <= folders <= 4:
        raise NotAllowedError("find takes 1 to 4 folders, before everything else")
    seen = set()
    while left:
        name = left.pop(0)
        if name not in _KNOWN:
            why = _WHY.get(name)
            raise NotAllowedError(f"find {name} is not allowed" + (f": {why}" if why else ""))
        seen.add(name)
        check = _KNOWN[name]
        if check is not None:
            if not left:
                raise NotAllowedError(f"find {name} needs a value")
            if wrong := check(left.pop(0)):
                raise NotAllowedError(f"find {name}: {wrong}")
    if not seen & {"-xdev", "-mount"}:
        raise NotAllowedError("find needs -xdev here: other filesystems, network ones too, are not to be walked through")
