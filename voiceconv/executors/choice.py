"""What `--executor` names, and the options that go with each."""

import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceconv.errors import InputError
from voiceconv.optional import load
from voiceconv.workers import Executor

KINDS = ("local", "dask", "slurm", "sge")
WAIT = 300.0  # s for a lost scheduler


@contextmanager
def open_executor(
    kind: str,
    scheduler: str | None = None,
    jobs: int | None = None,
    wait: float | None = None,
    places: Iterable[Path | str | None] = (),
) -> Iterator[Executor | None]:
    """Give what runs tasks; None: processes of this machine. What it has started ends with it.

    scheduler: address of a Dask scheduler. jobs: tasks at once there, or jobs of Slurm or SGE.
    wait: seconds for a lost scheduler to come back. places: what each worker must be able to read;
    what is not there yet, or no path, is left out. Raises InputError for options that don't fit.
    """
    _check(kind, scheduler, jobs, wait)
    if kind == "local":
        yield None
        return
    load("distributed", f"--executor {kind}", "Dask", "cluster")
    dask = importlib.import_module("voiceconv.executors.dask")  # which imports distributed
    needed = [Path(place) for place in places if place is not None]
    if kind == "dask":
        yield dask.DaskExecutor.at(scheduler, jobs, WAIT if wait is None else wait, needed)
        return
    queues = importlib.import_module("voiceconv.executors.queues")
    with queues.open_cluster(kind) as cluster:
        keep = queues.Jobs(cluster, kind, jobs)
        yield dask.DaskExecutor.on(cluster, kind, keep, needed)


def _check(kind: str, scheduler: str | None, jobs: int | None, wait: float | None) -> None:
    """Raise InputError for options that don't fit each other."""
    if kind not in KINDS:
        raise InputError(f"--executor {kind}: choose from {', '.join(KINDS)}")
    if kind == "dask" and scheduler is None:
        raise InputError("--executor dask needs --scheduler ADDRESS, such as tcp://node1:8786")
    if kind != "dask":
        for option, value in (("--scheduler", scheduler), ("--wait", wait)):
            if value is not None:
                raise InputError(f"{option} {value} is for --executor dask; leave one of them out")
    if kind in ("slurm", "sge") and jobs is None:
        raise InputError(f"--executor {kind} needs --jobs N, the number of jobs to submit")
