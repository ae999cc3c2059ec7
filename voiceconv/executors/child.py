"""On a Dask worker: a process of each run, which does what a local worker process does.

A worker has one for each of its threads and run, so runs on one scheduler don't meet, a task that
kills its process leaves the worker alive, and the worker answers its scheduler whatever a task
does. The process keeps the run's context (a model, say) and ends with the run, with the worker, or
after a while without tasks. Imports nothing heavy: the worker need not have torch in it.
"""

import atexit
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from voiceconv import __version__
from voiceconv.errors import InputError
from voiceconv.workers import Message, Setup, describe, how_it_ended, serve

_PATIENCE = 120.0  # s that a process waits for a task


class Run(NamedTuple):
    """What all tasks of a run share. payload: pickled, for the process only."""

    token: str
    version: str
    payload: bytes  # folder, places, setup, arguments, level of logging


class Answers(NamedTuple):
    """What became of some tasks: a pickled message of each process that started, and of each task.

    fatal: why the run can't go on. seconds: of the tasks, without the starts.
    """

    host: str
    started: list[bytes]
    ends: list[bytes]
    fatal: str | None
    seconds: float


class _Child:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self.connection = Connection(ours.detach())

    def do(self, given: bytes) -> bytes:
        """Its message of the payload or a task. Raises EOFError or ConnectionError if it died."""
        self.connection.send_bytes(given)
        return self.connection.recv_bytes()

    def end(self) -> int:
        """Stop it if it still runs; its exit code."""
        self.connection.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait()


_MAIN = "from voiceconv.executors.child import main; main()"
_lock = threading.Lock()
_idle: defaultdict[str, list[_Child]] = defaultdict(list)  # by run
_busy: defaultdict[str, list[_Child]] = defaultdict(list)
_stopped: set[str] = set()


def work(run: Run, tasks: list[bytes]) -> Answers:
    """Do tasks, one after another, in a process of the run."""
    answers = Answers(socket.gethostname(), [], [], None, 0.0)
    if run.version != __version__:
        return answers._replace(
            fatal=f"it has voiceconv {__version__}, and this is {run.version}; install this there"
        )
    seconds = 0.0
    child: _Child | None = None
    for task in tasks:
        if run.token in _stopped:
            return answers._replace(fatal="the run is over")
        child = child or _take(run)
        try:
            if child is None:
                child = _start(run)
                answers.started.append(child.do(run.payload))
            start = time.monotonic()
            if (first := _fatal(answers.started[-1:])) is not None:
                _drop(run, child)
                return answers._replace(fatal=first)
            answers.ends.append(child.do(task))
            seconds += time.monotonic() - start
        except (EOFError, ConnectionError):
            assert child is not None
            answers.ends.append(pickle.dumps(Message(_drop(run, child))))
            child = None
    if child is not None:
        _put_back(run, child)
    return answers._replace(seconds=seconds)


def _fatal(messages: list[bytes]) -> str | None:
    """Why a process that has started cannot serve."""
    message = pickle.loads(messages[0]) if messages else Message()
    return message.error if message.is_fatal else None


def stop(token: str) -> None:
    """End the processes of a run, which is over."""
    with _lock:
        _stopped.add(token)
        children = [*_idle.pop(token, ()), *_busy.get(token, ())]
    for child in children:
        child.process.terminate()


def _take(run: Run) -> _Child | None:
    """An idle process of the run that is alive."""
    with _lock:
        while _idle[run.token]:
            child = _idle[run.token].pop()
            if child.process.poll() is None:
                _busy[run.token].append(child)
                return child
            child.end()
    return None


def _start(run: Run) -> _Child:
    child = _Child()
    with _lock:
        _busy[run.token].append(child)
    return child


def _drop(run: Run, child: _Child) -> str:
    """Take leave of a process that has died; a sentence about it."""
    with _lock:
        _busy[run.token].remove(child)
    child.connection.close()
    return how_it_ended(child.process.wait())


def _put_back(run: Run, child: _Child) -> None:
    with _lock:
        _busy[run.token].remove(child)
        if run.token not in _stopped:
            _idle[run.token].append(child)
            return
    child.end()


@atexit.register
def _end_all() -> None:
    for token in {*_idle, *_busy}:
        stop(token)


def main() -> None:
    """The process: read what the run is, then serve its tasks."""
    connection = Connection(int(sys.argv[1]))
    try:
        setup, arguments, level = _read_run(connection)
    except Exception as error:
        connection.send(Message(describe(error), is_fatal=True))
        return
    serve(connection, setup, 0, arguments, level, _PATIENCE)


def _read_run(connection: Connection) -> tuple[Setup, tuple[Any, ...], int]:
    """What the payload says, when it is sure that this machine has the caller's folders."""
    folder, places, setup, arguments, level = connection.recv()
    for place in (folder, *places):
        if not os.access(place, os.R_OK):
            raise InputError(f"it cannot read {place}; all machines need one shared file system")
    os.chdir(folder)
    return setup, arguments, level
