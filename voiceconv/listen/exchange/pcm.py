"""Stimuli as they lie on disk, 16-bit mono WAV: linked, lengthened, put one after the other."""

import os
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path


def place(source: Path, target: Path) -> None:
    """Let `target` be the same file: a hard link, or a copy where there can be none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)  # with its time, which says nothing


def n_samples(path: Path) -> int:
    """Length of a WAV file."""
    with wave.open(str(path)) as file:
        return file.getnframes()


def join(sources: Sequence[Path], target: Path, pause: float = 0.0, at_least: int = 0) -> None:
    """Write recordings of one format one after the other, with `pause` seconds in between.

    Digital silence follows until `at_least` samples are reached.
    """
    with wave.open(str(sources[0])) as first:
        format_ = first.getparams()
    n_bytes = format_.nchannels * format_.sampwidth
    silence = bytes(round(pause * format_.framerate) * n_bytes)
    samples = silence.join(_samples(source) for source in sources)
    target.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(target), "wb") as file:
        file.setparams(format_)
        file.writeframes(samples.ljust(at_least * n_bytes, b"\0"))
    shutil.copystat(sources[0], target)


def _samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())
