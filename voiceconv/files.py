"""Writing a file or a folder so that nobody ever sees half of it, or that nobody else does."""

import os
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
    """Give an empty temporary file beside `path`; on leaving, sync it and rename it to `path`.

    When the body raises, the temporary file goes and what stood at `path` stays as it was.
    """
    path = Path(path)
    # 40 characters are at most 160 bytes: the name stays under the 255 of usual file systems.
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{path.suffix[:10]}")
    try:
        with open(temporary, "xb") as created:
            mode = os.fstat(created.fileno()).st_mode & 0o777
        yield temporary
        os.chmod(temporary, mode)  # safetensors makes its files for their owner alone
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        # Names of files that are no UTF-8 pass as the bytes that they are.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` that takes its place at the end, or is gone.

    Raises InputError where that cannot be written, or something is there already.
    """
    real = folder.resolve()
    scratch = real.with_name(f".{real.name[:40]}.{secrets.token_hex(4)}")
    try:
        scratch.mkdir(parents=True)
        yield scratch
        os.replace(scratch, real)  # an empty folder is replaced, one that isn't is not
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another place") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_mapping(path: Path, remedy: str) -> dict[str, Any]:
    """A YAML file of keys and values. Raises InputError, which ends with the remedy."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is not readable as YAML; {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no mapping of keys to values; {remedy}")
    return content


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Keep other processes out of a folder: the second one gets an InputError.

    The lock is of the open file: whatever ends its process, it goes with it.
    """
    with open(folder / ".lock", "w") as lock:
        if not lock_descriptor(lock.fileno(), blocking=False):
            raise InputError(
                f"another process is {doing} {folder}; wait for it, or choose another folder"
            )
        yield


def printable(path: Path | str) -> str:
    """A path as messages show it: on one line, whatever it holds."""
    return str(path) if str(path).isprintable() else repr(str(path))
