"""Stimulus files, 16-bit mono WAV: link, pad and concatenate them."""

import os
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path


def place(source: Path, target: Path) -> None:
    """Make `target` a hard link, or a copy if links are impossible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)  # with its time stamp, which is equal for all


def n_samples(path: Path) -> int:
    """Length of a WAV file."""
    with wave.open(str(path)) as file:
        return file.getnframes()


def join(sources: Sequence[Path], target: Path, pause: float = 0.0, at_least: int = 0) -> None:
    """Concatenate recordings of one format, with `pause` seconds between them.

    Digital silence pads the file to `at_least` samples.
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
