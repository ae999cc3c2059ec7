"""Data-parallel training by torchrun on one machine, over gloo: speed, agreement, a killed rank.

    python benchmarks/ranks.py [--ranks 1 2 4] [--steps 20]

For each number of ranks: steps a second, items a second, and the largest difference of a parameter
between ranks. With two or more: one rank is killed (SIGKILL) after the first checkpoint; the
seconds until the job has ended, its exit code and what it says; then whether the same command,
called again, ends with the checkpoint of an uninterrupted run, bit for bit. One thread a rank.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from throughput import noise_dump

from voiceconv.build import compose_config
from voiceconv.commands.train import prepare_trainer
from voiceconv.training.distributed import joined_ranks

OVERRIDES = [
    "experiment=cyclegan_vc2_small",
    "data.n_frames=64",
    "trainer.validate_every=0",
    "trainer.decay_start=2",
    "trainer.device=cpu",
]
N_WARM, SAVE_EVERY = 2, 4  # steps


def torchrun(n_ranks: int, *arguments: str) -> list[str]:
    """The command that starts so many ranks of a program."""
    return ["torchrun", "--standalone", "--nproc_per_node", str(n_ranks), *arguments]


def measure_rank(folder: Path, n_steps: int) -> None:
    """In a rank: steps a second, and how far its parameters are from the main rank's."""
    torch.set_num_threads(1)
    overrides = [*OVERRIDES, "name=x", f"run_dir={folder}", f"data.dump={folder / 'dump'}"]
    with joined_ranks() as ranks:
        trainer = prepare_trainer(
            compose_config(overrides), folder / f"run{ranks.world_size}", ranks
        )
        for _ in range(N_WARM):
            trainer.train_step()
        start = time.perf_counter()
        for _ in range(n_steps):
            trainer.train_step()
        speed = n_steps / (time.perf_counter() - start)
        mine = torch.cat([p.detach().flatten() for p in trainer.objective.parameters()])
        every = ranks.gather(mine)
        if ranks.is_main:
            apart = max(float((one - mine).abs().max()) for one in every)
            found = {"steps_per_s": speed, "largest_difference": apart}
            (folder / "found.json").write_text(json.dumps(found))


def measure(n_ranks: int, folder: Path, n_steps: int) -> dict[str, Any]:
    """What the ranks of a job found."""
    job = torchrun(n_ranks, __file__, "--rank-in", str(folder), "--steps", str(n_steps))
    subprocess.run(job, check=True)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def kill(n_ranks: int, folder: Path, n_steps: int) -> dict[str, Any]:
    """Two runs of a job, one of them with a killed rank, then continued."""

    def job(name: str) -> list[str]:
        own = [f"data.dump={folder / 'dump'}", f"run_dir={folder / name}"]
        steps = [f"trainer.n_steps={n_steps}", f"trainer.checkpoint_every={SAVE_EVERY}"]
        return torchrun(n_ranks, "-m", "voiceconv", "train", *OVERRIDES, *own, *steps)

    def checkpoint(name: str) -> Path:
        return folder / name / "checkpoints" / "last.pt"

    whole, parts = f"whole{n_ranks}", f"parts{n_ranks}"
    subprocess.run(job(whole), check=True, stderr=subprocess.DEVNULL)
    process = subprocess.Popen(job(parts), stderr=subprocess.PIPE, text=True)
    while not checkpoint(parts).exists() and process.poll() is None:
        time.sleep(0.05)
    os.kill(pid_of_rank(n_ranks - 1, process.pid), signal.SIGKILL)
    start = time.perf_counter()
    said = process.communicate()[1].splitlines()
    took = time.perf_counter() - start
    subprocess.run(job(parts), check=True, stderr=subprocess.DEVNULL)
    states = [torch.load(checkpoint(name), weights_only=True) for name in (whole, parts)]
    leaves = [dict(tensors(state)) for state in states]
    equal = leaves[0].keys() == leaves[1].keys() and all(
        torch.equal(one, leaves[1][name]) for name, one in leaves[0].items()
    )
    return {
        "seconds_to_the_end": took,
        "exit_code": process.returncode,
        "said": [line for line in said if line.startswith("voiceconv: error")],
        "resumed_equals_uninterrupted": equal,
        "tensors_compared": len(leaves[0]),
    }


def pid_of_rank(rank: int, parent: int) -> int:
    """The process of a rank, a child of torchrun."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True)
    for pid in map(int, listed.stdout.split()):
        if f"RANK={rank}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return pid
    raise SystemExit(f"no rank {rank} among the children of {parent}: it has ended already")


def tensors(tree: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a checkpoint."""
    if isinstance(tree, torch.Tensor):
        yield place, tree
    elif isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from tensors(value, f"{place}/{key}")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--rank-in", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_in:
        return measure_rank(options.rank_in, options.steps)
    os.environ |= {"OMP_NUM_THREADS": "1"}
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # torchrun's place
    figures: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        noise_dump(
            Path(place), dict(compose_config([*OVERRIDES, "run_dir=x", "data.dump=x"]).features)
        )
        for n_ranks in options.ranks:
            figures[n_ranks] = measure(n_ranks, Path(place), options.steps)
            if n_ranks > 1:
                figures[n_ranks] |= kill(n_ranks, Path(place), options.steps)
            print(f"{n_ranks} ranks: {json.dumps(figures[n_ranks], indent=2)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
