"""Sound files and plain operations on waves; the only file that touches sound files.

A wave is a float32 tensor (N,), mono, nominally in [-1, 1]. What libsndfile reads is taken: any
sample rate from 4 to 384 kHz, any number of channels (mixed down by their mean), 8 to 32 bit and
float. Files are decoded, mixed down and resampled in blocks, so that an hour of 48 kHz stereo costs
the memory of its mono samples at the rate asked for.
"""

import errno
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

from voiceconv.errors import InputError, RunError
from voiceconv.files import replacing
from voiceconv.loudness import loudness, loudness_gain
from voiceconv.riff import DataChunk, find_data_chunk
from voiceconv.waves import (
    Samples,
    gathered,
    n_resampled,
    resample,
    resampled_blocks,
    sounding,
    trim,
)

__all__ = [
    "AudioInfo", "Recording", "check_output", "loudness", "loudness_gain", "n_resampled",
    "probe", "read", "resample", "sounding", "trim", "write",
]  # fmt: skip

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000  # Hz
# Of what libsndfile reads, the formats of sound files that name their own rate.
EXTENSIONS = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .nist "
    ".voc .avr .ircam .sf .paf .svx .8svx".split()
)
_BLOCK = 1 << 16  # frames
_OUTPUTS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aiff": ("AIFF", "PCM_16"),
    ".aif": ("AIFF", "PCM_16"),
    ".au": ("AU", "PCM_16"),
    ".caf": ("CAF", "PCM_16"),
    ".w64": ("W64", "PCM_16"),
    ".rf64": ("RF64", "PCM_16"),
}
log = logging.getLogger(__name__)


class Recording(NamedTuple):
    """What `read` gives: samples (N,) float32, and their rate in Hz."""

    samples: Tensor
    sample_rate: int


class AudioInfo(NamedTuple):
    """What a sound file's header says; samples are counted per channel."""

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self.sample_rate


def read(
    path: Path | str, sample_rate: int | None = None, start: float = 0.0, end: float | None = None
) -> Recording:
    """Read a sound file (`-`: standard input) as a mono wave (N,), at `sample_rate` Hz if given.

    `start` and `end` in seconds choose a part; an `end` at most half a second past the file's end
    is taken as its end, as Kaldi's extract-segments does. Damaged input raises InputError.
    """
    with _opened(path) as (sound, name):
        first, n_samples = _part(sound, name, start, end)
        blocks = _decoded(sound, name, first, n_samples)
        if sample_rate is None or sample_rate == sound.samplerate:
            return Recording(gathered(blocks, n_samples), sound.samplerate)
        blocks = resampled_blocks(blocks, sound.samplerate, sample_rate)
        n_output = n_samples and n_resampled(n_samples, sound.samplerate, sample_rate)
        return Recording(gathered(blocks, n_output), sample_rate)


def probe(path: Path | str) -> AudioInfo:
    """Look at the header; nothing is decoded unless it leaves the length open."""
    with _opened(path) as (sound, name):
        n_samples = _n_samples(sound)
        if n_samples is None:
            n_samples = sum(block.size for block in _decoded(sound, name, 0, None))
        return AudioInfo(n_samples, sound.samplerate, sound.channels, sound.subtype)


def write(path: Path | str, wave: Tensor, sample_rate: int, subtype: str | None = None) -> float:
    """Write a wave (N,) whole or not at all; the extension names the format, `-` is WAV to stdout.

    A wave that peaks above 1 is made quieter as a whole where the format would clip it; this is
    logged. Returns the linear gain applied: 1.0 unless it had to.
    """
    name = _printable(path) if str(path) != "-" else "standard output"
    format_, subtype = _output_format(path, name, subtype)
    peak = max(float(wave.max()), -float(wave.min())) if wave.numel() else 0.0
    if not math.isfinite(peak):
        raise RunError(f"nothing is written to {name}: the wave holds NaN or infinite samples")
    gain = 1.0 if peak <= 1.0 or subtype in ("FLOAT", "DOUBLE") else 1.0 / peak
    if gain < 1.0:
        log.warning(
            "%s would clip (peak %.2f): written %.1f dB quieter", name, peak, -20 * math.log10(gain)
        )
    try:
        with _destination(path) as temporary:
            _encode(temporary, name, wave, gain, sample_rate, format_, subtype)
    except OSError as error:
        kind = RunError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EPIPE) else InputError
        raise kind(f"cannot write {name}: {error.strerror}; choose another output") from None
    return gain


def check_output(path: Path | str) -> None:
    """Raise InputError where `write` would not know the format, before work is done for it."""
    _output_format(path, _printable(path), None)


class _Sound(soundfile.SoundFile):
    """A SoundFile that is read from front to back.

    soundfile seeks after each block of a seekable file. That makes libmpg123 complain on stderr at
    every block, and fails at the end of a FLAC stream that doesn't know its length.
    """

    def seekable(self) -> bool:
        """Pretend that it is not."""
        return False


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[_Sound, str]]:
    """Give the checked sound file and the name that errors use."""
    name = "standard input" if str(path) == "-" else _printable(path)
    with _opened_bytes(path, name) as raw:
        n_bytes = os.fstat(raw.fileno()).st_size
        if n_bytes == 0:
            raise InputError(f"{name} is empty (0 bytes); give a file that holds sound")
        chunk = find_data_chunk(raw)
        with _with_size(raw, chunk) as file:
            file.seek(0)
            try:
                # By descriptor: by name, soundfile would judge some files by their extension.
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
    """Refuse impossible rates, files without a sample, and files shorter than they announce."""
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
    """Say how much of a damaged file is there."""
    of = f"of {announced:.2f} seconds" if announced else "of the sound that its header announces"
    raise InputError(
        f"{name} is cut or damaged: only {seconds:.2f} {of} can be read; fetch it again"
    )


