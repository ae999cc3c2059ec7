"""Import answers: webMUSHRA's results, and files that our page saves.

Imported answers are checked by the same models as answers over HTTP.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from voiceconv.errors import InputError
from voiceconv.files import decode_text, printable
from voiceconv.listen.answers import Answer, Listener, Store
from voiceconv.listen.database import FILE
from voiceconv.listen.exchange.webmushra import is_results, read_webmushra
from voiceconv.listen.given_answers import Comment, Given, Name, Setup
from voiceconv.listen.manifest import Test, read_test

MOST_BYTES = 64 << 20
# Other times come from a wrong clock.
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)


class Imported(NamedTuple):
    """The result of one file: numbers of listeners, new answers, and known answers.

    n_differ: answers to trials that were imported before with other values; the first ones stay.
    """

    path: Path
    n_listeners: int
    n_added: int
    n_known: int
    n_differ: int

    def __str__(self) -> str:
        """One line for the terminal."""
        known = f", {self.n_known} had been imported before" if self.n_known else ""
        differ = (
            f", {self.n_differ} differ{'s' if self.n_differ == 1 else ''} "
            "from what was imported before, which stays"
        )
        return (
            f"{self.path}: {self.n_added} new answers of {self.n_listeners} listener"
            f"{'s' if self.n_listeners != 1 else ''}{known}{differ if self.n_differ else ''}"
        )


class Summary(NamedTuple):
    """The results of all files, in order."""

    files: tuple[Imported, ...]

    def __str__(self) -> str:
        """A line for each file."""
        return "\n".join(str(one) for one in self.files)


class _Then(Given):
    """An answer, and when it was given."""

    answered: AwareDatetime


class _Nothing(BaseModel):
    """Nobody was asked."""

    model_config = Given.model_config


class _Saved(BaseModel):
    """The file that our page saves if there is no server."""

    model_config = Given.model_config

    format: Literal[1]
    test: Name
    listener: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")]
    participant: Name | None = None
    list: Annotated[int, Field(ge=0, le=1_000_000)]
    setup: Setup | _Nothing
    answers: Annotated[Sequence[_Then], Field(min_length=1)]
    comment: Comment
    finished: bool


def import_answers(folder: Path, files: Sequence[Path]) -> Summary:
    """Add the answers in `files` to TEST/; known answers are not changed.

    All files are added, or none. Raises InputError for a file that is neither webMUSHRA's nor our
    page's, for a file of another test or with an impossible answer, and for a listener who is known
    with another list.
    """
    test = read_test(folder)
    read = [(path, *_answers_in(test, path)) for path in files]
    try:
        with closing(Store(folder / FILE)) as store:
            added = store.add_all([(listeners, answers) for _, listeners, answers in read])
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{folder / FILE} does not take answers ({error}); restore it, or see to its disk"
        ) from None
    return Summary(
        tuple(
            Imported(path, len(listeners), *counts)
            for (path, listeners, _), counts in zip(read, added, strict=True)
        )
    )


def _answers_in(test: Test, path: Path) -> tuple[list[Listener], list[Answer]]:
    """The contents of a file of either kind."""
    text = decode_text(_content(path), printable(path))
    if text.lstrip().startswith("{"):
        return _saved_by_page(test, path, text)
    if is_results(text):
        return read_webmushra(test, [path])
    raise InputError(
        f"{path} holds no answers that are known here; give webMUSHRA's mushra.csv, lss.csv or "
        "paired_comparison.csv, or a file answers-....json that our page has saved"
    )


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file; give the files of answers in it")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(
                f"{path} has {size >> 20} MiB, and no file of answers has more than "
                f"{MOST_BYTES >> 20}; look at what it is"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check the path") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); check the path") from None


def _saved_by_page(test: Test, path: Path, content: str) -> tuple[list[Listener], list[Answer]]:
    try:
        saved = _Saved.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"])
        raise InputError(
            f"{path} is no file that our page has saved ({place or 'JSON'}: {first['msg']}); "
            "ask the listener for it as it was"
        ) from None
    if saved.test != test.id:
        raise InputError(
            f"{path} answers test {saved.test!r}, this is {test.id}; import it into the other one"
        )
    if saved.list >= len(test.lists):
        raise InputError(
            f"{path}: there is no list {saved.list}, this test has {len(test.lists)}, from 0 on"
        )
    answers = [_answer(test, path, saved, one) for one in saved.answers]
    answered = {answer.trial for answer in answers}
    course = {turn.trial for turn in test.lists[saved.list]}
    if len(answered) < len(answers):
        raise InputError(f"{path} answers a trial twice; ask the listener for it as it was")
    times = [answer.answered for answer in answers]
    listener = Listener(
        saved.listener,
        saved.list,
        min(times),
        max(times) if saved.finished and answered == course else None,
        participant=saved.participant or None,
        setup=saved.setup.model_dump(),
        comment=saved.comment,
        origin=path.name,
    )
    return [listener], answers


def _answer(test: Test, path: Path, saved: _Saved, given: _Then) -> Answer:
    """Check an answer as the server does."""
    turn = test.turn(saved.list, given.trial)
    if turn is None:
        raise InputError(f"{path}: trial {given.trial!r} is not in list {saved.list} of this test")
    trial = test.trials[turn.trial]
    try:
        test.method.check(turn.order, given.values)
    except ValueError as error:
        raise InputError(f"{path}, trial {trial.id}: {error}") from None
    if not given.heard.keys() <= trial.sounds:
        raise InputError(f"{path}, trial {trial.id}: heard names a stimulus that is not in it")
    at = given.answered if _EARLIEST <= given.answered <= _LATEST else _modified(path)
    answered = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return Answer(saved.listener, **given.model_dump(exclude={"answered"}), answered=answered)


def _modified(path: Path) -> datetime:
    """The time stamp of the file; it replaces times of a wrong clock."""
    seconds = path.stat().st_mtime
    earliest, latest = _EARLIEST.timestamp(), _LATEST.timestamp()
    return datetime.fromtimestamp(min(max(seconds, earliest), latest), UTC)
