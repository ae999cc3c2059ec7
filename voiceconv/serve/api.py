"""The endpoints below /api, but for the live one, and /metrics."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.types import Message as Event

from voiceconv.serve.backend import Backend
from voiceconv.serve.docs import docs_page
from voiceconv.serve.jobs import ANALYSIS, RESULT, SOURCE, FullError, Job
from voiceconv.serve.upload import UploadError
from voiceconv.web.guards import network, refuse

RETRY = {"Retry-After": "10"}  # seconds
UPLOADS = frozenset(["/api/jobs", "/api/convert"])  # these limit their bodies themselves
BODY = {
    "requestBody": {
        "description": "The bytes of a sound file.",
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
WAV: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/wav": {}}}}

Authorization = Annotated[str, Header(description="Bearer TOKEN")]
Id = Annotated[str, InPath(alias="id", max_length=64)]


@dataclass
class Asked:
    """What a client asks for beside its file."""

    target: Annotated[str, Query(max_length=200)]
    model: Annotated[str | None, Query(max_length=200)] = None
    strength: Annotated[float | None, Query(allow_inf_nan=False)] = None
    semitones: Annotated[float, Query(allow_inf_nan=False)] = 0.0


class Api:
    """The endpoints. A job is its token's alone."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.router = APIRouter()
        add = self.router.add_api_route
        add("/api/models", self.models)
        wav: dict[str, Any] = {"response_class": FileResponse, "responses": WAV}
        add("/api/convert", self.convert, methods=["POST"], openapi_extra=BODY, **wav)
        add("/api/jobs", self.start, methods=["POST"], status_code=202, openapi_extra=BODY)
        add("/api/jobs/{id}", self.state)
        add("/api/jobs/{id}", self.cancel, methods=["DELETE"], status_code=204)
        add("/api/jobs/{id}/source.wav", self.source, **wav)
        add("/api/jobs/{id}/result.wav", self.result, **wav)
        add("/api/jobs/{id}/analysis", self.analysis, response_class=FileResponse)
        add("/api/docs", self.docs, include_in_schema=False)
        add("/metrics", self.metrics, response_class=PlainTextResponse)

    async def models(self) -> dict[str, Any]:
        """The models, their targets, and which of them are for live use."""
        models = self.backend.models
        live = (name for name, one in models.items() if one["streams"])
        default, every = next(iter(models)), list(models.values())
        return {"default": default, "live": next(live, None), "models": every}

    async def convert(
        self,
        request: Request,
        asked: Annotated[Asked, Depends()],
    ) -> Response:
        """Convert a file; the response is its conversion as WAV."""
        found = await self._accept(request, waiting=True, **self._choice(asked))
        if isinstance(found, Response):
            return found
        job, _ = found
        jobs = self.backend.jobs
        try:
            if not await _ended_before_leaving(job, request):
                await self.backend.cancel(job)
                raise ClientDisconnect
            if job.state != "done":
                status = 422 if job.fault == "client" else 500
                raise HTTPException(status, job.error or "the job was cancelled")
        except BaseException:
            if job.state != "cancelled":  # a running one's files go when its program has ended
                jobs.discard(job)
            raise
        return FileResponse(
            jobs.place(job) / RESULT,
            media_type="audio/wav",
            background=BackgroundTask(jobs.discard, job),
        )

    async def start(
        self,
        request: Request,
        asked: Annotated[Asked, Depends()],
    ) -> Any:
        """Keep a file, to be converted; the token is needed for all that follows."""
        found = await self._accept(request, waiting=False, **self._choice(asked))
        if isinstance(found, Response):
            return found
        job, token = found
        return {
            "id": job.id,
            "token": token,
            "state": job.state,
            "position": self.backend.jobs.position(job),
        }

    async def state(self, name: Id, authorization: Authorization = "") -> dict[str, Any]:
        """How far a job is; times in seconds, `expires` since 1970; position 1 is the next.

        likeness: percentile, is_out_of_domain and reason, once the model has told.
        """
        job = self._known(name, authorization)
        return {
            "state": job.state,
            "progress": 1.0 if job.state == "done" else round(job.progress, 4),
            "position": self.backend.jobs.position(job),
            "error": job.error,
            "duration": job.duration,
            "likeness": job.likeness,
            "expires": self.backend.jobs.expires(job),
        }

    async def cancel(self, name: Id, authorization: Authorization = "") -> None:
        """Cancel a job, and delete its files; one that has ended is forgotten."""
        job = self._known(name, authorization)
        await self.backend.cancel(job)

    async def source(self, name: Id, authorization: Authorization = "") -> FileResponse:
        """The recording as it was read: mono, at the model's rate."""
        return self._file(name, authorization, SOURCE, "audio/wav")

    async def result(self, name: Id, authorization: Authorization = "") -> FileResponse:
        """The conversion."""
        return self._file(name, authorization, RESULT, "audio/wav")

    async def analysis(self, name: Id, authorization: Authorization = "") -> FileResponse:
        """F0 and mel spectrogram of source and result."""
        return self._file(name, authorization, ANALYSIS, "application/json")

    async def docs(self, request: Request) -> HTMLResponse:
        """This list of endpoints."""
        return HTMLResponse(docs_page(request.app.openapi()))

    async def metrics(self) -> PlainTextResponse:
        """Counters in the text format of Prometheus."""
        return PlainTextResponse(self.backend.metrics_text())

    def _choice(self, asked: Asked) -> dict[str, Any]:
        """What a job is asked for; only models of the allow list have a name here."""
        models = self.backend.models
        name = next(iter(models)) if asked.model is None else asked.model
        if name not in models:
            raise HTTPException(404, f"no model {name!r}: this server has {', '.join(models)}")
        targets = models[name]["targets"]
        if asked.target not in targets:
            raise HTTPException(422, f"no target {asked.target!r}: {name} has {', '.join(targets)}")
        return asdict(asked) | {"model": name}

    async def _accept(self, request: Request, **choice: Any) -> tuple[Job, str] | Response:
        """Take the body and queue the job; a response where it is refused."""
        jobs, uploads = self.backend.jobs, self.backend.uploads
        client = network(request.client.host) if request.client else ""
        job = None
        try:
            uploads.check_length(request.headers.get("content-length"))
            job, token = jobs.draft(client, **choice)
            await uploads.store(request.stream(), jobs.place(job) / "upload")
            await jobs.add(job)
            return job, token
        except BaseException as error:
            if job is not None:
                jobs.discard(job)
            self.backend.metrics.jobs["refused"] += 1
            if isinstance(error, UploadError):
                return refuse(error.status, error.said)
            if isinstance(error, FullError):
                said = f"the queue is full with {jobs.most} jobs; try again later"
                response = refuse(503, said)
                response.headers.update(RETRY)
                return response
            raise

    def _known(self, name: str, authorization: str) -> Job:
        """The job of an id and its token; who has another token learns nothing."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise HTTPException(401, "the job's token is needed", {"WWW-Authenticate": "Bearer"})
        job = self.backend.jobs.find(name, token.strip())
        if job is None:
            raise HTTPException(404, "there is no such job; it may have expired")
        return job

    def _file(self, name: str, authorization: str, file: str, kind: str) -> FileResponse:
        job = self._known(name, authorization)
        path: Path = self.backend.jobs.place(job) / file
        if job.state != "done" or not path.is_file():
            raise HTTPException(404, f"this job has no {file}: it is {job.state}")
        return FileResponse(path, media_type=kind)


async def _ended_before_leaving(job: Job, request: Request) -> bool:
    """Wait for the job; False if the client has disconnected before."""
    ended = asyncio.create_task(job.ended.wait())
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({ended, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return job.ended.is_set()
    finally:
        ended.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    event: Event = {"type": ""}
    while event["type"] != "http.disconnect":
        event = await request.receive()