@contextmanager
def _with_size(file: BinaryIO, chunk: DataChunk | None) -> Iterator[BinaryIO]:
    """Give the file; a WAV whose writer left 0 as the size of its samples as a corrected copy.

    libsndfile reads to the end of the file where the size is too large, but nothing where it is 0.
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
    """Open a file; a pipe is copied to an unnamed temporary file first, as decoders must seek."""
    if str(path) == "-":
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


def _n_samples(sound: _Sound) -> int | None:
    """Samples per channel; None for a FLAC stream that doesn't say (libsndfile: 2**63 - 1)."""
    return sound.frames if sound.frames < 1 << 62 else None


def _part(sound: _Sound, name: str, start: float, end: float | None) -> tuple[int, int | None]:
    """Seconds -> the first sample and the number of samples (None: to an end that isn't known)."""
    total = _n_samples(sound)
    if start == 0.0 and end is None:
        return 0, total
    if total is None:
        raise InputError(f"{name} doesn't say how long it is; convert it to WAV to use parts of it")
    seconds = total / sound.samplerate
    stop = seconds if end is None else end
    if not (0 <= start < stop and start < seconds and stop <= seconds + 0.5):
        raise InputError(
            f"{name} lasts {seconds:.2f} seconds; there is no part from {start:g} to {stop:g} in it"
        )
    first = round(start * sound.samplerate)
    return first, max(min(round(stop * sound.samplerate), total) - first, 1)


def _decoded(sound: _Sound, name: str, first: int, n_samples: int | None) -> Iterator[Samples]:
    """Decode from sample `first` on; mono blocks (n,), `n_samples` in all or InputError."""
    n_left = math.inf if n_samples is None else n_samples
    n_done = 0
    buffer = np.empty((max(_BLOCK // sound.channels, 1024), sound.channels), np.float32)
    damaged = first > 0 and not _sought(sound, first)
    while n_left > 0 and not damaged:
        block, damaged = _block(sound, buffer[: int(min(n_left, len(buffer)))])
        if len(block) == 0:
            break
        mono = block.mean(1, dtype=np.float32) if sound.channels > 1 else block[:, 0].copy()
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
    """Decode into the buffer (n, channels); also whether the decoder gave up in it."""
    buffer.fill(np.nan)
    try:
        return sound.read(out=buffer), False
    except soundfile.LibsndfileError:
        # What it decoded before is in the buffer; how much that is, it doesn't say.
        untouched = np.isnan(buffer[:, 0])
        return buffer[: int(untouched.argmax()) if untouched.any() else len(buffer)], True


def _sought(sound: _Sound, first: int) -> bool:
    """Go to a sample; False where a damaged file doesn't let us."""
    try:
        return bool(sound.seek(first) == first)
    except soundfile.LibsndfileError:
        return False


def _output_format(path: Path | str, name: str, subtype: str | None) -> tuple[str, str]:
    """Extension -> libsndfile's format and subtype."""
    extension = ".wav" if str(path) == "-" else Path(path).suffix.lower()
    if extension not in _OUTPUTS:
        raise InputError(f"no format is known for {name}; end it in one of {' '.join(_OUTPUTS)}")
    format_, default = _OUTPUTS[extension]
    if subtype and not soundfile.check_format(format_, subtype):
        known = " ".join(soundfile.available_subtypes(format_))
        raise InputError(f"{extension} files can't hold {subtype!r} samples; choose from {known}")
    return format_, subtype or default


@contextmanager
def _destination(path: Path | str) -> Iterator[Path]:
    """Give a file name to write to; what is written there arrives at `path` whole."""
    is_stdout = str(path) == "-"
    if is_stdout or (os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)):
        # A pipe or a device: formats need to seek, and a device must not be replaced by a file.
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "wave"
            yield temporary
            with open(temporary, "rb") as whole:
                if is_stdout:
                    shutil.copyfileobj(whole, sys.stdout.buffer, 1 << 20)
                    sys.stdout.buffer.flush()
                else:
                    with open(path, "wb") as device:
                        shutil.copyfileobj(whole, device, 1 << 20)
        return
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.exists(path) and not os.access(path, os.W_OK):
        # A rename would get past the protection of the file itself.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with replacing(path) as temporary:
        yield temporary


def _encode(
    temporary: Path,
    name: str,
    wave: Tensor,
    gain: float,
    sample_rate: int,
    format_: str,
    subtype: str,
) -> None:
    """Encode a wave (N,) times `gain` in blocks."""
    samples = wave.detach().cpu().numpy()
    try:
        sound = soundfile.SoundFile(  # a name as bytes: as str, soundfile takes UTF-8 alone
            os.fsencode(temporary), "w", sample_rate, 1, format=format_, subtype=subtype
        )
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"cannot write {name} as {format_}/{subtype} at {sample_rate} Hz "
            f"({error.error_string.strip('. ')}); choose another rate or extension"
        ) from None
    try:
        with sound:
            # One large block crashes libsndfile's Vorbis encoder: libsndfile#130.
            for start in range(0, samples.size, _BLOCK):
                sound.write(samples[start : start + _BLOCK] * np.float32(gain))
    except (soundfile.LibsndfileError, AssertionError) as error:
        # soundfile asserts that all was written: on a full disk it was not.
        raise RunError(f"cannot write {name} ({error}); is the disk full?") from None


def _printable(path: Path | str) -> str:
    """Return a path as errors show it: on one line, whatever it holds."""
    return str(path) if str(path).isprintable() else repr(str(path))
