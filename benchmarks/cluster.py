"""Extraction on a Dask cluster against processes, with accidents, and the plan for 10,000 hours.

python benchmarks/cluster.py extract DATA OUT      # local 1 and 2, Dask 1, 2 and 4: bytes equal
python benchmarks/cluster.py kills DATA OUT        # a worker is killed every 10 s
python benchmarks/cluster.py scheduler DATA OUT    # the scheduler is killed, and comes back
python benchmarks/cluster.py load OUT              # what the scheduler takes: tasks, memory
python benchmarks/cluster.py index OUT             # what the files of many shards cost
python benchmarks/cluster.py plan OUT --hours 10000

DATA is a prepared corpus (`voiceconv prepare`). Each part writes OUT/PART.json; `extract` goes on
after an interruption with the run that was not done, and the others compare with its `local1`.
Scheduler and workers are processes of this machine, so times are of this machine, while seconds of
CPU and bytes are not. `plan` measures nothing and only multiplies the figures of the parts.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from common import report
from distributed import Client
from rich.console import Console

from voiceconv.audio import probe
from voiceconv.commands.choices import features_node
from voiceconv.data.archive import Archive, intact_utterances, read_scp, write_scp
from voiceconv.data.extract import extract
from voiceconv.data.kaldi import is_data_dir, read_data_dir
from voiceconv.data.shards import shard_size, write_shard
from voiceconv.data.splits import SPLITS
from voiceconv.executors import open_executor
from voiceconv.progress import progress_bar

say = Console(stderr=True).print


class Place:
    """A scheduler on a port of its own, and workers of one thread that are started again."""

    def __init__(self, folder: Path, n_workers: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.port, self.is_ending = folder, 0, False
        self.n_killed = 0
        self.start_scheduler()
        self.workers: list[subprocess.Popen[bytes]] = [self._worker() for _ in range(n_workers)]
        threading.Thread(target=self._keep, daemon=True).start()

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start it, again on its port."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start("scheduler", "--port", self.port, "--scheduler-file", file)
        while not (file.exists() and file.read_text().endswith("}")):
            time.sleep(0.1)
        self.port = int(json.loads(file.read_text())["address"].rpartition(":")[2])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, to a worker or the scheduler."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.n_killed += 1

    def end(self) -> None:
        """Stop all."""
        self.is_ending = True
        for process in (*self.workers, self.scheduler):
            process.kill()
        for process in (*self.workers, self.scheduler):
            process.wait()

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, "--nthreads", 1, "--no-nanny",
                           "--local-directory", self.folder)  # fmt: skip

    def _keep(self) -> None:
        """As a batch system or `until dask worker ...` does: a worker that ended starts again."""
        while not self.is_ending:
            for number, worker in enumerate(self.workers):
                if worker.poll() is not None and not self.is_ending:
                    self.workers[number] = self._worker()
            time.sleep(1.0)

    def _start(self, role: str, *words: object) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{role}"
        command = [sys.executable, "-m", module, *map(str, words), "--host", "127.0.0.1"]
        with open(self.folder / f"{role}.log", "ab") as log:
            return subprocess.Popen([*command, "--no-dashboard"], stderr=log, stdout=log)


@contextmanager
def cluster(folder: Path, n_workers: int) -> Iterator[Place]:
    """A scheduler and its workers, which end with the block."""
    place = Place(folder, n_workers)
    try:
        yield place
    finally:
        place.end()


def digests(dump: Path) -> dict[str, str]:
    """Name -> sha256 of each file of a dump, but for its lock."""
    return {
        str(path.relative_to(dump)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dump.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def timed(
    data: Path, dump: Path, node: dict[str, Any], jobs: int, place: Place | None = None
) -> dict[str, float]:
    """Extract; wall seconds, and seconds of CPU of this process and all below it."""
    watch = Cpu()
    start = time.perf_counter()
    kind = ("local", None) if place is None else ("dask", place.address)
    with progress_bar(dump.name) as bar, open_executor(*kind, places=[data, dump]) as executor:
        extract(data, dump, node, jobs, trim=40.0, loudness=-23.0, progress=bar, executor=executor)
    return {"seconds": time.perf_counter() - start, "cpu_seconds": watch.seconds()}


class Cpu:
    """Seconds of CPU of this process and of all below it, since its making."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._is_over = threading.Event()
        self._before = time.process_time()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """Until now."""
        self._is_over.set()
        self._thread.join()
        return time.process_time() - self._before + sum(self._seen.values())

    def _look(self) -> None:
        """Processes may end any time, and not all are waited for: look often."""
        first: dict[int, float] = {}
        is_first = True
        while True:
            over = self._is_over.wait(0 if is_first else 0.2)
            for process in psutil.Process().children(recursive=True):
                try:
                    times = process.cpu_times()
                except psutil.Error:
                    continue
                spent = times.user + times.system
                before = first.setdefault(process.pid, spent if is_first else 0.0)
                self._seen[process.pid] = spent - before
            is_first = False
            if over:
                return


