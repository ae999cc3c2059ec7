"""`voiceconv listen serve`: the page, its answers, the experimenter's view."""

import asyncio
import logging
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from voiceconv.errors import InputError
from voiceconv.files import locked
from voiceconv.listen.answers import Store, read_progress
from voiceconv.listen.completion import OWN_CODES, Completion
from voiceconv.listen.database import FILE
from voiceconv.listen.manifest import PAGE, read_test, require_stimuli
from voiceconv.listen.serving.admin import Admin
from voiceconv.listen.serving.api import Api
from voiceconv.listen.serving.guards import OneSlash, start_page_policy
from voiceconv.web.guards import BodyLimit, SafeHeaders
from voiceconv.web.running import LOOPBACK, address_of, listening_at, run

PASSWORD = "VOICECONV_ADMIN_PASSWORD"
CARRIED_OVER = 1.0  # seconds from one time to the next
SHORTEST = 8  # fewest characters of a password in the environment

_log = logging.getLogger(__name__)


def make_app(
    folder: Path,
    password: str,
    clock: Callable[[], float] = time.monotonic,
    completion: Completion = OWN_CODES,
) -> FastAPI:
    """The application. It serves only `page/` of TEST/.

    completion: in place of the test's. Raises InputError if there is no test, if a file of its page
    is missing, if the database cannot be written, or is of another test.
    """
    test = read_test(folder)
    start = folder / PAGE / "index.html"
    if not start.is_file():
        raise InputError(f"{folder / PAGE} is not there; build the test anew, or restore it")
    require_stimuli(folder, test)
    policy = start_page_policy(start.read_bytes())
    store = Store(folder / FILE)
    if read_progress(folder).by_trial.keys() - test.trials.keys():
        raise InputError(f"{folder / FILE} holds answers to another test; move it away")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        carrying = asyncio.create_task(_carry_over(store))
        yield
        carrying.cancel()
        store.close()

    app = FastAPI(openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.include_router(Api(test, store, completion.beside(test.completion)).router)
    app.include_router(Admin(folder, test, password, clock).router)
    for path in ("/", "/index.html"):
        app.api_route(path, methods=["GET", "HEAD"])(lambda: FileResponse(start, headers=policy))
    app.mount("/", StaticFiles(directory=folder / PAGE))
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.add_middleware(OneSlash)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(sqlite3.Error)(_not_kept)
    app.exception_handler(InputError)(_not_kept)  # the folder was moved away
    return app


async def _carry_over(store: Store) -> None:
    """Every second, so that a copy of the database's file has what was answered before."""
    while True:
        await asyncio.sleep(CARRIED_OVER)
        with suppress(sqlite3.Error):  # the disk is full, say: answers stay in the log
            store.carry_over()


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    """422 with the name of the field, without its contents."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"][1:])).encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": f"{place[:100]}: {first['msg']}"}, 422)


async def _not_kept(_: Request, error: Exception) -> JSONResponse:
    """503: the page tries again until there is space on the disk."""
    _log.error("an answer could not be kept: %s", error)
    return JSONResponse({"detail": "the server cannot keep answers at the moment"}, 503)


def serve(
    folder: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    n_invitations: int = 0,
    completion: Completion = OWN_CODES,
) -> None:
    """Serve TEST/ until Ctrl-C or SIGTERM; print its addresses and the experimenter's password.

    Raises InputError if there is no test, if another process serves it, or if the port is in use.
    """
    given = os.environ.get(PASSWORD)
    if given and len(given) < SHORTEST:
        raise InputError(
            f"{PASSWORD} has {len(given)} characters; take {SHORTEST} or more, or leave it unset"
        )
    password = given or secrets.token_urlsafe(12)
    read_test(folder)
    with locked(folder, "serving"), listening_at(host, port) as listening:
        app = make_app(folder, password, completion=completion)
        address = address_of(host, listening.getsockname()[1])
        print(f"listeners: {address}")
        with closing(Store(folder / FILE)) as store:
            for invitation in store.invite(n_invitations):
                print(f"invitation: {address}?invitation={invitation}")
        print(f"experimenter: {address}admin")
        print(f"password: {f'that of {PASSWORD}' if given else password}", flush=True)
        if host not in LOOPBACK:
            print(
                "voiceconv: answers and the password cross the network unencrypted; "
                "put a server with TLS in front",
                file=sys.stderr,
            )
        run(app, listening)
