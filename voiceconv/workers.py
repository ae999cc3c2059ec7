"""Tasks in parallel processes that survive exceptions and killed workers.

Each worker gets one task at a time over its own pipe. If a worker dies, its task is known and a new
worker tries it again. (A process pool loses the whole run if one worker dies.)

On Linux, workers are forked from a server process that has imported torch once. Elsewhere each
worker imports it, which takes seconds. The calling process cannot be forked: it has threads, and
the fork would hang. The server ends after the caller and all workers.

What workers log, the caller logs: it has the terminal.
"""

import logging
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from numbers import Real
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from voiceconv.errors import InputError, RunError

Task = TypeVar("Task")

# Called in the worker with its number and arguments; gives the function that handles a task.
Setup = Callable[..., AbstractContextManager[Callable[[Any], Any]]]
LogEntry = tuple[str, int, str, tuple[str | Real, ...]]  # logger, level, message, its values
Logged = list[LogEntry]

MAX_FAILED_STARTS = 3


class Outcome(NamedTuple, Generic[Task]):
    """The outcome of a task: its last worker, the error of its last attempt, its result."""

    task: Task
    worker: int
    error: str | None
    result: Any = None


class GiveUp(Exception):  # noqa: N818
    """Raised by a handler when no further task can succeed: the run ends with a RunError."""


class Executor(Protocol):
    """What runs tasks: `run_tasks`, or a cluster with the same contract (`voiceconv.executors`)."""

    def __call__(
        self,
        tasks: Iterable[Task],
        setup: Setup,
        arguments: Callable[[int], tuple[Any, ...]],
        jobs: int | None,
        retries: int,
    ) -> Generator[Outcome[Task], None, None]:
        """See `run_tasks`. A cluster has one setup for all: `setup(0, *arguments(0))`."""


class Kept(logging.Handler):
    """Keeps what is logged until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: Logged = []

    def emit(self, record: logging.LogRecord) -> None:
        """See Handler."""
        values = record.args if isinstance(record.args, tuple) else ()
        message = str(record.msg) if values else record.getMessage()
        plain = tuple(one if isinstance(one, Real) else str(one) for one in values)
        self._logged.append((record.name, record.levelno, message, plain))

    def take(self) -> Logged:
        """What was logged since the last time."""
        logged, self._logged = self._logged, []
        return logged


class Message(NamedTuple):
    """A worker's message: after its setup, after each task, and if it can't continue."""

    error: str | None = None
    is_ready: bool = False
    is_fatal: bool = False
    result: Any = None
    logged: Logged = []


@dataclass
class _Worker(Generic[Task]):
    number: int
    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    task: tuple[Task, int] | None = None  # with the number of earlier attempts


def run_tasks(
    tasks: Iterable[Task],
    setup: Setup,
    arguments: Callable[[int], tuple[Any, ...]],
    jobs: int | None,
    retries: int,
) -> Generator[Outcome[Task], None, None]:
    """Yield the outcome of each task when it is done; close the iterator to stop the workers early.

    setup: a function of a module; worker `number` calls `setup(number, *arguments(number))` when it
    starts. jobs: processes; None: one per core. A task is tried `retries` more times before it
    fails. What several workers log is logged once.
    """
    context = _context(setup)
    said: set[LogEntry] = set()
    queue = deque((task, 0) for task in tasks)
    n_open, n_failed_starts = len(queue), 0
    workers: dict[Connection, _Worker[Task]] = {}

    def start(number: int) -> None:
        worker: _Worker[Task] = _start(context, number, setup, arguments(number))
        workers[worker.connection] = worker

    try:
        for number in range(min(jobs or n_cores(), n_open)):
            start(number)
        while n_open:
            for connection in wait(list(workers)):
                worker = workers[connection]  # type: ignore[index]
                message, result = _receive(worker), None
                logged = message.logged if message else []
                log_again(one for one in logged if one not in said)
                said.update(logged)
                if message is None:
                    error: str | None = _died(worker)
                    n_failed_starts += not worker.is_ready
                    if n_failed_starts > MAX_FAILED_STARTS:
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


def n_cores() -> int:
    """Cores that this process may use; in a job of a batch system, fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def log_again(logged: Iterable[LogEntry]) -> None:
    """Log here what was logged elsewhere."""
    for name, level, message, values in logged:
        logging.getLogger(name).log(level, message, *values)


