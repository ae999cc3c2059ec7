"""Recordings to Kaldi data directories: `voiceconv prepare SRC DATA`.

SRC is a folder with a folder of sound files per domain, a Kaldi data directory, or a folder of such
(train, val or dev, test). DATA gets train, val and test. SRC is only read. Features that read files
of their own kind have those in the place of sound files.
"""

import logging
import os
import secrets
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from voiceconv.data.content import domain_files, extensions_of, extent_of
from voiceconv.data.kaldi import (
    Utterance,
    is_data_dir,
    read_data_dir,
    read_table,
    word,
    write_data_dir,
)
from voiceconv.data.splits import SPLITS, Assignment, shared_stems, split_by_lists, split_by_seed
from voiceconv.errors import InputError
from voiceconv.features.base import FileRepresentation, Representation
from voiceconv.files import abridged, printable, unwritable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitSummary:
    """The utterances of a domain in a split."""

    split: str
    domain: str
    n_utterances: int
    minutes: float
    sample_rates: tuple[int, ...]  # Hz, ascending; none of what is no sound


@dataclass(frozen=True)
class Summary:
    """The prepared splits, and notes for the user, one sentence each."""

    rows: list[SplitSummary]
    notes: list[str]


class _Item(NamedTuple):
    utterance: Utterance
    seconds: float
    sample_rate: int | None


_WHOLE = {".wav", ".flac"}  # of several formats of a recording, these lose nothing
_Corpus = dict[str, dict[str, _Item]]  # domain -> stem -> item


def prepare(
    source: Path | str,
    data_dir: Path | str,
    domains: Sequence[str] | None = None,
    lists: Path | str | None = None,
    n_val: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    keep_shared: bool = False,
    representation: Representation | None = None,
) -> Summary:
    """Write DATA/{train,val,test}; see `split_by_seed` for the numbers.

    domains: only these. lists: a folder with `<domain>.train`, `.val`, `.test` and optionally
    `.paired`, one stem per line, instead of the seed. representation: reader of the files; None:
    sound files. Old splits of DATA are replaced when all new ones are written, otherwise kept.
    """
    source, data_dir = Path(source), Path(data_dir)
    lists = None if lists is None else Path(lists)
    domains = None if domains is None else list(dict.fromkeys(map(word, domains)))
    _check_places(source, data_dir, lists)
    notes: list[str] = []
    try:
        if not is_data_dir(source) and is_data_dir(source / "train"):
            splits = _given_splits(source, domains, lists, notes, representation)
        else:
            if is_data_dir(source):
                corpus = _from_kaldi(source, notes, representation)
            else:
                found = _domains(source, domains, lists, representation)
                corpus = _from_folders(found, notes, representation)
            corpus = _chosen(corpus, domains, source, representation, lists)
            splits = _split(corpus, _assign(corpus, lists, n_val, n_test, seed, keep_shared, notes))
    except InputError:
        for note in notes:  # what was left out may be the reason
            log.warning("%s", note)
        raise
    rows = _summarise(splits)
    _note_rates(rows, notes)
    _write(data_dir, splits)
    return Summary(rows, notes)


def _check_places(source: Path, data_dir: Path, lists: Path | None) -> None:
    """Refuse a missing source, and an output that would change the source."""
    if not source.is_dir():
        kind = "is a file, not a folder" if source.exists() else "is not there"
        raise InputError(f"{source} {kind}; give a folder with a folder of recordings per domain")
    real_source, real_data = source.resolve(), data_dir.resolve()
    outputs = [real_data / split for split in SPLITS]
    if real_data.is_relative_to(real_source):
        raise InputError(f"{data_dir} lies in the source {source}; choose a folder outside of it")
    if any(real_source.is_relative_to(output) for output in outputs):
        raise InputError(
            f"the source {source} lies where {data_dir} would be written; choose another"
        )
    for output in outputs:  # only a data directory, or nothing, may be replaced
        is_empty = not output.exists() or (output.is_dir() and not any(output.iterdir()))
        if not is_empty and not is_data_dir(output):
            raise InputError(f"{output} holds something else than prepared data; choose another")
    if lists is not None and not lists.is_dir():
        raise InputError(f"there is no folder {lists} of lists; check the path")


