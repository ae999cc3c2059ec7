"""Where the samples lie in AU, SPHERE, CAF, Wave64 and VOC files, as their headers announce."""

import os
import re
import struct
from typing import BinaryIO

Extent = tuple[int, int]  # offset of the samples, and their size in bytes

_FIELD = re.compile(rb"^(\w+) -\w+ (\d+)", re.MULTILINE)  # libsndfile: sample_n_bytes -s1 1
_VOC_BYTES = 1 << 24  # sizes of VOC have 24 bits, and what is larger overflows them
_FORM_BYTES = {b"caff": 8, b"riff": 40}  # CAF, Wave64: where the first chunk starts


def announced_extent(file: BinaryIO, origin: int) -> Extent | None:
    """Read it of the file that starts at `origin`; None for other formats and for open sizes."""
    try:
        extent = _announced_extent(file, origin)
    except (struct.error, KeyError, ValueError, OSError, OverflowError):
        return None  # a broken header
    # Samples lie behind their header, so a file that is joined starts behind this one.
    return extent if extent and extent[0] > origin else None


def _announced_extent(file: BinaryIO, origin: int) -> Extent | None:
    file.seek(origin)
    head = file.read(1024)
    if head[:4] == b".snd":
        start, size = struct.unpack(">II", head[4:12])
        return None if size == 0xFFFF_FFFF else (origin + start, size)
    if head[:8] == b"NIST_1A\n":
        start = int(head[8:16])
        fields = {name: int(value) for name, value in _FIELD.findall(head[:start])}
        size = fields[b"sample_count"] * fields[b"channel_count"] * fields[b"sample_n_bytes"]
        return None if b"shorten" in head else (origin + start, size)
    if head[:4] in _FORM_BYTES:
        return _chunk(file, origin + _FORM_BYTES[head[:4]], is_caf=head[:4] == b"caff")
    if head[:20] == b"Creative Voice File\x1a":
        return _blocks(file, origin + int.from_bytes(head[20:22], "little"))
    return None


def _chunk(file: BinaryIO, place: int, is_caf: bool) -> Extent | None:
    """Find the chunk of samples of CAF, or of Wave64, whose sizes include 24 bytes of header."""
    n_header, number = (12, ">q") if is_caf else (24, "<q")
    while True:
        file.seek(place)
        header = file.read(n_header)
        (size,) = struct.unpack(number, header[-8:])
        size -= 0 if is_caf else n_header
        if header[:4] == b"data":
            return (place + n_header, size) if size >= 0 else None
        if size < 0:
            return None
        place += n_header + size + (0 if is_caf else -size % 8)


def _blocks(file: BinaryIO, start: int) -> Extent | None:
    """Add up the blocks of VOC; a block of no kind, 0, ends them."""
    place = start
    if file.seek(0, os.SEEK_END) > _VOC_BYTES:
        return None
    while True:
        file.seek(place)
        block = file.read(4)
        if len(block) < 4 or block[0] == 0:
            return start, place + len(block[:1]) - start
        place += 4 + int.from_bytes(block[1:], "little")
