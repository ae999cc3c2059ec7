"""Where the samples of a file end: what its header announces against what is there.

libsndfile reads the rest of a truncated file without an error, stops where a header announces too
little, and refuses a file with another one behind it; a user who trains on it or converts it should
know. Chunks: RIFF (WAV, RF64 after EBU Tech 3306) and IFF (AIFF).

The rule, for samples that start at `start` in a file of `n_bytes`:

- They end where announced if that is the file's end, or if chunks follow from there to it.
- Announced beyond the file's end, they run to it if the size was left open, or if the writer
  counted its header: the form's own size agrees with the file, or the excess is the header's
  length. Else the file is cut.
- Announced to end before anything else than chunks, they run on to the file's end if the size is 0
  (never filled in) or the form's own size agrees with the file. Else they end there, and what lies
  beyond is reported, unless it is all zeros (padding).

Recorders and pipes leave a size open as 0 or as a limit that no header of theirs will reach:
0x7F000000, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 2**64 - 1, with or without the header's length. So a
size within 4 KiB of a multiple of 16 MiB, from 0x7F000000 on, that exceeds the file is open.
"""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from voiceconv.audio.extents import announced_extent

_LOWEST_OPEN, _ROUND, _NEAR = 0x7F00_0000, 1 << 24, 1 << 12
_ORDERS = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}
_PCM = (1, 3, 0xFFFE)  # format tags: integers, floats, either
_FORMS = (b"WAVE", b"AIFF", b"AIFC")


class Form(NamedTuple):
    """The samples of a form: offsets in the file, and sizes in bytes."""

    start: int  # of the samples
    announced: int  # their size
    size: int  # their size by the rule: what is there, at most `announced` if the file is cut
    end: int  # of the form, and of all that follows and is no other form
    n_beyond: int  # bytes that are neither samples nor chunks
    is_cut: bool
    head: bytes  # the file's start, up to the samples, with their size made true

    @property
    def is_mended(self) -> bool:
        """Whether libsndfile would read too little without the true size in the header."""
        return self.size > self.announced


class _Header(NamedTuple):
    """What the header says of the samples."""

    number: struct.Struct
    start: int
    announced: int
    form_end: int
    size_at: int  # offset of the size that counts
    size_format: str


def read_form(file: BinaryIO, origin: int = 0) -> Form | None:
    """Read the form that starts at `origin`; None for other formats or broken headers."""
    header = _header(file, origin)
    if header is None:
        return _of_extent(file, origin)
    n_bytes = file.seek(0, os.SEEK_END)
    start, announced = header.start, header.announced
    is_whole = header.form_end == n_bytes
    after = start + announced
    end, is_cut = after, False
    if after > n_bytes:
        its_header = start - origin
        counted = after - n_bytes in (8, its_header - 8, its_header)
        is_cut = not (is_whole or counted or _is_open(announced))
        end = n_bytes
    chunks_end = _chunks_end(file, header.number, end + end % 2, n_bytes)
    following = origin_of_form(file, chunks_end)
    n_beyond = max(n_bytes - chunks_end, 0) if following is None else 0
    if n_beyond and announced and _is_blank(file, chunks_end):
        n_beyond = 0
    if n_beyond and (announced == 0 or is_whole):
        end, n_beyond = n_bytes, 0
    file.seek(origin)
    head = bytearray(file.read(start - origin))
    width = struct.calcsize(header.size_format)
    true = min(end - start, (1 << 8 * width) - 1)
    struct.pack_into(header.size_format, head, header.size_at - origin, true)
    form_end = n_bytes if following is None else following
    return Form(start, announced, end - start, form_end, n_beyond, is_cut, bytes(head))


def _of_extent(file: BinaryIO, origin: int) -> Form | None:
    """The same for formats without the faults of WAV: they end where announced, or are cut."""
    extent = announced_extent(file, origin)
    if extent is None:
        return None
    start, announced = extent
    n_bytes = file.seek(0, os.SEEK_END)
    end = min(start + announced, n_bytes)
    is_cut = end < start + announced and not _is_open(announced)
    if announced_extent(file, end) is not None:  # another one is joined
        return Form(start, announced, announced, end, 0, False, b"")
    return Form(start, announced, end - start, n_bytes, 0, is_cut, b"")


