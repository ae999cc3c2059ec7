"""Two synthetic speakers who say vowel sequences: all that the toy recipe needs of a corpus.

Additive synthesis: every harmonic of a falling F0 contour, weighted by the formant filter (Fant
1960: a cascade of resonances) of vowels that glide into each other. The speakers differ in pitch,
formant scale, tilt and rate. The same sentence number is the same vowels and rhythm in both
voices, so that val and test are parallel.
"""

import sys
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

SAMPLE_RATE = 24000
FORMANTS = {  # Hz, F1 to F4 of a man's long vowels, rounded
    "a": (730, 1090, 2440, 3500),
    "e": (530, 1840, 2480, 3500),
    "i": (270, 2290, 3010, 3600),
    "o": (570, 840, 2410, 3400),
    "u": (300, 870, 2240, 3300),
}
BANDWIDTHS = np.array([80.0, 100.0, 130.0, 180.0])  # Hz
SPLITS = {"train": 10, "val": 2, "test": 3}  # sentences of each speaker


class Speaker(NamedTuple):
    """What makes one voice different from another."""

    f0: float  # Hz, median
    formant_scale: float  # vocal tract: above 1 is a shorter one
    tilt: float  # exponent of the fall of harmonics with frequency
    rate: float  # above 1 speaks faster


SPEAKERS = {"low": Speaker(115.0, 1.0, 0.8, 1.0), "high": Speaker(205.0, 1.17, 0.6, 1.1)}


class Sentence(NamedTuple):
    """What is said, whoever says it."""

    vowels: str
    durations: np.ndarray  # seconds, one per vowel
    accents: np.ndarray  # relative F0 of each vowel


def make_sentence(number: int) -> Sentence:
    """Return the sentence of this number: five vowels, no two alike in a row."""
    rng = np.random.default_rng(number)
    vowels = ""
    while len(vowels) < 5:
        vowels += rng.choice([v for v in FORMANTS if not vowels.endswith(v)])
    return Sentence(vowels, rng.uniform(0.2, 0.3, 5), rng.uniform(0.94, 1.08, 5))


def spectral_envelope(frequency: np.ndarray, formants: np.ndarray, speaker: Speaker) -> np.ndarray:
    """Amplitude at `frequency` (K, N) in Hz of vowels with `formants` (4, N) in Hz: (K, N)."""
    envelope = np.maximum(frequency, 50.0) ** -speaker.tilt
    for formant, bandwidth in zip(formants, BANDWIDTHS, strict=True):
        # |H(f)| of a pair of poles at formant +- i bandwidth/2, one at frequency 0.
        peak = formant**2 + bandwidth**2 / 4
        envelope *= peak / np.hypot(peak - frequency**2, frequency * bandwidth)
    return envelope


def say(sentence: Sentence, speaker: Speaker, noise: np.random.Generator) -> np.ndarray:
    """Return the sentence as a wave (N,) in [-1, 1], with 0.1 s of near silence at both ends."""
    edges = np.concatenate([[0.0], np.cumsum(sentence.durations)]) / speaker.rate
    time = np.arange(round(edges[-1] * SAMPLE_RATE)) / SAMPLE_RATE
    middles = (edges[:-1] + edges[1:]) / 2
    table = np.array([FORMANTS[vowel] for vowel in sentence.vowels]) * speaker.formant_scale
    formants = np.stack([np.interp(time, middles, column) for column in table.T])
    f0 = speaker.f0 * np.interp(time, middles, sentence.accents) * (1.05 - 0.1 * time / time[-1])
    harmonics = np.arange(1, int(0.45 * SAMPLE_RATE / f0.max()))[:, None]
    voiced = spectral_envelope(harmonics * f0, formants, speaker)
    voiced = (voiced * np.sin(2 * np.pi * harmonics * np.cumsum(f0) / SAMPLE_RATE)).sum(0)
    dips = 1 - 0.6 * np.exp(-((time[:, None] - edges[None, 1:-1]) ** 2) / (2 * 0.012**2)).sum(1)
    fade = np.clip(np.minimum(time, time[-1] - time) / 0.02, 0, 1)
    voiced *= dips * fade
    quiet = np.zeros(SAMPLE_RATE // 10)
    speech = np.concatenate([quiet, 0.5 * voiced / np.abs(voiced).max(), quiet])
    return speech + 0.001 * noise.standard_normal(len(speech))


def write(path: Path, speech: np.ndarray) -> None:
    """Write a wave (N,) as 16 bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(speech * 32767).astype("<i2").tobytes())


def main(out: Path) -> None:
    """Write OUT/wav/SPEAKER/SENTENCE.wav and OUT/splits/SPEAKER.SPLIT."""
    (out / "splits").mkdir(parents=True, exist_ok=True)
    for index, (name, speaker) in enumerate(SPEAKERS.items()):
        (out / "wav" / name).mkdir(parents=True, exist_ok=True)
        for split, count in SPLITS.items():
            # Training sentences are the speaker's own: training is unpaired. The others are shared.
            first = {"train": 1000 * (index + 1), "val": 100, "test": 200}[split]
            for number in range(first, first + count):
                noise = np.random.default_rng([index, number])
                speech = say(make_sentence(number), speaker, noise)
                write(out / "wav" / name / f"{number}.wav", speech)
            stems = "".join(f"{number}\n" for number in range(first, first + count))
            (out / "splits" / f"{name}.{split}").write_text(stems)
        counts = ", ".join(f"{count} {split}" for split, count in SPLITS.items())
        print(f"{name}: {counts} utterances")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
