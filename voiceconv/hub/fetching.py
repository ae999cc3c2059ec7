"""A model of the hub into huggingface_hub's cache: listed, checked, downloaded, hashed.

Every use hashes the cached files again: a damaged one is never opened.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from voiceconv import __version__
from voiceconv.errors import InputError, RunError
from voiceconv.hub.listing import Listed, checked
from voiceconv.hub.manifest import MANIFEST, is_right, read_manifest
from voiceconv.hub.names import HubName, hub_name, is_commit
from voiceconv.optional import load

CARDS = ("README.md", "vocoder/README.md")  # in no manifest: they are edited on the hub
WHAT, PACKAGE, EXTRA = "a model of the hub", "huggingface_hub", "hub"
log = logging.getLogger("voiceconv.hub")


class Access(NamedTuple):
    """How the hub is asked, in the words of huggingface_hub.

    revision: a branch, a tag or a commit. cache_dir: None: HF_HUB_CACHE. local_files_only: what the
    cache has, as HF_HUB_OFFLINE=1 asks for. token: None: the one of `hf auth login` or HF_TOKEN.
    """

    revision: str | None = None
    cache_dir: Path | str | None = None
    local_files_only: bool = False
    token: str | bool | None = None


USUAL = Access()


Model = TypeVar("Model", str, str | None)


def pinned(model: Model) -> Model:
    """A model on the hub with its commit, fetched: all who open it get the same; others unchanged.

    Raises as `fetch`.
    """
    name = hub_name(model)
    if name is None or name.is_pinned:
        return model
    return str(HubName(name.repository, fetch(name).name))


def fetch(name: HubName, access: Access = USUAL) -> Path:
    """The folder of a model in the cache, which is called as its commit.

    Downloads what the cache lacks. Without a connection, what the cache has of the revision.

    Raises InputError for what is not on the hub, what is refused (see `listing.checked`), files
    that are not those of their hashes, what isn't cached while the hub may not be asked, and if
    huggingface_hub is missing; RunError where the hub fails or can't be reached.
    """
    hub = load(PACKAGE, f"no folder here is called {str(name)!r}, and {WHAT}", PACKAGE, EXTRA)
    api = hub.HfApi(token=access.token, library_name="voiceconv", library_version=__version__)
    offline = access.local_files_only or hub.constants.is_offline_mode()
    with in_sentences(name):
        commit = api.resolve_revision(
            name.repository,
            revision=name.revision,
            cache_dir=access.cache_dir,
            local_files_only=offline,
        ).resolved
    if not is_commit(commit):
        raise RunError(f"{name}: the hub answers {commit[:60]!r}, which is no commit")
    name = HubName(name.repository, commit)
    folder = _cached(name, access)
    if folder is None:
        if offline:
            raise _not_cached(name)
        folder = _download(api, name, access)
    log.info("model %s", name)
    return folder


def _cached(name: HubName, access: Access) -> Path | None:
    """The folder of a commit, if every file of its manifest is there, and right."""
    find = load(PACKAGE, WHAT).try_to_load_from_cache
    found = find(name.repository, MANIFEST, access.cache_dir, name.revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    try:
        hashes = read_manifest(folder / MANIFEST, str(name))
    except InputError:
        return None
    return folder if all(is_right(folder / file, one) for file, one in hashes.items()) else None


def _download(api: Any, name: HubName, access: Access) -> Path:
    """Fetch the files of a commit that the cache lacks or has damaged."""
    with in_sentences(name):
        entries = api.list_repo_tree(name.repository, recursive=True, revision=name.revision)
        listed = checked(map(_listed, entries), str(name))
    manifest = _get(api, name, access, listed[MANIFEST])
    hashes = read_manifest(manifest, str(name))
    for file, sha256 in hashes.items():
        if file not in listed:
            raise InputError(f"{name} lacks {file}, which its {MANIFEST} names; push it again")
        if listed[file].sha256 not in (None, sha256):
            raise InputError(
                f"{name}: {file} is not the file that {MANIFEST} was made of: it was changed on "
                "the hub since; take another revision, or ask its author"
            )
    for file, one in listed.items():
        if file in hashes or file in CARDS:
            _get(api, name, access, one, hashes.get(file))
    return manifest.parent


def _get(api: Any, name: HubName, access: Access, one: Listed, sha256: str | None = None) -> Path:
    """A file in the cache, which is downloaded unless it is there and right; refused if wrong.

    sha256: what the manifest says.
    """
    for again in (False, True):
        with in_sentences(name):
            path = Path(
                api.hf_hub_download(
                    name.repository,
                    one.path,
                    revision=name.revision,
                    cache_dir=access.cache_dir,
                    force_download=again,
                )
            )
        if one.is_that_of(path) and (sha256 is None or is_right(path, sha256)):
            return path
        path.resolve().unlink(missing_ok=True)  # what the link in the cache is to
        path.unlink(missing_ok=True)
    raise InputError(
        f"{name}: {one.path} is by its hash not the file that was pushed, twice in a row, and was "
        "deleted again; ask the model's author, or try another connection"
    )


def _listed(entry: Any) -> Listed:
    """Of huggingface_hub's RepoFile or RepoFolder."""
    lfs = getattr(entry, "lfs", None)
    sha256 = None if lfs is None else lfs.sha256
    size = getattr(entry, "size", 0)
    return Listed(entry.path, size, None if lfs else getattr(entry, "blob_id", None), sha256)


def _not_cached(name: HubName) -> InputError:
    return InputError(
        f"{name} is no folder here and not whole in the cache, and the hub may not be asked; fetch "
        "it once without HF_HUB_OFFLINE and local_files_only"
    )


@contextmanager
def in_sentences(name: HubName) -> Iterator[None]:
    """Turn what huggingface_hub raises into errors of one sentence."""
    errors = load(f"{PACKAGE}.errors", WHAT)
    place = load(f"{PACKAGE}.constants", WHAT).ENDPOINT
    try:
        yield
    except errors.RevisionNotFoundError:
        lacks = f"no revision {name.revision!r}; name another"
        if name.revision is None:
            lacks = "nothing in it as yet; push a model first"
        raise InputError(f"{name.repository} on {place} has {lacks}") from None
    except errors.RepositoryNotFoundError:  # gated ones are, too
        raise InputError(
            f"no model {str(name)!r}: no folder here is called that, and {place} has none of that "
            "name, or a private one; check the name, or log in by `hf auth login`"
        ) from None
    except errors.RevisionResolutionError as error:
        if error.__cause__ is None:
            raise _not_cached(name) from None
        raise RunError(
            f"no folder here is called {str(name)!r}, {place} cannot be reached "
            f"({_first_line(error.__cause__)}), and the cache does not have it; try again later"
        ) from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise InputError(
                f"{place} refuses {name} (status {status}): your token does not allow it; log in "
                "by `hf auth login` with one that does"
            ) from None
        raise RunError(f"{place} fails for {name} ({_first_line(error)}); try later") from None
    except (OSError, ValueError, errors.HTTPError) as error:  # broken off, refused by the library
        raise RunError(f"{name} of {place}: {_first_line(error)}; try again") from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
