"""The frames of an MP3 file, counted without decoding them.

libmpg123 believes the Xing frame at a file's start; without one it estimates the length from the
first frame, which is wrong for a variable bit rate and behind a large tag. It also stops after the
frames that the first Xing frame counts, and at junk. So a file is taken apart into runs of frames
that follow each other, and a run that has no true Xing frame gets one.
"""

import mmap
import re
import struct
from functools import lru_cache
from typing import NamedTuple

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KILOBITS = (  # of MPEG 1 layers I, II, III, of MPEG 2 layer I, and of its layers II and III
    (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_SYNC = re.compile(rb"\xff[\xe0-\xff]")
_XING = re.compile(rb"Xing|Info")
_XING_BITRATE = 0x90  # index 9: 128 kbit/s in MPEG 1, 80 in MPEG 2, long enough for the mark
_TAG_BYTES = 128  # of ID3v1


class Run(NamedTuple):
    """Frames that follow each other: offsets in the file."""

    start: int
    stop: int
    head: bytes  # a true Xing frame, if the run has none


class _Frame(NamedTuple):
    """What a frame's four bytes say."""

    n_bytes: int
    mark: int  # offset of a Xing frame's mark: behind header and side information
    kind: tuple[int, int, int, bool]  # version, layer, index of the rate, mono: constant in a run


def find_runs(data: mmap.mmap) -> tuple[list[Run], int]:
    """Runs of whole frames, and how many bytes are neither those nor tags. No run: no MP3."""
    place = _behind_tags(data, 0)
    if _frame_at(data, place) is None:
        return [], 0
    marks = {found.start() for found in _XING.finditer(data)}
    runs: list[Run] = []
    n_junk = 0
    while place < len(data):
        run, n_frames, place = _run(data, place, marks)
        if n_frames > 1 or not runs:  # some encoders don't count a last frame
            runs.append(run)
        behind = _behind_tags(data, place)
        place = _next_frame(data, behind)
        if place < len(data) or data[behind:].strip(b"\0"):
            n_junk += place - behind
    return runs, n_junk


def _run(data: mmap.mmap, start: int, marks: set[int]) -> tuple[Run, int, int]:
    """The run from `start` on, its number of frames, and its end.

    It ends at the next Xing frame, behind the frames that its own counts, or where a frame is
    missing, cut by the file's end or of another kind.
    """
    first = frame = _frame_at(data, start)
    assert first is not None
    announced, n_frames, place = None, 0, start
    if start + first.mark in marks:
        announced = _announced(data, start + first.mark)
        place += first.n_bytes
        frame = _frame_at(data, place)
    sound = place
    while frame is not None and frame.kind == first.kind and n_frames != announced:
        if place + frame.n_bytes > len(data) or (place + frame.mark in marks and place > sound):
            break
        n_frames += 1
        place += frame.n_bytes
        frame = _frame_at(data, place)
    stop = min(place, len(data))
    if announced is None and first.kind[1] == 1:
        return (
            Run(sound, stop, _xing_frame(data[start : start + 4], first, n_frames)),
            n_frames,
            stop,
        )
    return Run(start, stop, b""), n_frames, stop


def _announced(data: mmap.mmap, mark: int) -> int | None:
    """The number of frames that a Xing frame counts, if it does."""
    flags, count = struct.unpack(">II", data[mark + 4 : mark + 12].ljust(8, b"\0"))
    return count if flags & 1 and count else None


def _xing_frame(header: bytes, first: _Frame, n_frames: int) -> bytes:
    """A frame without sound that counts the frames of a run, in the manner of its first frame."""
    header = bytes([0xFF, header[1] | 1, _XING_BITRATE | header[2] & 0x0C, header[3]])
    frame = _frame(header)
    assert frame is not None
    body = header.ljust(frame.mark, b"\0") + b"Xing" + struct.pack(">II", 1, n_frames)
    return body.ljust(frame.n_bytes, b"\0")


def _next_frame(data: mmap.mmap, place: int) -> int:
    """Where the next two frames of a kind are, from `place` on; else the end."""
    while found := _SYNC.search(data, place):
        place = found.start()
        frame = _frame_at(data, place)
        following = _frame_at(data, place + frame.n_bytes) if frame else None
        if frame and following and following.kind == frame.kind:
            return place
        place += 1
    return len(data)


def _behind_tags(data: mmap.mmap, place: int) -> int:
    """Skip the tags of ID3 and APE at a place."""
    while True:
        begin = data[place : place + 32]
        if begin[:3] == b"ID3" and len(begin) >= 10:
            a, b, c, d = begin[6:10]
            has_footer = bool(begin[5] & 0x10)
            place += 10 + (a << 21 | b << 14 | c << 7 | d) + 10 * has_footer
        elif begin[:8] == b"APETAGEX" and len(begin) == 32:
            size, _, flags = struct.unpack("<III", begin[12:24])
            place += 32 + (size if flags & 1 << 29 else 0)  # 29: this is the header, not the footer
        elif begin[:3] == b"TAG":
            place += _TAG_BYTES
        else:
            return min(place, len(data))


def _frame_at(data: mmap.mmap, place: int) -> _Frame | None:
    return _frame(data[place : place + 4])


@lru_cache(maxsize=4096)
def _frame(header: bytes) -> _Frame | None:
    """Read a frame's header; None for anything else, and for free format."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3  # 3: MPEG 1; 3, 2, 1: layers I, II, III
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 0 or bitrate in (0, 15) or rate == 3:
        return None
    is_first = version == 3
    bits = 1000 * _KILOBITS[3 - layer if is_first else 3 + (layer != 3)][bitrate]
    hertz = _RATES[version][rate]
    if layer == 3:
        n_bytes = 4 * (12 * bits // hertz + padding)
    else:
        n_bytes = (72 if layer == 1 and not is_first else 144) * bits // hertz + padding
    is_mono = header[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    has_sum = not header[1] & 1
    return _Frame(n_bytes, 4 + 2 * has_sum + side, (version, layer, rate, is_mono))
