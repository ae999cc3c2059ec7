"""Tasks in parallel processes that survive exceptions and killed workers.

A worker is given one task at a time over its own pipe, so when it dies it is known which task it
had: that one is tried again, by a new worker. (A process pool loses the whole run when one dies.)
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Generic, NamedTuple, TypeVar

from voiceconv.errors import InputError, RunError

Task = TypeVar("Task")

# Called in the worker with its number and arguments; gives what handles one task after another.
Setup = Callable[..., AbstractContextManager[Callable[[Any], Any]]]

_MAX_FAILED_STARTS = 3


class Outcome(NamedTuple, Generic[Task]):
    """The end of a task: the worker that had it last, why it failed for good, what it gave."""

    task: Task
    worker: int
    error: str | None
    result: Any = None


class GiveUp(Exception):  # noqa: N818
    """Raised by a handler when no further task can succeed: the run ends with a RunError."""


class _Message(NamedTuple):
    """What a worker says: after its setup, after each task, and when it can't go on."""

    error: str | None = None
    is_ready: bool = False
    is_fatal: bool = False
    result: Any = None


@dataclass
class _Worker(Generic[Task]):
    number: int
    process: SpawnProcess
    connection: Connection
    is_ready: bool = False
    task: tuple[Task, int] | None = None  # with the attempts that went before


def run_tasks(
    tasks: Iterable[Task],
    setup: Setup,
    arguments: Callable[[int], tuple[Any, ...]],
    jobs: int,
    retries: int,
) -> Generator[Outcome[Task], None, None]:
    """Yield each task's outcome as it comes; close the iterator to stop the workers early.

    setup: a module's function, run as `setup(number, *arguments(number))` whenever worker `number`
    starts. A task is tried `retries` times more before it fails.
    """
    context = multiprocessing.get_context("spawn")  # forking a process that has threads hangs
    queue = deque((task, 0) for task in tasks)
    n_open, n_failed_starts = len(queue), 0
    workers: dict[Connection, _Worker[Task]] = {}

    def start(number: int) -> None:
        worker: _Worker[Task] = _start(context, number, setup, arguments(number))
        workers[worker.connection] = worker

    try:
        for number in range(min(jobs, n_open)):
            start(number)
        while n_open:
            for connection in wait(list(workers)):
                worker = workers[connection]  # type: ignore[index]
                message, result = _receive(worker), None
                if message is None:
                    error: str | None = _died(worker)
                    n_failed_starts += not worker.is_ready
                    if n_failed_starts > _MAX_FAILED_STARTS:
                        raise RunError(f"workers don't start: {error}; try fewer jobs")
                    del workers[worker.connection]
                    start(worker.number)
                elif message.is_fatal:
                    raise RunError(message.error)
                elif message.is_ready:
                    worker.is_ready = True
                    continue
                else:
                    error, result = message.error, message.result
                if worker.task is None:
                    continue
                (task, n_before), worker.task = worker.task, None
                if error is not None and n_before < retries:
                    queue.append((task, n_before + 1))
                else:
                    n_open -= 1
                    yield Outcome(task, worker.number, error, result)
            for worker in workers.values():
                if queue and worker.is_ready and worker.task is None:
                    worker.task = queue.popleft()
                    _send(worker, worker.task[0])
        for worker in workers.values():
            _send(worker, None)
            worker.process.join()
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.join()
            worker.connection.close()


def describe(error: BaseException) -> str:
    """Return an exception as one sentence on one line."""
    text = " ".join(str(error).split())
    ours = isinstance(error, InputError | RunError | GiveUp)
    return text if ours else f"{type(error).__name__}: {text}"


def _start(
    context: SpawnContext, number: int, setup: Setup, arguments: tuple[Any, ...]
) -> _Worker[Any]:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, setup, number, arguments), daemon=True)
    # Ctrl-C waits until the worker has been told what to do, and never reaches the worker itself,
    # which inherits the mask: it goes to all processes of a terminal.
    resource_tracker.ensure_running()  # its first start would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()  # the worker has the only other end now: when it dies, ours says so
    return _Worker(number, process, ours)


def _serve(connection: Connection, setup: Setup, number: int, arguments: tuple[Any, ...]) -> None:
    """Handle tasks until None comes or the master is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the master decides what becomes of it
    try:
        with setup(number, *arguments) as handle:
            connection.send(_Message(is_ready=True))
            while (task := connection.recv()) is not None:
                try:
                    message = _Message(result=handle(task))
                except GiveUp:
                    raise
                except Exception as raised:
                    message = _Message(describe(raised))
                connection.send(message)
    except (EOFError, ConnectionError):
        return
    except Exception as raised:
        connection.send(_Message(describe(raised), is_fatal=True))


def _receive(worker: _Worker[Task]) -> _Message | None:
    """Return what a worker says; None when it has died."""
    try:
        message: _Message = worker.connection.recv()
    except (EOFError, ConnectionError):
        return None
    return message


def _send(worker: _Worker[Task], task: Task | None) -> None:
    try:
        worker.connection.send(task)
    except ConnectionError:
        return  # it has just died; its connection says so next


def _died(worker: _Worker[Task]) -> str:
    worker.process.join()
    worker.connection.close()
    code = worker.process.exitcode or 0
    if code < 0:
        return f"the worker process was killed by signal {-code}"
    return f"the worker process ended with exit code {code}"
