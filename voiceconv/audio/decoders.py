"""Decoders: samples of a file from front to back, in blocks, for all channels."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from voiceconv.audio.pieces import Piece
from voiceconv.audio.quiet import quiet
from voiceconv.audio.waves import Samples

# An MP3 frame may need up to 511 bytes of the frames before it: as many as 46 of the smallest.
# libmpg123 goes back by four, and decodes noise.
_RUN_UP = 46 * 1152  # samples
log = logging.getLogger(__name__)


class Decoder(Protocol):
    """What reads a file."""

    sample_rate: int
    n_channels: int
    subtype: str

    @property
    def n_samples(self) -> int | None:
        """Samples per channel; None if the header doesn't say."""

    def seek(self, sample: int) -> bool:
        """Go to a sample; False if a damaged file prevents it."""

    def read(self, buffer: Samples) -> tuple[Samples, bool]:
        """Decode into (n, channels); return what was filled, and whether the decoder failed.

        It gives fewer samples than asked for, but more than none, only at the end of a piece.
        """

    def close(self) -> None:
        """Free what it holds, but not the file."""


@lru_cache(maxsize=1024)
def warn_once(message: str, *values: object) -> None:
    """Warn of a file in the log: once, however many of its parts are read."""
    log.warning(message, *values)


def skipped(decoder: Decoder, n_samples: int) -> bool:
    """Decode that many samples and forget them; False if they are not there."""
    buffer = np.empty((1 << 16, decoder.n_channels), np.float32)
    while n_samples > 0:
        block, failed = decoder.read(buffer[:n_samples])
        if failed or len(block) == 0:
            return False
        n_samples -= len(block)
    return True


class _Sound(soundfile.SoundFile):
    """A SoundFile that is read from front to back.

    soundfile seeks after each block of a seekable file, which fails at the end of a FLAC stream
    that doesn't know its length.
    """

    def seekable(self) -> bool:
        """Report that the file is not seekable."""
        return False


class Sndfile:
    """libsndfile. Raises soundfile.LibsndfileError if it cannot read the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sound = self._opened()
        self.sample_rate, self.n_channels = self._sound.samplerate, self._sound.channels
        self.subtype = self._sound.subtype
        frames = self._sound.frames
        self.n_samples = frames if frames < 1 << 62 else None  # a FLAC stream: 2**63 - 1

    def seek(self, sample: int) -> bool:
        """Go to a sample; False if a damaged file prevents it."""
        if sample == 0 or self.n_samples is None:
            self._sound.close()
            self._sound = self._opened()
            return skipped(self, sample)
        place = max(sample - _RUN_UP, 0) if self.subtype.startswith("MPEG") else sample
        try:
            with quiet():
                is_there = self._sound.seek(place) == place
        except soundfile.LibsndfileError:
            return False
        return is_there and skipped(self, sample - place)

    def read(self, buffer: Samples) -> tuple[Samples, bool]:
        """Decode into (n, channels); return what was filled, and whether the decoder failed."""
        buffer.fill(np.nan)
        try:
            with quiet():
                return self._sound.read(out=buffer), False
        except soundfile.LibsndfileError:
            # The samples before the failure are in the buffer; their number is unknown.
            untouched = np.isnan(buffer[:, 0])
            return buffer[: int(untouched.argmax()) if untouched.any() else len(buffer)], True

    def close(self) -> None:
        """Close libsndfile's part."""
        self._sound.close()

    def _opened(self) -> _Sound:
        self._file.seek(0)
        with quiet():  # by descriptor: by name, soundfile derives some formats from the extension
            return _Sound(self._file.fileno(), closefd=False)


class Chain:
    """Pieces of a file, one behind the other, each in a copy of its own while it is read.

    A piece that cannot be read, or has another rate or number of channels than the first, ends the
    chain with a warning. Raises soundfile.LibsndfileError if the first piece cannot be read.
    """

    n_samples: int

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece], name: str) -> None:
        self._file, self._pieces = file, pieces
        self._lengths: list[int] = []
        self._number = 0
        self._stack = ExitStack()
        first = self._current = self._opened(0)
        self.sample_rate, self.n_channels = first.sample_rate, first.n_channels
        self.subtype = first.subtype
        for number in range(len(pieces)):
            try:
                piece = self._opened(number)
            except soundfile.LibsndfileError:
                break
            if (piece.sample_rate, piece.n_channels) != (self.sample_rate, self.n_channels):
                break
            self._lengths.append(_length(piece))
        if (number := len(self._lengths)) < len(pieces):
            n_bytes = sum(piece.stop - piece.start for piece in pieces[number:])
            warn_once(
                "%s holds further sound (%d bytes) of another kind from byte %d on, which is not "
                "read; split it there",
                name,
                n_bytes,
                pieces[number].start,
            )
        self.n_samples = sum(self._lengths)
        self.seek(0)

    def seek(self, sample: int) -> bool:
        """Go to a sample; False if a damaged file prevents it."""
        number = 0
        while number < len(self._lengths) - 1 and sample >= self._lengths[number]:
            sample -= self._lengths[number]
            number += 1
        self._number, self._current = number, self._opened(number)
        return self._current.seek(sample)

    def read(self, buffer: Samples) -> tuple[Samples, bool]:
        """Decode into (n, channels); return what was filled, and whether the decoder failed."""
        block, failed = self._current.read(buffer)
        if len(block) == 0 and not failed and self._number + 1 < len(self._lengths):
            self._number += 1
            self._current = self._opened(self._number)
            return self.read(buffer)
        return block, failed

    def close(self) -> None:
        """Remove the copy."""
        self._stack.close()

    def _opened(self, number: int) -> Sndfile:
        """Open a piece, and close the one before."""
        self._stack.close()
        copy = self._stack.enter_context(_excerpt(self._file, self._pieces[number]))
        sound = Sndfile(copy)
        self._stack.callback(sound.close)
        return sound


def _length(decoder: Sndfile) -> int:
    """The samples of a piece, decoded if its header doesn't say."""
    if decoder.n_samples is not None:
        return decoder.n_samples
    buffer = np.empty((1 << 16, decoder.n_channels), np.float32)
    return sum(iter(lambda: len(decoder.read(buffer)[0]), 0))


@contextmanager
def _excerpt(file: BinaryIO, piece: Piece) -> Iterator[BinaryIO]:
    """Copy a piece to a temporary file that vanishes afterwards."""
    with tempfile.TemporaryFile(buffering=0) as copy:
        copy.write(piece.head)
        file.seek(piece.start)
        n_left = piece.stop - piece.start
        while n_left > 0 and (block := file.read(min(n_left, 1 << 20))):
            copy.write(block)
            n_left -= len(block)
        yield copy
