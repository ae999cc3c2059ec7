"""Feature extraction by two processes against one, in the same minute.

python benchmarks/extract.py [--data DATA] [--n-utterances 60]

Without DATA, a Kaldi data directory, vowels are synthesised. The start of the processes (a second
or two for torch) is in the time, so short corpora gain less.
"""

import argparse
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import report

from voiceconv import audio
from voiceconv.commands.choices import features_node
from voiceconv.data.extract import extract
from voiceconv.data.kaldi import Utterance, read_data_dir, write_data_dir

RATE = 24000


def synthesise(folder: Path, n_utterances: int, seconds: float) -> None:
    """A data directory of vowels, 16 bit WAV."""
    utterances = []
    for number in range(n_utterances):
        time_axis = torch.arange(int(seconds * RATE)) / RATE
        pitch = 100 + number % 100
        wave = sum(
            torch.sin(2 * math.pi * pitch * harmonic * time_axis) / harmonic
            for harmonic in range(1, 20)
        )
        path = folder / f"{number:04d}.wav"
        audio.write(path, 0.2 * torch.as_tensor(wave), RATE)
        utterances.append(Utterance(f"vowels-{number:04d}", "vowels", path))
    write_data_dir(folder, utterances)


def timed(data: Path, node: dict[str, Any], jobs: int) -> float:
    """Seconds of one extraction into an empty folder."""
    with tempfile.TemporaryDirectory() as dump:
        start = time.perf_counter()
        extract(data, Path(dump) / "dump", node, jobs, trim=40.0, loudness=-23.0)
        return time.perf_counter() - start


def main() -> None:
    """Time, print, write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data", type=Path, help="a Kaldi data directory")
    options.add_argument("--n-utterances", type=int, default=60)
    options.add_argument("--seconds", type=float, default=4.0, help="of each synthesised utterance")
    options.add_argument("--features", default="world", help="world, mel or experiment=NAME")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--json", type=Path, help="write the figures here too")
    chosen = options.parse_args()
    node = features_node(chosen.features)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if chosen.data is None:
            data.mkdir()
            synthesise(data, chosen.n_utterances, chosen.seconds)
        else:
            write_data_dir(data, read_data_dir(chosen.data)[: chosen.n_utterances])
        n_seconds = sum(audio.probe(u.path).seconds for u in read_data_dir(data))
        rounds = [{jobs: timed(data, node, jobs) for jobs in (1, 2)} for _ in range(chosen.rounds)]
    best = {jobs: min(one[jobs] for one in rounds) for jobs in (1, 2)}
    ratio = best[1] / best[2]
    rows = [
        (str(jobs), f"{took:.1f}", f"{took / n_seconds:.4f}", f"{best[1] / took:.2f}")
        for jobs, took in best.items()
    ]
    figures = {
        "seconds_of_sound": n_seconds,
        "seconds": {str(jobs): took for jobs, took in best.items()},
        "times_one_process": ratio,
        "cores": os.cpu_count(),
    }
    header = ("processes", "seconds", "for a second of sound", "times one process")
    report(
        f"Extraction of {n_seconds:.0f} s, {chosen.features}", header, rows, figures, chosen.json
    )


if __name__ == "__main__":
    main()
