"""Sound files to waves.

A wave is a float32 tensor (N,), mono, nominally in [-1, 1]. Every format of libsndfile is accepted:
sample rates from 4 to 384 kHz, any number of channels (mixed down by their mean), 8 to 32 bit and
float. Files are decoded, mixed down and resampled in blocks, so an hour of 48 kHz stereo needs only
the memory of its mono samples at the requested rate.
"""

import logging
import math
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np
import soundfile
from torch import Tensor

from voiceconv.audio.header import DataChunk, find_data_chunk
from voiceconv.audio.waves import (
    Samples,
    gathered,
    n_resampled,
    resampled_blocks,
)
from voiceconv.errors import InputError
from voiceconv.files import printable

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000  # Hz
# Formats of libsndfile whose files state their sample rate.
EXTENSIONS = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .nist "
    ".voc .avr .ircam .sf .paf .svx .8svx".split()
)
# Formats of phones and video that libsndfile does not read, but PyAV does (the extra `media`).
MEDIA_EXTENSIONS = frozenset(
    ".m4a .m4b .aac .mp4 .mov .3gp .3g2 .amr .awb .wma .asf .webm .weba .mkv .mka .ac3 .ape .tta "
    ".wv .spx".split()
)
_BLOCK = 1 << 16  # frames
log = logging.getLogger(__name__)


class Recording(NamedTuple):
    """Samples (N,) float32, and their rate in Hz."""

    samples: Tensor
    sample_rate: int


class AudioInfo(NamedTuple):
    """A sound file's header; samples are counted per channel."""

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self.sample_rate


def read(
    path: Path | str,
    sample_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    channel: int | None = None,
) -> Recording:
    """Read a sound file (`-`: standard input) as a mono wave (N,), at `sample_rate` Hz if given.

    `start` and `end` in seconds choose a part. An `end` up to half a second after the file's end
    means its end, as in Kaldi's extract-segments. `channel`, counted from 0 as in Kaldi's
    segments, chooses one channel; None mixes all of them down. Damaged input raises InputError.
    """
    with _opened(path) as (sound, name):
        _check_channel(sound, name, channel)
        first, n_samples = _part(sound, name, start, end)
        blocks = _decoded(sound, name, first, n_samples, channel)
        if sample_rate is None or sample_rate == sound.samplerate:
            return Recording(gathered(blocks, n_samples), sound.samplerate)
        blocks = resampled_blocks(blocks, sound.samplerate, sample_rate)
        n_output = n_samples and n_resampled(n_samples, sound.samplerate, sample_rate)
        return Recording(gathered(blocks, n_output), sample_rate)


def probe(path: Path | str, channel: int | None = None) -> AudioInfo:
    """Read the header; decode only if the header does not state the length.

    Raises InputError as `read` does, if there is no such channel, too.
    """
    with _opened(path) as (sound, name):
        _check_channel(sound, name, channel)
        n_samples = _n_samples(sound)
        if n_samples is None:
            n_samples = sum(block.size for block in _decoded(sound, name, 0, None))
        return AudioInfo(n_samples, sound.samplerate, sound.channels, sound.subtype)


def end_of_part(seconds: float, name: str, start: float, end: float | None) -> float:
    """Where a part of a recording of so many seconds ends, in seconds.

    None as `end`, and one up to half a second after the recording's, means its end. Raises
    InputError where there is no such part.
    """
    stop = seconds if end is None else end
    if not (0 <= start < stop and start < seconds and stop <= seconds + 0.5):
        last = start if end is None else end
        unit = "; these look like milliseconds" if 10 < last / seconds <= 1001 else ""
        raise InputError(
            f"{name} lasts {seconds:.2f} seconds; there is no part from {start:g} to {stop:g} "
            f"in it{unit}"
        )
    return min(stop, seconds)


class _Sound(soundfile.SoundFile):
    """A SoundFile that is read from front to back.

    soundfile seeks after each block of a seekable file. That makes libmpg123 complain on stderr at
    every block, and fails at the end of a FLAC stream that doesn't know its length.
    """

    def seekable(self) -> bool:
        """Report that the file is not seekable."""
        return False


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[_Sound, str]]:
    """Give the checked sound file and its name for error messages."""
    name = "standard input" if str(path) == "-" else printable(path)
    with _opened_bytes(path, name) as raw:
        n_bytes = os.fstat(raw.fileno()).st_size
        if n_bytes == 0:
            raise InputError(f"{name} is empty (0 bytes); give a file that holds sound")
        chunk = find_data_chunk(raw)
        with _with_size(raw, chunk) as file:
            file.seek(0)
            try:
                # By descriptor: by name, soundfile would derive some formats from the extension.
                sound = _Sound(file.fileno(), closefd=False)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"{name} is no sound file that libsndfile reads "
                    f"({error.error_string.strip('. ')}); convert it to WAV or FLAC first"
                ) from None
            with sound:
                _check(sound, name, chunk, n_bytes)
                yield sound, name


def _check(sound: _Sound, name: str, chunk: DataChunk | None, n_bytes: int) -> None:
    """Refuse impossible rates, files without a sample, and files shorter than their header says."""
    if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
        raise InputError(
            f"{name} has a sample rate of {sound.samplerate} Hz; rates from {LOWEST_RATE} to "
            f"{HIGHEST_RATE} Hz are taken: resample it, or mend its header"
        )
    if chunk and not chunk.is_streamed and chunk.start + chunk.announced > n_bytes:
        here = n_bytes - chunk.start
        seconds = sound.frames / sound.samplerate
        _refuse_cut(name, seconds, seconds * chunk.announced / here if here and seconds else None)
    if sound.frames == 0:
        raise InputError(f"{name} holds no samples, only a header; give a file that holds sound")


