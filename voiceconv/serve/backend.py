"""What the endpoints share: jobs, programs, uploads, live places, counters."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from voiceconv.serve.jobs import ENDED, Job, Jobs
from voiceconv.serve.metrics import Metrics
from voiceconv.serve.places import Places
from voiceconv.serve.settings import Settings
from voiceconv.serve.upload import Uploads
from voiceconv.serve.work import Workers

EXPIRY = 10.0  # seconds between two looks for jobs to delete


class Backend:
    """All parts; `start` before the first request, `close` after the last.

    models: by name, as /api/models has them; the first is the default.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.jobs = Jobs(settings.folder, settings.most_jobs, settings.keep, clock)
        self.uploads = Uploads(settings.most_bytes)
        self.workers = Workers(settings, self.jobs, self.metrics)
        self.places = Places(settings)
        self.models: dict[str, dict[str, Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the programs. Raises InputError, RunError."""
        self.models.update({one["name"]: one for one in await self.workers.start()})
        self._tasks.append(asyncio.create_task(self._expire()))
        if any(one["streams"] for one in self.models.values()):
            self._tasks.append(asyncio.create_task(self.places.prepare()))

    async def close(self) -> None:
        """End the programs; jobs stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.workers.close()
        await self.places.close()

    async def cancel(self, job: Job) -> None:
        """Cancel a job, or forget one that has ended."""
        if job.state not in ENDED:
            self.metrics.jobs["cancelled"] += 1
        await self.jobs.cancel(job)

    def metrics_text(self) -> str:
        """For Prometheus."""
        return self.metrics.text(
            {
                "jobs_queued": self.jobs.count("queued"),
                "jobs_running": self.jobs.count("running"),
                "workers": len(self.workers.pids),
                "live_streams": self.places.taken,
            }
        )

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(min(EXPIRY, self.settings.keep))
            self.jobs.expire()