def contradiction(form: Form) -> str:
    """What a header of PCM says twice and unlike, as a remark; empty where nothing is."""
    head, where = form.head, "of it may be wrong: compare with another copy, or mend the header"
    order = _ORDERS.get(head[:4], "<")
    try:
        if head[8:12] == b"AIFF":
            n_channels, n_frames, bits = struct.unpack_from(">hIh", head, head.index(b"COMM") + 8)
            n_bytes = n_frames * n_channels * -(-bits // 8)
            excess = form.announced - n_bytes  # 8 bytes of the chunk's header, and its padding
            if n_frames and not _is_open(form.announced) and excess not in (0, 8, 9):
                return (
                    f"announces {n_frames} frames of {n_channels} channels and {bits} bits, but "
                    f"{form.announced - 8} bytes of sound: the length {where}"
                )
        elif head[8:12] == b"WAVE":
            tag, n_channels, rate, per_second, per_frame, bits = struct.unpack_from(
                order + "HHIIHH", head, head.index(b"fmt ") + 8
            )
            if (
                tag in _PCM
                and per_second
                and per_frame
                and (per_frame != n_channels * -(-bits // 8) or per_second != rate * per_frame)
            ):
                return (
                    f"announces {rate} Hz, {n_channels} channels and {bits} bits, but {per_second} "
                    f"bytes a second, {per_frame} for each sample: speed, channels or bits {where}"
                )
    except (struct.error, ValueError):  # no such chunk
        pass
    return ""


def origin_of_form(file: BinaryIO, place: int) -> int | None:
    """`place`, if another form of sound starts there."""
    file.seek(place)
    magic = file.read(12)
    return place if magic[:4] in _ORDERS and magic[8:] in _FORMS else None


def _is_blank(file: BinaryIO, place: int) -> bool:
    """Whether there are only zeros from `place` on."""
    file.seek(place)
    return not any(block.strip(b"\0") for block in iter(lambda: file.read(1 << 20), b""))


def _is_open(size: int) -> bool:
    """Whether a writer left this size open (see above)."""
    return size >= _LOWEST_OPEN - _NEAR and (size + _NEAR) % _ROUND <= 2 * _NEAR


def _header(file: BinaryIO, origin: int) -> _Header | None:
    """Find the chunk of samples."""
    if origin_of_form(file, origin) is None:
        return None
    file.seek(origin)
    order = _ORDERS[file.read(4)]
    number = struct.Struct(order + "I")
    wide = None
    try:
        (form_size,) = number.unpack(file.read(4))
        file.seek(origin + 12)
        while True:
            identifier = file.read(4)
            (size,) = number.unpack(file.read(4))
            body = file.tell()
            form_end = origin + 8 + form_size
            if identifier in (b"data", b"SSND"):
                if wide is None:
                    return _Header(number, body, size, form_end, body - 4, order + "I")
                return _Header(number, body, wide[0], form_end, wide[1], "<Q")
            if identifier == b"ds64":
                form_size, data_size = struct.unpack("<QQ", file.read(16))
                wide = data_size, body + 8
            file.seek(body + size + size % 2)
    except (struct.error, OSError, OverflowError):  # the file ends in its header
        return None


def _chunks_end(file: BinaryIO, number: struct.Struct, place: int, n_bytes: int) -> int:
    """Where the chunks end that follow from `place` on."""
    for identifier, end in _chunks(file, number, place):
        if not (identifier.isascii() and identifier.decode().isprintable()) or end > n_bytes + 1:
            break
        place = end
    return place


def _chunks(file: BinaryIO, number: struct.Struct, place: int) -> Iterator[tuple[bytes, int]]:
    """Yield identifier and end of what would be chunks from `place` on, but no other form."""
    while origin_of_form(file, place) is None:
        file.seek(place)
        header = file.read(8)
        if len(header) < 8:
            return
        (size,) = number.unpack(header[4:])
        place += 8 + size + size % 2
        yield header[:4], place
