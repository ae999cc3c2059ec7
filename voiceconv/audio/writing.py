"""Waves to sound files, whole or not at all; the extension names the format."""

import errno
import logging
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from torch import Tensor

from voiceconv.audio.bs1770 import level
from voiceconv.audio.tags import Tags, holds_tags, set_tags
from voiceconv.audio.waves import Samples, limited
from voiceconv.errors import InputError, NoRoomError, RunError
from voiceconv.files import printable, replacing, unwritable

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
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_LOUDEST, _PROGRAMME = 0.0, -23.0  # LUFS: a square wave of full scale; the level of EBU R 128
log = logging.getLogger(__name__)


def write(
    path: Path | str,
    wave: Tensor,
    sample_rate: int,
    subtype: str | None = None,
    tags: Tags | None = None,
    seal: Callable[[Path], None] | None = None,
) -> None:
    """Write a wave (N,) whole or not at all; the extension names the format, `-` is WAV to stdout.

    tags: text beside the samples, where `holds_tags`.
    seal: is given the complete file, under another name, and may change it before it appears.

    Where the format would clip, peaks above 1 are limited where they are; a wave that is all above
    1, as of integers in a float file, is turned down first. Each is logged as a warning. PCM holds
    the nearest step.
    """
    name = printable(path) if str(path) != "-" else "standard output"
    format_, subtype = _output_format(path, name, subtype)
    peak = max(float(wave.max()), -float(wave.min())) if wave.numel() else 0.0
    if not math.isfinite(peak):
        raise RunError(f"nothing is written to {name}: the wave holds NaN or infinite samples")
    clips = peak > 1.0 and subtype not in ("FLOAT", "DOUBLE")
    blocks = _within_one(wave, peak, sample_rate, name) if clips else _blocks(wave)
    held = tags if holds_tags(path) else None
    try:
        with _destination(path) as temporary:
            _encode(temporary, name, blocks, sample_rate, format_, subtype, held)
            if seal is not None:
                seal(temporary)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise RunError(f"cannot write {name}: its reader has ended") from None
        raise unwritable(name, error) from None


def check_output(path: Path | str) -> None:
    """Raise InputError if `write` does not know the format, before any work is done."""
    _output_format(path, printable(path), None)


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
    """Give a temporary file name; on exit the file is moved to `path`, whole."""
    is_stdout = str(path) == "-"
    if is_stdout and sys.stdout is None:
        raise InputError("standard output is closed; name a file with -o")
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
        # A rename would ignore the write protection of the file itself.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with replacing(path) as temporary:
        yield temporary


def _within_one(wave: Tensor, peak: float, sample_rate: int, name: str) -> Iterator[Samples]:
    """(N,) with this peak -> blocks (n,) within [-1, 1]."""
    if (now := level(wave, sample_rate)) > _LOUDEST:
        log.warning(
            "%s: %.0f LUFS are more than it can hold; it is turned down to %.0f LUFS: are the "
            "input's samples fractions of full scale?", name, now, _PROGRAMME,
        )  # fmt: skip
        gain = 10 ** ((_PROGRAMME - now) / 20)
        wave, peak = wave * gain, peak * gain
    if peak > 1.0:
        log.warning("%s: peaks are limited, by up to %.1f dB", name, 20 * math.log10(peak))
    return limited(wave, sample_rate)


def _blocks(wave: Tensor) -> Iterator[Samples]:
    """(N,) -> blocks (n,): one large block crashes libsndfile's Vorbis encoder (libsndfile#130)."""
    return (block.numpy() for block in wave.detach().cpu().split(_BLOCK) if len(block))


def _encode(
    temporary: Path,
    name: str,
    blocks: Iterable[Samples],
    sample_rate: int,
    format_: str,
    subtype: str,
    tags: Tags | None,
) -> None:
    """Encode blocks (n,)."""
    try:
        sound = soundfile.SoundFile(  # a name as bytes: as str, soundfile accepts only UTF-8
            os.fsencode(temporary), "w", sample_rate, 1, format=format_, subtype=subtype
        )
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"cannot write {name} as {format_}/{subtype} at {sample_rate} Hz "
            f"({error.error_string.strip('. ')}); choose another rate or extension"
        ) from None
    try:
        with sound:
            if tags is not None:
                set_tags(sound, tags)
            for block in blocks:
                sound.write(_rounded(block, _BITS[subtype]) if subtype in _BITS else block)
    except (soundfile.LibsndfileError, AssertionError) as error:
        # soundfile asserts that everything was written; on a full disk this fails.
        raise NoRoomError(f"cannot write {name} ({error}); is the disk full?") from None


def _rounded(block: Samples, bits: int) -> NDArray[np.int32]:
    """(n,) -> the nearest steps, in the upper bits: of floats libsndfile takes the step below."""
    highest = 2.0 ** (bits - 1)
    steps = np.rint(block.astype(np.float64) * highest).clip(-highest, highest - 1)
    return (steps * 2.0 ** (32 - bits)).astype(np.int32)
