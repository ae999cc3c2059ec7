"""Synthesised sentences for the doctor's tests, unlike each other as sentences are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from tiny_model import record

from voiceconv.errors import InputError, RunError
from voiceconv.workers import Outcome

RATE = 16000
Wave = NDArray[np.float64]


def sentence(seed: int, pitch: float = 120.0, seconds: float = 2.0, rate: int = RATE) -> Wave:
    """(N,) syllables of 0.2 s through two formants each, every fifth a pause; noise 55 dB down."""
    rng = np.random.default_rng(seed)
    n_syllables = round(5 * seconds)
    size = rate // 5
    n_samples = n_syllables * size
    glide = np.interp(np.arange(n_samples), np.arange(n_syllables) * size,
                      rng.uniform(0.85, 1.15, n_syllables))  # fmt: skip
    phase = np.cumsum(pitch * glide / rate)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    wave = np.zeros(n_samples)
    for number in range(n_syllables):
        if number % 5 == 4:
            continue
        voice = np.diff(pulses[number * size : (number + 1) * size], prepend=0.0)  # as lips do
        for low, high in ((300, 850), (950, 2500), (2600, 3400)):
            voice = lfilter([1.0], _resonator(rng.uniform(low, high), 90.0, rate), voice)
        wave[number * size : (number + 1) * size] = voice / abs(voice).max() * np.hanning(size)
    wave *= 0.1 / wave.std()
    return wave + 0.1 * 10 ** (-55 / 20) * rng.standard_normal(n_samples)


def as_wave(samples: Wave) -> torch.Tensor:
    """(N,) as the doctor takes it."""
    return torch.from_numpy(samples).float()


def corpus(folder: Path, n_train: int = 6, seconds: float = 2.0) -> Path:
    """Two speakers with lists: train, one of val and one of test."""
    for number, (speaker, pitch) in enumerate({"ann": 200.0, "bob": 110.0}.items()):
        stems = [f"s{n}" for n in range(n_train + 2)]
        for n, stem in enumerate(stems):
            wave = sentence(100 * number + n, pitch, seconds)
            record(folder / speaker / f"{stem}.flac", as_wave(wave), RATE)
        splits = {"train": stems[:-2], "val": stems[-2:-1], "test": stems[-1:]}
        (folder / "splits").mkdir(exist_ok=True)
        for split, names in splits.items():
            (folder / "splits" / f"{speaker}.{split}").write_text("\n".join(names) + "\n")
    return folder


def in_this_process(
    tasks: Any, setup: Callable[..., Any], arguments: Any, jobs: int, retries: int
) -> Iterator[Outcome[Any]]:
    """As data.workers.run_tasks: a process of its own would take seconds to start."""
    with setup(0, *arguments(0)) as handle:
        for task in tasks:
            try:
                yield Outcome(task, 0, None, handle(task))
            except (InputError, RunError) as error:
                yield Outcome(task, 0, str(error))


def _resonator(frequency: float, bandwidth: float, rate: int) -> list[float]:
    """Denominator of a two-pole filter."""
    radius = np.exp(-np.pi * bandwidth / rate)
    return [1.0, -2 * radius * np.cos(2 * np.pi * frequency / rate), radius**2]
