"""`voiceconv serve`: the application, and how it runs."""

import logging
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect

from voiceconv import __version__
from voiceconv.files import locked
from voiceconv.hub import pinned
from voiceconv.serve.api import UPLOADS, Api
from voiceconv.serve.backend import Backend
from voiceconv.serve.live import LONGEST_CHUNK, RATES, SAMPLE, Live
from voiceconv.serve.settings import Settings
from voiceconv.web.guards import BodyLimit, SafeHeaders, SameOrigin
from voiceconv.web.running import LOOPBACK, address_of, listening_at, run
from voiceconv.web.sockets import PatientWebSocket

_log = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
MOST_CONNECTIONS = 1000
OPTIONS = {
    "ws": PatientWebSocket,
    "ws_max_size": int(LONGEST_CHUNK * RATES[1] * SAMPLE),
    "ws_per_message_deflate": False,  # a small message must not become a large one
    "limit_concurrency": MOST_CONNECTIONS,
    "timeout_keep_alive": 15,
}


def make_app(backend: Backend, hosts: frozenset[str] | None = None) -> FastAPI:
    """The application of a backend, which is closed with it.

    hosts: the names by which it is reached; None: any.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await backend.close()

    app = FastAPI(
        title="voiceconv serve",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(Api(backend).router)
    live = Live(backend.places, backend.models, backend.metrics)
    app.add_api_websocket_route("/api/live", live.__call__)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.add_middleware(BodyLimit, except_at=UPLOADS)
    app.add_middleware(SameOrigin, hosts=hosts)
    app.add_middleware(SafeHeaders)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(ClientDisconnect)(_left)
    app.exception_handler(OSError)(_not_kept)
    return app


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8000,
    names: Collection[str] = (),
) -> None:
    """Serve until Ctrl-C or SIGTERM; print the address.

    Models of the hub are fetched first: all programs use one commit of each.
    names: those by which a proxy's clients reach it, beside this machine's own.
    Raises InputError for a model that is none, if another process serves the folder, or if the
    port is in use; RunError if the programs do not start.
    """
    settings = settings._replace(given=tuple(map(pinned, settings.given)))
    with locked(settings.folder, "serving"), listening_at(host, port) as listening:
        backend = Backend(settings)
        hosts = frozenset([*LOOPBACK, *names]) if names or host in LOOPBACK else None

        async def start() -> None:
            await backend.start()
            print(f"serving: {address_of(host, listening.getsockname()[1])}", flush=True)
            if host not in LOOPBACK:
                print(
                    "voiceconv: recordings cross the network unencrypted, and anybody may send "
                    "some; put a server with TLS in front",
                    file=sys.stderr,
                )

        run(make_app(backend, hosts), listening, start, **OPTIONS)


async def _left(_: Request, error: Exception) -> Response:
    """The client has left before its answer: nobody gets this one."""
    return Response(status_code=400)


async def _not_kept(_: Request, error: Exception) -> JSONResponse:
    """503: the disk is full, say."""
    _log.error("a request failed: %s", error)
    return JSONResponse({"detail": "the server cannot keep files at the moment"}, 503)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    """422 with the name of the field, without its contents."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"][1:])).encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": f"{place[:100]}: {first['msg']}"}, 422)
