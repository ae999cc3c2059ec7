"""A new target from minutes of her voice, against a model that was trained with her.

python benchmarks/adapt.py --base RUN --with four-voices --data DATA --out OUT [--voice kerstin]

RUN is a model without the voice, --with one that was trained with it and RUN's own voices in the
same way; DATA/train and DATA/test, as `voiceconv prepare` writes them, have all of them. Adapts RUN
by `voiceconv adapt` from the first utterances of the voice's `train`, 1, 3 and 10 minutes of them,
then converts the first N test utterances of each source. Prints similarity (Resemblyzer, to the
mean of the voice's test recordings), DNSMOS and, of English sources, CER (pocketsphinx), with 95%
bootstrap intervals over utterances; the time that adapting took; and how many conversions to RUN's
own targets stayed equal to the bit. Each row is kept in OUT: the same call goes on.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ladder
import torch
from families import used

from voiceconv import Converter, audio
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, mean_embedding
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition

STATISTICS = "statistics alone"  # strength 0 of the model adapted from most
N_COMPARED = 2  # conversions of each source to each old target
HEADS = ("similarity", "nearer, %", "DNSMOS", "CER, %")


def name_of(minutes: float) -> str:
    """A row's name."""
    return f"adapted, {minutes:g} min"


def clips_of(options: argparse.Namespace, minutes: float) -> list[str]:
    """The first utterances of the voice, of so many minutes together."""
    paths, seconds = [], 0.0
    for one in read_data_dir(options.data / "train"):
        if one.domain == options.voice and seconds < 60 * minutes:
            paths.append(str(one.path))
            seconds += audio.probe(one.path).seconds
    return paths


def adapt(options: argparse.Namespace, minutes: float) -> Path:
    """The model adapted from so many minutes, and beside it what that took."""
    folder = options.out / f"from-{minutes:g}"
    if not folder.exists():
        length = (
            ["--minutes", options.minutes] if options.steps is None else ["--steps", options.steps]
        )
        command = [sys.executable, "-m", "voiceconv", "adapt", options.base]
        command += [*clips_of(options, minutes), "-o", folder, "--name", options.voice, *length]
        began, spent = time.monotonic(), used()
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        subprocess.run([str(word) for word in command], check=True, env=environment)
        took = {"wall": time.monotonic() - began, "cpu": used() - spent}
        (options.out / f"from-{minutes:g}.json").write_text(json.dumps(took))
    return folder


class Bench(ladder.Bench):
    """The same measures, of the rows of this table."""

    def open(self, system: str) -> Any:
        """A row's converter."""
        return Converter.from_pretrained(self.options.models[system])

    def measure(self, system: str, task: ladder.Task) -> dict[str, float]:
        """Values by name."""
        told = {"strength": torch.zeros(1, 1)} if system == STATISTICS else {}
        converter = self.converter(system)
        assert converter is not None
        return self.judge(ladder.converted(converter, task, told), converter.sample_rate, task)


def start(options: argparse.Namespace, voices: dict[str, Any]) -> None:
    """Of a process of the pool."""
    ladder._BENCH = Bench(options, voices)


def voices_of(data: Path) -> dict[str, Any]:
    """The mean embedding of each voice's test recordings."""
    encoder, test = SpeakerEncoder(), read_data_dir(data / "test")
    return {
        domain: mean_embedding(
            [
                encoder.embed(condition(read_wave(one, SAMPLE_RATE).samples.numpy()))
                for one in test
                if one.domain == domain
            ]
        )
        for domain in sorted({one.domain for one in test})
    }


def sources_of(options: argparse.Namespace, n: int) -> list[Utterance]:
    """The first n test utterances of each source."""
    test = read_data_dir(options.data / "test")
    return [
        one
        for source in options.sources
        for one in [one for one in test if one.domain == source][:n]
    ]


def score(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Values by row; those that OUT has are not measured again."""
    path = options.out / "values.json"
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text()) if path.exists() else {}
    todo = [row for row in options.models if row not in found]
    if not todo:
        return found
    tasks = [ladder.Task(one, False, options.voice, None) for one in sources_of(options, options.n)]
    voices = voices_of(options.data)
    with get_context("forkserver").Pool(options.jobs, start, (options, voices)) as pool:
        for row in todo:
            jobs = [(row, task) for task in tasks]
            found[row] = [
                {"source": task.utterance.domain, **values}
                for _, task, values in pool.imap(ladder.work, jobs, chunksize=4)
            ]
            path.write_text(json.dumps(found))
    return found


def compare(options: argparse.Namespace) -> Iterator[str]:
    """Lines: conversions to the old targets by the base and by each adapted model."""
    base = Converter.from_pretrained(options.base)
    for row, model in options.models.items():
        if not row.startswith("adapted"):
            continue
        new, n_equal, n_all = Converter.from_pretrained(model), 0, 0
        for one in sources_of(options, N_COMPARED):
            for target in base.domains:
                if target != one.domain:
                    task = ladder.Task(one, False, target, None)
                    both = [ladder.converted(which, task) for which in (base, new)]
                    n_equal, n_all = n_equal + torch.equal(*both), n_all + 1
        yield f"- {row}: {n_equal} of {n_all} conversions to the old targets equal to the bit"


def page(options: argparse.Namespace, found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Lines of the table."""
    yield f"| | from | {' | '.join(HEADS)} | minutes, wall | CPU |"
    yield f"|{' --- |' * (len(HEADS) + 4)}"
    for row, model in options.models.items():
        times = options.out / f"{Path(model).name}.json"
        took = json.loads(times.read_text()) if row.startswith("adapted") else {}
        minutes = [f"{took[key] / 60:.1f}" if took else "" for key in ("wall", "cpu")]
        for source in options.sources:
            some = [
                {
                    key: value
                    for key, value in one.items()
                    if key != "cer" or source in options.english
                }
                for one in found[row]
                if one["source"] == source
            ]
            cells = ladder.cells(some)[: len(HEADS)]
            yield f"| {row} | {source} | {' | '.join(cells)} | {' | '.join(minutes)} |"


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--with", dest="trained", default="four-voices")
    parser.add_argument("--voice", default="kerstin")
    parser.add_argument("--sources", nargs="+", default=["kathleen", "nathalie"])
    parser.add_argument("--english", nargs="+", default=["kathleen"], help="sources with a CER")
    parser.add_argument("--from", dest="given", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--minutes", type=float, default=5.0, help="of adapting")
    parser.add_argument("--steps", type=int, help="of adapting, in place of minutes")
    parser.add_argument("--n", type=int, default=20, help="utterances of each source")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of adapting")
    parser.add_argument("--adapt-only", action="store_true")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    adapted = {name_of(one): adapt(options, one) for one in options.given}
    if options.adapt_only:
        return
    most = adapted[name_of(max(options.given))]
    options.models = {STATISTICS: most, **adapted, f"{options.trained}, with her": options.trained}
    found = score(options)
    print("\n".join([*page(options, found), "", *compare(options)]))


if __name__ == "__main__":
    main()
