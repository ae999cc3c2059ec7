"""How often a model says that an input is unlike its speech: by kind of input, and of new speakers.

python benchmarks/out_of_domain.py --corpus CC0_SPEECH --strangers STRANGERS [--model MODEL]
    [--folder "music=DIR" ...] [--split val] [--n 24]

Most kinds are made of N recordings of the corpus' split (2.5 s and longer, of all speakers in
turns): noise, babble, two speakers, a whisper, a child (WORLD: F0 x 1.9, formants x 1.3), a
telephone's band, reverberation, noise, clipping, other speeds (by sox), backwards.
`--folder KIND=DIR` adds recordings of another kind, at most N of those of a second or more. Of
STRANGERS, false alarms are counted; no threshold was chosen by them.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyworld
import torch
from scipy import signal
from torch import Tensor

from voiceconv import Converter, audio
from voiceconv.converter.novelty import Verdict

RATE = 24000
COLOURS = {"white": 0.0, "pink": -0.5, "brown": -1.0}  # exponent of the amplitude spectrum
LEAST = 2.5  # seconds of a recording of the corpus


def main() -> None:
    """Print a line of a table for each kind, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--strangers", type=Path)
    parser.add_argument("--model", default=None)
    parser.add_argument("--folder", action="append", default=[], metavar="KIND=DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--n", type=int, default=24)
    options = parser.parse_args()
    converter = Converter.from_pretrained(options.model)
    rows = []
    print("| input | n | said to be unlike speech | median percentile | most frequent reason |")
    print("| --- | --- | --- | --- | --- |")
    for kind, waves in _kinds(options):
        verdicts = [one for wave in waves if (one := converter.examine(wave, RATE))]
        rows.append(_row(kind, verdicts))
        print(
            "| {kind} | {n} | {share:.0%} ({low:.0%} to {high:.0%}) | {percentile:.1f} | {reason} |"
            "".format(**rows[-1]),
            flush=True,
        )
    print(json.dumps(rows))


def _row(kind: str, verdicts: Sequence[Verdict]) -> dict[str, object]:
    n, n_found = len(verdicts), sum(one.is_out_of_domain for one in verdicts)
    reasons = [one.reason for one in verdicts if one.reason]
    plain = ["".join(c for c in one if not c.isdigit()) for one in reasons]
    commonest = max(set(plain), key=plain.count) if plain else None
    low, high = _wilson(n_found, n)
    return {
        "kind": kind,
        "n": n,
        "share": n_found / n,
        "low": low,
        "high": high,
        "percentile": float(np.median([one.percentile for one in verdicts])),
        "reason": reasons[plain.index(commonest)] if commonest else "",
    }


