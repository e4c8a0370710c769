"""The small decoder of screenshots."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from debugtui.sources.chrome.png import shrink


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def predict(kind: int, left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    paeth = min((left, above, corner), key=lambda one: abs(guess - one))
    return (0, left, above, (left + above) // 2, paeth)[kind]


def make(
    rows: list[bytes], channels: int, filters: list[int], colour: int | None = None, depth: int = 8, interlace: int = 0
) -> bytes:
    """Encode rows of samples with the given filters, straight after the standard."""
    raw = bytearray()
    before = bytes(len(rows[0]))
    for row, kind in zip(rows, filters, strict=True):
        raw.append(kind)
        for at, value in enumerate(row):
            left, corner = (row[at - channels], before[at - channels]) if at >= channels else (0, 0)
            raw.append((value - predict(kind, left, before[at], corner)) & 255)
        before = row
    colour = {1: 0, 3: 2, 4: 6}[channels] if colour is None else colour
    header = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), depth, colour, 0, 0, interlace)
    packed = zlib.compress(bytes(raw))
    parts = chunk(b"IDAT", packed[:20]) + chunk(b"IDAT", packed[20:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tEXt", b"a\0b") + parts + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_every_filter_and_colour(channels: int, kind: int) -> None:
    dice = random.Random(kind * 10 + channels)
    rows = [dice.randbytes(7 * channels) for _ in range(5)]
    width, height, pixels = shrink(make(rows, channels, [kind] * 5), 100, 100)
    assert (width, height) == (7, 5)
    for y, row in enumerate(rows):
        for x in range(7):
            red, green, blue = (row[x * channels + (one if channels > 1 else 0)] for one in range(3))
            assert pixels[y * 7 + x] == red << 16 | green << 8 | blue


def test_boxes_are_averaged() -> None:
    rows = [bytes([0, 0, 0, 100, 200, 50] * 2), bytes([0, 0, 0, 100, 200, 50] * 2)]
    assert shrink(make(rows, 3, [0, 2]), 2, 1) == (2, 1, (0x326419, 0x326419))
    rows = [bytes([10] * 5)] * 3
    assert shrink(make(rows, 1, [0, 1, 4]), 2, 2) == (2, 2, (0x0A0A0A,) * 4)


GOOD = make([bytes(6), bytes(6)], 3, [0, 0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        GOOD[:30],
        GOOD[:60],
        GOOD.replace(zlib.compress(bytes(14))[:10], b"x" * 10),
        make([bytes(6)], 3, [0], colour=3),
        make([bytes(6)], 3, [0], depth=16),
        make([bytes(6)], 3, [0], interlace=1),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)) + chunk(b"IEND", b""),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)) + chunk(b"IEND", b""),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"PNG|picture"):
        shrink(data, 10, 10)


def test_an_unknown_filter_is_refused() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    with pytest.raises(ValueError, match="filter"):
        shrink(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\x09abc")) + chunk(b"IEND", b""), 10, 10)
