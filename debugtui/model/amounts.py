"""Spans of time and sizes in words, for sentences: alerts, evidence, reasons. Tables have their own, narrower forms."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Return a time span in its largest sensible unit: `42 s`, `12 min`, `3.5 h`, `2 days`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.1f} h"
    return f"{seconds / 86_400:.0f} days"


def size_text(size: float) -> str:
    """Return a size in its largest sensible unit: `512 B`, `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
