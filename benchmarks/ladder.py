"""A ladder of converters in all directions, with intervals: voice, naturalness, words.

python benchmarks/ladder.py --data DATA --dump DUMP [--stranger DATA] [--model MODEL] [--n 10]

DATA/train and DATA/test are as `voiceconv prepare` writes them; a stranger's domains are converted
without --source. Of each direction, the first N test utterances, by the source itself, WORLD's
copy, statistics alone, kNN, the bundled CycleGAN-VC2 (into its voices) and MODEL at strength 0.5
and 1. Cells: mean and 95% bootstrap interval over utterances. Similarity is the cosine to the mean
of 60 train utterances of the target (Resemblyzer); nearer: the share that is more like the target
than like the source; MCD only where the target reads the sentence, too; CER by pocketsphinx, where
`text` has the sentence and the source speaks English.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voiceconv import Converter, audio
from voiceconv.commands.convert import open_converter
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.evaluation.bootstrap import summary
from voiceconv.metrics.intelligibility import ErrorRates, PocketSphinx
from voiceconv.metrics.mel_cepstral_distortion import evaluate as distortion
from voiceconv.metrics.naturalness import Dnsmos
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, mean_embedding, similarity
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition

PAIR = "nathalie-flemishguy"
N_HEARD = 60  # train utterances that make a voice
MEASURES = {"similarity": 3, "nearer": 0, "dnsmos": 2, "cer": 1, "mcd": 2}  # decimals
HEADS = ("similarity", "nearer, %", "DNSMOS", "CER, %", "MCD, dB")
BASELINES = {"copy-synthesis": "copy", "statistics": "statistics", "kNN": "knn"}
SYSTEMS = ("source", *BASELINES, "CycleGAN-VC2", "model, 0.5", "model, 1")
Wave = NDArray[np.float64]


class Task(NamedTuple):
    """An utterance, its domain if the model has it, where it goes, and the target's reading."""

    utterance: Utterance
    is_stranger: bool
    target: str
    reference: Utterance | None


class Bench:
    """In each process: the measures, and the converter of one system."""

    def __init__(self, options: argparse.Namespace, voices: Mapping[str, Wave]) -> None:
        torch.set_num_threads(1)
        self.voices = voices
        self.encoder, self.naturalness = SpeakerEncoder(), Dnsmos()
        self.recogniser, self.rates = PocketSphinx(), ErrorRates()
        self.options = options
        self._opened: tuple[str, Converter | None] = ("", None)

    def converter(self, system: str) -> Converter | None:
        """The last one is kept: a pool works system by system."""
        if self._opened[0] != system:
            self._opened = ("", None)
            self._opened = (system, None if system == "source" else self.open(system))
        return self._opened[1]

    def open(self, system: str) -> Any:
        """A system's converter."""
        if system in BASELINES:
            return open_converter(f"baseline:{BASELINES[system]}", self.options.dump)
        return open_converter(PAIR if system == "CycleGAN-VC2" else self.options.model)

    def measure(self, system: str, task: Task) -> dict[str, float]:
        """Values by name; a share in %, errors as (wrong, of)."""
        converter = self.converter(system)
        if converter is None:
            return self.judge(*read_wave(task.utterance, SAMPLE_RATE)[:2], task)
        told = {}
        if system.startswith("model"):
            told = {"strength": torch.tensor([[float(system.split(", ")[1])]])}
        return self.judge(converted(converter, task, told), converter.sample_rate, task)

    def judge(self, wave: Tensor, rate: int, task: Task) -> dict[str, float]:
        """A wave (N,) that a task has become -> values by name."""
        utterance, _, target, reference = task
        heard = condition(audio.resample(wave, rate, SAMPLE_RATE).double().numpy())
        embedding = self.encoder.embed(heard)
        alike = similarity(self.voices[target], embedding)
        found = {
            "similarity": alike,
            "nearer": 100.0 * (alike > similarity(self.voices[utterance.domain], embedding)),
            "dnsmos": self.naturalness.score(heard)["dnsmos"],
        }
        if utterance.text:
            errors = self.rates.score(utterance.text, self.recogniser.transcribe(heard))
            found |= {"cer": errors["character_error"], "weight": errors["n_characters"]}
        if reference is not None:
            wanted = read_wave(reference, SAMPLE_RATE).samples.double().numpy()
            found["mcd"] = distortion(condition(wanted), heard)["mel_cepstral_distortion"]
        return found


