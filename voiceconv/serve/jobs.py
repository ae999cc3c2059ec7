"""Conversions as jobs: a folder each, which outlives the server, and a fair queue.

A folder with job.json in it is an acknowledged job; job.json is replaced whole, so it is always in
one state. A folder without one is an upload that was never finished, and goes at the next start.
Every client has a queue of its own, and they take turns.
"""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from voiceconv.files import replace_text

UPLOAD, SOURCE, RESULT, ANALYSIS = "upload", "source.wav", "result.wav", "analysis.json"
STATE = "job.json"
MOST_ATTEMPTS = 2
CANCEL_SECONDS = 5.0  # for a program to notice that its job is cancelled
State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")
GONE = "the server stopped too often while it worked at this; try again"


_log = logging.getLogger(__name__)


class FullError(Exception):
    """The queue is full."""


@dataclass
class Job:
    """A conversion. What is in `kept` is on the disk, too.

    token: the SHA-256 of what its client has. fault: who has to do something about the error.
    likeness: how near the recording is to the speech of the model, where it tells: percentile,
        is_out_of_domain, reason.
    waiting: its client waits in the request itself, so it is worth nothing after a restart.
    """

    id: str
    token: str
    model: str
    target: str
    strength: float | None = None
    semitones: float = 0.0
    state: State = "queued"
    error: str | None = None
    fault: Literal["client", "server"] | None = None
    duration: float | None = None
    likeness: dict[str, Any] | None = None
    created: float = 0.0
    finished: float | None = None
    attempts: int = 0
    client: str = ""
    waiting: bool = False
    progress: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    deadline: asyncio.Timeout | None = None  # of the work at it
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def kept(self) -> dict[str, Any]:
        """What job.json has. Clients' addresses are not written down."""
        passing = ("client", "waiting", "progress", "ended", "deadline", "saving")
        return {name: value for name, value in vars(self).items() if name not in passing}

    @property
    def task(self) -> dict[str, Any]:
        """What a program has to know."""
        chosen = ("model", "target", "strength", "semitones")
        return {name: getattr(self, name) for name in chosen}

    def may(self, token: str) -> bool:
        """Whether this is the job's token; in constant time."""
        return secrets.compare_digest(hashed(token), self.token)