def run_extract(chosen: argparse.Namespace) -> dict[str, Any]:
    """Local with 1 and 2 processes, Dask with 1, 2 and 4 workers: files equal, seconds."""
    node = features_node(chosen.features)
    results = _read(chosen.out / "extract.json", {"runs": {}})
    results["corpus"] = corpus(chosen.data)
    for name in ("local1", "local2", "dask1", "dask2", "dask4"):
        if name in results["runs"]:
            continue
        say(f"{time.strftime('%T')} {name}")
        dump, n = chosen.out / name, int(name[-1])
        shutil.rmtree(dump, ignore_errors=True)
        place_of = nullcontext() if name.startswith("local") else cluster(chosen.out / "dask", n)
        with place_of as place:
            results["runs"][name] = timed(chosen.data, dump, node, n, place)
        found = digests(dump)
        results["runs"][name]["equal"] = found == digests(chosen.out / "local1")
        if name != "local1":
            shutil.rmtree(dump)
        _write(chosen.out / "extract.json", results)
    results["bytes"] = sizes(chosen.out / "local1")
    results["files"] = len(digests(chosen.out / "local1"))
    runs = results["runs"]
    rows = [
        (name, f"{run['seconds']:.1f}", f"{run['cpu_seconds']:.1f}", str(run["equal"]))
        for name, run in runs.items()
    ]
    _show("Extraction", ("run", "seconds", "seconds of CPU", "files equal"), rows, results)
    return results


def run_kills(chosen: argparse.Namespace) -> dict[str, Any]:
    """Two workers, of which one is killed every `--every` seconds, with its process."""
    with cluster(chosen.out / "dask", 2) as place:
        over = threading.Event()

        def kill() -> None:
            while not over.wait(chosen.every):
                worker = place.workers[place.n_killed % 2]
                for process in [worker, *_children(worker.pid)]:
                    process.kill()
                worker.wait()
                place.n_killed += 1
                say(f"{time.strftime('%T')} killed a worker")

        threading.Thread(target=kill, daemon=True).start()
        figures = _accident(chosen, "kills", place)
        over.set()
    return figures | {"killed": place.n_killed, "every_seconds": chosen.every}


def run_scheduler(chosen: argparse.Namespace) -> dict[str, Any]:
    """Two workers; the scheduler is killed after `--every` seconds, and back after ten more."""
    with cluster(chosen.out / "dask", 2) as place:

        def kill() -> None:
            time.sleep(chosen.every)
            say(f"{time.strftime('%T')} killed the scheduler")
            place.kill(place.scheduler)
            time.sleep(10)
            place.start_scheduler()
            say(f"{time.strftime('%T')} the scheduler is back")

        threading.Thread(target=kill, daemon=True).start()
        figures = _accident(chosen, "scheduler", place)
    return figures | {"killed": place.n_killed, "after_seconds": chosen.every}


def _accident(chosen: argparse.Namespace, name: str, place: Place) -> dict[str, Any]:
    """Extract while somebody kills; whether the files are those of `local1`."""
    dump = chosen.out / name
    shutil.rmtree(dump, ignore_errors=True)
    figures: dict[str, Any] = timed(chosen.data, dump, features_node(chosen.features), 2, place)
    figures["equal"] = digests(dump) == digests(chosen.out / "local1")
    shutil.rmtree(dump)
    return figures