def describe(error: BaseException) -> str:
    """Return an exception as one sentence on one line."""
    text = " ".join(str(error).split())
    ours = isinstance(error, InputError | RunError | GiveUp)
    return text if ours else f"{type(error).__name__}: {text}"


def _context(setup: Setup) -> Any:
    """What starts processes: a server that has imported what `setup` needs, or spawning."""
    preloaded = [setup.__module__] if setup.__module__ != "__main__" else []
    if sys.platform == "linux":  # elsewhere a system library's threads may not be forked
        try:
            with _our_module_path(), _no_interrupts():
                forkserver.set_forkserver_preload(preloaded)  # heeded at its first start
                forkserver.ensure_running()
            return multiprocessing.get_context("forkserver")
        except OSError:
            pass  # its socket lies in a temporary folder, which may be full, or too long a name
    return multiprocessing.get_context("spawn")


@contextmanager
def _our_module_path() -> Iterator[None]:
    """A server imports before it is told our sys.path; so its environment tells it.

    Without the working directory, which would come first: a user's own copy.py may lie there.
    """
    ours = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C waits, and never reaches a process that is started meanwhile: it inherits the mask.

    (It goes to all processes of a terminal.) Windows has no masks.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its first start would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start(context: Any, number: int, setup: Setup, arguments: tuple[Any, ...]) -> _Worker[Any]:
    ours, theirs = context.Pipe()
    level = logging.getLogger("voiceconv").level
    given = (theirs, setup, number, arguments, dict(os.environ), level)
    process = context.Process(target=_serve, args=given, daemon=True)
    with _no_interrupts():  # until the worker has been told what to do
        process.start()
    theirs.close()  # only the worker has the other end now: if it dies, our end reports it
    return _Worker(number, process, ours)


def _serve(
    connection: Connection,
    setup: Setup,
    number: int,
    arguments: tuple[Any, ...],
    environment: Mapping[str, str],
    level: int,
) -> None:
    """Handle tasks in the environment of the master."""
    os.environ.clear()  # the server's is that of its start
    os.environ.update(environment)
    serve(connection, setup, number, arguments, level)


def serve(
    connection: Connection,
    setup: Setup,
    number: int,
    arguments: tuple[Any, ...],
    level: int,
    patience: float | None = None,
) -> None:
    """Handle tasks until None arrives, the master has ended, or none comes for `patience` seconds.

    level: of what is logged.
    """
    for name in ("SIGINT", "SIGHUP"):  # the terminal's, to all its processes: the master decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    logging.getLogger("voiceconv").setLevel(level)
    logging.getLogger().handlers = [kept := Kept()]
    try:
        with setup(number, *arguments) as handle:
            connection.send(Message(is_ready=True, logged=kept.take()))
            while connection.poll(patience) and (task := connection.recv()) is not None:
                try:
                    message = Message(result=handle(task))
                except GiveUp:
                    raise
                except Exception as raised:
                    message = Message(describe(raised))
                connection.send(message._replace(logged=kept.take()))
    except (EOFError, ConnectionError):
        return
    except Exception as raised:
        connection.send(Message(describe(raised), is_fatal=True))


def _receive(worker: _Worker[Task]) -> Message | None:
    """Return a worker's message; None if it has died."""
    try:
        message: Message = worker.connection.recv()
    except (EOFError, ConnectionError):
        return None
    return message


def _send(worker: _Worker[Task], task: Task | None) -> None:
    try:
        worker.connection.send(task)
    except ConnectionError:
        return  # it has just died; its connection reports it next


def _died(worker: _Worker[Task]) -> str:
    worker.process.join()
    worker.connection.close()
    return how_it_ended(worker.process.exitcode or 0)


def how_it_ended(code: int) -> str:
    """A sentence about a worker that ended before its task did; code: as `Popen.returncode`."""
    if code < 0:
        return f"the worker process was killed by signal {-code}"
    return f"the worker process ended with exit code {code}"
