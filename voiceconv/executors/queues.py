"""Dask workers in jobs of a batch system, by dask-jobqueue.

A job's cores, memory, queue and account are Dask's own settings: `jobqueue.slurm` or `jobqueue.sge`
in ~/.config/dask/*.yaml, in the file or folder that DASK_CONFIG names, or in variables such as
DASK_JOBQUEUE__SLURM__CORES. The scheduler is in this process, and the jobs end with it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voiceconv.errors import InputError
from voiceconv.optional import load

_CLUSTERS = {"slurm": "SLURMCluster", "sge": "SGECluster"}


@contextmanager
def open_cluster(kind: str, jobs: int) -> Iterator[Any]:
    """Give a cluster for which `jobs` jobs are submitted. Raises InputError."""
    command = _cluster_class(kind).job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise InputError(
            f"--executor {kind}: there is no {command} here; run this where jobs are submitted"
        )
    with make_cluster(kind) as cluster:
        cluster.scale(jobs=jobs)
        yield cluster


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
