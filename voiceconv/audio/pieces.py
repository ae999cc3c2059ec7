"""A file as the pieces that a decoder of libsndfile reads to its end.

Most files are one piece. Recordings joined end to end (WAV, FLAC, Ogg, MP3) are several, and a
header that announces too little is made true in a copy.
"""

import mmap
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, NamedTuple

from voiceconv.audio.header import Form, contradiction, read_form
from voiceconv.audio.mpeg import find_runs

_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # with the head of STREAMINFO, 34 bytes
_OGG_HEADER = 27  # bytes, before a page's table
_BACKWARDS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BEGINS = 0x02  # flag of the first page of a logical stream


class Piece(NamedTuple):
    """What one decoder reads: `head`, then the file's bytes from `start` to `stop`."""

    start: int
    stop: int
    head: bytes = b""
    form: Form | None = None  # of WAV and AIFF


class Pieces(NamedTuple):
    """The pieces, one at least, and a remark on what is missing or left out."""

    pieces: tuple[Piece, ...]
    remark: str = ""


def find_pieces(file: BinaryIO) -> Pieces:
    """Find the pieces of a file of any format that is not empty."""
    n_bytes = file.seek(0, os.SEEK_END)
    if forms := tuple(_forms(file)):
        return Pieces(forms, contradiction(forms[0].form) if forms[0].form else "")
    with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
        if data[:4] == b"OggS":
            return _ogg_streams(data)
        if data[:4] == b"fLaC":
            return _from(list(map(re.Match.start, _FLAC.finditer(data))), n_bytes)
        runs, n_junk = find_runs(data)
    if len(runs) == 1 and not runs[0].head:
        runs = []
    pieces = tuple(Piece(run.start, run.stop, run.head) for run in runs)
    remark = f"holds {n_junk} bytes that are no whole MP3 frame; they are left out"
    return Pieces(pieces or (Piece(0, n_bytes),), remark if n_junk else "")


def _from(starts: list[int], n_bytes: int, remark: str = "") -> Pieces:
    """Pieces that begin at these places, or the whole file."""
    starts = starts or [0]
    return Pieces(tuple(map(Piece, starts, [*starts[1:], n_bytes])), remark)


def _forms(file: BinaryIO) -> Iterator[Piece]:
    """The forms (WAV, AIFF) of a file, one behind the other."""
    origin = 0
    while form := read_form(file, origin):
        start, head = (form.start, form.head) if form.is_mended else (origin, b"")
        yield Piece(start, form.end, head, form)
        origin = form.end


def _ogg_streams(data: mmap.mmap) -> Pieces:
    """Chained Ogg streams: each begins at a first page that follows another kind of page."""
    starts = [0]
    began = True
    damaged: list[int] = []
    following: dict[bytes, int] = {}  # by stream: the number of its next page
    place = 0
    while (found := data.find(b"OggS", place)) >= 0:
        header = data[found : found + _OGG_HEADER].ljust(_OGG_HEADER, b"\0")
        begins = bool(header[5] & _BEGINS)
        if begins and not began:
            starts.append(found)
        began = begins
        stream, number = header[14:18], int.from_bytes(header[18:22], "little")
        expected = number if begins else following.get(stream, number)
        end = found + _OGG_HEADER + header[26]
        end += sum(data[end - header[26] : end])
        if end <= len(data) and (
            found != place or number != expected or not _is_intact(data[found:end])
        ):
            damaged.append(found)
        following[stream] = number + 1
        place = end
    remark = ""
    if place > len(data):
        remark = "ends within a page of its stream: it is cut, and what followed is missing"
    elif damaged:
        remark = (
            f"has damaged or missing pages in {len(damaged)} places, the first at byte "
            f"{damaged[0]}: sound is lost there; fetch it again"
        )
    return _from(starts, len(data), remark)


def _is_intact(page: bytes) -> bool:
    """Whether the checksum of an Ogg page is right: CRC-32 as zlib's, but the bits backwards."""
    said = int.from_bytes(page[22:26], "little")
    plain = (page[:22] + bytes(4) + page[26:]).translate(_BACKWARDS)
    found = zlib.crc32(plain, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return said == int(f"{found:032b}"[::-1], 2)
