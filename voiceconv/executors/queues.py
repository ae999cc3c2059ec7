"""Dask workers in jobs of a batch system, by dask-jobqueue.

A job's cores, memory, queue and account are Dask's own settings: `jobqueue.slurm` or `jobqueue.sge`
in ~/.config/dask/*.yaml, in the file or folder that DASK_CONFIG names, or in variables such as
DASK_JOBQUEUE__SLURM__CORES. The scheduler is in this process, and the jobs end with it.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed.deploy.spec import ProcessInterface

from voiceconv.errors import InputError, RunError
from voiceconv.optional import load

log = logging.getLogger(__name__)
_CLUSTERS = {"slurm": "SLURMCluster", "sge": "SGECluster"}
_AGAIN = 30.0  # s until jobs that have ended are submitted again


class Jobs:
    """The jobs of a cluster: each call has those submitted that are missing, now and then."""

    def __init__(self, cluster: Any, kind: str, jobs: int) -> None:
        self._cluster, self._kind, self._jobs = cluster, kind, jobs
        self._refused: list[str] = []
        self._next = time.monotonic()
        cluster.new_spec["cls"] = _noting(cluster.job_cls, self._refused)

    def __call__(self) -> None:
        """Raises RunError where the batch system has refused all of them."""
        known = list(self._cluster.workers.values())  # once all are submitted
        if self._refused and known:
            command = _submit_command(self._kind)
            sentence = f"--executor {self._kind}: {command} refused the job: {self._refused[0]}"
            if not any(job.job_id for job in known):
                raise RunError(sentence)
            log.warning("%s; the others go on", sentence)
            self._refused.clear()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _AGAIN
            self._cluster.scale(jobs=self._jobs)


def _noting(job_class: Any, refused: list[str]) -> Any:
    """The class of jobs, but one that is refused is noted, and stays without a number."""

    async def start(job: Any) -> None:
        try:
            await job_class.start(job)
        except (RuntimeError, ValueError, OSError) as error:
            said = str(error).rpartition("stderr:\n")[2]  # the last part of it
            refused.append(" ".join(said.split()) or "without a word")
            await ProcessInterface.start(job)

    return type(job_class.__name__, (job_class,), {"start": start})


@contextmanager
def open_cluster(kind: str) -> Iterator[Any]:
    """Give a cluster without jobs. Raises InputError."""
    command = _submit_command(kind)
    if shutil.which(command) is None:
        raise InputError(
            f"--executor {kind}: there is no {command} here; run this where jobs are submitted"
        )
    with make_cluster(kind) as cluster:
        yield cluster


def _submit_command(kind: str) -> str:
    command: str = _cluster_class(kind).job_cls.submit_command.split()[0]
    return command


def make_cluster(kind: str) -> Any:
    """A cluster without jobs, by Dask's configuration. Raises InputError."""
    try:
        return _cluster_class(kind)()
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"--executor {kind}: {reason}; set jobqueue.{kind} in ~/.config/dask/jobqueue.yaml, as "
            "docs/clusters.md says"
        ) from None


def _cluster_class(kind: str) -> Any:
    module = load("dask_jobqueue", f"--executor {kind}", "dask-jobqueue", "cluster")
    return getattr(module, _CLUSTERS[kind])
