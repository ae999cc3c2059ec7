"""Shards of a split's archives: files whose names and bytes depend on the data alone.

The utterances of a split, in their order, are cut into shards of one size. Shard 7 is the files
`<kind>.7-<digest>.ark` and `.scp`; the digest is of the utterances in it. Files appear whole under
their names, those of `feats` last, and change only where the recordings are others. So a shard has
the same bytes whichever worker writes it, once or twice, and what a killed worker leaves is none.
"""

import filecmp
import hashlib
import math
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from voiceconv.data.archive import (
    Archive,
    ArchiveWriter,
    FloatArray,
    Location,
    intact_utterances,
    read_scp,
    scp_line,
)
from voiceconv.data.kaldi import Utterance, is_data_dir, source, sources, write_data_dir
from voiceconv.errors import InputError, RunError
from voiceconv.files import replace_text

LARGEST = 512  # utterances: half an hour of speech, some minutes of work
_SCRATCH = ".shard-"
# Also the names of earlier versions, which had one archive for each worker: `feats.0.ark`.
_FILE = re.compile(r"(?P<kind>.+)\.(?P<name>\d+(-[0-9a-f]{8})?)\.(ark|scp)")


class Task(NamedTuple):
    """Utterances of a shard for a worker; `known` maps those in archives to an archive's name."""

    folder: Path
    number: int
    utterances: tuple[Utterance, ...]
    known: Mapping[str, str]


class Written(NamedTuple):
    """What a worker made of a task: the archive's name, if it holds any, and errors by id."""

    name: str | None
    failed: dict[str, str]


@dataclass
class Shard:
    """A shard and how far it is.

    known: utterances in archives -> the archive's name. alone: each utterance is a task of its own,
    because one of them kills workers.
    """

    folder: Path
    number: int
    utterances: tuple[Utterance, ...]
    known: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    alone: bool = False

    def tasks(self, retries: int) -> list[Task]:
        """What is to be analysed: nothing, the shard, or each of its utterances."""
        missing = [u for u in self.utterances if self._is_open(u, retries)]
        if self.alone:
            return [Task(self.folder, self.number, (u,), {}) for u in missing]
        left = tuple(u for u in self.utterances if u.id in self.known or u in missing)
        return [Task(self.folder, self.number, left, dict(self.known))] if missing else []

    def joining(self) -> list[Task]:
        """What is left to do when each utterance is analysed or has failed: make it one archive."""
        there = tuple(u for u in self.utterances if u.id in self.known)
        names = set(self.known.values())
        if not there or names == {name_of(self.number, [u.id for u in there])}:
            return []
        return [Task(self.folder, self.number, there, dict(self.known))]

    def note(self, task: Task, written: Written) -> None:
        """Take what a worker made of a task."""
        for utterance in task.utterances:
            if utterance.id in written.failed:
                self.failed[utterance.id] = written.failed[utterance.id]
                self.tries[utterance.id] += 1
            elif written.name is not None:
                self.known[utterance.id] = written.name
                self.failed.pop(utterance.id, None)

    def note_loss(self, task: Task, error: str, retries: int) -> None:
        """Take that workers died of a task: one utterance fails, several are tried alone."""
        if len(task.utterances) == 1:
            self.failed[task.utterances[0].id] = error
            self.tries[task.utterances[0].id] = retries + 1
        else:
            self.alone = True

    def _is_open(self, utterance: Utterance, retries: int) -> bool:
        return utterance.id not in self.known and self.tries[utterance.id] <= retries