def _domains(
    source: Path,
    domains: Sequence[str] | None,
    lists: Path | None,
    representation: Representation | None,
) -> dict[str, tuple[Path, list[Path]]]:
    """Domain -> its folder, and the files in that."""

    def is_domain(folder: Path) -> bool:
        is_wanted = domains is None or word(folder.name) in domains
        return is_wanted and (lists is None or folder.resolve() != lists.resolve())

    named: dict[str, tuple[Path, list[Path]]] = {}
    for folder, paths in domain_files(source, extensions_of(representation), is_domain).items():
        other, _ = named.setdefault(word(folder.name), (folder, paths))
        if other != folder:
            raise InputError(
                f"{printable(other)} and {printable(folder)} would both be domain "
                f"{word(folder.name)!r}; rename one"
            )
    if not named and domains is None:
        raise InputError(
            f"{source} has no folder per domain in it; put the recordings of each speaker, "
            "instrument or genre in a folder of its own there"
        )
    return named


def _from_folders(
    found: Mapping[str, tuple[Path, Sequence[Path]]],
    notes: list[str],
    representation: Representation | None,
) -> _Corpus:
    """Probe every file of every domain."""
    corpus: _Corpus = {}
    for domain, (folder, paths) in found.items():
        if domain != unicodedata.normalize("NFC", folder.name):
            notes.append(
                f"the folder {folder.name!r} is domain {domain!r}: names are UTF-8 without spaces"
            )
        corpus[domain] = _of_domain(domain, folder, paths, notes, representation)
    return corpus


def _of_domain(
    domain: str,
    folder: Path,
    paths: Sequence[Path],
    notes: list[str],
    representation: Representation | None,
) -> dict[str, _Item]:
    """Stem -> item. Of a recording in two formats one is taken: a copy in test were a leak."""
    transcripts = read_table(folder / "text") if (folder / "text").exists() else {}
    items: dict[str, _Item] = {}
    copies = []
    for path in sorted(paths, key=lambda path: path.suffix.lower() not in _WHOLE):
        stem = word(path.relative_to(folder).with_suffix("").as_posix().replace("/", "_"))
        if stem in items:
            other = items[stem].utterance.path
            if Path(os.path.abspath(path)).with_suffix("") != other.with_suffix(""):
                raise InputError(
                    f"{printable(path)} and {printable(other)} would both be utterance "
                    f"{stem!r} of domain {domain!r}; rename one"
                )
            copies.append(path)
            continue
        name = f"{domain}-{stem}"
        text = transcripts.get(stem, transcripts.get(name))
        utterance = Utterance(name, domain, Path(os.path.abspath(path)), text=text)
        if item := _look(utterance, notes, representation):
            items[stem] = item
    if copies:
        notes.append(
            "files are left out, since each has the name of one in another format "
            f"({len(copies)}): {abridged(copies)}; rename what is another recording"
        )
    return items


def _from_kaldi(source: Path, notes: list[str], representation: Representation | None) -> _Corpus:
    """Probe every utterance of a data directory; its stem is its id without the domain."""
    corpus: _Corpus = {}
    for utterance in read_data_dir(source):
        stem = utterance.id.removeprefix(utterance.domain).lstrip("-_") or utterance.id
        items = corpus.setdefault(utterance.domain, {})
        stem = utterance.id if stem in items else stem
        if item := _look(_absolute(utterance), notes, representation):
            items[stem] = item
    return corpus


def _given_splits(
    source: Path,
    domains: Sequence[str] | None,
    lists: Path | None,
    notes: list[str],
    representation: Representation | None,
) -> dict[str, list[_Item]]:
    """Read the splits of a corpus; `dev` is another name of val."""
    if lists is not None:
        raise InputError(f"{source} is split already; give lists with a source that is not")
    splits: dict[str, list[_Item]] = {}
    seen: dict[str, str] = {}
    for split in SPLITS:
        folders = [source / name for name in (split, "dev" if split == "val" else split)]
        folder = next(filter(is_data_dir, folders), folders[0])
        utterances = read_data_dir(folder) if is_data_dir(folder) else []
        for utterance in utterances:
            if utterance.id in seen:
                raise InputError(
                    f"{folder}: utterance {utterance.id!r} is in "
                    f"{seen[utterance.id]}, too; keep one"
                )
            seen[utterance.id] = split
        wanted = [u for u in utterances if domains is None or u.domain in domains]
        looked_at = [_look(_absolute(u), notes, representation) for u in wanted]
        splits[split] = [item for item in looked_at if item]
        if utterances and not splits[split]:
            raise InputError(f"{folder} has no readable utterance of {domains}; check it")
    return splits


