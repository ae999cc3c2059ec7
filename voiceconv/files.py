"""Read text in Unicode; write a file or a folder whole or not at all, or under a lock."""

import codecs
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import lock_descriptor

from voiceconv.errors import InputError


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
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        # Bytes of file names that are not UTF-8 pass unchanged.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; on exit, rename it to `folder`; on an error, remove it.

    Raises InputError if it cannot be written, or if `folder` exists already.
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
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another place") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
    for text in an encoding without a mark that is not UTF-8.
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
    """Lock a folder against other processes: the second process gets an InputError.

    The open file has the lock, so it ends with its process, whatever ends that.
    """
    with open(folder / ".lock", "w") as lock:
        if not lock_descriptor(lock.fileno(), blocking=False):
            raise InputError(
                f"another process is {doing} {folder}; wait for it, or choose another folder"
            )
        yield


def printable(path: Path | str) -> str:
    """A path for messages: always one line."""
    return str(path) if str(path).isprintable() else repr(str(path))


def markdown(text: object) -> str:
    """A name or another value for a line or a table cell of markdown, in which it says itself."""
    return re.sub(r"([\\|`*<])", r"\\\1", " ".join(str(text).split()))
