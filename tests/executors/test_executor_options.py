"""What `--executor` takes, and the jobs that it submits to Slurm and SGE."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import dask_jobqueue  # noqa: F401 - its defaults, in Dask's configuration
import dask_places
import pytest
from tiny_model import make_cli

from voiceconv.errors import InputError, RunError
from voiceconv.executors import open_executor
from voiceconv.executors.queues import make_cluster
from voiceconv.workers import Executor, Outcome

SETTINGS = {"cores": 4, "memory": "8GB", "queue": "speech", "walltime": "01:00:00"}


@pytest.mark.parametrize(
    ("kind", "scheduler", "jobs", "wait", "sentence"),
    [
        ("ray", None, None, None, "--executor ray: choose from local, dask, slurm, sge"),
        ("dask", None, None, None, "--executor dask needs --scheduler ADDRESS, such as"),
        ("local", "tcp://a:1", None, None, "--scheduler tcp://a:1 is for --executor dask; leave"),
        ("slurm", "tcp://a:1", 2, None, "--scheduler tcp://a:1 is for --executor dask; leave"),
        ("local", None, 2, 5.0, "--wait 5.0 is for --executor dask; leave"),
        ("sge", None, None, None, "--executor sge needs --jobs N, the number of jobs to submit"),
        ("dask", "nowhere", None, None, "--scheduler nowhere: .*; start one by `dask scheduler`"),
    ],
)
def test_options_that_do_not_fit_are_refused(kind, scheduler, jobs, wait, sentence):
    with (
        pytest.raises(InputError, match=f"^{sentence}"),
        open_executor(kind, scheduler, jobs, wait),
    ):
        pass


def test_the_command_line_refuses_them_too(monkeypatch, capsys):
    ended = make_cli(monkeypatch, capsys)("extract", "d", "e", "--scheduler", "tcp://a:1")
    assert ended[0] == 2
    assert "--scheduler tcp://a:1 is for --executor dask" in "".join(map(str, ended[1:]))


def test_local_is_the_processes_of_this_machine():
    with open_executor("local", None, 3) as executor:
        assert executor is None


@pytest.mark.parametrize(("kind", "sign"), [("slurm", "#SBATCH"), ("sge", "#$")])
def test_a_job_is_what_dasks_configuration_says(kind, sign):
    with dask.config.set({f"jobqueue.{kind}.{key}": one for key, one in SETTINGS.items()}):
        cluster = make_cluster(kind)
        try:
            script = cluster.job_script()
        finally:
            cluster.close()
    settings = [line for line in script.splitlines() if line.startswith(sign)]
    assert script.startswith("#!/usr/bin/env bash\n")
    if kind == "slurm":
        assert {"#SBATCH -p speech", "#SBATCH --cpus-per-task=4", "#SBATCH -t 01:00:00"} <= {
            *settings
        }
    else:
        assert {"#$ -q speech", "#$ -l h_rt=01:00:00"} <= {*settings}
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://" in script


def test_a_cluster_without_settings_is_refused_by_a_sentence():
    with pytest.raises(InputError, match=r"--executor slurm: .*cores.*; set jobqueue\.slurm in"):
        make_cluster("slurm")


FAKE_SBATCH = """#!/bin/sh
cp "$1" {pids}.sh  # it is removed as soon as this ends
bash {pids}.sh > /dev/null 2>&1 &
echo $! >> {pids}
echo "Submitted batch job $!"
"""


@contextmanager
def slurm(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> Iterator[None]:
    """Its commands, as scripts, and Dask's settings for it and for SGE."""
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", dask_places.ENVIRONMENT["PYTHONPATH"])
    settings = SETTINGS | {"cores": 1, "interface": "lo", "log-directory": str(folder)}
    settings |= {"death-timeout": 600}  # a slow machine is no dead scheduler
    with dask.config.set(
        {
            f"jobqueue.{kind}.{key}": one
            for kind in ("slurm", "sge")
            for key, one in settings.items()
        }
    ):
        yield


def run(executor: Executor | None) -> list[Outcome[str]]:
    assert executor is not None
    return [*executor(["a", "b"], dask_places.looking, lambda n: ("w",), None, 0)]


REFUSING_SBATCH = """#!/bin/sh
echo >> {calls}
echo "sbatch: error: Batch job submission failed: Invalid account" >&2
exit 1
"""


def test_refused_jobs_end_the_run_with_what_was_said(tmp_path, monkeypatch, caplog):
    calls = tmp_path / "calls"
    sbatch = REFUSING_SBATCH.format(calls=calls)
    sentence = "^--executor slurm: sbatch refused the job: sbatch: error: .* Invalid account$"
    with slurm(tmp_path, monkeypatch, sbatch=sbatch), open_executor("slurm", None, 2) as executor:
        assert not calls.exists()  # until there is something to do
        with pytest.raises(RunError, match=sentence):
            run(executor)
    assert calls.read_text() == "\n\n"
    assert not [one for one in caplog.records if one.levelname == "ERROR"]  # no traceback


@pytest.mark.slow
def test_slurm_jobs_run_tasks_and_end_with_the_run(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    scancel = f"#!/bin/sh\nkill $1 && echo $1 >> {tmp_path}/cancelled\n"
    sbatch = FAKE_SBATCH.format(pids=pids)
    with slurm(tmp_path, monkeypatch, sbatch=sbatch, scancel=scancel):
        with pytest.raises(InputError, match="there is no qsub here"), open_executor("sge", jobs=1):
            pass
        with open_executor("slurm", None, 1, None, [tmp_path]) as executor:
            ended = run(executor)
    assert sorted((one.task, one.error, one.result[0]) for one in ended) == [
        ("a", None, "w"), ("b", None, "w")
    ]  # fmt: skip
    assert (tmp_path / "cancelled").read_text() == pids.read_text()
