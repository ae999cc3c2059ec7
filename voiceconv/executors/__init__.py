"""Clusters that run the tasks of a command in place of processes on this machine.

`extract`, `check`, `convert` and `evaluate` hand their tasks to an `Executor` (`workers.py`). Here
are those of Dask: a scheduler that is there, and one of our own with workers in jobs of Slurm or
SGE. Task, result and log take the same way in all, so that results are equal.

Whoever reaches a Dask scheduler can run programs on its workers, as this does: it belongs on a
trusted network, or behind TLS. Nothing of a model or data directory is unpickled.
"""

from voiceconv.executors.choice import KINDS, open_executor

__all__ = ["KINDS", "open_executor"]