def converted(converter: Converter, task: Task, told: Mapping[str, Tensor] = {}) -> Tensor:  # noqa: B006
    """A task's wave (N,) in the target's voice; of a stranger without its name."""
    recording = read_wave(task.utterance, converter.sample_rate).samples
    source = None if task.is_stranger else task.utterance.domain
    return converter.convert(recording, task.target, source, condition=told)


_BENCH: Bench


def start(options: argparse.Namespace, voices: Mapping[str, Wave]) -> None:
    """Of a process of the pool."""
    global _BENCH
    _BENCH = Bench(options, voices)


def work(job: tuple[str, Task]) -> tuple[str, Task, dict[str, float]]:
    """In a process of the pool."""
    return *job, _BENCH.measure(*job)


def voices_of(*folders: Path) -> dict[str, Wave]:
    """The mean embedding of each domain, of `train` or, of a stranger, of `test`."""
    encoder, voices = SpeakerEncoder(), {}
    for folder in folders:
        own = read_data_dir(folder / ("train" if (folder / "train").exists() else "test"))
        for domain in sorted({one.domain for one in own}):
            heard = [one for one in own if one.domain == domain][:N_HEARD]
            waves = [condition(read_wave(one, SAMPLE_RATE).samples.numpy()) for one in heard]
            voices[domain] = mean_embedding([encoder.embed(wave) for wave in waves])
    return voices


def tasks_of(options: argparse.Namespace, targets: Sequence[str]) -> Iterator[Task]:
    """Every direction's first utterances."""
    test = read_data_dir(options.data / "test")
    read = {(one.domain, one.id.removeprefix(f"{one.domain}-")): one for one in test}
    folders = [(options.data, False), *((folder, True) for folder in options.stranger)]
    for folder, is_stranger in folders:
        own = read_data_dir(folder / "test")
        for source in sorted({one.domain for one in own}):
            some = [one for one in own if one.domain == source][: options.n]
            for target in targets:
                for one in some if target != source else ():
                    stem = one.id.removeprefix(f"{source}-")
                    yield Task(one, is_stranger, target, read.get((target, stem)))


def cells(found: Sequence[Mapping[str, float]]) -> list[str]:
    """Of a row."""
    row = []
    for measure, decimals in MEASURES.items():
        values = [one[measure] for one in found if measure in one]
        weights = [one["weight"] for one in found if measure in one] if measure == "cer" else None
        if not values:
            row.append("")
            continue
        mean = summary(values, weights=weights)
        low, high = (f"{mean[key]:.{decimals}f}" for key in ("low", "high"))
        row.append(f"{mean['mean']:.{decimals}f} [{low}, {high}]")
    return row


def page(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    """Lines: a table for each direction."""
    for (source, target), systems in found.items():
        yield f"\n### {source} to {target}\n"
        yield f"| | {' | '.join(HEADS)} |"
        yield f"|{' --- |' * (len(HEADS) + 1)}"
        for system, values in systems.items():
            yield f"| {system} | {' | '.join(cells(values))} |"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dump", type=Path, required=True)
    parser.add_argument("--stranger", type=Path, action="append", default=[])
    parser.add_argument("--model", default=None, help="[the bundled one]")
    parser.add_argument("--n", type=int, default=10, help="utterances of each direction")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path, help="write the tables here, too")
    parser.add_argument("--json", type=Path, help="write every value here, too")
    options = parser.parse_args()
    targets = Converter.from_pretrained(options.model).domains
    tasks = list(tasks_of(options, targets))
    of_pair = Converter.from_pretrained(PAIR).domains
    jobs = [
        (system, task)
        for system in SYSTEMS
        for task in tasks
        if system != "CycleGAN-VC2"
        or (task.target in of_pair and (task.is_stranger or task.utterance.domain in of_pair))
    ]
    found: dict[tuple[str, str], dict[str, list[dict[str, float]]]] = {}
    voices = voices_of(options.data, *options.stranger)
    with get_context("forkserver").Pool(options.jobs, start, (options, voices)) as pool:
        for number, (system, task, values) in enumerate(pool.imap(work, jobs, chunksize=4)):
            rows = found.setdefault((task.utterance.domain, task.target), {})
            rows.setdefault(system, []).append(values)
            print(f"\r{number + 1}/{len(jobs)}", end="", file=sys.stderr, flush=True)
    text = "\n".join(page(found)) + "\n"
    print(text)
    if options.page:
        options.page.write_text(text)
    if options.json:
        options.json.write_text(json.dumps({"-".join(key): rows for key, rows in found.items()}))


if __name__ == "__main__":
    main()
