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
from collections import defaultdict, deque
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

    fatal: why the run can't go on. not_started: how a process ended at its start; the tasks without
    a message are then to be done again. seconds: of the tasks, without the starts.
    """

    host: str
    started: list[bytes]
    ends: list[bytes]
    fatal: str | None = None
    not_started: str | None = None
    seconds: float = 0.0


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
    answers = Answers(socket.gethostname(), [], [])
    if run.version != __version__:
        return answers._replace(
            fatal=f"it has voiceconv {__version__}, and this is {run.version}; install this there"
        )
    seconds = 0.0
    todo = deque(tasks)
    child = _take(run)
    was_idle = child is not None
    while todo:
        if child is None:
            try:
                child = _start(run)
            except OSError as error:  # no memory, or no process more
                return answers._replace(not_started=describe(error), seconds=seconds)
            if child is None:
                return answers._replace(fatal="the run is over")
            try:
                answers.started.append(child.do(run.payload))
            except (EOFError, ConnectionError):
                how = how_it_ended(_drop(run, child))
                return answers._replace(not_started=how, seconds=seconds)
            if (why := _fatal(answers.started[-1])) is not None:
                _drop(run, child)
                return answers._replace(fatal=why)
        start = time.monotonic()
        try:
            answers.ends.append(child.do(todo[0]))
            seconds += time.monotonic() - start
            todo.popleft()
        except (EOFError, ConnectionError):
            code, child = _drop(run, child), None
            if code or not was_idle:  # else its patience was over before it saw the task
                answers.ends.append(pickle.dumps(Message(how_it_ended(code))))
                todo.popleft()
        was_idle = False
    if child is not None:
        _put_back(run, child)
    return answers._replace(seconds=seconds)


def _fatal(started: bytes) -> str | None:
    """Why a process that has started cannot serve."""
    message: Message = pickle.loads(started)
    return message.error if message.is_fatal else None


def stop(token: str) -> None:
    """End the processes of a run, which is over."""
    with _lock:
        _stopped.add(token)
        idle = _idle.pop(token, [])
        for child in (*idle, *_busy.get(token, ())):  # who uses a busy one takes leave of it
            child.process.terminate()
    for child in idle:
        child.end()


def _take(run: Run) -> _Child | None:
    """An idle process of the run that is alive. Takes leave of those whose patience is over."""
    with _lock:
        for token, children in _idle.items():
            for child in children:
                if child.process.poll() is not None:
                    child.end()
            _idle[token] = [child for child in children if child.process.returncode is None]
        if not _idle[run.token]:
            return None
        child = _idle[run.token].pop()
        _busy[run.token].append(child)
        return child


def _start(run: Run) -> _Child | None:
    """A new process; None if the run is over."""
    with _lock:
        if run.token in _stopped:
            return None
        child = _Child()
        _busy[run.token].append(child)
    return child


def _drop(run: Run, child: _Child) -> int:
    """Take leave of a process that has died, or will not serve; its exit code."""
    with _lock:
        _busy[run.token].remove(child)
    child.connection.close()
    return child.process.wait()


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
