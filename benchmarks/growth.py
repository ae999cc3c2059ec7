"""A new domain for a trained many-to-many model: its scores, and those of the old ones.

python benchmarks/growth.py --before RUN --dump DUMP --data DATA --new NAME --out OUT --minutes 6

DUMP holds the domains of RUN and the new one. Trains RUN's experiment on it from RUN's weights
(`init_from`) for so many minutes of CPU time, the first WARMUP steps its discriminators alone, and
from nothing for as long. Prints, for each model, similarity and DNSMOS of conversions to the old
domains and to the new one, of the first N test utterances of each old domain, with 95% bootstrap
intervals.
"""

import argparse
import json
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import families
import ladder

from voiceconv import Converter
from voiceconv.data.kaldi import read_data_dir


class Bench(ladder.Bench):
    """The same measures, of these models."""

    def open(self, system: str) -> Converter:
        """A run's."""
        return Converter.from_pretrained(self.options.runs[system])


def start(options: Any, voices: dict[str, Any]) -> None:
    """Of a process of the pool."""
    ladder._BENCH = Bench(options, voices)


def jobs_of(options: argparse.Namespace) -> Iterator[tuple[str, ladder.Task]]:
    """(model, task): every old domain's sentences, into each that the model has."""
    test = read_data_dir(options.data / "test")
    old = Converter.from_pretrained(options.runs["before"]).domains
    for system, run in options.runs.items():
        targets = Converter.from_pretrained(run).domains
        for source in old:
            some = [one for one in test if one.domain == source][: options.n]
            for target in targets:
                if target != source:
                    yield from ((system, ladder.Task(one, False, target, None)) for one in some)


def train(options: argparse.Namespace) -> dict[str, Path]:
    """Runs by name."""
    runs = {"before": options.before}
    given = [f"init_from={options.before}", f"trainer.warmup_steps={options.warmup}"]
    for name, more in (("grown", given), ("from nothing", [])):
        entry = families.Entry(options.experiment, more)
        place = options.out / families.folder(name)
        wanted = SimpleNamespace(dump=options.dump, minutes=options.minutes)
        families.train_one(name, entry, wanted, place)  # type: ignore[arg-type]
        runs[name] = place / "run"
    return runs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("before", "dump", "data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--new", required=True)
    parser.add_argument("--experiment", default="stargan_vc2_small")
    parser.add_argument("--minutes", type=float, default=6, help="of CPU time")
    parser.add_argument("--warmup", type=int, default=0)
    parser.add_argument("--n", type=int, default=4, help="utterances of each direction")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.runs = train(options)
    voices = ladder.voices_of(options.data)
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    given = SimpleNamespace(runs=options.runs, dump=options.dump, model=None)
    with get_context("forkserver").Pool(options.jobs, start, (given, voices)) as pool:
        for system, task, values in pool.imap(ladder.work, list(jobs_of(options)), chunksize=4):
            kind = "to the new one" if task.target == options.new else "among the old ones"
            found.setdefault((system, kind), []).append(values)
    print(f"| | directions | {' | '.join(ladder.HEADS[:3])} |\n|{' --- |' * 5}")
    for (system, kind), rows in found.items():
        print(f"| {system} | {kind} | {' | '.join(ladder.cells(rows)[:3])} |")
    (options.out / "values.json").write_text(json.dumps({" ".join(k): v for k, v in found.items()}))


if __name__ == "__main__":
    main()
