"""A server that keeps the contract of `voiceconv serve` without a model, for tests of the page.

A conversion halves the samples. A live stream gives back what it gets, at 24 kHz, 46 ms held back.
"""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

import voiceconv.serve
from voiceconv.web.guards import SafeHeaders

RATE = 24_000
LATENCY = 0.046  # seconds
PITCH = 150.0  # Hz, what the analysis says of every recording
FRAME_PERIOD, BANDS = 0.01, 80
STATS = 0.5  # seconds
MODELS = [
    {
        "name": "pair",
        "targets": ["Ada", "Ben"],
        "sample_rate": RATE,
        "streams": False,
        "look_aheads": [],
        "latency": None,
    },
    {
        "name": "quick",
        "targets": ["Cleo", "Dan"],
        "sample_rate": RATE,
        "streams": True,
        "look_aheads": [20, 60],
        "latency": 1000 * LATENCY,
        "consent": "Cleo and Dan agreed.",
    },
]


class Stub:
    """What tests set and look at.

    hold: jobs stay at half until it is False. fails: the sentence of the next jobs' failure.
    """

    def __init__(self) -> None:
        self.address = ""
        self.reset()

    def reset(self) -> None:
        """As if it had just been started."""
        self.models = list(MODELS)
        self.hold = False
        self.fails: str | None = None
        self.likeness: dict[str, Any] | None = None
        self.jobs: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.live: list[dict[str, Any]] = []  # of each stream: query, samples, open
        self.cut = False  # close live streams as a server that ends

    def state(self, job: dict[str, Any]) -> dict[str, Any]:
        """The state of a job: each look brings it on."""
        steps = ["queued", "running", "failed" if self.fails else "done"]
        most = 1 if self.hold else 2
        job["looks"] += 1
        state = steps[min(job["looks"] - 1, most)]
        return {
            "state": state,
            "progress": {"queued": 0.0, "running": 0.5}.get(state, 1.0),
            "position": 1 if state == "queued" else None,
            "error": self.fails if state == "failed" else None,
            "duration": len(job["source"]) / RATE,
            "likeness": self.likeness if state == "done" else None,
            "expires": time.time() + 3600 if state == "done" else None,
        }


def make_app(stub: Stub) -> FastAPI:
    app = FastAPI()

    def find(job_id: str, request: Request) -> dict[str, Any]:
        job = stub.jobs.get(job_id)
        if job is None or request.headers.get("authorization") != f"Bearer {job['token']}":
            raise HTTPException(404, "there is no such job, or the token is another's")
        return job

    @app.get("/api/models")
    def models() -> Any:
        live = next((one["name"] for one in stub.models if one["streams"]), None)
        return {"default": "pair", "live": live, "models": stub.models}

    @app.post("/api/jobs", status_code=202)
    async def create(request: Request, model: str, target: str) -> Any:
        body = await request.body()
        try:
            wave, rate = soundfile.read(io.BytesIO(body), always_2d=True)
        except soundfile.LibsndfileError:
            raise HTTPException(422, "the recording is no sound file") from None
        source = soxr.resample(wave.mean(axis=1), rate, RATE)
        job_id = f"job{len(stub.jobs)}"
        job = {"token": f"t{job_id}", "model": model, "target": target, "looks": 0}
        stub.jobs[job_id] = job | {"source": source, "body": body}
        return {"id": job_id, "token": job["token"], "state": "queued", "position": 1}

    @app.get("/api/jobs/{job_id}")
    def look(job_id: str, request: Request) -> Any:
        return stub.state(find(job_id, request))

    @app.delete("/api/jobs/{job_id}", status_code=204)
    def delete(job_id: str, request: Request) -> None:
        find(job_id, request)
        del stub.jobs[job_id]
        stub.deleted.append(job_id)

    @app.get("/api/jobs/{job_id}/analysis")
    def analysis(job_id: str, request: Request) -> Any:
        part = picture(len(find(job_id, request)["source"]) / RATE)
        return {"frame_period": FRAME_PERIOD, "bands": BANDS, "source": part, "result": part}

    @app.get("/api/jobs/{job_id}/{name}.wav")
    def sound(job_id: str, name: str, request: Request) -> Response:
        gain = {"source": 1.0, "result": 0.5}[name]
        file = io.BytesIO()
        soundfile.write(file, gain * find(job_id, request)["source"], RATE, format="WAV")
        return Response(file.getvalue(), media_type="audio/wav")

    @app.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        await echo(stub, socket)

    page = Path(voiceconv.serve.__file__).parent / "page"
    app.mount("/", StaticFiles(directory=page, html=True))
    app.add_middleware(SafeHeaders)
    return app


def picture(seconds: float) -> dict[str, Any]:
    """F0 of PITCH with a pause in the middle; every fifth band bright."""
    n_frames = int(seconds / FRAME_PERIOD) + 1
    f0 = np.full(n_frames, PITCH)
    f0[n_frames // 3 : n_frames // 2] = 0
    mel = np.full((n_frames, BANDS), 40, np.uint8)
    mel[:, ::5] = np.linspace(230, 60, BANDS // 5)
    return {"f0": f0.tolist(), "mel": base64.b64encode(mel.tobytes()).decode()}


async def echo(stub: Stub, socket: WebSocket) -> None:
    """One live stream."""
    await socket.accept()
    query = dict(socket.query_params)
    seen = {"query": query, "samples": 0, "open": True, "flushed": False, "peak": 0.0}
    stub.live.append(seen)
    if query["target"] == "Dan":
        await socket.send_json({"type": "error", "detail": "all live places are taken"})
        await socket.close(1013)
        return
    rate = int(query["sample_rate"])
    resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    held = np.zeros(0, np.float32)
    parts = {"echo": LATENCY}
    await socket.send_json(
        {"type": "ready", "sample_rate": RATE, "latency": LATENCY, "parts": parts}
    )
    said = 0
    try:
        while not stub.cut:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            if message.get("text"):
                assert json.loads(message["text"]) == {"type": "flush"}
                seen["flushed"] = True
                await socket.send_json({"type": "end"})
                break
            chunk = np.frombuffer(message["bytes"], np.float32)
            seen["samples"] += len(chunk)
            seen["peak"] = max(seen["peak"], float(np.abs(chunk).max()))
            held = np.concatenate([held, resampler.resample_chunk(chunk)])
            ready = max(0, len(held) - round(LATENCY * RATE))
            await socket.send_bytes(held[:ready].tobytes())
            held = held[ready:]
            if seen["samples"] // (STATS * rate) > said:
                said = seen["samples"] // (STATS * rate)
                stats = {"load": 0.25, "dropouts": 0, "level": -20.0, "seconds": said * STATS}
                await socket.send_json({"type": "stats"} | stats)
        await socket.close(1000)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page has left
    finally:
        seen["open"] = False


@contextmanager
def stubbed() -> Iterator[Stub]:
    """The stub on a free port of loopback."""
    stub = Stub()
    config = uvicorn.Config(
        make_app(stub), port=0, log_level="critical", ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    stub.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    try:
        yield stub
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
