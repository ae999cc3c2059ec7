"""Dumps in object stores, by fsspec: `s3://bucket/dump`, or any other address that it knows.

A dump is read in a mirror on this machine: `s3://bucket/dump` in CACHE/s3/bucket/dump. `local`
brings its tables up to date, and `present` fetches an archive when it is first mapped. Training
crops every utterance again and again, in a new order each pass; so an archive is fetched once, and
no step asks the store. What differs in the store is fetched anew. Stores are only read.

Endpoints and credentials are the store's own configuration (FSSPEC_S3_ENDPOINT_URL, ~/.aws).
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from filelock import FileLock
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from voiceconv.errors import InputError, NoRoomError, RunError
from voiceconv.files import below, printable, replace_text, replacing, unwritable
from voiceconv.progress import progress_bar

PIECE = 2**23  # bytes of a request; an interrupted archive loses N_AT_ONCE of them at most
N_AT_ONCE = 8
STATE = ".store.json"  # in each folder of a mirror: the version of each file in the store
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_TABLES = {".scp", ".yaml", ".safetensors"}  # extensions
_MADE_HERE = "stats.safetensors"  # by `voiceconv stats`, where the store has none
_KALDI = {"utt2spk", "spk2utt", "text", "segments", "reco2file_and_channel"}
# What tells versions of a file apart; stores of one kind have one of them.
_MARKS = ("ETag", "etag", "Last-Modified", "LastModified", "last_modified", "mtime", "created")

_Files = dict[str, dict[str, Any]]  # name -> what the store says of the file


class _Seen(NamedTuple):
    """What this process read a folder's tables by: the versions, and which file of them that was.

    Another command on this machine may replace that file, and the tables and archives with it.
    """

    versions: dict[str, str]
    state: tuple[int, int] | None


_seen: dict[Path, _Seen] = {}  # folder of a mirror -> what `local` saw; not in spawned processes


def is_url(place: Path | str) -> bool:
    """Whether a place is an address, and not a path."""
    return bool(_URL.match(str(place)))


def local(place: Path | str) -> Path:
    """The folder of a dump, or of a split: a path itself, or an address's mirror, up to date.

    Raises InputError for an address without files, RunError where the store does not answer.
    """
    if not is_url(place):
        return Path(place)
    url = str(place).rstrip("/")
    with _asking(url):
        store, root = url_to_fs(url)
        if isinstance(store, LocalFileSystem):
            return Path(root)
        store.invalidate_cache()
        folders = _listed(store, root)
        if not folders:
            store.info(root)  # which says why
    if not folders:
        raise InputError(f"there is no folder with files at {url}; check the address")
    protocol, _, rest = url.partition("://")
    mirror = _mirrors() / protocol / below(rest.strip("/"), url)
    try:
        mirror.mkdir(parents=True, exist_ok=True)
        with FileLock(_mirrors() / ".lock"):
            gone = {path.name for path in mirror.iterdir() if (path / STATE).is_file()}
            for name in folders.keys() | gone:
                _update(mirror / name, store, folders.get(name, {}))
    except OSError as error:
        raise unwritable(mirror, error) from None
    return mirror


def present(path: Path) -> Path:
    """An archive's path; in a mirror it is fetched if it is not there, or not all of it.

    Raises InputError, RunError also where it is no more that of the tables that this process read,
    and NoRoomError where the disk is too small for it.
    """
    path = Path(os.path.normpath(path))
    if not path.is_relative_to(_mirrors()):
        return path
    url = address(path)
    if not _is_as_seen(path):
        raise _changed(url)
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):  # of several ranks, one fetches
            if not path.exists():
                _fetch(url, path)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def address(path: Path) -> str:
    """The address of a file of a mirror; any other path as it is. For messages."""
    try:
        protocol, *rest = Path(os.path.normpath(path)).relative_to(_mirrors()).parts
    except ValueError:
        return printable(path)
    return f"{protocol}://{'/'.join(rest)}"


def _mirrors() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.path.abspath(cache)) / "voiceconv" / "stores"


def _listed(store: AbstractFileSystem, root: str) -> dict[str, _Files]:
    """The files of a folder (name ".") and of the folders in it, by folder.

    Raises InputError for a name that leads out of the folder.
    """
    folders: dict[str, _Files] = {}
    for path, info in store.find(root, maxdepth=2, detail=True).items():
        inner = path.removeprefix(root).strip("/")
        if not inner or "\\" in inner:  # root is a file; no file of ours is called so
            continue
        name = PurePosixPath(below(inner, path).as_posix())
        if len(name.parts) > 2:
            continue
        if not any(info.get(mark) for mark in _MARKS):  # a web server's list of names
            info = store.info(path)
        folders.setdefault(str(name.parent), {})[name.name] = info
    return folders


def _version(info: Mapping[str, Any]) -> str:
    """What is the same for the same content, from a list of files and from a question for one."""
    mark = next((info[mark] for mark in _MARKS if info.get(mark)), "")
    mark = mark.timestamp() if isinstance(mark, datetime) else mark
    return f"{info.get('size')} {mark}"


def _update(folder: Path, store: AbstractFileSystem, files: _Files) -> None:
    """Remove what is no more, or another, in the store, and fetch the tables that are missing.

    What was made here (statistics) stays as long as nothing changes.
    """
    versions = {name: _version(info) for name, info in files.items()}
    known = _known(folder)
    if versions != known:
        for name in known.keys() | versions.keys() | {_MADE_HERE}:
            if versions.get(name) != known.get(name) or name not in versions:
                for path in (folder / name, folder / f"{name}{_PART}"):
                    path.unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
        replace_text(folder / STATE, json.dumps(versions))
    _seen[folder] = _Seen(versions, _state_of(folder))
    wanted = {
        info["name"]: folder / name
        for name, info in files.items()
        if (PurePosixPath(name).suffix in _TABLES or name in _KALDI)
        and not (folder / name).exists()
    }
    if wanted:
        with _asking(address(folder)):
            contents = store.cat(list(wanted))
        for name, content in contents.items():
            with replacing(wanted[name]) as temporary:
                temporary.write_bytes(content)


_PART = ".part"  # at the end of the name of an archive that is not all there


def _known(folder: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _state_of(folder: Path) -> tuple[int, int] | None:
    """What tells one file of versions from the next, without reading it; None: there is none."""
    try:
        stat = (folder / STATE).stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def _is_as_seen(path: Path) -> bool:
    """Whether a file's version is still the one that `local` saw in this process."""
    seen = _seen.get(path.parent)
    if seen is None or seen.state == _state_of(path.parent):
        return True
    return seen.versions.get(path.name) == _known(path.parent).get(path.name)


