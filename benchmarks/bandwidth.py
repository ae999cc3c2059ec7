"""A voice of 24 kHz made full-band at 48 kHz by pix2pixHD, against resampling.

python benchmarks/bandwidth.py OUT --soundfont FILE.sf2 [--minutes 8] [--experiment pix2pixhd_small]

Makes recordings with real content above 12 kHz: harpsichord, trumpet, strings and drums of a
SoundFont, played by fluidsynth. `full` holds them at 48 kHz, `narrow` the same after 24 kHz. Trains
narrow to full on the pairs for so many minutes of CPU time, converts test recordings, and prints
the log-spectral distance from the truth and the level above 12 kHz, with 95% bootstrap intervals
over recordings, of resampling, of `convert --full-band` (the resampled wave and the network's
highs) and of the network alone; writes OUT/spectra.png.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import families
import mido
import numpy as np
import soundfile
import torch
from mido import Message, MetaMessage
from numpy.typing import NDArray

from voiceconv import Converter
from voiceconv.audio import faded, read, resample
from voiceconv.converter.full_band import FADE, FullBand
from voiceconv.evaluation.bootstrap import summary
from voiceconv.features.midi import Timed, track_of

RATE, NARROW, EDGE = 48_000, 24_000, 12_000
SECONDS, N_TRAIN, N_TEST = 4.0, 90, 15
PROGRAMS = (6, 56, 48, 25)  # General MIDI, from 0: harpsichord, trumpet, strings, steel guitar
DRUMS = (36, 38, 42, 46, 49, 51, 39)  # kick, snare, hats, crash, ride, clap
TICKS, TEMPO = 480, 500_000  # a quarter note, in ticks and microseconds
Wave = NDArray[np.float64]


def midi(seed: int) -> mido.MidiFile:
    """A random piece of four seconds: chords and a tune of one instrument, and drums."""
    rng = np.random.default_rng(seed)
    events: list[Timed] = [
        (0, MetaMessage("set_tempo", tempo=TEMPO)),
        (0, Message("program_change", program=int(rng.choice(PROGRAMS)))),
    ]
    for step in range(16):  # half a second each two
        start = step * TICKS // 2
        notes = [(0, 48 + int(n)) for n in rng.choice(36, int(rng.integers(1, 4)), False)]
        notes += [(9, int(n)) for n in rng.choice(DRUMS, int(rng.integers(0, 3)), False)]
        for channel, note in notes:
            told = {"channel": channel, "note": note}
            loud = int(rng.integers(50, 120))
            events.append((start, Message("note_on", velocity=loud, **told)))
            end = start + TICKS // 2 - 10
            events.append((end, Message("note_off", velocity=0, **told)))
    piece = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    piece.tracks.append(track_of(sorted(events, key=lambda one: one[0])))
    return piece


def make_corpus(options: argparse.Namespace) -> None:
    """OUT/corpus/{full,narrow}/N.wav."""
    places = {name: options.out / "corpus" / name for name in ("full", "narrow")}
    for place in (*places.values(), options.out / "midi"):
        place.mkdir(parents=True, exist_ok=True)
    for number in range(N_TRAIN + N_TEST):
        name = f"{number:03d}.wav"
        if (places["narrow"] / name).exists():
            continue
        piece = options.out / "midi" / f"{number:03d}.mid"
        midi(number).save(piece)
        raw = options.out / "midi" / name
        if not raw.exists():
            play = ("fluidsynth", "-ni", "-q", "-r", RATE, "-g", "0.4", "-F")
            call(*play, raw, options.soundfont, piece)
        wave = soundfile.read(raw)[0].mean(1)[: int(SECONDS * RATE)]
        full = torch.from_numpy(0.5 * wave / np.abs(wave).max()).float()
        full = faded(full, RATE, FADE)  # a cut is a click, of all frequencies
        narrow = resample(resample(full, RATE, NARROW), NARROW, RATE)
        for place, one in ((places["full"], full), (places["narrow"], narrow)):
            soundfile.write(place / name, one.numpy(), RATE)


def call(*words: object) -> None:
    """A program on one thread; its failure ends the benchmark."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL if words[0] == "fluidsynth" else None
    subprocess.run([str(w) for w in words], check=True, env=os.environ | threads, stdout=quiet)


def voiceconv(*words: object) -> None:
    """A command of ours."""
    call(sys.executable, "-m", "voiceconv", *words)


