"""The file `TEST/answers.sqlite`: reading one state of it, and copying it while it is served.

SQLite writes answers to the log `answers.sqlite-wal` first. The server carries them over into
answers.sqlite every second; until then a copy of answers.sqlite alone lacks them.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from voiceconv.errors import InputError
from voiceconv.files import replacing

FILE = "answers.sqlite"
VERSION = 1  # in the database's user_version
_WITH_LOG = b"\2\2"  # bytes 18 and 19 of a database that has a log

_log = logging.getLogger(__name__)


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """One state of the database, for reading only. No file is made or changed beside it."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"nobody has answered yet: {folder} holds no {FILE}; "
            "run voiceconv listen serve or voiceconv listen import"
        )
    # SQLite makes a log, if there is none, unless the file is immutable.
    how = "mode=ro&immutable=1" if warn_if_alone(path) else "mode=ro"
    try:
        address = f"file:{quote(bytes(path.absolute()))}?{how}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")
            check_version(path, db)
            yield db
    except (sqlite3.DatabaseError, ValueError) as error:
        raise InputError(f"{path} is not readable as answers ({error}); restore it") from None


def back_up(folder: Path, output: Path) -> int:
    """Copy the database as it is now, also while it is served; return the number of answers.

    The copy is one file, and appears whole or not at all. Raises InputError if there is nothing to
    copy, if `output` exists, or if it cannot be written.
    """
    if output.exists():
        raise InputError(f"{output} is there already; choose another name for the copy")
    with reading(folder) as db:
        try:
            with replacing(output) as temporary, closing(sqlite3.connect(temporary)) as copy:
                db.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        except (OSError, sqlite3.OperationalError) as error:
            said = getattr(error, "strerror", None) or error
            raise InputError(f"cannot write {output}: {said}; choose another place") from None
        return count(db, "answers")


def warn_if_alone(path: Path) -> bool:
    """Warn of a database that was copied without its log; whether it is one."""
    log = path.with_name(f"{path.name}-wal")
    try:
        with open(path, "rb") as file:
            alone = file.read(20)[18:] == _WITH_LOG
        alone = alone and not (log.is_file() and log.stat().st_size)
    except OSError:  # whoever opens it says so
        return False
    if alone:
        _log.warning(
            "%s was copied while it was served, without %s: the newest answers may be missing; "
            "copy both files, or use voiceconv listen backup",
            path,
            log.name,
        )
    return alone


def check_version(path: Path, db: sqlite3.Connection) -> None:
    """Raise InputError for a database of another version."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION and (version, count(db, "sqlite_schema")) != (0, 0):
        raise InputError(
            f"{path} is of version {version}, not {VERSION}; "
            "use the voiceconv that wrote it, or move it away"
        )


def count(db: sqlite3.Connection, rows: str, *values: str) -> int:
    """The number of rows; `rows` may have a condition on `values`."""
    return int(db.execute(f"SELECT count(*) FROM {rows}", values).fetchone()[0])
