"""A small raster of a PNG picture (W3C PNG, third edition), for terminals: enough for what a browser writes. Blocks."""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 6: 4}  # grey, RGB, RGBA

#: Most pixels that are read; a screenshot of the window has 0.9 million.
_MOST_PIXELS = 8_000_000


def shrink(data: bytes, width: int, height: int) -> tuple[int, int, tuple[int, ...]]:
    """Return width, height and 0xRRGGBB pixels of a picture, made smaller by averaging; it is never enlarged.

    Args:
        data: a PNG of 8 bits a channel, without palette and interlacing.
        width: most columns wanted.
        height: most rows wanted.

    Raises:
        ValueError: it is not such a picture.
    """
    try:
        (wide, high, depth, colour, _, _, interlaced), packed = _chunks(data)
    except struct.error as error:
        raise ValueError("the picture is cut") from error
    channels = _CHANNELS.get(colour, 0)
    if depth != 8 or not channels or interlaced or not 0 < wide * high <= _MOST_PIXELS:
        raise ValueError("not a picture that can be shown here")
    stride = wide * channels
    whole = (stride + 1) * high
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, whole)
    except zlib.error as error:
        raise ValueError("the picture is damaged") from error
    if len(raw) < whole:
        raise ValueError("the picture is cut")
    columns, rows = min(width, wide), min(height, high)
    edges = [(x * wide // columns * channels, (x + 1) * wide // columns * channels) for x in range(columns)]
    return columns, rows, tuple(_boxes(raw, stride, channels, edges, rows, high))


def _chunks(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return the header's fields and the joined picture data."""
    if data[:8] != _SIGNATURE:
        raise ValueError("not a PNG")
    header: tuple[int, ...] = ()
    parts, at = [], 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IHDR":
            header = struct.unpack_from(">IIBBBBB", data, at + 8)
        elif kind == b"IDAT":
            parts.append(data[at + 8 : at + 8 + size])
        elif kind == b"IEND":
            break
        at += 12 + size
    if not header:
        raise ValueError("not a PNG")
    return header, b"".join(parts)


def _boxes(raw: bytes, stride: int, channels: int, edges: list[tuple[int, int]], rows: int, high: int) -> list[int]:
    """Undo the filters row by row, and average boxes of rows and columns."""
    found: list[int] = []
    before = bytearray(stride)
    colours = (0, 1, 2) if channels > 1 else (0, 0, 0)
    y = 0
    for row in range(rows):
        end = (row + 1) * high // rows
        count = end - y
        sums = [[0, 0, 0] for _ in edges]
        for _ in range(count):
            at = y * (stride + 1)
            before = _unfilter(raw[at], bytearray(raw[at + 1 : at + 1 + stride]), before, channels)
            for box, (left, right) in zip(sums, edges, strict=True):
                for place, colour in enumerate(colours):
                    box[place] += sum(before[left + colour : right : channels])
            y += 1
        for (red, green, blue), (left, right) in zip(sums, edges, strict=True):
            area = count * ((right - left) // channels)
            found.append(red // area << 16 | green // area << 8 | blue // area)
    return found


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    if kind == 1:
        for at in range(step, len(line)):
            line[at] = (line[at] + line[at - step]) & 255
    elif kind == 2:
        return bytearray([(one + two) & 255 for one, two in zip(line, above, strict=True)])
    elif kind == 3:
        for at in range(len(line)):
            left = line[at - step] if at >= step else 0
            line[at] = (line[at] + (left + above[at]) // 2) & 255
    elif kind == 4:
        for at in range(len(line)):
            left, corner = (line[at - step], above[at - step]) if at >= step else (0, 0)
            line[at] = (line[at] + _nearest(left, above[at], corner)) & 255
    elif kind:
        raise ValueError("the picture has an unknown filter")
    return line


def _nearest(left: int, above: int, corner: int) -> int:
    """The predictor of Paeth: whichever neighbour is nearest to left + above - corner."""
    a, b, c = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    if a <= b and a <= c:
        return left
    return above if b <= c else corner