def train(options: argparse.Namespace) -> None:
    """OUT/run, for the minutes of CPU time that are given."""
    out, experiment = options.out, options.experiment
    lists = out / "lists"
    lists.mkdir(exist_ok=True)
    names = [f"{number:03d}" for number in range(N_TRAIN + N_TEST)]
    for domain in ("full", "narrow"):
        for split, some in (("train", names[:N_TRAIN]), ("val", []), ("test", names[N_TRAIN:])):
            (lists / f"{domain}.{split}").write_text("".join(f"{name}\n" for name in some))
    if not (out / "dump/train/stats.safetensors").exists():
        voiceconv("prepare", out / "corpus", out / "data", "--lists", lists, "--keep-shared")
        features = ("--features", f"experiment={experiment}", "--trim", 0)
        voiceconv("extract", out / "data/train", out / "dump/train", *features)
        voiceconv("stats", out / "dump/train")
    entry = families.Entry(experiment)
    wanted = SimpleNamespace(dump=out / "dump", minutes=options.minutes)
    families.train_one(experiment, entry, wanted, out)  # type: ignore[arg-type]


def spectrum(wave: Wave) -> Wave:
    """(N,) -> levels in dB (F, T) of 2048-point frames, floored at -100 dB."""
    window = torch.hann_window(2048, dtype=torch.float64)
    frames = torch.stft(torch.from_numpy(wave), 2048, 512, window=window, return_complex=True)
    return (20 * (frames.abs() / window.sum()).clamp(min=1e-5).log10()).numpy()


def measures(made: Wave, truth: Wave) -> dict[str, float]:
    """Log-spectral distance above and below 12 kHz in dB, and the level above, less the truth's."""
    n = min(len(made), len(truth))
    one, other = spectrum(made[:n]), spectrum(truth[:n])
    edge = round(EDGE / RATE * 2048)
    found = {}
    for name, rows in (("below", slice(1, edge - 20)), ("above", slice(edge + 20, None))):
        apart = one[rows] - other[rows]
        found[f"distance {name}"] = float(np.sqrt((apart**2).mean(0)).mean())
    power = [10 * np.log10((10 ** (some[edge + 20 :] / 10)).mean()) for some in (one, other)]
    return found | {"level above": float(power[0] - power[1])}


def lines(found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """The table."""
    names = list(next(iter(found.values()))[0])
    yield f"| | {' | '.join(f'{name}, dB' for name in names)} |"
    yield f"|{' --- |' * (len(names) + 1)}"
    for system, rows in found.items():
        means = [summary([row[name] for row in rows]) for name in names]
        cells = [f"{m['mean']:.1f} [{m['low']:.1f}, {m['high']:.1f}]" for m in means]
        yield f"| {system} | {' | '.join(cells)} |"


def picture(waves: dict[str, Wave], path: Path) -> None:
    """Spectra of one recording side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, places = pyplot.subplots(1, len(waves), figsize=(4 * len(waves), 3.2), sharey=True)
    for place, (name, wave) in zip(places, waves.items(), strict=True):
        extent = (0, len(wave) / RATE, 0, RATE / 2000)
        place.imshow(
            spectrum(wave), origin="lower", aspect="auto", extent=extent, vmin=-100, vmax=-20
        )
        place.set(title=name, xlabel="s")
    places[0].set_ylabel("kHz")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--soundfont", type=Path, required=True)
    parser.add_argument("--experiment", default="pix2pixhd_small")
    parser.add_argument("--minutes", type=float, default=8, help="of CPU time, for training")
    options = parser.parse_args()
    make_corpus(options)
    train(options)
    narrow, full = (options.out / "corpus" / name for name in ("narrow", "full"))
    tests = [f"{number:03d}.wav" for number in range(N_TRAIN, N_TRAIN + N_TEST)]
    inputs, made = [narrow / name for name in tests], options.out / "converted"
    model = ("--model", options.out / "run", "--source", "narrow", "--target", "full")
    voiceconv("convert", *inputs, *model, "-o", f"{made}/", "--skip-existing")
    extended = options.out / "extended"
    extended.mkdir(exist_ok=True)
    full_band = FullBand(Converter.from_pretrained(options.out / "run"), "run")
    for name in tests:
        wave = read(narrow / name, NARROW).samples
        soundfile.write(extended / name, full_band.extend(wave, NARROW).numpy(), RATE, "FLOAT")
    found: dict[str, list[dict[str, float]]] = {
        "resampled": [], "--full-band": [], "the network alone": []
    }  # fmt: skip
    waves: dict[str, Wave] = {}
    for name in tests:
        heard = {
            key: soundfile.read(p / name)[0]
            for key, p in zip([*found, "truth"], (narrow, extended, made, full), strict=True)
        }
        waves = waves or heard
        for system, rows in found.items():
            rows.append(measures(heard[system], heard["truth"]))
    print("\n".join(lines(found)))
    picture(waves, options.out / "spectra.png")


if __name__ == "__main__":
    main()
