"""The programs that convert, and what each does next."""

import asyncio
import logging
import time

from voiceconv.errors import RunError
from voiceconv.serve.child import Child, ChildDiedError
from voiceconv.serve.jobs import Job, Jobs
from voiceconv.serve.metrics import Metrics
from voiceconv.serve.settings import Settings
from voiceconv.serve.wire import Message

LONGEST_PAUSE = 60.0  # seconds between two starts of a program that does not start
DIED = "the conversion ended unexpectedly, as of a file that needs too much memory; try another"
_log = logging.getLogger(__name__)


class Workers:
    """Programs that take jobs from the queue, one each; one that dies is replaced."""

    def __init__(self, settings: Settings, jobs: Jobs, metrics: Metrics) -> None:
        self.settings, self.jobs, self.metrics = settings, jobs, metrics
        self._tasks: list[asyncio.Task[None]] = []
        self._children: set[Child] = set()

    async def start(self) -> list[Message]:
        """Start the first program, then the others beside it; return what it says of the models.

        Raises InputError for models that it cannot open, RunError if it does not start.
        """
        try:
            first = await self._start()
        except ChildDiedError as error:
            raise RunError(f"the program that converts does not start: {error}") from None
        starting = [first, *[None] * (self.settings.n_workers - 1)]
        self._tasks = [asyncio.create_task(self._serve(child)) for child in starting]
        models: list[Message] = first.about["models"]
        return models

    async def close(self) -> None:
        """End them all; what they had begun is queued at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in list(self._children):
            await child.end()

    @property
    def pids(self) -> list[int]:
        """Of the programs."""
        return [child.pid for child in self._children]

    async def _start(self) -> Child:
        child = await Child.start(self.settings.converting, self.settings.for_programs)
        self._children.add(child)
        return child

    async def _serve(self, child: Child | None) -> None:
        pause = 1.0
        while True:
            if child is None:
                try:
                    child, pause = await self._start(), 1.0
                except Exception as error:
                    _log.error("a program that converts does not start: %s", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
            job = await self.jobs.next()
            try:
                await self._do(child, job)
            except Exception as error:  # it has died, or says what nobody understands
                await child.end()
                self._children.discard(child)
                child = None
                await self._lost(job, str(error))

    async def _do(self, child: Child, job: Job) -> None:
        """One attempt at a job. Raises ChildDiedError."""
        began = time.monotonic()
        await self.jobs.note(job)  # a job that ends the whole server does so only twice
        try:
            async with asyncio.timeout(self.settings.most_work) as job.deadline:
                await child.send({"folder": str(self.jobs.place(job).resolve()), **job.task})
                while True:
                    message, _ = await child.receive()
                    job.progress = message.get("progress", job.progress)
                    job.duration = message.get("duration", job.duration)
                    job.likeness = message.get("likeness", job.likeness)
                    if "done" in message or "error" in message:
                        break
        except TimeoutError:
            job.deadline = None  # nobody moves it now
            await child.end()
            if job.state != "cancelled":
                await self._end(job, "the conversion took too long; send a shorter file", "server")
            raise ChildDiedError("it took too long") from None
        finally:
            job.deadline = None
        if "done" in message:
            self.metrics.conversion.add(time.monotonic() - began)
        await self._end(job, message.get("error"), message.get("fault"))

    async def _lost(self, job: Job, how: str) -> None:
        """The program has died: the job is tried again, once."""
        if job.state == "failed":  # it took too long
            return
        if job.state == "cancelled":
            await self._end(job, None, None)
            return
        self.metrics.workers_died += 1
        _log.warning("a conversion is lost: %s", how)
        if not self.jobs.try_again(job):
            await self._end(job, DIED, "server")

    async def _end(self, job: Job, error: str | None, fault: str | None) -> None:
        if job.state != "cancelled":  # counted where it was
            self.metrics.jobs["failed" if error else "done"] += 1
        await self.jobs.end(job, error, fault)  # type: ignore[arg-type]
