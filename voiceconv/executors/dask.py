"""Tasks on the workers of a Dask scheduler, with the contract of `workers.run_tasks`.

The scheduler holds a few tasks for each worker thread, not the whole corpus. Quick tasks go
together, so that a message is worth some seconds of work. When a worker dies, Dask gives its tasks
to others; when the scheduler dies, what was not done is submitted to the next one at its address.
"""

import contextlib
import logging
import os
import pickle
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.comm import CommClosedError

from voiceconv import __version__
from voiceconv.errors import InputError, RunError
from voiceconv.executors.child import Answers, Run, stop, work
from voiceconv.workers import (
    MAX_FAILED_STARTS,
    LogEntry,
    Message,
    Outcome,
    Setup,
    Task,
    describe,
    log_again,
)

log = logging.getLogger(__name__)
_CONNECT = 10.0  # s for one attempt
_WORTH = 5.0  # s of work in a message
_MOST = 64  # tasks in a message
_LOOK = 2.0  # s between looks at the number of workers
_PATIENCE = 15.0  # s without a worker until we say so


class _LostError(Exception):
    """The scheduler is gone, and all that it held."""


@dataclass
class _Work:
    """The tasks that are not submitted, in messages' worth, and how often each was tried."""

    tasks: list[Any]
    retries: int
    todo: deque[int] = field(default_factory=deque)
    tried: dict[int, int] = field(default_factory=dict)
    n_open: int = 0
    n_done: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.todo.extend(range(len(self.tasks)))
        self.n_open = len(self.tasks)

    def take(self, n_threads: int) -> list[int]:
        """Numbers of the next tasks for one message: few seconds of work, and some for everyone."""
        size = 1
        if self.n_done:
            size = int(_WORTH * self.n_done / max(self.seconds, 1e-3))
            size = min(size, _MOST, len(self.todo) // (2 * n_threads))
        numbers = [self.todo.popleft()]
        while (
            self.todo
            and len(numbers) < size
            and self.tried.keys().isdisjoint((numbers[0], self.todo[0]))
        ):  # a task that has failed goes by itself
            numbers.append(self.todo.popleft())
        return numbers

    def fails(self, number: int) -> bool:
        """Count a failed attempt; whether it was the last. If not, the task is to be done again."""
        self.tried[number] = self.tried.get(number, 0) + 1
        if self.tried[number] <= self.retries:
            self.todo.append(number)
            return False
        return True


class DaskExecutor:
    """Runs tasks on a scheduler's workers."""

    def __init__(
        self,
        connect: Callable[[float], Client],
        name: str,
        places: Iterable[Path],
        at_most: int | None = None,
        wait: float = 0.0,
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        """connect: makes a client, in so many seconds. name: of the scheduler, for messages.

        at_most: messages at once. keep: is called every few seconds, from the first task on, to
        have workers started. The others are as `open_executor` has them.
        """
        self._connect, self._name, self._wait = connect, name, wait
        self._places, self._at_most, self._keep = list(places), at_most, keep
        self._said: set[LogEntry] = set()
        self._n_failed_starts = 0  # in a row

    @classmethod
    def at(
        cls, address: str, jobs: int | None, wait: float, places: Iterable[Path]
    ) -> "DaskExecutor":
        """Of a scheduler that is there. Raises InputError where it is not."""

        def connect(timeout: float) -> Client:
            return Client(address, timeout=timeout, set_as_default=False, name="voiceconv")

        made = cls(connect, f"the scheduler at {address}", places, jobs, wait)
        try:
            connect(_CONNECT).close()
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"--scheduler {address}: {describe(error)}; start one by `dask scheduler`, and its "
                f"workers by `dask worker {address}`"
            ) from None
        return made

    @classmethod
    def on(
        cls, cluster: Any, kind: str, keep: Callable[[], None], places: Iterable[Path]
    ) -> "DaskExecutor":
        """Of a cluster of ours, whose scheduler is in this process; keep: has jobs submitted."""

        def connect(timeout: float) -> Client:
            return Client(cluster, timeout=timeout, set_as_default=False, name="voiceconv")

        return cls(connect, f"the scheduler for {kind}", places, keep=keep)

    def __call__(
        self,
        tasks: Iterable[Task],
        setup: Setup,
        arguments: Callable[[int], tuple[Any, ...]],
        jobs: int | None,
        retries: int,
    ) -> Generator[Outcome[Task], None, None]:
        """See `workers.Executor`. jobs: not used, for a cluster has its own."""
        todo = _Work(list(tasks), retries)
        if not todo.tasks:
            return
        run = self._run(setup, arguments(0))
        for name in ("distributed", "distributed.client"):  # we say what has happened
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            client = self._connect(_CONNECT)
        except (OSError, ValueError):
            client = self._connect_again()
        try:
            while todo.n_open:
                try:
                    yield from self._pass(client, run, todo)
                except _LostError:
                    _close(client)
                    client = self._connect_again()
        finally:
            _end(client, run)

    def _run(self, setup: Setup, arguments: tuple[Any, ...]) -> Run:
        """What each worker is told, once."""
        places = [str(place.absolute()) for place in self._places if place.exists()]
        level = logging.getLogger("voiceconv").level
        payload = pickle.dumps((os.getcwd(), places, setup, arguments, level))
        return Run(secrets.token_hex(8), __version__, payload)

    def _pass(self, client: Client, run: Run, left: _Work) -> Iterator[Outcome[Any]]:
        """Yield outcomes until all is done. Raises _LostError; what was not done is then to do."""
        done: SimpleQueue[Future] = SimpleQueue()
        flight: dict[Future, list[int]] = {}
        threads = _Threads(client, self._name, self._keep)
        try:
            while left.n_open:
                n_threads = threads.count()
                room = self._at_most or 2 * n_threads + 2
                while left.todo and len(flight) < room:
                    numbers = left.take(max(n_threads, 1))
                    given = [pickle.dumps(left.tasks[number]) for number in numbers]
                    future = client.submit(
                        work, run, given, key=f"voiceconv-{run.token}-{secrets.token_hex(6)}"
                    )
                    flight[future] = numbers
                    future.add_done_callback(done.put)
                try:
                    future = done.get(timeout=1.0)
                except Empty:
                    continue
                answers = self._answers(future)
                yield from self._ends(flight.pop(future), answers, left)
        finally:
            for numbers in flight.values():
                left.todo.extend(numbers)

    def _answers(self, future: Future) -> Answers | str:
        """What a worker answered, or what became of it. Raises _LostError and RunError."""
        try:
            answers: Answers = future.result()
        except KilledWorker:
            return "the workers that had it died"
        except Exception as error:
            # no worker's: the way to the answer is broken
            if future.status != "error" or isinstance(error, CommClosedError):
                raise _LostError from None
            raise RunError(
                f"workers of {self._name} cannot run voiceconv {__version__}: {describe(error)}"
            ) from None
        if answers.fatal is not None:
            raise RunError(f"{answers.host}: {answers.fatal}")
        self._n_failed_starts = self._n_failed_starts + 1 if answers.not_started else 0
        if self._n_failed_starts == MAX_FAILED_STARTS:
            raise RunError(f"processes don't start on {answers.host}: {answers.not_started}")
        return answers

    def _ends(
        self, numbers: list[int], answers: Answers | str, left: _Work
    ) -> Iterator[Outcome[Any]]:
        """Yield the outcomes of a message's tasks, but for those that are tried again."""
        if isinstance(answers, str):
            if len(numbers) > 1:  # one of them is to blame: each is tried by itself
                left.tried |= {number: left.tried.get(number, 0) or 1 for number in numbers}
                left.todo.extend(numbers)
                return
            messages = [Message(answers)]
        else:
            self._log_again(answers.started)
            messages = [pickle.loads(end) for end in answers.ends]
            left.n_done += len(messages)
            left.seconds += answers.seconds
            left.todo.extend(numbers[len(messages) :])
            numbers = numbers[: len(messages)]
        for number, message in zip(numbers, messages, strict=True):
            self._log(message)
            if message.is_fatal:
                host = f"{answers.host}: " if isinstance(answers, Answers) else ""
                raise RunError(f"{host}{message.error}")
            if message.error is None or left.fails(number):
                left.n_open -= 1
                yield Outcome(left.tasks[number], 0, message.error, message.result)

    def _log_again(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            self._log(pickle.loads(message))

    def _log(self, message: Message) -> None:
        """Log here, once, what a worker has logged."""
        log_again(one for one in message.logged if one not in self._said)
        self._said.update(message.logged)

    def _connect_again(self) -> Client:
        """A client of the scheduler that takes the place of a lost one. Raises RunError."""
        log.warning("%s is lost; waiting %g s for it", self._name, self._wait)
        deadline = time.monotonic() + self._wait
        while (remaining := deadline - time.monotonic()) > 0:
            start = time.monotonic()
            try:
                return self._connect(min(remaining, _CONNECT))
            except (OSError, ValueError):
                time.sleep(max(0.0, 1 - (time.monotonic() - start)))
        raise RunError(
            f"{self._name} was lost and did not come back in {self._wait:g} s; what is done is "
            "kept, and the same command continues"
        )


class _Threads:
    """Counts the threads of a scheduler's workers; says when there are none."""

    def __init__(self, client: Client, name: str, keep: Callable[[], None]) -> None:
        self._client, self._name, self._keep = client, name, keep
        self._n, self._said = 0, False
        self._had = time.monotonic()
        self._looked = self._had - _LOOK

    def count(self) -> int:
        """The number of a moment ago. Raises _LostError, and what `keep` raises."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return self._n
        if self._client.status != "running":
            raise _LostError
        try:
            self._n = sum(self._client.nthreads().values())
        except Exception:
            raise _LostError from None
        self._looked = now
        self._keep()
        if self._n:
            self._had, self._said = now, False
        elif now - self._had > _PATIENCE and not self._said:
            self._said = True
            log.warning("%s has no workers; waiting for some", self._name)
        return self._n


def _end(client: Client, run: Run) -> None:
    """End the run's processes on the workers; those that don't hear it end by themselves."""
    if client.status == "running":
        with contextlib.suppress(Exception):
            client.run(stop, run.token, on_error="ignore")
    _close(client)


def _close(client: Client) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=2)
