"""The families under one protocol: equal CPU time, frames, crops and vocoder, at `small` size.

python benchmarks/families.py train --dump DUMP --out OUT --minutes 6 [--only NAME ...]
python benchmarks/families.py score --data DATA --stranger DATA --dump DUMP --out OUT [--n 8]

`train` measures an experiment's step on one thread, takes as many steps as fit into the minutes of
CPU time, and trains; it continues where it stopped. `score` converts and prints the table, with 95%
bootstrap intervals over utterances, and the directions together. Known speakers: nathalie to
flemishguy and back, whose readings of the test sentences give MCD. Strangers: to kathleen, whose
English the recogniser knows. The measures are those of benchmarks/ladder.py.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import ladder
import torch

from voiceconv import Converter
from voiceconv.build import compose_config
from voiceconv.commands.fit import planned

PAIR = ["flemishguy", "nathalie"]
KNOWN = [("nathalie", "flemishguy"), ("flemishguy", "nathalie")]
STRANGERS = "kathleen"
WARM, MEASURED = 5, 10  # steps
WORLD = [  # for one protocol: an experiment's own frames, where they are others
    "features=world",
    "features.sample_rate=24000",
    "vocoder=world",
]


class Entry(NamedTuple):
    """One row: an experiment, its overrides, and whether it knows the pair alone."""

    experiment: str
    overrides: Sequence[str] = ()
    of_pair: bool = False


ENTRIES = {
    "CycleGAN-VC2": Entry("cyclegan_vc2_small"),
    "MaskCycleGAN-VC": Entry("maskcyclegan_vc_small", [*WORLD, "data.n_frames=128"]),
    "StarGAN-VC": Entry("stargan_vc_small"),
    "StarGAN-VC2": Entry("stargan_vc2_small"),
    "UNIT": Entry("unit_small"),
    "MUNIT": Entry("munit_small"),
    "CUT": Entry("cut_small"),
    "any_to_many": Entry("any_to_many"),
    "CycleGAN-VC2, pair": Entry("cyclegan_vc2_small", of_pair=True),
    "CycleGAN-VC2, residual, pair": Entry("cyclegan_vc2_small", ["translator.residual=true"], True),
    "MaskCycleGAN-VC, pair": Entry("maskcyclegan_vc_small", [*WORLD, "data.n_frames=128"], True),
    "pix2pix, pair": Entry("pix2pix_small", of_pair=True),
    **{
        f"CycleGAN-VC2 and {n} sentences, pair": Entry(
            "cyclegan_vc2_semi_small", [f"batches.n_pairs={n}"], True
        )
        for n in (5, 20, 100)
    },
}


def folder(row: str) -> str:
    """Of a row, in OUT."""
    return row.replace(", ", "-").replace(" ", "_")


def train(options: argparse.Namespace) -> None:
    """Every entry that is wanted, one after the other."""
    for name, entry in ENTRIES.items():
        if options.only and name not in options.only:
            continue
        train_one(name, entry, options, options.out / folder(name))


def train_one(name: str, entry: Entry, options: argparse.Namespace, place: Path) -> None:
    """PLACE/run, and PLACE/plan.json with the steps that fit."""
    plan = place / "plan.json"
    if not plan.exists():
        place.mkdir(parents=True, exist_ok=True)
        seconds = seconds_per_step(entry, options, place)
        n_steps = max(1, round(60 * options.minutes / seconds))
        plan.write_text(json.dumps({"seconds_per_step": seconds, "n_steps": n_steps}))
    n_steps = json.loads(plan.read_text())["n_steps"]
    if (place / "run/model/config.yaml").exists():
        return
    began = used()
    call(entry, options, place / "run", n_steps)
    minutes = (used() - began) / 60
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"minutes": minutes}))
    print(f"{name}: {n_steps} steps, {minutes:.1f} minutes of CPU", flush=True)


def seconds_per_step(entry: Entry, options: argparse.Namespace, place: Path) -> float:
    """Of CPU time, one thread: two runs differ by MEASURED steps."""
    spent = []
    entry = entry._replace(
        overrides=[*entry.overrides, "trainer.warmup_steps=0"]
    )  # of both players
    for n_steps in (WARM, WARM + MEASURED):
        began = used()
        call(entry, options, place / f"probe{n_steps}", n_steps)
        spent.append(used() - began)
    return max(spent[1] - spent[0], 1e-3) / MEASURED


def used() -> float:
    """CPU seconds of the processes that this one has started and seen end."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def call(entry: Entry, options: argparse.Namespace, run: Path, n_steps: int) -> None:
    """`voiceconv train` on one thread, without validation."""
    dump = options.pairs if entry.of_pair else options.dump
    settings = {
        "experiment": entry.experiment,
        "data.dump": dump,
        "run_dir": run,
        "trainer.n_steps": n_steps,
        "trainer.decay_start": n_steps // 2,
        "trainer.validate_every": 0,
        "trainer.ship": "last",
        "trainer.checkpoint_every": 0,
        "trainer.device": "cpu",
    }
    objective = compose_config([f"experiment={entry.experiment}"]).objective
    settings |= dotted("objective", planned(objective, n_steps))
    given = [f"{key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-m", "voiceconv", "train", *given, *entry.overrides]
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env={**os.environ, **threads})