def shard_size(n_utterances: int) -> int:
    """Utterances in a shard: half the root of their number, so that more data is both more shards,
    for more workers, and longer ones; at most LARGEST, which is what a killed worker loses.
    """
    return min(max(math.isqrt(n_utterances // 4), 1), LARGEST)


def plan(folder: Path, utterances: Sequence[Utterance], kinds: Sequence[str]) -> list[Shard]:
    """The shards of a split, with what the folder has of them."""
    size = shard_size(len(utterances))
    shards = [
        Shard(folder, number, tuple(utterances[start : start + size]))
        for number, start in enumerate(range(0, len(utterances), size))
    ]
    names = {path.name for path in folder.iterdir()}
    archives = {
        m["name"] for name in names if (m := _FILE.fullmatch(name)) and m["kind"] == "feats"
    }
    owner: dict[str, str] = {}
    for name in sorted(archives):
        if all(f"{kind}.{name}.scp" in names for kind in kinds):
            whole = [set(intact_utterances(folder / f"{kind}.{name}.scp")) for kind in kinds]
            owner |= dict.fromkeys(set.intersection(*whole), name)
    for shard in shards:
        ids = [u.id for u in shard.utterances]
        shard.known = {one: owner[one] for one in ids if one in owner}
    return shards


def name_of(number: int, utterances: Iterable[str]) -> str:
    """The name of the archive of a shard that holds these utterances, such as `7-1f3a9c04`."""
    digest = hashlib.sha256("\n".join(utterances).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{number}-{digest[:8]}"


def write_shard(
    folder: Path,
    number: int,
    kinds: Sequence[str],
    arrays: Iterable[tuple[str, Mapping[str, FloatArray]]],
) -> str | None:
    """Write (id, kind -> (T, C) or (T,)) in their order; the archive's name, None without any.

    Files that are there with these bytes stay: somebody may have them mapped. Of others the scps go
    first, so no offset is ever of another ark. Raises OSError.
    """
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    try:
        utterances = []
        with ExitStack() as stack:
            writers = {k: stack.enter_context(ArchiveWriter(scratch, k, number)) for k in kinds}
            for utterance, tracks in arrays:
                for kind in kinds:
                    writers[kind].write(utterance, tracks[kind])
                utterances.append(utterance)
        if not utterances:
            return None
        name = name_of(number, utterances)
        arks = {folder / f"{kind}.{name}.ark": writers[kind].ark_path for kind in kinds}
        scps = {folder / f"{kind}.{name}.scp": writers[kind].scp_path for kind in kinds}
        for ark, new in zip(arks, scps.values(), strict=True):
            there = read_scp(new)
            lines = (scp_line(u, ark.name, there[u].offset) for u in utterances)
            replace_text(new, "".join(lines))
        if any(old.exists() and not _same(old, new) for old, new in (arks | scps).items()):
            for scp in scps:
                scp.unlink(missing_ok=True)
        for old, new in (arks | scps).items():  # the arks first
            if not _same(old, new):
                os.replace(new, old)
        return name
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _same(old: Path, new: Path) -> bool:
    try:
        return filecmp.cmp(old, new, shallow=False)
    except FileNotFoundError:  # another worker may be at this shard
        return False


class Known:
    """Reads what archives of a folder hold already."""

    def __init__(self, task: Task, kinds: Sequence[str]) -> None:
        self._task, self._kinds = task, kinds
        self._archives: dict[tuple[str, str], Archive] = {}

    def read(self, utterance: str) -> dict[str, FloatArray]:
        """Kind -> (T, C) or (T,) of an utterance of `known`."""
        name = self._task.known[utterance]
        for kind in self._kinds:
            if (kind, name) not in self._archives:
                scp = self._task.folder / f"{kind}.{name}.scp"
                self._archives[kind, name] = Archive(scp)
        return {kind: self._archives[kind, name][utterance] for kind in self._kinds}


def locations(
    folder: Path, kinds: Sequence[str], shards: Sequence[Shard]
) -> dict[str, dict[str, Location]]:
    """Kind -> utterance -> its array, of all shards of a folder. Raises RunError."""
    names = sorted({name for shard in shards for name in shard.known.values()})
    _require(
        folder, [f"{kind}.{name}.{of}" for name in names for kind in kinds for of in ("ark", "scp")]
    )
    found: dict[str, dict[str, Location]] = {kind: {} for kind in kinds}
    for kind in kinds:
        for name in names:
            found[kind] |= read_scp(folder / f"{kind}.{name}.scp")
    return found


def forget_changed(folder: Path, utterances: Sequence[Utterance]) -> None:
    """Take out of the archives what the folder has of other recordings under the same ids.

    The folder's data directory says which; then it becomes that of `utterances`, so what is
    analysed from now on stays after an interruption. Without one (nothing was finished) all stays.
    """
    if not is_data_dir(folder):
        return
    try:
        there = sources(folder)
    except InputError:  # torn by an interruption
        changed = {u.id for u in utterances}
    else:
        changed = {u.id for u in utterances if there.get(u.id, source(u)) != source(u)}
    if not changed:
        return
    for path in list(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match and path.suffix == ".scp":
            kept = {u: one for u, one in read_scp(path).items() if u not in changed}
            lines = (scp_line(u, one.path.name, one.offset) for u, one in kept.items())
            replace_text(path, "".join(lines))
    write_data_dir(folder, utterances)


def remove_others(folder: Path, shards: Sequence[Shard]) -> None:
    """Remove archives that no shard is in: of an earlier version, of other data, of failures."""
    names = {name for shard in shards for name in shard.known.values()}
    for path in list(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match and match["name"] not in names:
            path.unlink()


def remove_scratch(folder: Path) -> None:
    """Remove what killed workers left; what one that still runs writes there ends with an error."""
    for path in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(path, ignore_errors=True)


def _require(folder: Path, names: Iterable[str]) -> None:
    """Raise RunError where a file that a worker wrote is not here.

    The folder is listed: a network file system may remember for a minute that a file was not there.
    """
    missing = sorted(set(names) - {entry.name for entry in os.scandir(folder)})
    if missing:
        raise RunError(
            f"{folder / missing[0]} was written by a worker and is not here; all machines need one "
            f"shared file system with {folder}"
        )