def _wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share."""
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * (k * (n - k) / n + z * z / 4) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def _kinds(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Tensor]]]:
    """Each kind with its waves at RATE."""
    waves = _corpus(options.corpus, options.split, options.n)
    numbers = range(len(waves))
    babbles = [_babble(waves, number) for number in numbers]
    noises = [_noise(len(wave), number) for number, wave in enumerate(waves)]
    if options.strangers is not None:
        paths = sorted(options.strangers.glob("*/*.flac"))
        yield "strangers (false alarms)", (_read(path) for path in paths)
    yield f"the corpus' {options.split} (false alarms)", iter(waves)
    for given in options.folder:
        kind, _, folder = given.partition("=")
        paths = [path for path in sorted(Path(folder).iterdir()) if path.is_file()]
        read = (_read(path) for path in paths)
        yield kind, _first((one for one in read if _is_sound(one)), options.n)
    half = len(waves) // 2
    two = [_mixed(waves[i], waves[(i + half + 1) % len(waves)], 0.0) for i in numbers]
    yield "noise: white, pink, brown", (_noise(5 * RATE, i) for i in numbers)
    yield "babble of ten voices", iter(babbles)
    yield "two speakers, equally loud", iter(two)
    made: list[tuple[str, Callable[[int], Tensor]]] = [
        ("whisper", lambda i: _world(waves[i], whisper=True)),
        ("child: F0 and formants up", lambda i: _world(waves[i], f0=1.9, formants=1.3)),
        ("telephone, 300 to 3400 Hz", lambda i: _band(waves[i], 300, 3400)),
        ("reverberation of 1.5 s", lambda i: _reverberant(waves[i], 1.5, i)),
        ("in noise, 0 dB", lambda i: _mixed(waves[i], noises[i], 0.0)),
        ("in noise, 20 dB", lambda i: _mixed(waves[i], noises[i], 20.0)),
        ("in babble, 0 dB", lambda i: _mixed(waves[i], babbles[i].repeat(4), 0.0)),
        ("clipped at a twentieth", lambda i: _clipped(waves[i])),
        ("twice as fast", lambda i: _at_tempo(waves[i], 2.0)),
        ("half as fast", lambda i: _at_tempo(waves[i], 0.5)),
        ("backwards", lambda i: waves[i].flip(0)),
    ]
    for kind, make in made:
        yield kind, map(make, numbers)


def _corpus(corpus: Path, split: str, n: int) -> list[Tensor]:
    """Recordings of the speakers, in turns."""
    lists = sorted((corpus / "splits").glob(f"*.{split}"))
    found = []
    for names in zip(*(one.read_text(encoding="utf-8").split() for one in lists), strict=True):
        for path, name in zip(lists, names, strict=True):
            wave = _read(corpus / path.stem / f"{name}.flac")
            if len(wave) >= LEAST * RATE:
                found.append(wave)
    return found[:n]


def _read(path: Path) -> Tensor:
    return audio.read(path, RATE).samples


def _is_sound(wave: Tensor) -> bool:
    return len(wave) >= RATE and float(wave.abs().max()) > 0.01


def _first(waves: Iterator[Tensor], n: int) -> Iterator[Tensor]:
    for _, wave in zip(range(n), waves, strict=False):
        yield wave


def _rms(wave: Tensor) -> Tensor:
    return wave.square().mean().sqrt().clamp_min(1e-9)


def _mixed(wave: Tensor, other: Tensor, decibels: float) -> Tensor:
    """As long as the shorter; the other so many dB below."""
    n = min(len(wave), len(other))
    return wave[:n] + other[:n] * _rms(wave[:n]) / _rms(other[:n]) * 10 ** (-decibels / 20)


def _noise(n: int, number: int) -> Tensor:
    white = np.random.default_rng(number).standard_normal(n)
    exponent = list(COLOURS.values())[number % len(COLOURS)]
    shape = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20.0) ** exponent
    made = np.fft.irfft(np.fft.rfft(white) * shape, n)
    return torch.from_numpy(0.3 * made / np.abs(made).max()).float()


def _babble(waves: Sequence[Tensor], number: int) -> Tensor:
    """Five seconds of ten recordings at once."""
    rng = np.random.default_rng(number)
    babble = torch.zeros(5 * RATE)
    for choice in rng.integers(len(waves), size=10):
        wave = waves[choice].repeat(4)
        start = int(rng.integers(len(wave) - len(babble)))
        part = wave[start : start + len(babble)]
        babble += 0.03 * part / _rms(part)
    return babble


def _world(wave: Tensor, f0: float = 1.0, formants: float = 1.0, whisper: bool = False) -> Tensor:
    x = wave.double().numpy() + 1e-5 * np.random.default_rng(0).standard_normal(len(wave))
    track, times = pyworld.dio(x, RATE)
    track = pyworld.stonemask(x, track, times, RATE)
    envelope = pyworld.cheaptrick(x, track, times, RATE)
    aperiodicity = pyworld.d4c(x, track, times, RATE)
    bins = np.arange(envelope.shape[1])
    moved = [np.interp(bins / formants, bins, row) for row in np.log(envelope)]
    envelope = np.exp(np.stack(moved))
    if whisper:  # noise in place of pulses, and 6 dB per octave brighter
        octaves = np.log2(np.maximum(bins * RATE / 2 / bins[-1], 50.0) / 500.0)
        envelope = envelope * 10 ** (np.clip(octaves, -3, 2) * 0.6)
        track, aperiodicity = np.zeros_like(track), np.ones_like(aperiodicity)
    return torch.from_numpy(pyworld.synthesize(f0 * track, envelope, aperiodicity, RATE)).float()


def _band(wave: Tensor, low: float, high: float) -> Tensor:
    sections = signal.butter(6, [low, high], "band", fs=RATE, output="sos")
    return torch.from_numpy(signal.sosfilt(sections, wave.numpy())).float()


def _reverberant(wave: Tensor, seconds: float, number: int) -> Tensor:
    """By noise that decays by 60 dB, after a direct sound."""
    n = int(seconds * RATE)
    response = np.random.default_rng(number).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response[0] = 6.0
    made = signal.fftconvolve(wave.numpy(), response)[: len(wave)]
    return torch.from_numpy(0.5 * made / np.abs(made).max()).float()


def _clipped(wave: Tensor) -> Tensor:
    return 0.5 * (20 * wave / wave.abs().max()).clamp(-1, 1)


def _at_tempo(wave: Tensor, tempo: float) -> Tensor:
    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/before.wav", f"{folder}/after.wav"
        audio.write(before, wave, RATE)
        command = ["sox", before, after, "tempo", "-s", f"{tempo:g}"]
        subprocess.run(command, check=True, capture_output=True)
        return _read(Path(after))


if __name__ == "__main__":
    main()