def _chosen(
    corpus: _Corpus,
    domains: Sequence[str] | None,
    source: Path,
    representation: Representation | None,
    lists: Path | None,
) -> _Corpus:
    """Keep the requested domains; each must exist, with enough utterances if we are to split."""
    wanted = sorted(corpus) if domains is None else domains
    for domain in wanted:
        if domain not in corpus:
            known = " ".join(sorted(corpus)) or "none"
            raise InputError(f"{source} has no domain {domain!r}; it has: {known}")
        n_utterances = len(corpus[domain])
        if n_utterances == 0:
            kind, more = "sound", "recordings (WAV, FLAC, ...)"
            if isinstance(representation, FileRepresentation):
                kind, more = ", ".join(sorted(representation.extensions)), "some"
            raise InputError(
                f"domain {domain!r} has no {kind} file that can be read in {source}; "
                f"add {more}, or leave the domain out"
            )
        if n_utterances < 3 and lists is None:
            raise InputError(
                f"domain {domain!r} has only {n_utterances} utterance{'s'[: n_utterances - 1]} in "
                f"{source}; train, val and test need at least one each: add recordings, or cut a "
                "long one into sentences"
            )
    return {domain: corpus[domain] for domain in wanted}


def _assign(
    corpus: _Corpus,
    lists: Path | None,
    n_val: int | None,
    n_test: int | None,
    seed: int,
    keep_shared: bool,
    notes: list[str],
) -> Assignment:
    if lists is not None:
        return split_by_lists(corpus, lists)
    shared = shared_stems(corpus)
    if shared and not keep_shared:
        notes.append(
            f"{len(shared)} names occur in several domains and are taken for the same sentences: "
            "val and test have them in common, and each other one is trained on in one domain only"
        )
    durations = {
        domain: {stem: item.seconds for stem, item in items.items()}
        for domain, items in corpus.items()
    }
    return split_by_seed(durations, n_val, n_test, seed, keep_shared)


def _split(corpus: _Corpus, assignment: Assignment) -> dict[str, list[_Item]]:
    """Sort items into their splits."""
    splits: dict[str, list[_Item]] = {split: [] for split in SPLITS}
    for domain, stems in assignment.items():
        for stem, split in stems.items():
            splits[split].append(corpus[domain][stem])
    return splits


def _summarise(splits: Mapping[str, Collection[_Item]]) -> list[SplitSummary]:
    rows = []
    for split, items in splits.items():
        for domain in sorted({item.utterance.domain for item in items}):
            own = [item for item in items if item.utterance.domain == domain]
            rates = tuple(sorted({item.sample_rate for item in own if item.sample_rate}))
            minutes = sum(item.seconds for item in own) / 60
            rows.append(SplitSummary(split, domain, len(own), minutes, rates))
    return rows


def _note_rates(rows: Sequence[SplitSummary], notes: list[str]) -> None:
    rates: dict[str, set[int]] = {}
    for row in rows:
        rates.setdefault(row.domain, set()).update(row.sample_rates)
    if len(set().union(*rates.values())) > 1:
        listed = ", ".join(
            f"{domain} {'/'.join(map(str, sorted(r)))} Hz" for domain, r in sorted(rates.items())
        )
        notes.append(
            f"sample rates differ ({listed}): all is resampled on extraction, but what a low rate "
            "has lost stays lost"
        )


def _write(data_dir: Path, splits: Mapping[str, Collection[_Item]]) -> None:
    """Write all splits beside the old ones, then put them in their place."""
    try:
        with _scratch(data_dir) as scratch:
            for split, items in splits.items():
                if items:
                    write_data_dir(scratch / split, [item.utterance for item in items])
            for split in splits:
                if (data_dir / split).exists():
                    (data_dir / split).rename(scratch / f"old-{split}")
                if (scratch / split).exists():
                    (scratch / split).rename(data_dir / split)
    except OSError as error:
        raise unwritable(data_dir, error) from None


@contextmanager
def _scratch(data_dir: Path) -> Iterator[Path]:
    """Give a temporary folder in `data_dir`."""
    is_new = not data_dir.exists()
    scratch = data_dir / f".prepare-{secrets.token_hex(4)}"
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if is_new and not any(data_dir.iterdir()):
            data_dir.rmdir()


def _look(
    utterance: Utterance, notes: list[str], representation: Representation | None
) -> _Item | None:
    """Probe an utterance's file; one that can't be read is left out and noted."""
    try:
        return _Item(utterance, *extent_of(utterance, representation))
    except InputError as error:
        notes.append(f"left out: {utterance.id}: {error}")
        return None


def _absolute(utterance: Utterance) -> Utterance:
    return replace(utterance, path=Path(os.path.abspath(utterance.path)))