def run_load(chosen: argparse.Namespace) -> dict[str, Any]:
    """Tasks of our kind that take no time: how many a scheduler passes on, and its memory."""
    figures: dict[str, Any] = {}
    with cluster(chosen.out / "dask", 2) as place, _client(place) as client:
        client.wait_for_workers(2)
        scheduler = psutil.Process(place.scheduler.pid)
        client.gather([client.submit(abs, n, pure=False) for n in range(200)])
        memory = scheduler.memory_info().rss
        busy = scheduler.cpu_times()
        n_tasks, start = chosen.tasks, time.perf_counter()
        payload = os.urandom(2000)  # as large as a run and a shard's list
        futures = [client.submit(_nothing, payload, n, pure=False) for n in range(n_tasks)]
        held = scheduler.memory_info().rss
        client.gather(futures)
        after = scheduler.cpu_times()
        seconds = time.perf_counter() - start
        spent = after.user + after.system - busy.user - busy.system
        figures = {
            "tasks": n_tasks,
            "tasks_per_second": n_tasks / seconds,
            "scheduler_cpu_ms_per_task": 1000 * spent / n_tasks,
            "tasks_per_second_of_cpu": n_tasks / spent,
            "scheduler_kib_per_task": (max(held, scheduler.memory_info().rss) - memory)
            / 1024
            / n_tasks,
            "scheduler_mib": memory / 2**20,
        }
    _show_figures("Scheduler", figures)
    return figures


def run_index(chosen: argparse.Namespace) -> dict[str, Any]:
    """What start and end of a run cost: shards of few bytes, planned, listed and mapped."""
    folder, n_shards, per_shard = chosen.out / "index", chosen.shards, 64
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    array = {"feats": np.zeros((2, 2), np.float32)}
    start = time.process_time()
    names = [
        write_shard(folder, n, ("feats",), ((f"u{n:06d}-{k:03d}", array) for k in range(per_shard)))
        for n in range(n_shards)
    ]
    written = time.process_time()
    for name in names:
        intact_utterances(folder / f"feats.{name}.scp")
    checked = time.process_time()
    merged = {
        utterance: location
        for name in names
        for utterance, location in read_scp(folder / f"feats.{name}.scp").items()
    }
    write_scp(folder / "feats.scp", merged)
    listed = time.process_time()
    before = psutil.Process().memory_info().rss
    archive = Archive(folder / "feats.scp")
    for n in range(n_shards):
        archive[f"u{n:06d}-000"]
    opened = time.process_time()
    figures = {
        "shards": n_shards,
        "ms_to_write_a_shard": 1000 * (written - start) / n_shards,
        "ms_to_check_a_shard": 1000 * (checked - written) / n_shards,
        "us_to_list_an_utterance": 1e6 * (listed - checked) / n_shards / per_shard,
        "ms_to_open_a_shard": 1000 * (opened - listed) / n_shards,
        "bytes_to_know_an_utterance": (psutil.Process().memory_info().rss - before)
        / n_shards
        / per_shard,
        "scp_bytes_per_utterance": (folder / "feats.scp").stat().st_size / n_shards / per_shard,
    }
    shutil.rmtree(folder)
    _show_figures("Index", figures)
    return figures


