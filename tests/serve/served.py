"""A server in this process, on a real socket, with fake programs; and a small client."""

import asyncio
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from voiceconv.serve.backend import Backend
from voiceconv.serve.server import OPTIONS, make_app
from voiceconv.serve.settings import Settings
from voiceconv.web.patience import PatientHttp
from voiceconv.web.running import listening_at

HERE = Path(__file__).parent
CONVERTING = (sys.executable, str(HERE / "fake_converting.py"))
STREAMING = (sys.executable, str(HERE / "fake_streaming.py"))
PATIENCE = 120.0  # seconds for what takes a tenth of one on an idle machine
LOCAL = frozenset(["127.0.0.1", "localhost", "::1"])


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


@dataclass
class Served:
    """A running server. `call` asks it; `start` gives it a job."""

    backend: Backend
    port: int

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        **headers: str,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, given)
            reply = connection.getresponse()
            return Reply(
                reply.status,
                reply.read(),
                {name.lower(): value for name, value in reply.getheaders()},
            )
        finally:
            connection.close()

    def start(self, line: bytes | str, target: str = "high") -> tuple[str, str]:
        """The path of a new job and its token."""
        reply = self.call("POST", f"/api/jobs?target={target}", line)
        assert reply.status == 202, reply
        return f"/api/jobs/{reply.json['id']}", reply.json["token"]

    def state(self, job: tuple[str, str]) -> dict[str, Any]:
        reply = self.call("GET", job[0], token=job[1])
        assert reply.status == 200, reply
        return dict(reply.json)

    def ended(self, job: tuple[str, str]) -> dict[str, Any]:
        """The job's last state."""
        return wait(lambda: (s := self.state(job))["state"] in ("done", "failed") and s)

    @property
    def folders(self) -> list[str]:
        return sorted(path.name for path in self.backend.jobs.folder.iterdir())


def wait(found: Callable[[], Any]) -> Any:
    """What is found, once it is true."""
    until = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.01)
    return value


@contextmanager
def served(
    folder: Path,
    clock: Callable[[], float] = time.time,
    hosts: frozenset[str] | None = LOCAL,
    **settings: Any,
) -> Iterator[Served]:
    """Serve until the end of the block."""
    programs = {"converting": CONVERTING, "streaming": STREAMING}
    chosen = Settings(folder, **(programs | settings))
    with listening_at("127.0.0.1", 0) as listening:
        started: list[Served] = []
        failed: list[BaseException] = []
        options = OPTIONS | {"http": PatientHttp, "log_level": "error"}
        holder: list[uvicorn.Server] = []

        async def everything() -> None:
            backend = Backend(chosen, clock)
            server = uvicorn.Server(uvicorn.Config(make_app(backend, hosts), **options))
            holder.append(server)
            await backend.start()
            started.append(Served(backend, listening.getsockname()[1]))
            await server.serve(sockets=[listening])

        def run() -> None:
            try:
                asyncio.run(everything())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        wait(lambda: failed or (started and holder[0].started))
        if failed:
            thread.join()
            raise failed[0]
        try:
            yield started[0]
        finally:
            holder[0].should_exit = True
            thread.join()
            assert not failed, failed
