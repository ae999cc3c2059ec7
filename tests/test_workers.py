"""Processes that work: what they are told, what they hold, how they end."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from voiceconv.errors import RunError
from voiceconv.workers import GiveUp, run_tasks


@contextmanager
def looking(number: int, word: str) -> Iterator[Callable[[str], tuple[object, ...]]]:
    """In a worker: (worker, argument, task, an environment variable, cwd, sys.path)."""

    def handle(task: str) -> tuple[object, ...]:
        if task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "hang up":
            os.kill(os.getpid(), signal.SIGHUP)
        if task == "raise":
            raise ValueError("two\nlines")
        if task == "warn":
            logging.getLogger("voiceconv.audio").warning("a.wav is %s", "odd")
            logging.getLogger("voiceconv.audio").info("unheard")
        if task == "give up":
            raise GiveUp("the disk is full")
        return number, word, task, os.environ.get("WORD"), os.getcwd(), sys.path

    yield handle


def look(tasks: list[str], jobs: int = 1, retries: int = 0) -> dict[str, tuple[object, ...]]:
    """Task -> (error, what was seen)."""
    outcomes = run_tasks(tasks, looking, lambda number: (f"for {number}",), jobs, retries)
    return {outcome.task: (outcome.error, outcome.result) for outcome in outcomes}


def test_a_worker_has_the_callers_environment_folder_and_modules(tmp_path, monkeypatch):
    """Those of the moment, though the server that forks it has been there for long."""
    look(["first"])
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "PYTHONSAFEPATH")}
    for word in ("one", "two"):
        monkeypatch.setenv("WORD", word)
        (tmp_path / word).mkdir()
        monkeypatch.chdir(tmp_path / word)
        monkeypatch.syspath_prepend(tmp_path / word)
        error, seen = look(["task"])["task"]
        assert error is None
        assert seen == (0, "for 0", "task", word, str(tmp_path / word), sys.path)
    monkeypatch.delenv("WORD")
    assert look(["task"])["task"][1][3] is None
    assert before == {name: os.environ.get(name) for name in before}


def test_each_task_has_its_end(capfd):
    found = look(["a", "kill", "raise", "hang up", "b"], jobs=2, retries=1)
    assert found["hang up"][1][2] == "hang up"  # the master decides what ends a worker
    assert found["kill"] == ("the worker process was killed by signal 9", None)
    assert found["raise"] == ("ValueError: two lines", None)
    assert {found[task][1][2] for task in "ab"} == {"a", "b"}
    with pytest.raises(RunError, match="^the disk is full$"):
        look(["give up", "a"])
    assert capfd.readouterr() == ("", "")


def test_what_workers_log_is_logged_once_by_the_caller(caplog, capfd):
    look(["warn", "a", "warn", "warn"], jobs=2)
    assert caplog.record_tuples == [("voiceconv.audio", logging.WARNING, "a.wav is odd")]
    assert capfd.readouterr() == ("", "")


MASTER = """
import os
from voiceconv.workers import run_tasks
import test_workers
if __name__ == "__main__":
    for outcome in run_tasks(["a", "b"], test_workers.looking, lambda n: ("",), 2, 0):
        print(outcome.error, flush=True)
        {end}
"""


def run(script: Path, temporary: Path | str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(temporary)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os.kill(os.getpid(), 9)", -9),
        ("os.kill(os.getpid(), 15)", -15),
        ("raise KeyboardInterrupt", -2),
        ("os._exit(3)", 3),
        ("pass", 0),
    ],
)
def test_nothing_outlives_the_caller_nor_holds_its_output(tmp_path, end, code):
    """Its output is read until the last process that has it is gone; a user's copy.py lies by."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "master.py"
    script.write_text(MASTER.format(end=end))
    (tmp_path / "copy.py").write_text("raise SystemExit('the wrong copy')")
    with TemporaryDirectory() as folder:  # one that is killed leaves its socket there
        ended = run(script, folder, tmp_path)
    assert ended.returncode == code
    assert ended.stdout.splitlines() == ["None"] * (2 if code == 0 else 1)
    assert "copy" not in ended.stderr


def test_where_there_is_no_room_for_a_server_workers_are_spawned(tmp_path):
    """A socket's name has 107 characters at most, and it lies in the temporary folder."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (tmp_path / "master.py").write_text(MASTER.format(end="pass"))
    ended = run(tmp_path / "master.py", folder, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "None\nNone\n", "")