def _changed(url: str) -> RunError:
    return RunError(f"{url} has changed since the run began; start it again")


def _fetch(url: str, path: Path) -> None:
    """Fetch a file in pieces, and go on where an interrupted call has stopped."""
    with _asking(url):
        store, name = url_to_fs(url)
        info = store.info(name)
    if _version(info) != _known(path.parent).get(path.name):
        raise _changed(url)
    size, part = int(info.get("size") or 0), path.with_name(path.name + _PART)
    with open(part, "ab") as file, progress_bar(f"fetch {path.name}") as progress:
        free = shutil.disk_usage(path.parent).free
        if size - file.tell() > free:
            raise NoRoomError(
                f"{url} has {size / 1e9:.1f} GB, and {path.parent} has room for {free / 1e9:.1f}; "
                "make room, or point XDG_CACHE_HOME at a larger disk"
            )
        while (done := file.tell()) < size:
            progress(done, size)
            starts = list(range(done, min(done + N_AT_ONCE * PIECE, size), PIECE))
            ends = [min(start + PIECE, size) for start in starts]
            with _asking(url):
                pieces = store.cat_ranges([name] * len(ends), starts, ends, on_error="raise")
            for start, end, piece in zip(starts, ends, pieces, strict=True):
                if len(piece) != end - start:
                    raise RunError(
                        f"{url}: the store gave {len(piece)} bytes for the {end - start} from "
                        f"{start}; take a store that gives ranges, or copy the dump here"
                    )
                file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Say in a sentence what a store answers; each kind of store raises errors of its own."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no {url}; check the address") from None
    except PermissionError as error:
        raise InputError(f"{url} may not be read ({error}); check the credentials") from None
    except ImportError as error:
        raise InputError(
            f"{url} needs a package ({error}); for s3:// and https:// install it with: "
            "pip install 'voiceconv[remote]'"
        ) from None
    except ValueError as error:
        raise InputError(f"{url} is no address of a store ({error}); check it") from None
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise RunError(
            f"{url} cannot be read: {said}; check the network, the store's address "
            "(FSSPEC_S3_ENDPOINT_URL) and the credentials"
        ) from None
