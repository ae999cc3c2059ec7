"""What a model on the hub is called: `org/name`, or `org/name@revision`."""

import re
from pathlib import Path
from typing import NamedTuple

from voiceconv.errors import InputError

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")  # becomes a file's name in the cache
_COMMIT = re.compile("[0-9a-f]{40}")


class HubName(NamedTuple):
    """A repository, and a branch, a tag or a commit of it; None: its main branch."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository if self.revision is None else f"{self.repository}@{self.revision}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which is the same for ever."""
        return self.revision is not None and is_commit(self.revision)


def hub_name(model: Path | str | None, revision: str | None = None) -> HubName | None:
    """The name that `model` is on the hub; None where it is no such name, or is there as a path.

    revision: wanted beside the name. Raises InputError for a revision that is none, for two of
    them, and for one of what is not on the hub.
    """
    name = None if model is None else _parsed(str(model))
    if name is None:
        if revision is not None:
            raise InputError(
                f"revision {revision!r} is of a model on the hub, and {model or 'the bundled one'} "
                "is none; leave it out"
            )
        return None
    if revision is not None:
        if name.revision not in (None, revision):
            raise InputError(f"{model} names a revision, and {revision!r} is another; give one")
        name = HubName(name.repository, revision)
    if name.revision is not None and not is_revision(name.revision):
        raise InputError(
            f"{name.revision!r} can be no revision; name a branch, a tag or a commit of "
            f"{name.repository}"
        )
    return name


def is_repository(text: str) -> bool:
    """Whether the hub could have a repository of that name."""
    odd = "--" in text or ".." in text or text.endswith(".git")
    return _REPOSITORY.fullmatch(text) is not None and not odd


def is_revision(text: str) -> bool:
    """Whether a branch, a tag or a commit can be called that, and a file in the cache, too."""
    return _REVISION.fullmatch(text) is not None and ".." not in text and "//" not in text


def is_commit(text: str) -> bool:
    """Whether it is a whole hash of git."""
    return _COMMIT.fullmatch(text) is not None


def _parsed(text: str) -> HubName | None:
    repository, at, revision = text.partition("@")
    is_here = Path(text).exists() or Path(text).parent.is_dir()  # exp/run, mistyped
    if not is_repository(repository) or is_here:
        return None
    return HubName(repository, revision if at else None)
