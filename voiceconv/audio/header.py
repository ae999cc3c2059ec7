"""The sizes in the header of a WAV or AIFF file, to detect truncated files.

libsndfile reads the rest of a truncated file without an error; a user who trains on it or converts
it should know. Chunks: RIFF (WAV, RF64 after EBU Tech 3306) and IFF (AIFF).
"""

import struct
from typing import BinaryIO, NamedTuple

# Sizes of encoders that write to a pipe and can't know the size; some subtract their header.
_UNKNOWN = (range(0xFFFF_F000, 1 << 32), range(0x7FFF_F000, 1 << 31), range((1 << 64) - 1, 1 << 64))
_ORDERS = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}


class DataChunk(NamedTuple):
    """The chunk with the samples: offsets in the file, and sizes in bytes."""

    start: int
    announced: int
    form_size: int  # of all chunks together, from the first eight bytes of the file

    @property
    def size_at(self) -> int:
        """Offset of the four bytes with the size."""
        return self.start - 4

    @property
    def is_streamed(self) -> bool:
        """Whether the writer never filled in the size."""
        if self.announced == 0:
            # A size of 0 may be true, but not if the whole form also ends before the samples.
            return self.form_size + 8 <= self.start or self.form_size in _UNKNOWN[0]
        return any(self.announced in sizes for sizes in _UNKNOWN)


def find_data_chunk(file: BinaryIO) -> DataChunk | None:
    """Find the chunk of samples from the file's start; None for other formats or broken headers."""
    file.seek(0)
    magic = file.read(4)
    if magic not in _ORDERS:
        return None
    number = struct.Struct(_ORDERS[magic] + "I")
    data_size = None
    try:
        (form_size,) = number.unpack(file.read(4))
        file.seek(4, 1)  # WAVE, AIFF or AIFC
        while True:
            identifier = file.read(4)
            (size,) = number.unpack(file.read(4))
            if identifier in (b"data", b"SSND"):
                return DataChunk(file.tell(), size if data_size is None else data_size, form_size)
            body = file.tell()
            if identifier == b"ds64":
                form_size, data_size = struct.unpack("<QQ", file.read(16))
            file.seek(body + size + size % 2)
    except struct.error:  # the file ends in its header
        return None