def _refuse_cut(name: str, seconds: float, announced: float | None) -> NoReturn:
    """The error that says how much of a damaged file exists."""
    of = f"of {announced:.2f} seconds" if announced else "of the sound that its header announces"
    raise InputError(
        f"{name} is cut or damaged: only {seconds:.2f} {of} can be read; fetch it again"
    )


@contextmanager
def _with_size(file: BinaryIO, chunk: DataChunk | None) -> Iterator[BinaryIO]:
    """Give the file, or a corrected copy of a WAV that states 0 as the size of its samples.

    libsndfile reads to the end of the file if the size is too large, but nothing if it is 0.
    """
    if chunk is None or not (chunk.is_streamed and chunk.announced == 0):
        yield file
        return
    file.seek(0)
    with _spooled(file) as copy:
        copy.seek(chunk.size_at)
        copy.write(b"\xff" * 4)
        yield copy


@contextmanager
def _opened_bytes(path: Path | str, name: str) -> Iterator[BinaryIO]:
    """Open a file; a pipe is copied to an unnamed temporary file first, because decoders seek."""
    if str(path) == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed; name a file")
        with _spooled(sys.stdin.buffer) as file:
            yield file
        return
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name} is a directory; give a sound file in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise InputError(f"{name} is a device, not a sound file; give a file")
        opened = open(path, "rb", buffering=0 if stat.S_ISREG(mode) else -1)
    except FileNotFoundError:
        raise InputError(f"there is no file {name}; check the path") from None
    except PermissionError:
        raise InputError(f"no permission to read {name}; chmod it or run as its owner") from None
    except OSError as error:
        raise InputError(f"cannot open {name}: {error.strerror}; check the path") from None
    except ValueError:  # a NUL in the name
        raise InputError(f"there can be no file {name}; check the path") from None
    with opened:
        if stat.S_ISFIFO(mode):
            with _spooled(opened) as file:
                yield file
        else:
            yield opened


@contextmanager
def _spooled(source: BinaryIO) -> Iterator[BinaryIO]:
    """Copy a stream to a temporary file that vanishes afterwards."""
    with tempfile.TemporaryFile(buffering=0) as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.seek(0)
        yield file


def _check_channel(sound: _Sound, name: str, channel: int | None) -> None:
    """Refuse a channel that the file does not have."""
    if channel is not None and not 0 <= channel < sound.channels:
        raise InputError(
            f"{name} has no channel {channel}; counted from 0, its last is {sound.channels - 1}"
        )


def _n_samples(sound: _Sound) -> int | None:
    """Samples per channel; None for a FLAC stream that doesn't say (libsndfile: 2**63 - 1)."""
    return sound.frames if sound.frames < 1 << 62 else None


def _part(sound: _Sound, name: str, start: float, end: float | None) -> tuple[int, int | None]:
    """Seconds -> the first sample and the number of samples (None: to an unknown end)."""
    total = _n_samples(sound)
    if start == 0.0 and end is None:
        return 0, total
    if total is None:
        raise InputError(f"{name} doesn't say how long it is; convert it to WAV to use parts of it")
    stop = end_of_part(total / sound.samplerate, name, start, end)
    first = round(start * sound.samplerate)
    return first, max(min(round(stop * sound.samplerate), total) - first, 1)


def _decoded(
    sound: _Sound, name: str, first: int, n_samples: int | None, channel: int | None = None
) -> Iterator[Samples]:
    """Decode from sample `first` on; mono blocks (n,), `n_samples` in all or InputError."""
    n_left = math.inf if n_samples is None else n_samples
    n_done = 0
    buffer = np.empty((max(_BLOCK // sound.channels, 1024), sound.channels), np.float32)
    damaged = first > 0 and not _sought(sound, first)
    while n_left > 0 and not damaged:
        block, damaged = _block(sound, buffer[: int(min(n_left, len(buffer)))])
        if len(block) == 0:
            break
        if channel is None and sound.channels > 1:
            mono = block.mean(1, dtype=np.float32)
        else:
            mono = block[:, channel or 0].copy()
        finite = np.isfinite(mono)
        if not finite.all():
            place = (first + n_done + int(finite.argmin())) / sound.samplerate
            raise InputError(
                f"{name} holds a NaN or infinite sample at {place:.3f} seconds; "
                "export it again as PCM"
            )
        n_done += len(mono)
        n_left -= len(mono)
        yield mono
    if damaged or (n_samples is not None and n_done < n_samples):
        total = _n_samples(sound)
        seconds = (first + n_done) / sound.samplerate
        _refuse_cut(name, seconds, total and total / sound.samplerate)


def _block(sound: _Sound, buffer: Samples) -> tuple[Samples, bool]:
    """Decode into the buffer (n, channels); also return whether the decoder failed in it."""
    buffer.fill(np.nan)
    try:
        return sound.read(out=buffer), False
    except soundfile.LibsndfileError:
        # The samples before the failure are in the buffer; their number is unknown.
        untouched = np.isnan(buffer[:, 0])
        return buffer[: int(untouched.argmax()) if untouched.any() else len(buffer)], True


def _sought(sound: _Sound, first: int) -> bool:
    """Seek to a sample; False if a damaged file prevents it."""
    try:
        return bool(sound.seek(first) == first)
    except soundfile.LibsndfileError:
        return False
