"""Read text in Unicode; names of files; write a file or a folder whole or not, or under a lock."""

import codecs
import hashlib
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

import yaml
from filelock import lock_descriptor

from voiceconv.errors import NO_ROOM, InputError, NoRoomError


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give an empty temporary file beside `path`; on exit, sync it and rename it to `path`.

    If the body raises, the temporary file is removed and the old `path` stays unchanged.
    """
    path = Path(path)
    # 40 characters are at most 160 bytes: the name stays under the 255 of usual file systems.
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{path.suffix[:10]}")
    try:
        with open(temporary, "xb") as created:
            mode = os.fstat(created.fileno()).st_mode & 0o777
        yield temporary
        os.chmod(temporary, mode)  # safetensors' files are private
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a write does not say where
            error.filename = str(path)
        raise


def unwritable(path: Path | str, error: OSError) -> InputError | NoRoomError:
    """What to raise for a file or a folder that cannot be written."""
    if error.errno in NO_ROOM:
        return NoRoomError(f"cannot write {printable(path)}: {error.strerror}; make room")
    return InputError(f"cannot write {printable(path)}: {error.strerror}; choose another output")


def replace_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        # Bytes of file names that are not UTF-8 pass unchanged.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; on exit, rename it to `folder`; on an error, remove it.

    Raises InputError if it cannot be written, or if `folder` exists already; NoRoomError.
    """
    real = folder.resolve()
    if real.is_file() or (real.is_dir() and any(real.iterdir())):
        raise InputError(f"cannot write {folder}: it is there already; choose another place")
    scratch = real.with_name(f".{real.name[:40]}.{secrets.token_hex(4)}")
    try:
        scratch.mkdir(parents=True)
        yield scratch
        os.replace(scratch, real)  # rename replaces an empty folder only
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_BYTES = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of bytes that are no UTF-8
_LONGEST_NAME = 255  # bytes, of usual file systems
_MARKS = (  # UTF-32 first: its little-endian mark starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def read_text(path: Path | str, errors: str = "strict") -> str:
    """Read a text file: UTF-8, or what its byte order mark says; line ends become a line feed.

    errors: what becomes of bytes that are no UTF-8, as `bytes.decode` has it; `surrogateescape`
    keeps those of file names. Raises OSError as `open` does, and InputError, which names the line,
    for text in an encoding without a mark that is not UTF-8, and for a NUL.
    """
    return decode_text(Path(path).read_bytes(), printable(path), errors)


def decode_text(data: bytes, name: str, errors: str = "strict") -> str:
    """The text of a file's bytes; see read_text. `name` stands in the InputError."""
    encoding = next((known for mark, known in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}:{line} has the byte 0x{data[error.start]:02x}, which is not "
            f"{encoding.upper()}; save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(
            f"{name}:{line} has a NUL, which is in no text: the file is damaged, or UTF-16 without "
            "its mark; save it as UTF-8"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_mapping(path: Path, remedy: str) -> dict[str, Any]:
    """Read a YAML mapping. Raises InputError, which ends with the remedy."""
    try:
        content = yaml.safe_load(read_text(path))
    except (OSError, InputError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is not readable as YAML; {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no mapping of keys to values; {remedy}")
    return content


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Lock a folder, made if need be, against other processes: the second gets an InputError.

    The open file has the lock, so it ends with its process, whatever ends that. If the body raises,
    what is new here goes again: the file of the lock, and the folder if nothing else is in it.
    """
    path = folder / ".lock"
    new = [one for one in (path, folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        if not lock_descriptor(lock.fileno(), blocking=False):
            raise InputError(
                f"another process is {doing} {folder}; wait for it, or choose another folder"
            )
        try:
            yield
        except BaseException:
            with suppress(OSError):  # not empty; Windows keeps what is open
                for one in new:
                    one.rmdir() if one.is_dir() else one.unlink()
            raise


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal. Raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(path: Path | str) -> str:
    """A path for messages: always one line."""
    return str(path) if str(path).isprintable() else repr(str(path))


def abridged(names: Iterable[Path | str], most: int = 10) -> str:
    """Names for messages, on one line: of many the first, and how many more there are."""
    shown = [printable(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def plain_name(name: str) -> str:
    """A name as it is kept in tables and compared, whatever file system it comes from.

    Unicode in its composed form (NFC; macOS decomposes it), a byte that is no UTF-8 as `%E4`.
    """
    text = _BYTES.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)
    return unicodedata.normalize("NFC", text)


def require_utf8(path: Path, user: str) -> None:
    """Raise InputError for a path with bytes that are no UTF-8, which its `user` could not open."""
    if _BYTES.search(str(path)):
        raise InputError(
            f"{user} opens no path that is not UTF-8, as {printable(path)}; rename the folder"
        )


def below(name: str, place: str = "") -> Path:
    """A word of somebody's data as the relative path of a file, which may be in sub-folders.

    Raises InputError, which starts with `place`, for a name that leads out of its folder, as `..`
    and absolute paths do, and for what no file can be called.
    """
    path, why = PurePath(name), ""
    if path.anchor or ".." in path.parts or not path.parts:
        why = "leads out of its folder"
    elif "\0" in name:
        why = "holds a NUL"
    elif any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        why = f"has more than {_LONGEST_NAME} bytes"
    if why:
        start = f"{place}: " if place else ""
        raise InputError(f"{start}no file can be called {name!r}, which {why}; rename it")
    return Path(path)


def markdown(text: object) -> str:
    """A name or another value for a line or a table cell of markdown, in which it says itself."""
    return re.sub(r"([\\|`*<])", r"\\\1", " ".join(str(text).split()))
