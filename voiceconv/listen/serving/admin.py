"""The experimenter's view of a running test: counts, listeners, comments, answers as CSV."""

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from voiceconv import __version__
from voiceconv.listen.answers import read_progress, read_store
from voiceconv.listen.exchange.webmushra import webmushra_csv
from voiceconv.listen.manifest import ATTENTION, TRAINING, TRIAL, Test
from voiceconv.listen.serving.guards import Attempts, basic_password, same
from voiceconv.listen.spreadsheet import answers_csv
from voiceconv.pages.templating import template

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 200  # most listeners in the view
KINDS = {TRAINING: "practice", TRIAL: "trials", ATTENTION: "checks"}


class Admin:
    """The endpoints at and below `admin`, with password; any user name is accepted."""

    def __init__(
        self,
        folder: Path,
        test: Test,
        password: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.test = test
        self._password = password
        self._attempts = Attempts(clock)
        self._template = template("admin.html", __package__)
        self.router = APIRouter()
        # without the slash, so that addresses on the page are right; below any other path, too
        self.router.get("/admin/")(lambda: RedirectResponse("../admin"))
        self._get("", self.overview)
        self._get("/answers.csv", self.answers)
        self._get("/webmushra.csv", self.webmushra)
        for name in ("admin.css", "admin.js"):
            self._serve(name)

    def overview(self) -> HTMLResponse:
        """The page."""
        return HTMLResponse(self._template.render(overview(self.folder, self.test)))

    def answers(self) -> Response:
        """One row for each rated stimulus."""
        return _download(
            f"answers-{self.test.id}.csv", answers_csv(self.test, *read_store(self.folder))
        )

    def webmushra(self) -> Response:
        """In the format of webMUSHRA's results file."""
        text = webmushra_csv(self.test, *read_store(self.folder))
        return _download(f"webmushra-{self.test.id}.csv", text)

    def _serve(self, name: str) -> None:
        self._get(f"/{name}", lambda: FileResponse(TEMPLATES / name))

    def _get(self, path: str, respond: Callable[[], Response]) -> None:
        self.router.get(f"/admin{path}", dependencies=[Depends(self._let_in)])(respond)

    async def _let_in(self, request: Request, authorization: Annotated[str, Header()] = "") -> None:
        """Raise unless the password is right and the client does not have to wait."""
        client = request.client.host if request.client else ""
        if (wait := math.ceil(self._attempts.wait(client))) > 0:
            raise HTTPException(
                429, f"too many wrong passwords: wait {wait} s", {"Retry-After": str(wait)}
            )
        given = basic_password(authorization)
        if given is not None and same(given, self._password):
            self._attempts.right(client)
            return
        if authorization:
            self._attempts.wrong(client)
        challenge = 'Basic realm="voiceconv listen", charset="UTF-8"'
        raise HTTPException(401, "the password is needed", {"WWW-Authenticate": challenge})


def overview(folder: Path, test: Test) -> dict[str, Any]:
    """The data of the template."""
    progress = read_progress(folder)
    kinds = Counter({trial.kind: 0 for trial in test.trials.values()})
    for trial, count in progress.by_trial.items():
        kinds[test.trials[trial].kind] += count
    lists = [{"started": 0, "finished": 0, "answers": 0} for _ in test.lists]
    for one in progress.listeners:
        row = lists[one.list]
        row["started"] += 1
        row["finished"] += one.finished is not None
        row["answers"] += progress.by_listener.get(one.id, 0)
    return {
        "test": test,
        "n_answers": sum(progress.by_listener.values()),
        "n_listeners": len(progress.listeners),
        "n_finished": sum(row["finished"] for row in lists),
        "lists": lists,
        "kinds": [(name, kinds[kind]) for kind, name in KINDS.items() if kind in kinds],
        "listeners": [
            {
                "one": one,
                "answered": progress.by_listener.get(one.id, 0),
                "of": len(test.lists[one.list]),
            }
            for one in progress.listeners[: -MOST_ROWS - 1 : -1]
        ],
        "comments": [{"one": one, "trial": test.trials[one.trial]} for one in progress.comments],
        "minute": _minute,
        "version": __version__,
    }


def _minute(moment: str | None) -> str:
    """An ISO 8601 time in readable form."""
    return (moment or "")[:16].replace("T", " ")


def _download(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)
