"""A Dask scheduler and its workers as processes of this machine, and tasks of many kinds."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceconv.workers import GiveUp

ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
}


class Place:
    """A scheduler on a port of its own, and workers of one thread."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.scheduler: subprocess.Popen[bytes]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.port = "0"
        self.start()

    def start(self) -> None:
        """Start a scheduler: on any port, then on the same again."""
        self.file.unlink(missing_ok=True)
        self.scheduler = _dask("scheduler", "--port", self.port, "--scheduler-file", self.file)
        while not self.file.exists() or not self.file.stat().st_size:
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        time.sleep(0.1)

    @property
    def address(self) -> str:
        """tcp://127.0.0.1:PORT"""
        address: str = json.loads(self.file.read_text())["address"]
        self.port = address.rpartition(":")[2]
        return address

    def add_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """A worker without a nanny."""
        folder = str(self.file.parent)
        worker = _dask("worker", self.address, "--nthreads", "1", "--no-nanny",
                       "--local-directory", folder, *options)  # fmt: skip
        self.workers.append(worker)
        return worker

    def end(self) -> None:
        """End all that was started."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def _dask(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_" + str(words[0])]
    return subprocess.Popen(
        [*command, *map(str, words[1:]), "--host", "127.0.0.1", "--no-dashboard"],
        env=ENVIRONMENT, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def looking(number: int, word: str) -> Iterator[Callable[[str], object]]:
    """On a worker: give what handles a task by its first word."""
    made = os.getpid()

    def handle(task: str) -> object:
        kind, _, rest = task.partition(" ")
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "kill-worker":  # once
            try:
                Path(rest).touch(exist_ok=False)
                os.kill(os.getppid(), signal.SIGKILL)
            except FileExistsError:
                return "done again"
        if kind == "exit":
            os._exit(0)
        if kind == "sleep":
            time.sleep(float(rest))
        if kind == "raise":
            raise ValueError("two\nlines")
        if kind == "warn":
            logging.getLogger("voiceconv.audio").warning("a.wav is %s", "odd")
        if kind == "give-up":
            raise GiveUp("the disk is full")
        return word, task, os.getcwd(), made

    yield handle


@contextmanager
def failing(number: int) -> Iterator[Callable[[str], object]]:
    """A set-up that fails."""
    raise ValueError("no model")
    yield


@contextmanager
def dying(number: int) -> Iterator[Callable[[str], object]]:
    """A set-up that ends its process."""
    os.abort()
    yield


@contextmanager
def dying_twice(number: int, folder: str) -> Iterator[Callable[[str], object]]:
    """A set-up that ends its process the first two times."""
    for name in ("first", "second"):
        with contextlib.suppress(FileExistsError):
            (Path(folder) / name).touch(exist_ok=False)
            os.abort()
    yield str
