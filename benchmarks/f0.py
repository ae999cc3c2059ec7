"""How well each search finds a known F0: clean, in noise, of a bass, whispered, of a child, sung.

python benchmarks/f0.py [--data ../shared/data/cc0_speech] [--utterances 5] [--json FILE]

The truth is made: WORLD synthesises recordings again with a given F0, voiced where D4C finds a
period. A bass is 60 Hz in the middle, a child twice as high with formants 1.2 times as high, a song
has notes of 0.5 s from 220 to 1000 Hz with vibrato, and a whisper has no F0, so that its voicing
error is the share of its frames with F0. Babble is four other recordings. Signal to noise ratios
are of whole recordings. An error is gross above 20%; a voicing error is a frame with F0 in one of
both alone. The real-time factor is CPU time.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import report
from numpy.typing import NDArray

from voiceconv import audio
from voiceconv.features.f0 import METHODS, pyworld, search

RATE, PERIOD, N_FFT = 24000, 5.0, 1024  # Hz, ms
LOUDNESS = -23.0  # LUFS, as before any analysis
SPEAKERS = ("nathalie", "flemishguy", "kathleen", "kerstin")
NOISE = -0.5  # dB of coded aperiodicity, above which WORLD's synthesis has noise alone
SCALE = (220, 262, 330, 440, 523, 659, 784, 880, 1000)  # Hz
Array = NDArray[np.float64]


class Voice(NamedTuple):
    """A recording in frames of 5 ms."""

    f0: Array  # (T,) Hz
    envelope: Array  # (T, F)
    aperiodicity: Array  # (T, F)


def analysed(path: Path) -> Voice:
    """What WORLD makes of a recording; F0 only where D4C finds a period."""
    wave, rate = audio.read(path)
    wave = audio.resample(wave, rate, RATE)
    wave = wave * 10 ** ((LOUDNESS - audio.loudness(wave, RATE)) / 20)
    x = wave.double().numpy()
    f0, times = pyworld.harvest(x, RATE)
    envelope = pyworld.cheaptrick(x, f0, times, RATE, fft_size=N_FFT)
    aperiodicity = pyworld.d4c(x, f0, times, RATE, fft_size=N_FFT)
    is_noise = pyworld.code_aperiodicity(aperiodicity, RATE).mean(1) > NOISE
    return Voice(np.where(is_noise, 0.0, f0), envelope, aperiodicity)


def bass(voice: Voice) -> Voice:
    """Its median at 60 Hz, nothing below 50."""
    is_voiced = voice.f0 > 0
    moved = np.maximum(voice.f0 * 60 / np.median(voice.f0[is_voiced]), 50)
    return voice._replace(f0=np.where(is_voiced, moved, 0.0))


def whisper(voice: Voice) -> Voice:
    """No F0, so noise alone."""
    return voice._replace(f0=np.zeros_like(voice.f0))


def child(voice: Voice) -> Voice:
    """An octave higher, formants by 1.2."""
    bins = np.arange(voice.envelope.shape[1])
    warped = np.stack([np.interp(bins / 1.2, bins, row) for row in np.log(voice.envelope)])
    return voice._replace(f0=2 * voice.f0, envelope=np.exp(warped))


def song(voice: Voice) -> Voice:
    """Three times as slow, notes of 0.5 s with a vibrato of 5.5 Hz and half a semitone."""
    slow = Voice(*(np.repeat(track, 3, axis=0) for track in voice))
    times = np.arange(len(slow.f0)) * PERIOD / 1000
    notes = np.random.default_rng(0).choice(SCALE, int(2 * times[-1]) + 1)
    vibrato = 2 ** (np.sin(2 * np.pi * 5.5 * times) / 24)
    sung = notes[(2 * times).astype(int)] * vibrato
    return slow._replace(f0=np.where(slow.f0 > 0, sung, 0.0))


def sound(voice: Voice) -> Array:
    """The wave (N,) of a voice."""
    tracks = (np.ascontiguousarray(track) for track in voice)
    return pyworld.synthesize(*tracks, RATE, PERIOD)


def noisy(wave: Array, noise: Array, ratio: float) -> Array:
    """A wave in noise, `ratio` dB below it."""
    noise = np.resize(noise, len(wave))
    return wave + noise * 10 ** (-ratio / 20) * wave.std() / noise.std()


def trials(voice: Voice, babble: Array) -> Iterator[tuple[str, Array, Array]]:
    """Yield (condition, wave, true F0)."""
    plain = sound(voice)
    white = np.random.default_rng(0).standard_normal(len(plain))
    yield "clean", plain, voice.f0
    for name, noise in (("white noise", white), ("babble", babble)):
        for ratio in (10, 0):
            yield f"{name}, {ratio} dB", noisy(plain, noise, ratio), voice.f0
    ways: tuple[Callable[[Voice], Voice], ...] = (bass, whisper, child, song)
    for way in ways:
        yield way.__name__, sound(way(voice)), way(voice).f0


def errors(found: Array, true: Array) -> tuple[int, int, int, int]:
    """Counts of gross errors and of frames voiced in both, of voicing errors and of frames."""
    n_frames = min(len(found), len(true))
    found, true = found[:n_frames], true[:n_frames]
    both = (found > 0) & (true > 0)
    is_gross = np.abs(found[both] / true[both] - 1) > 0.2
    return int(is_gross.sum()), int(both.sum()), int(((found > 0) != (true > 0)).sum()), n_frames


def corpus(folder: Path, n_utterances: int) -> list[list[Path]]:
    """The first of each speaker's validation recordings."""
    if not (folder / "splits").is_dir():
        raise SystemExit(f"no recordings at {folder}: give a folder SPEAKER/*.flac with splits/")
    return [
        [
            folder / speaker / f"{name}.flac"
            for name in (folder / "splits" / f"{speaker}.val").read_text().split()[:n_utterances]
        ]
        for speaker in SPEAKERS
    ]


