"""Screenshots as files: private, and only the newest ones of each page are kept. Blocks."""

from __future__ import annotations

import contextlib
import os
import re
from datetime import datetime
from pathlib import Path

from debugtui.config import paths
from debugtui.model.chrome import Picture
from debugtui.sources.chrome import png

#: Screenshots kept of each page.
KEPT = 20

#: Columns and rows of the raster for the terminal.
COLUMNS, ROWS = 160, 90

#: Most bytes of a screenshot; one of the window takes 0.1 to 2 million.
_MOST_BYTES = 16_000_000


def default_folder() -> Path:
    """Return where screenshots go when nothing else is said."""
    return paths.state_dir() / "screenshots"


def keep(taken: Path, folder: Path, host: str, name: str, at: datetime) -> Picture:
    """Move a screenshot to `folder` (0600), remove the oldest ones of that page, and return it with its raster.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is not a picture, or too big.
    """
    with taken.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    taken.unlink()
    if len(data) > _MOST_BYTES:
        raise ValueError("the screenshot is too big")
    width, height, pixels = png.shrink(data, COLUMNS, ROWS)
    paths.private_dir(folder)
    stem = re.sub(r"[^\w.-]", "_", f"{host}-{name}")[:100]
    path = folder / f"{stem}-{at:%Y%m%dT%H%M%S%f}.png"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    ours = re.compile(re.escape(stem) + r"-\d{8}T\d{12}\.png")
    old = sorted(one for one in folder.iterdir() if ours.fullmatch(one.name))[:-KEPT]
    for one in old:
        with contextlib.suppress(FileNotFoundError):
            one.unlink()
    return Picture(str(path), width, height, pixels)
