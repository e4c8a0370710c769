"""Whether a dump looks whole from its first and last bytes alone. docs/backups.md says what that proves."""

from __future__ import annotations

from typing import NamedTuple

from debugtui.sources.backup.dump_header import Form, Header, HeaderError, plain_is_complete, read_header

#: Every archive ends so: the length 0 of the chunk after the last one, or the offset of an entry without data, all of it zero
#: bytes. A stream that was cut anywhere else does not, compressed or not, but for very odd data.
_LAST = bytes(5)


class Look(NamedTuple):
    """What both ends tell. `header`: None: it does not begin as a dump does. `says`: what is wrong, empty where nothing is."""

    header: Header | None
    whole: bool
    says: str = ""


def look(head: bytes, tail: bytes) -> Look:
    """Judge a file by its two ends."""
    try:
        header = read_header(head)
    except HeaderError as error:
        return Look(None, False, str(error))
    if header.form is Form.PLAIN:
        whole = plain_is_complete(head, tail)
        return Look(header, whole, "" if whole else "its last words are missing: it was cut short")
    whole = tail.endswith(_LAST)
    return Look(header, whole, "" if whole else "it does not end as an archive does: it was cut short")