def run_plan(chosen: argparse.Namespace) -> dict[str, Any]:
    """Multiply: storage, files, core hours, the scheduler's load, what is full first."""
    parts = {
        name: _read(chosen.out / f"{name}.json", None) for name in ("extract", "load", "index")
    }
    for name, part in parts.items():
        if part is None:
            raise SystemExit(f"there is no {chosen.out / name}.json: run `{name}` first")
    of, load, index = parts["extract"], parts["load"], parts["index"]
    hours, measured = chosen.hours, of["corpus"]["hours"]
    n_utterances = round(of["corpus"]["utterances"] / measured * hours)
    size = shard_size(n_utterances)
    n_shards = -(-n_utterances // size)
    kinds = [kind for kind in of["bytes"] if kind != "other"]
    core_hours = of["runs"]["local1"]["cpu_seconds"] / 3600 / measured * hours
    shard_seconds = core_hours * 3600 / n_shards
    n_files = 2 * len(kinds) * n_shards
    most_workers = load["tasks_per_second_of_cpu"] * shard_seconds
    maps_limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    figures = {
        "hours": hours,
        "utterances": n_utterances,
        "gb_of_features": sum(of["bytes"].values()) / measured * hours / 1e9,
        "gb_by_kind": {k: v / measured * hours / 1e9 for k, v in of["bytes"].items()},
        "gb_of_recordings": of["corpus"]["bytes"] / measured * hours / 1e9,
        "core_hours": core_hours,
        "days_on_100_cores": core_hours / 100 / 24,
        "utterances_in_a_shard": size,
        "shards": n_shards,
        "files": n_files,
        "minutes_of_work_in_a_shard": shard_seconds / 60,
        "tasks_a_second_from_100_workers": 100 / shard_seconds,
        "tasks_a_second_that_a_scheduler_takes": load["tasks_per_second_of_cpu"],
        "workers_that_one_scheduler_feeds": most_workers,
        "mib_of_the_scheduler_with_100_workers": load["scheduler_mib"]
        + 202 * load["scheduler_kib_per_task"] / 1024,
        "minutes_to_resume": n_shards * len(kinds) * index["ms_to_check_a_shard"] / 6e4
        * size / 64,
        "minutes_to_list_at_the_end": n_utterances * len(kinds)
        * index["us_to_list_an_utterance"] / 6e7,
        "gb_of_memory_to_train": n_utterances * len(kinds)
        * index["bytes_to_know_an_utterance"] / 1e9,
        "maps_to_train": n_shards * len(kinds),
        "maps_that_this_system_allows": maps_limit,
        "hours_until_maps_are_full": hours * maps_limit / (n_shards * len(kinds)),
    }  # fmt: skip
    _show_figures(f"{hours} hours", figures)
    return figures


def corpus(data: Path) -> dict[str, float]:
    """Hours, utterances and bytes of the recordings of a prepared corpus."""
    folders = [data] if is_data_dir(data) else [data / s for s in SPLITS if is_data_dir(data / s)]
    utterances = [one for folder in folders for one in read_data_dir(folder)]
    return {
        "hours": sum(probe(one.path).seconds for one in utterances) / 3600,
        "utterances": len(utterances),
        "bytes": sum(path.stat().st_size for path in {one.path for one in utterances}),
    }


def sizes(dump: Path) -> dict[str, int]:
    """Kind of archive -> bytes of its arks; `other`: of all other files."""
    found: dict[str, int] = {}
    for path in dump.rglob("*"):
        if path.is_file():
            kind = path.name.split(".")[0] if path.suffix == ".ark" else "other"
            found[kind] = found.get(kind, 0) + path.stat().st_size
    return found


def _nothing(payload: bytes, number: int) -> int:
    return number


@contextmanager
def _client(place: Place) -> Iterator[Any]:
    with Client(place.address, set_as_default=False) as client:
        yield client


def _children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else otherwise


def _write(path: Path, figures: dict[str, Any]) -> None:
    path.write_text(json.dumps(figures, indent=2) + "\n")


def _show_figures(title: str, figures: dict[str, Any]) -> None:
    rows = [
        (name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
        for name, value in figures.items()
        if not isinstance(value, dict)
    ]
    _show(title, ("figure", "value"), rows, figures)


def _show(title: str, header: tuple[str, ...], rows: list[Any], figures: dict[str, Any]) -> None:
    report(title, header, rows, figures, None)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "extract": run_extract,
    "kills": run_kills,
    "scheduler": run_scheduler,
    "load": run_load,
    "index": run_index,
    "plan": run_plan,
}


def main() -> None:
    """Run one part, print, write OUT/PART.json."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = options.add_subparsers(dest="part", required=True)
    for name, run in PARTS.items():
        part = parts.add_parser(name, help=(run.__doc__ or "").splitlines()[0])
        if name in ("extract", "kills", "scheduler"):
            part.add_argument("data", type=Path)
            part.add_argument("--features", default="world", help="as `voiceconv extract` has it")
        part.add_argument("out", type=Path)
        part.add_argument("--every", type=float, default=10.0, help="s between accidents")
        part.add_argument("--tasks", type=int, default=2000, help="of `load`")
        part.add_argument("--shards", type=int, default=1000, help="of `index`")
        part.add_argument("--hours", type=float, default=10_000, help="of `plan`")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    _write(chosen.out / f"{chosen.part}.json", PARTS[chosen.part](chosen))


if __name__ == "__main__":
    main()
