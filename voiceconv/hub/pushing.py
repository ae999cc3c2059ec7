"""A folder to the hub: the card's metadata, the manifest, one commit."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from voiceconv import __version__
from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text
from voiceconv.hub.fetching import CARDS, EXTRA, PACKAGE, in_sentences
from voiceconv.hub.manifest import MANIFEST, TAKEN, write_manifest
from voiceconv.hub.names import HubName, is_repository, is_revision
from voiceconv.optional import load

TAGS = ["voice-conversion", "audio-to-audio"]
LICENCES = (  # the hub's names of those that models of sound have; it calls all others "other"
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "gpl-3.0",
    "mit",
    "unlicense",
)
_FRONT = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)  # of what was on the hub before


def check_names(repo_id: str, branch: str | None = None) -> None:
    """Raise InputError for what the hub could not have."""
    if not is_repository(repo_id):
        raise InputError(f"{repo_id!r} is no name of a repository; write org/name")
    if branch is not None and not is_revision(branch):
        raise InputError(f"{branch!r} can be no branch; write another, such as v1")


def make_ready(folder: Path, repo_id: str, licence: object) -> None:
    """Complete the card of a model's directory, and write its manifest."""
    card = folder / CARDS[0]
    text = _FRONT.sub("", read_text(card)) if card.exists() else f"# {repo_id}\n"
    text = re.sub(r"(?<=--model )\S+", repo_id, text)
    replace_text(card, f"---\n{yaml.safe_dump(metadata(licence), sort_keys=False)}---\n\n{text}")
    write_manifest(folder, [name for name in model_files(folder) if name not in CARDS])


def model_files(folder: Path) -> list[str]:
    """The files of a model's directory that are pushed: what no model has is not among them."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in paths if TAKEN.fullmatch(name))


def metadata(licence: object) -> Mapping[str, Any]:
    """The front matter of a card, as the hub reads it."""
    said: dict[str, Any] = {"library_name": "voiceconv", "pipeline_tag": TAGS[-1], "tags": TAGS}
    if licence:
        known = str(licence).lower()
        said |= {"license": known} if known in LICENCES else _other(str(licence))
    return said


def _other(licence: str) -> dict[str, str]:
    return {"license": "other", "license_name": licence}


def upload(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    branch: str | None = None,
    commit_message: str | None = None,
) -> HubName:
    """Push a folder that `make_ready` has completed, in one commit; return its name, pinned.

    The repository and the branch are made where they are missing; files of an earlier model go,
    what is no file of a model stays. private: a new repository; None: as the organisation has it.

    Raises InputError where the token doesn't allow it and if huggingface_hub is missing, RunError
    where the hub fails.
    """
    check_names(repo_id, branch)
    hub = load(PACKAGE, "a push", PACKAGE, EXTRA)
    api = hub.HfApi(token=token, library_name="voiceconv", library_version=__version__)
    files = [*model_files(folder), MANIFEST]
    with in_sentences(HubName(repo_id, branch)):
        api.create_repo(repo_id, private=private, exist_ok=True)
        if branch is not None:
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        there = api.list_repo_files(repo_id, revision=branch)
        gone = [one for one in there if TAKEN.fullmatch(one) and one not in files]
        done = api.create_commit(
            repo_id,
            [hub.CommitOperationDelete(one) for one in gone]
            + [hub.CommitOperationAdd(one, folder / one) for one in files],
            commit_message=commit_message or f"Push by voiceconv {__version__}",
            revision=branch,
        )
    return HubName(repo_id, done.oid)