def measured(paths: list[list[Path]]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Condition -> method -> counts of errors (4,), seconds of CPU, seconds of sound."""
    voices = [[analysed(path) for path in of_speaker] for of_speaker in paths]
    sums: dict[str, dict[str, NDArray[np.float64]]] = {}
    for speaker, own in enumerate(voices):
        others = [sound(one[0]) for other, one in enumerate(voices) if other != speaker]
        others.append(sound(voices[speaker - 1][-1]))
        babble = sum(np.resize(one, 30 * RATE) for one in others)
        for voice in own:
            for condition, wave, true in trials(voice, np.asarray(babble)):
                for method in METHODS:
                    start = time.process_time()
                    found, _ = search(wave, RATE, PERIOD, method)
                    took = time.process_time() - start
                    row = [*errors(found, true), took, len(wave) / RATE]
                    of_method = sums.setdefault(condition, {})
                    of_method[method] = of_method.get(method, 0) + np.array(row)
    return sums


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data", type=Path, default=Path("../shared/data/cc0_speech"))
    options.add_argument("--utterances", type=int, default=5, help="of each speaker")
    options.add_argument("--json", type=Path, help="write the figures here too")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    search(np.zeros(RATE), RATE, PERIOD, "swift")  # its network is loaded once
    rows, figures = [], {}
    for condition, methods in measured(corpus(chosen.data, chosen.utterances)).items():
        for method, (gross, both, voicing, frames, took, seconds) in methods.items():
            found = {
                "gross_error": 100 * gross / both if both else None,
                "voicing_error": 100 * voicing / frames,
                "real_time_factor": took / seconds,
            }
            figures[f"{condition}: {method}"] = found
            shown = ("" if one is None else f"{one:.2f}" for one in list(found.values())[:2])
            rows.append((condition, method, *shown, f"{found['real_time_factor']:.4f}"))
    header = ("condition", "method", "gross errors, %", "voicing errors, %", "real-time factor")
    report("F0 against a known one", header, rows, {"f0": figures}, chosen.json)


if __name__ == "__main__":
    main()
