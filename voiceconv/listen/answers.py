"""Listeners and their answers: `TEST/answers.sqlite`, one transaction per answer.

When a method of `Store` returns, its data are on disk: the database has a write-ahead log (WAL) and
syncs at every commit, so neither a killed process nor a power failure loses an answer.
"""

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from voiceconv.errors import InputError
from voiceconv.listen.database import VERSION, check_version, count, reading, warn_if_alone

SERVER = "server"  # origin of listeners of `voiceconv listen serve`
# A listener who has not finished keeps the place in a list for so long; then another gets it.
PATIENCE = timedelta(hours=3)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS listeners (
    id TEXT PRIMARY KEY, token TEXT UNIQUE, list INTEGER NOT NULL, started TEXT NOT NULL,
    finished TEXT, participant TEXT, setup TEXT NOT NULL, comment TEXT NOT NULL,
    origin TEXT NOT NULL, code TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    listener TEXT NOT NULL REFERENCES listeners, trial TEXT NOT NULL, given TEXT NOT NULL,
    heard TEXT NOT NULL, seconds REAL NOT NULL, comment TEXT NOT NULL, answered TEXT NOT NULL,
    UNIQUE (listener, trial)
);
CREATE TABLE IF NOT EXISTS invitations (token TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, listener TEXT REFERENCES listeners);
"""
_LISTENER = "id, list, started, finished, participant, setup, comment, origin, code"
_ANSWER = "listener, trial, given, heard, seconds, comment, answered"


class Listener(NamedTuple):
    """The session of a listener. `id` is public; `code` proves to a crowd platform that it ended.

    started, finished: ISO 8601, UTC. origin: `SERVER`, or the name of the file that was imported.
    """

    id: str
    list: int
    started: str
    finished: str | None = None
    participant: str | None = None
    setup: Mapping[str, Any] = {}
    comment: str = ""
    origin: str = SERVER
    code: str = ""


class Answer(NamedTuple):
    """The answer to a trial: stimulus -> value, stimulus -> seconds heard, seconds on the trial."""

    listener: str
    trial: str
    values: Mapping[str, float]
    heard: Mapping[str, float] = {}
    seconds: float = 0.0
    comment: str = ""
    answered: str = ""


class Added(NamedTuple):
    """Numbers of imported answers: new, known, known with other values."""

    n_new: int
    n_known: int
    n_differ: int


class Progress(NamedTuple):
    """The progress: answers by listener and by trial, and the newest comments."""

    listeners: list[Listener]
    by_listener: dict[str, int]
    by_trial: dict[str, int]
    comments: list[Answer]


class NotInvitedError(Exception):
    """The test needs an invitation, and this is none."""


class AnsweredError(Exception):
    """The listener has answered this trial before: the first answer stays."""


class UnansweredError(Exception):
    """The listener has unanswered trials."""


class Store:
    """The database, open for writing, for any number of threads.

    Raises InputError if it cannot be opened; sqlite3.Error if data could not be stored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        warn_if_alone(path)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            with self._transaction() as db:
                check_version(path, db)
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
            self.carry_over()  # a copy of this file alone has the tables
        except sqlite3.Error as error:
            raise InputError(
                f"{path} cannot be opened as a database to write to ({error}); "
                "look at its permissions, or move it away"
            ) from None

    def close(self) -> None:
        """Close, and leave one file that can be read without making other files."""
        with self._lock:
            with suppress(sqlite3.OperationalError):  # another process has it open
                self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.close()

    def carry_over(self) -> None:
        """Write what is in the log into the database itself, so that a copy of this file has it."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # it waits for nobody

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if not self._path.exists():  # writes to a deleted file would be lost
                raise sqlite3.OperationalError(f"{self._path} was moved away")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    def invite(self, count: int) -> list[str]:
        """Make invitations. From the first one on, a listener needs one."""
        made = [secrets.token_urlsafe(24) for _ in range(count)]
        with self._transaction() as db:
            db.executemany("INSERT INTO invitations VALUES (?)", [(digest(one),) for one in made])
        return made

    @property
    def needs_invitation(self) -> bool:
        """Whether there are invitations."""
        with self._lock:
            return count(self._db, "invitations") > 0

    def start(
        self, n_lists: int, participant: str | None = None, invitation: str | None = None
    ) -> tuple[str, int]:
        """Begin a session with the least-used list; return its token and list.

        The database keeps only a digest of the token. An invitation is the token: opened again, it
        gives the same session. A participant who comes again gets another token of the same
        session. Raises NotInvitedError.
        """
        token = secrets.token_urlsafe(24)
        with self._transaction() as db:
            if count(db, "invitations") > 0:
                token = invitation or ""
                if count(db, "invitations WHERE token = ?", digest(token)) == 0:
                    raise NotInvitedError
                before = self._listener(token)
            elif (before := self._listener_named(participant)) is not None:
                db.execute("INSERT INTO tokens VALUES (?, ?)", (digest(token), before.id))
            if before is not None:
                return token, before.list
            least = _least_used(db, n_lists)
            one = Listener(secrets.token_hex(6), least, now(), participant=participant)
            _insert(db, one._replace(code=secrets.token_hex(4).upper()), digest(token))
        return token, least

    def listener(self, token: str) -> Listener | None:
        """The listener of a token."""
        with self._lock:
            return self._listener(token)

    def _listener(self, token: str) -> Listener | None:
        more = "id = (SELECT listener FROM tokens WHERE token = ?)"
        return self._first(f"token = ? OR {more}", digest(token), digest(token))

    def _listener_named(self, participant: str | None) -> Listener | None:
        return self._first("participant = ? AND origin = ?", participant, SERVER)

    def _first(self, where: str, *values: str | None) -> Listener | None:
        select = f"SELECT {_LISTENER} FROM listeners WHERE {where} ORDER BY rowid"
        row = self._db.execute(select, values).fetchone()
        return None if row is None else _as_listener(row)

    def answered(self, listener: str) -> list[str]:
        """The answered trials of a listener, in order."""
        select = "SELECT trial FROM answers WHERE listener = ? ORDER BY rowid"
        with self._lock:
            return [trial for (trial,) in self._db.execute(select, (listener,))]

    def set_up(self, listener: str, setup: Mapping[str, Any]) -> None:
        """Store a listener's answers about the equipment."""
        with self._transaction() as db:
            db.execute(
                "UPDATE listeners SET setup = ? WHERE id = ?", (json.dumps(dict(setup)), listener)
            )

    def answer(self, answer: Answer) -> int:
        """Store an answer; return the listener's number of answers. Raises AnsweredError."""
        answer = answer._replace(answered=answer.answered or now())
        with self._transaction() as db:
            if _insert_answer(db, answer) == 0:
                raise AnsweredError
            return count(db, "answers WHERE listener = ?", answer.listener)

    def finish(self, listener: str, n_trials: int, comment: str) -> str:
        """End a session and return its code; only the first end counts. Raises UnansweredError."""
        with self._transaction() as db:
            if count(db, "answers WHERE listener = ?", listener) < n_trials:
                raise UnansweredError
            _end(db, listener, now(), comment)
            select = "SELECT code FROM listeners WHERE id = ?"
            return str(db.execute(select, (listener,)).fetchone()[0])

    def add(self, listener: Listener, answers: Iterable[Answer]) -> Added:
        """Store the imported answers of one listener, as `add_all` does."""
        one = [answer._replace(listener=listener.id) for answer in answers]
        return self.add_all([([listener], one)])[0]

    def add_all(self, files: Iterable[tuple[Iterable[Listener], Iterable[Answer]]]) -> list[Added]:
        """Store imported answers, all or none; return the counts of each file.

        Known answers are not changed. Raises InputError for a listener of the server, and for a
        listener who is known with another list.
        """
        added = []
        with self._transaction() as db:
            for listeners, answers in files:
                for one in listeners:
                    _insert_collected(db, one)
                counts = [0, 0, 0]
                for answer in answers:
                    counts[_insert_or_compare(db, answer)] += 1
                added.append(Added(*counts))
        return added


