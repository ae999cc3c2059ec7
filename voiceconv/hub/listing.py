"""What a repository says that it holds, judged before anything of it is downloaded."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from voiceconv.errors import InputError
from voiceconv.files import below, sha256
from voiceconv.hub.manifest import MANIFEST, TAKEN

MOST_FILES = 1000
MOST_BYTES = 2_000_000_000  # of all that would be downloaded
PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl|pickle|joblib|npy|npz)", re.IGNORECASE)


class Listed(NamedTuple):
    """A file as the hub lists it. sha256: of what it keeps beside git; git_id: git's own hash."""

    path: str
    size: int
    git_id: str | None = None
    sha256: str | None = None

    def is_that_of(self, path: Path) -> bool:
        """Whether a downloaded file has the hash that the hub has said."""
        if self.sha256 is not None:
            return sha256(path) == self.sha256
        if self.git_id is None:
            return True
        data = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == self.git_id


def checked(listed: Iterable[Listed], name: str) -> dict[str, Listed]:
    """The files of a model by their paths: those that a model has, and no others.

    Raises InputError for a repository with paths that lead out of it, with too many or too large
    files, without a manifest, and with weights that only pickle reads. It looks at no more than
    MOST_FILES entries.
    """
    taken: dict[str, Listed] = {}
    pickles: list[str] = []
    for number, one in enumerate(listed):
        if number == MOST_FILES:
            raise InputError(f"{name} lists more than {MOST_FILES} files; a model has about ten")
        _check_path(one.path, name)
        if one.path == MANIFEST or TAKEN.fullmatch(one.path):
            taken[one.path] = one
        elif PICKLES.fullmatch(one.path):
            pickles.append(one.path)
    if pickles and not any(path.endswith((".safetensors", ".onnx")) for path in taken):
        raise InputError(
            f"{name} has its weights as {pickles[0]} only: such a file may hold a pickle, and a "
            "pickle runs any code when it is read; ask its author for safetensors"
        )
    if MANIFEST not in taken:
        raise InputError(
            f"{name} has no {MANIFEST}: it is no model of voiceconv, or was not uploaded by "
            "`voiceconv push`; push it so"
        )
    n_bytes = sum(one.size for one in taken.values())
    if n_bytes > MOST_BYTES:
        raise InputError(
            f"{name} would be {n_bytes / 1e9:.1f} GB; at most {MOST_BYTES / 1e9:.0f} GB are fetched"
        )
    return taken


def _check_path(path: str, name: str) -> None:
    below(path, name)
    parts = path.split("/")
    if "\\" in path or not path.isprintable() or not all(parts) or "." in parts:
        raise InputError(f"{name}: no file can be called {path!r}, whatever reads it; rename it")