def hashed(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Jobs:
    """All jobs of a folder.

    most: jobs that wait or run at once. keep: seconds that a finished job is kept.
    """

    def __init__(
        self, folder: Path, most: int, keep: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder / "jobs"
        self.most, self.keep, self._clock = most, keep, clock
        self._jobs: dict[str, Job] = {}
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._more = asyncio.Event()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._load()

    def place(self, job: Job) -> Path:
        """The folder of a job."""
        return self.folder / job.id

    def draft(self, client: str, **choice: Any) -> tuple[Job, str]:
        """A new job with an empty folder, and its token. Raises FullError."""
        if self.n_open >= self.most:
            raise FullError
        token = secrets.token_urlsafe(32)
        job = Job(secrets.token_hex(16), hashed(token), client=client, **choice)
        self.place(job).mkdir(mode=0o700)
        return job, token

    async def add(self, job: Job) -> None:
        """Queue a draft with its upload; returns once it is on the disk. Raises FullError."""
        if self.n_open >= self.most:
            raise FullError
        job.created = self._clock()
        self._jobs[job.id] = job
        try:
            if not job.waiting:
                await self._save(job)
                await asyncio.to_thread(_sync_folders, self.place(job), self.folder)
        except BaseException:
            del self._jobs[job.id]
            raise
        if job.state == "queued":  # not cancelled meanwhile
            self._append(job)

    def discard(self, job: Job) -> None:
        """Forget a job, and remove its files."""
        self._jobs.pop(job.id, None)
        place = self.place(job)
        (place / STATE).unlink(missing_ok=True)  # first: what is left is no job
        shutil.rmtree(place, ignore_errors=True)

    def find(self, name: str, token: str) -> Job | None:
        """The job of this id, if the token is its own."""
        job = self._jobs.get(name)
        return job if job is not None and job.may(token) else None

    async def next(self) -> Job:
        """The next job, of the client whose turn it is; waits for one."""
        while not self._queues:
            self._more.clear()
            await self._more.wait()
        client, queue = self._queues.popitem(last=False)
        job = queue.popleft()
        if queue:
            self._queues[client] = queue  # behind the others
        job.state, job.progress = "running", 0.0
        job.attempts += 1
        return job

    async def note(self, job: Job) -> None:
        """Write down how far a job is; on a full disk, it is as far as was written before."""
        try:
            if not job.waiting:
                await self._save(job)
        except OSError as error:
            _log.error("the state of a job cannot be kept: %s", error.strerror)

    def try_again(self, job: Job) -> bool:
        """Queue a job again whose program has died, in front; False where it had its attempts."""
        if job.attempts >= MOST_ATTEMPTS:
            return False
        job.state, job.progress = "queued", 0.0
        self._queues.setdefault(job.client, deque()).appendleft(job)
        self._more.set()
        return True

    async def end(
        self,
        job: Job,
        error: str | None = None,
        fault: Literal["client", "server"] | None = None,
    ) -> None:
        """A job is done, or has failed; of a cancelled one, the files go now."""
        if job.state == "cancelled":
            self.discard(job) if job.waiting else self._remove_files(job)
            return
        if error is not None:
            self._remove_files(job)
        job.finished, job.error, job.fault = self._clock(), error, fault
        job.state = "failed" if error else "done"
        with suppress(FileNotFoundError):
            (self.place(job) / UPLOAD).unlink()
        await self.note(job)
        job.ended.set()

    async def cancel(self, job: Job) -> None:
        """Cancel a job that waits or runs; a finished one is deleted."""
        if job.state in ENDED:
            self.discard(job)
            return
        was = job.state
        job.state, job.finished = "cancelled", self._clock()
        job.ended.set()
        if was == "queued":
            self._take_out(job)
            self._remove_files(job)
        else:
            (self.place(job) / UPLOAD).unlink(missing_ok=True)  # the program notices
            if job.deadline is not None:
                job.deadline.reschedule(asyncio.get_running_loop().time() + CANCEL_SECONDS)
        await self.note(job)

    def expire(self) -> None:
        """Delete what was finished long ago."""
        for job in list(self._jobs.values()):
            if (left := self.expires(job)) is not None and left <= self._clock():
                self.discard(job)

    def expires(self, job: Job) -> float | None:
        """When a job is deleted, in seconds since 1970; None before it has ended."""
        return None if job.finished is None else job.finished + self.keep

    def position(self, job: Job) -> int | None:
        """How many jobs come first, and itself: 1 is the next; None for one that does not wait."""
        if job.state != "queued" or job.client not in self._queues:
            return None
        turn = self._queues[job.client].index(job)  # rounds before its own
        clients = list(self._queues)
        later = clients.index(job.client)
        others = (
            min(len(queue), turn + (number < later))
            for number, queue in enumerate(self._queues.values())
            if number != later
        )
        return turn + sum(others) + 1

    def count(self, state: State) -> int:
        """Jobs in a state."""
        return sum(job.state == state for job in self._jobs.values())

    @property
    def n_open(self) -> int:
        """Jobs that wait or run."""
        return sum(job.state not in ENDED for job in self._jobs.values())

    def _append(self, job: Job) -> None:
        self._queues.setdefault(job.client, deque()).append(job)
        self._more.set()

    def _take_out(self, job: Job) -> None:
        queue = self._queues.get(job.client, deque())
        with suppress(ValueError):
            queue.remove(job)
        if not queue:
            self._queues.pop(job.client, None)

    def _remove_files(self, job: Job) -> None:
        for name in (UPLOAD, SOURCE, RESULT, ANALYSIS):
            (self.place(job) / name).unlink(missing_ok=True)

    async def _save(self, job: Job) -> None:
        async with job.saving:  # in order
            text = json.dumps(job.kept)
            with suppress(FileNotFoundError):  # deleted meanwhile
                await asyncio.to_thread(replace_text, self.place(job) / STATE, text)

    def _load(self) -> None:
        """Queue again what an earlier server had not finished; remove what nobody can ask for."""
        found = []
        for place in self.folder.iterdir():
            try:
                found.append(Job(**json.loads((place / STATE).read_text())))
            except (FileNotFoundError, ValueError, TypeError):
                shutil.rmtree(place, ignore_errors=True)
        for job in sorted(found, key=lambda one: one.created):
            self._jobs[job.id] = job
            if job.state in ENDED:
                job.ended.set()
                continue
            job.state = "queued"
            if job.attempts >= MOST_ATTEMPTS or not (self.place(job) / UPLOAD).exists():
                job.state, job.error, job.fault = "failed", GONE, "server"
                job.finished = self._clock()
                self._remove_files(job)
                replace_text(self.place(job) / STATE, json.dumps(job.kept))
                job.ended.set()
            else:
                self._append(job)


def _sync_folders(*folders: Path) -> None:
    """Sync the names in folders: after a power cut they are there."""
    if os.name == "nt":  # has no such thing
        return
    for folder in folders:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