def dotted(place: str, values: Any) -> dict[str, Any]:
    """Nested values -> as overrides."""
    if not isinstance(values, dict):
        return {place: values}
    parts = (dotted(f"{place}.{name}", value) for name, value in values.items())
    return {key: value for part in parts for key, value in part.items()}


class Bench(ladder.Bench):
    """The same measures, of the rows of this table."""

    def open(self, system: str) -> Any:
        """A run of this table, or a baseline."""
        if system not in ENTRIES:
            return super().open(system)
        return Converter.from_pretrained(self.options.out / folder(system) / "run")


def rows(options: argparse.Namespace) -> list[str]:
    """What there is to score."""
    trained = [n for n in ENTRIES if (options.out / folder(n) / "run/model").exists()]
    return ["source", "copy-synthesis", "statistics", *trained]


def jobs_of(options: argparse.Namespace) -> Iterator[tuple[str, ladder.Task]]:
    """(row, task), row by row, so that a process opens a model once."""
    tasks = list(ladder.tasks_of(options, sorted({STRANGERS, *PAIR})))
    known = [t for t in tasks if not t.is_stranger and (t.utterance.domain, t.target) in KNOWN]
    strangers = [t for t in tasks if t.is_stranger and t.target == STRANGERS]
    for row in rows(options):
        only_pair = row in ENTRIES and ENTRIES[row].of_pair
        yield from ((row, task) for task in (known if only_pair else known + strangers))


def score(options: argparse.Namespace) -> None:
    """Print the table."""
    voices = ladder.voices_of(options.data, *options.stranger)
    jobs = list(jobs_of(options))
    found: dict[str, dict[bool, list[dict[str, float]]]] = {row: {} for row in rows(options)}
    with get_context("forkserver").Pool(options.jobs, start, (options, voices)) as pool:
        for row, task, values in pool.imap(ladder.work, jobs, chunksize=4):
            found[row].setdefault(task.is_stranger, []).append(values)
    if options.json:
        options.json.write_text(json.dumps(found))
    print("\n".join(page(found, options)))


def start(options: argparse.Namespace, voices: dict[str, Any]) -> None:
    """Of a process of the pool."""
    ladder._BENCH = Bench(options, voices)


def page(
    found: dict[str, dict[bool, list[dict[str, float]]]], options: argparse.Namespace
) -> Iterator[str]:
    """Lines of the table of costs, of known speakers and of strangers."""
    yield from (
        "| family | parameters | CPU, minutes | steps | steps/s | real-time factor |",
        f"|{' --- |' * 6}",
    )
    for row in found:
        if row in ENTRIES:
            yield f"| {row} | {' | '.join(costs(options.out / folder(row)))} |"
    for is_stranger, title in ((False, "nathalie and flemishguy"), (True, "strangers to kathleen")):
        yield f"\n### {title}\n"
        yield f"| | {' | '.join(ladder.HEADS)} |"
        yield f"|{' --- |' * (len(ladder.HEADS) + 1)}"
        for row, values in found.items():
            if is_stranger in values:
                yield f"| {row} | {' | '.join(ladder.cells(values[is_stranger]))} |"


def costs(place: Path) -> list[str]:
    """Parameters of what ships, minutes of CPU time, steps, the network's share of real time."""
    plan = json.loads((place / "plan.json").read_text())
    converter = Converter.from_pretrained(place / "run")
    n_parameters = sum(one.numel() for one in converter.translator.parameters())
    torch.set_num_threads(1)
    frames = torch.randn(1, converter.extractor.n_channels, 1000)
    seconds = 1000 * converter.extractor.hop_length / converter.sample_rate
    source, target = converter.translator.directions(len(converter.domains))[-1]
    told = converter.translator.default_condition()
    with torch.no_grad():
        converter.translator(frames, source, target, **told)
        began = time.process_time()
        converter.translator(frames, source, target, **told)
        factor = (time.process_time() - began) / seconds
    return [
        f"{n_parameters / 1e6:.2f} M",
        f"{plan['minutes']:.1f}",
        str(plan["n_steps"]),
        f"{plan['n_steps'] / plan['minutes'] / 60:.1f}",
        f"{factor:.3f}",
    ]


def main() -> None:
    """Train, or score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "score"])
    parser.add_argument("--dump", type=Path, required=True, help="of the four voices")
    parser.add_argument("--pairs", type=Path, help="of the pair, with shared sentences")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--stranger", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="of CPU time")
    parser.add_argument("--only", nargs="*", help="rows to train")
    parser.add_argument("--n", type=int, default=8, help="utterances of each direction")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write every value here, too")
    options = parser.parse_args()
    {"train": train, "score": score}[options.what](options)


if __name__ == "__main__":
    main()