def read_store(folder: Path) -> tuple[list[Listener], list[Answer]]:
    """All answers, in order of arrival. Raises InputError if there are none."""
    with reading(folder) as db:
        answers = db.execute(f"SELECT {_ANSWER} FROM answers ORDER BY rowid")
        return _listeners(db), [_as_answer(row) for row in answers]


def read_progress(folder: Path, n_comments: int = 20) -> Progress:
    """The progress, without the answers. Raises InputError as `read_store`."""
    with reading(folder) as db:
        by = "SELECT {0}, count(*) FROM answers GROUP BY {0}"
        said = f"SELECT {_ANSWER} FROM answers WHERE comment <> '' ORDER BY rowid DESC LIMIT ?"
        return Progress(
            _listeners(db),
            dict(db.execute(by.format("listener")).fetchall()),
            dict(db.execute(by.format("trial")).fetchall()),
            [_as_answer(row) for row in db.execute(said, (n_comments,))],
        )


def digest(token: str) -> str:
    """The digest of a token; 24 random bytes need neither salt nor stretching."""
    return hashlib.sha256(token.encode()).hexdigest()


def now() -> str:
    """The time in the database's format."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _least_used(db: sqlite3.Connection, n_lists: int) -> int:
    """The list with the fewest listeners who have finished or may still finish."""
    since = (datetime.now(UTC) - PATIENCE).isoformat(timespec="milliseconds")
    select = (
        "SELECT list, count(*) FROM listeners "
        "WHERE finished IS NOT NULL OR started > ? GROUP BY list"
    )
    used = dict(db.execute(select, (since,)).fetchall())
    return min(range(n_lists), key=lambda number: (used.get(number, 0), number))


def _insert(db: sqlite3.Connection, one: Listener, token: str | None) -> None:
    row = (*one._replace(setup=json.dumps(dict(one.setup))), token)  # type: ignore[arg-type]
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO listeners ({_LISTENER}, token) VALUES ({marks})", row)


def _insert_collected(db: sqlite3.Connection, one: Listener) -> None:
    """Add a listener, or the end of a known one. Raises InputError as `add_all`."""
    select = "SELECT list, origin FROM listeners WHERE id = ?"
    number, origin = db.execute(select, (one.id,)).fetchone() or (one.list, None)
    if origin == SERVER:
        raise InputError(
            f"{one.origin}: listener {one.id} has answered on the server; leave this file out"
        )
    if number != one.list:
        raise InputError(
            f"{one.origin}: listener {one.id} has list {one.list + 1} in it, and list "
            f"{number + 1} in {origin}, which was imported before; leave one of the files out"
        )
    if origin is None:
        _insert(db, one, None)
    _end(db, one.id, one.finished, one.comment)


def _insert_or_compare(db: sqlite3.Connection, one: Answer) -> int:
    """0: it is new; 1: known with equal values; 2: known with other values. The first stays."""
    if _insert_answer(db, one):
        return 0
    select = "SELECT given FROM answers WHERE listener = ? AND trial = ?"
    (given,) = db.execute(select, (one.listener, one.trial)).fetchone()
    return 1 if json.loads(given) == dict(one.values) else 2


def _end(db: sqlite3.Connection, listener: str, finished: str | None, comment: str) -> None:
    """The first end counts."""
    db.execute(
        "UPDATE listeners SET finished = ?, comment = ? WHERE id = ? AND finished IS NULL",
        (finished, comment, listener),
    )


def _insert_answer(db: sqlite3.Connection, one: Answer) -> int:
    """The number of inserted rows: 0 if the answer exists."""
    values, heard = json.dumps(dict(one.values)), json.dumps(dict(one.heard))
    row = (one.listener, one.trial, values, heard, one.seconds, one.comment, one.answered)
    marks = ", ".join("?" * len(row))
    insert = f"INSERT INTO answers ({_ANSWER}) VALUES ({marks}) "
    return db.execute(insert + "ON CONFLICT (listener, trial) DO NOTHING", row).rowcount


def _listeners(db: sqlite3.Connection) -> list[Listener]:
    rows = db.execute(f"SELECT {_LISTENER} FROM listeners ORDER BY rowid")
    return [_as_listener(row) for row in rows]


def _as_listener(row: tuple[Any, ...]) -> Listener:
    one = Listener(*row)
    return one._replace(setup=json.loads(str(one.setup)))


def _as_answer(row: tuple[Any, ...]) -> Answer:
    listener, trial, values, heard, *rest = row
    return Answer(listener, trial, json.loads(values), json.loads(heard), *rest)
