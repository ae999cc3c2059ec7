"""The endpoints of the page: sessions and answers. Only the token identifies the listener."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException

from voiceconv.listen.answers import (
    Answer,
    AnsweredError,
    Listener,
    NotInvitedError,
    Store,
    UnansweredError,
)
from voiceconv.listen.completion import Completion
from voiceconv.listen.given_answers import Finish, Given, Setup, Start
from voiceconv.listen.manifest import Test

Authorization = Annotated[str, Header()]


class Api:
    """The endpoints below `api/`.

    They write to the database in the event loop's own thread. A commit takes a third of a
    millisecond. Worker threads would wait for each other: with them the server stored 900 answers
    per second from 200 listeners, without them 1,500 (benchmarks/listen_load.py).
    """

    def __init__(self, test: Test, store: Store, completion: Completion) -> None:
        self.test = test
        self.store = store
        self.completion = completion
        self.courses = [{turn.trial: turn for turn in turns} for turns in test.lists]
        self.router = APIRouter(prefix="/api")
        self.router.get("/test")(self.about)
        self.router.post("/session", status_code=201)(self.start)
        self.router.get("/session")(self.resume)
        self.router.post("/setup", status_code=204)(self.set_up)
        self.router.post("/answers", status_code=201)(self.answer)
        self.router.post("/finish")(self.finish)

    async def about(self) -> dict[str, str | bool]:
        """The identity of the test."""
        return {"id": self.test.id, "invitation_needed": self.store.needs_invitation}

    async def start(self, given: Start) -> dict[str, str | int]:
        """Start a session, or open that of an invitation or a participant; its token and list."""
        if not given.consent:
            raise HTTPException(422, "nobody takes part without consent")
        try:
            token, number = self.store.start(
                len(self.courses),
                (given.participant or "").strip() or None,
                given.invitation or None,
            )
        except NotInvitedError:
            raise HTTPException(
                403, "this test is open by invitation only: use the whole link that you were sent"
            ) from None
        return {"token": token, "list": number}

    async def resume(self, authorization: Authorization = "") -> dict[str, int | list[str] | bool]:
        """The progress of this session."""
        listener = self._known(authorization)
        return {
            "list": listener.list,
            "answered": self.store.answered(listener.id),
            "finished": listener.finished is not None,
        }

    async def set_up(self, given: Setup, authorization: Authorization = "") -> None:
        """Store the listener's equipment."""
        self.store.set_up(self._known(authorization).id, given.model_dump())

    async def answer(self, given: Given, authorization: Authorization = "") -> dict[str, int]:
        """Store an answer, once; return the number of answers."""
        listener = self._known(authorization)
        turn = self.courses[listener.list].get(given.trial)
        if turn is None:
            raise HTTPException(403, "this trial is not in your list")
        try:
            self.test.method.check(turn.order, given.values)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        if not given.heard.keys() <= self.test.trials[turn.trial].sounds:
            raise HTTPException(422, "heard names a stimulus that is not in this trial")
        try:
            n_answered = self.store.answer(Answer(listener.id, **given.model_dump()))
        except AnsweredError:
            raise HTTPException(409, "this trial was answered before; that answer stays") from None
        return {"answered": n_answered}

    async def finish(
        self, given: Finish, authorization: Authorization = ""
    ) -> dict[str, str | None]:
        """End the session; return the link and the code for a crowd platform."""
        listener = self._known(authorization)
        try:
            n_trials = len(self.courses[listener.list])
            own = self.store.finish(listener.id, n_trials, given.comment)
        except UnansweredError:
            raise HTTPException(409, "trials are left to answer") from None
        url, code = self.completion.url, self.completion.code
        return {"code": code if url or code else own, "url": url}

    def _known(self, authorization: str) -> Listener:
        scheme, _, token = authorization.partition(" ")
        listener = self.store.listener(token.strip()) if scheme.lower() == "bearer" else None
        if listener is None:
            raise HTTPException(
                401, "this session is not known here", {"WWW-Authenticate": "Bearer"}
            )
        return listener
