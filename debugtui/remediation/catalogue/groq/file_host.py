"""An environment file on a host: read, written anew in one move, and put back. Nothing of it passes through a command line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from debugtui.config.redaction import redact
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.remediation.base import PlanError, StaleError, StepError
from debugtui.remediation.catalogue.groq.env_file import LARGEST, decoded
from debugtui.remediation.catalogue.system.common import SUDO, login, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: Seconds for one look or one write: both are over in a moment, so they run in the foreground.
LIMIT_S = 10.0

# Argument: a path. Says what lies there, and then the content.
_LOOK = r"""
f=$(readlink -f -- "$1") || exit 81
[ -e "$f" ] || exit 81
[ -f "$f" ] || exit 82
stat -c "%a %u %g %h" -- "$f" || exit 83
printf "%s\n" "$f"
d=${f%/*}
if [ -w "$f" ] && [ -w "${d:-/}" ]; then echo writable; else echo fixed; fi
exec cat -- "$f"
"""

_SUM = r"""
sum() { sha256sum < "$1" | cut -c 1-64; }
umask 077
"""

# Arguments: the file, where the old one is kept, the old and the new SHA-256. The new content comes by standard input: a part
# of it has another sum. The copies keep owner and mode.
_WRITE = (
    _SUM
    + r"""
f=$1 b=$2 was=$3 new=$4 made=
trap '[ -z "${tmp:-}" ] || rm -f -- "$tmp"; [ -z "$made" ] || rm -f -- "$b"' EXIT
trap 'exit 99' HUP INT TERM
[ "$(sum "$f")" = "$was" ] || exit 90
[ ! -e "$b" ] && [ ! -L "$b" ] || exit 92
made=1
cp -p -- "$f" "$b" || exit 91
tmp=$(mktemp "${f%/*}/.debugtui.XXXXXX") || exit 91
cp -p -- "$f" "$tmp" || exit 91
cat > "$tmp" || exit 91
[ "$(sum "$tmp")" = "$new" ] || exit 93
sync "$tmp" 2> /dev/null
[ "$(sum "$b")" = "$was" ] && [ "$(sum "$f")" = "$was" ] || exit 90
mv -f -- "$tmp" "$f" || exit 91
tmp= made=
"""
)

# Arguments: the file, the kept one, their SHA-256.
_BACK = (
    _SUM
    + r"""
f=$1 b=$2
[ "$(sum "$f")" = "$3" ] && [ "$(sum "$b")" = "$4" ] || exit 90
mv -f -- "$b" "$f" || exit 91
"""
)

_SAYS = {
    81: "there is no such file",
    82: "it is no regular file",
    83: "the host does not tell its owner and mode",
    90: "it was changed by somebody else a moment ago",
    91: "the host cannot write beside it: no room, or not allowed",
    92: "there is a kept file of this plan already",
    93: "a part of the new content was lost on the way",
    99: "it was interrupted",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was read.

    Attributes:
        path: its own, behind every symbolic link.
        text: its content, secrets included: never shown, stored, or put into an exception.
        mode: `640`.
        owner, group: numbers.
        links: how many names it has.
        writable: whether who read it may write it, and beside it.
    """

    path: str
    text: str = field(repr=False)
    mode: str
    owner: str
    group: str
    links: int
    writable: bool

    @property
    def sum(self) -> str:
        """Its SHA-256; used in a round trip, never kept."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


async def look(eyes: Eyes, path: str, before: Sequence[str] = ()) -> Found | None:
    """Read a file; None where there is none.

    Raises:
        PlanError: it is no environment file.
        SourceError, LinkError: it cannot be read.
    """
    argv = [*before, "sh", "-c", _LOOK, "debugtui-env", path]
    done = await eyes.run(argv, timeout=LIMIT_S, limit=LARGEST + 8_192)
    if done.status == 81:
        return None
    if done.status != 0:
        said = _SAYS.get(done.status) or line(redact(clean(done.stderr).strip()), 200) or f"status {done.status}"
        raise SourceError(Problem(f"{line(path, 200)} on {eyes.host.name}: {said}"))
    stat, name, write, content = done.stdout.split(b"\n", 3)
    mode, owner, group, links = stat.decode("ascii", "replace").split()
    real = name.decode("utf-8", "replace")
    return Found(real, decoded(content, path), mode, owner, group, int(links), write == b"writable")


async def open_file(eyes: Eyes, path: str) -> tuple[Found, tuple[str, ...], Guard]:
    """Read a file, as root where the login alone could not change it; return it, what stands before commands, and the guard.

    Raises:
        PlanError: there is none, or it is no environment file.
        SourceError, LinkError: it cannot be read.
    """
    try:
        found = await look(eyes, path)
    except SourceError:
        found = None  # perhaps it is only not ours to read
    if found is not None and found.writable and found.owner == await login(eyes):
        return (
            found,
            (),
            Guard("file_ours", GuardStatus.PASS, "the login owns the file, and may write beside it", f"mode {found.mode}"),
        )
    before, may = await privilege(eyes)
    guard = Guard("file_ours", may.status, may.why, may.evidence)
    if may.status is GuardStatus.PASS or found is None:
        found = await look(eyes, path, before if may.status is GuardStatus.PASS else ())
    if found is None:
        raise PlanError(f"there is no file {line(path, 200)} on {eyes.host.name}")
    return found, before if may.status is GuardStatus.PASS else SUDO, guard


async def write(hands: Hands, before: Sequence[str], old: Found, kept: str, text: str) -> None:
    """Put another content into a file, in one move; the old one is kept beside it.

    Args:
        hands: of the step.
        before: what makes a command root's.
        old: the file as it was read a moment ago.
        kept: where the old one is kept.
        text: the new content.

    Raises:
        StaleError: it was changed since it was read.
        StepError: it was not written.
        LinkError: the link broke; only looking tells.
    """
    content = text.encode("utf-8")
    argv = [*before, "sh", "-c", _WRITE, "debugtui-env", old.path, kept, old.sum, hashlib.sha256(content).hexdigest()]
    await _change(hands, argv, content)


async def put_back(hands: Hands, before: Sequence[str], now: Found, kept: str, old: Found) -> None:
    """Move the kept file back into its place.

    Raises:
        StaleError: one of the two was changed since it was read.
        StepError: it was not moved.
        LinkError: the link broke; only looking tells.
    """
    await _change(hands, [*before, "sh", "-c", _BACK, "debugtui-env", now.path, kept, now.sum, old.sum], b"")


async def drop_kept(hands: Hands, before: Sequence[str], kept: str) -> None:
    """Remove a kept file that is not needed."""
    await _change(hands, [*before, "rm", "-f", "--", kept], b"")


async def _change(hands: Hands, argv: Sequence[str], stdin: bytes) -> None:
    # Not detached: that would leave the content, with its secrets, in a file of its own on the host.
    done = await hands.link.run(argv, timeout=LIMIT_S, stdin=stdin, limit=10_000)
    if done.status == 90:
        raise StaleError(_SAYS[90])
    if done.status in _SAYS:
        raise StepError(_SAYS[done.status], changed=False)
    if done.status != 0:
        raise StepError(f"status {done.status}: {line(redact(clean(done.stderr).strip()), 200) or 'no word'}")
