"""The scored recordings with their references and transcripts, paired by name."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from voiceconv.data.content import content_files, stems
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, read_table
from voiceconv.errors import InputError
from voiceconv.files import plain_name, printable, sha256

COPY = "resynth"  # what `voiceconv resynth` puts behind a name
T = TypeVar("T")
Location = Path | str | Sequence[Path | str]


class Case(NamedTuple):
    """A converted recording, and its reference, original and text, if they are given."""

    stem: str
    converted: Utterance
    reference: Utterance | None = None  # the target's own recording of the sentence
    original: Utterance | None = None  # the recording that it copies, sample by sample
    text: str | None = None


def recordings(location: Location, domain: str | None, option: str | None) -> list[Utterance]:
    """Utterances of a folder, a list of files or a Kaldi data directory (there: of one domain).

    option: the option that error messages name for the domain (`--target`, `--source` or
    `--domain`); None: all domains, if none is chosen.
    """
    domain = domain and plain_name(domain)
    if not isinstance(location, (str, Path)):
        return _of_files([Path(file) for file in location], domain)
    folder = Path(location)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; check the path")
    if is_data_dir(folder):
        return _of_domain(folder, domain, option)
    files = content_files(folder)
    if not files:
        raise InputError(f"no sound file in {folder}; give a folder that holds some")
    return _of_files(files, domain)


def cases(
    converted: Sequence[Utterance],
    reference: Location | None,
    copy_of: Location | None,
    text: Path | str | None,
    source: str | None,
    target: str | None,
) -> list[Case]:
    """Pair each converted recording with what is given of it; sorted by stem.

    The stem is that of the reference (else of the original, of the text, of the recording itself):
    the longest end of the name, cut at hyphens, that is known there; where none is, also without
    the `-TARGET` or `-resynth` that `convert` and `resynth` append, TARGET being `target` or a
    domain of the references. Originals may be of several domains: a copy has its utterance's full
    name. Raises InputError for those without counterpart, and for one with two.
    """
    references = _recordings_by_stem(reference, target, "--target")
    originals = _recordings_by_stem(copy_of, source, None)
    texts = None if text is None else _texts(Path(text), source)
    ours = {plain_name(target or ""), *(one.domain for one in (references or {}).values()), COPY}
    suffixes = [f"-{word}" for word in sorted(ours - {""})]
    for table, remedy in (
        (references, f"{reference}; add the target's recording of it under the same name"),
        (originals, f"{copy_of}; add what it is a copy of under the same name"),
        (texts, f"{text}; add its transcript"),
    ):
        _require_counterparts(converted, table, suffixes, remedy)
    found: dict[str, Case] = {}
    for one in converted:
        name = _stem(one)
        (of_reference, of), (of_original, original), (of_text, said) = (
            _counterpart(one, references, suffixes),
            _counterpart(one, originals, suffixes),
            _counterpart(one, texts, suffixes),
        )
        stem = of_reference or of_original or of_text or name
        if stem in found:
            raise InputError(
                f"{printable(found[stem].converted.path)} and {printable(one.path)} are both of "
                f"{stem!r}; keep one"
            )
        found[stem] = Case(stem, one, of, original, said)
    return [found[stem] for stem in sorted(found)]


def digest(parts: Iterable[str]) -> str:
    """The SHA-256 of some words, independent of their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode("utf-8", "surrogateescape")).hexdigest()


def contents(utterances: Iterable[Utterance], unreadable: str | None = None) -> list[str]:
    """A digest of each recording, or part of one, independent of its path.

    unreadable: the word for a file that cannot be read; None: raise InputError.
    """
    known: dict[Path, str] = {}
    found = []
    for one in utterances:
        if one.path not in known:
            try:
                known[one.path] = file_digest(one.path)
            except InputError:
                if unreadable is None:
                    raise
                known[one.path] = unreadable
        channel = "" if one.channel is None else f" channel {one.channel}"
        found.append(f"{known[one.path]} {one.start or 0.0!r} {one.end!r}{channel}")
    return found


def ends(name: str) -> list[str]:
    """A name, and its ends after each hyphen; the longest first."""
    parts = name.split("-")
    return ["-".join(parts[first:]) for first in range(len(parts))]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file. Raises InputError if it cannot be read."""
    try:
        return sha256(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None


def _of_files(paths: Sequence[Path], domain: str | None) -> list[Utterance]:
    names = map(plain_name, stems(paths))
    return [Utterance(name, domain or "", path) for name, path in zip(names, paths, strict=True)]


def _of_domain(folder: Path, domain: str | None, option: str | None) -> list[Utterance]:
    utterances = read_data_dir(folder)
    domains = sorted({utterance.domain for utterance in utterances})
    if domain is None and option is not None and len(domains) > 1:
        raise InputError(f"{folder} holds {', '.join(domains)}; choose one with {option}")
    utterances = [u for u in utterances if domain in (None, u.domain)]
    if not utterances:
        raise InputError(f"no {domain!r} in {folder}, which holds {', '.join(domains)}")
    return utterances


def _stem(utterance: Utterance) -> str:
    """The id without the domain's prefix."""
    return utterance.id.removeprefix(f"{utterance.domain}-") or utterance.id


def _recordings_by_stem(
    location: Location | None, domain: str | None, option: str | None
) -> dict[str, Utterance] | None:
    """Stem -> recording; of several domains, which may share stems: id -> recording."""
    if location is None:
        return None
    found = recordings(location, domain, option)
    several = len({utterance.domain for utterance in found}) > 1
    table: dict[str, Utterance] = {}
    for utterance in found:
        stem = utterance.id if several else _stem(utterance)
        if stem in table:
            raise InputError(f"two recordings of {stem!r} in {location}; keep one")
        table[stem] = utterance
    return table


def _texts(place: Path, source: str | None) -> Mapping[str, str | None]:
    """Stem -> transcript, of a data directory (there: of the source) or lines of `id text`.

    None for an utterance with an empty one: it counts in all other measures.
    """
    if not is_data_dir(place):
        if place.is_dir():
            raise InputError(f"{place} is no data directory; give one, or a file of `id text`")
        texts = {name: text or None for name, text in read_table(place).items()}
    else:
        source = source and plain_name(source)
        texts = {_stem(u): u.text or None for u in _of_domain(place, source, "--source")}
    if not any(texts.values()):
        raise InputError(f"no transcripts in {place}; add a file `text` of `utterance transcript`")
    return texts


def _require_counterparts(
    converted: Sequence[Utterance],
    table: Mapping[str, object] | None,
    suffixes: Collection[str],
    remedy: str,
) -> None:
    """Raise InputError that names all recordings without counterpart in the table."""
    if table is None:
        return
    lost = [one for one in converted if _key(one, table, suffixes) is None]
    if lost:
        has, the_file = ("has", "the file") if len(lost) == 1 else ("have", "the files")
        first, _, last = lost[0].id.rpartition("-")
        hint = f", say --target {last} if it is a conversion to that" if first in table else ""
        raise InputError(
            f"{', '.join(printable(one.path) for one in lost)} {has} no counterpart in "
            f"{remedy}{hint}, or leave {the_file} out"
        )


def _key(
    utterance: Utterance, table: Mapping[str, object], suffixes: Collection[str]
) -> str | None:
    """The longest end of a name after a hyphen that is in the table; see cases."""
    names = [utterance.id, *ends(_stem(utterance))]
    bare = [name.removesuffix(end) for name in names for end in suffixes if name.endswith(end)]
    plain, converted = (next((one for one in some if one in table), None) for some in (names, bare))
    if plain is not None and converted is not None and not plain.startswith(converted):
        path = printable(utterance.path)
        raise InputError(f"{path} may be of {plain!r} or of {converted!r}; rename it")
    return converted if plain is None else plain


def _counterpart(
    utterance: Utterance, table: Mapping[str, T] | None, suffixes: Collection[str]
) -> tuple[str | None, T | None]:
    """The utterance's key in the table, and its value."""
    key = _key(utterance, table, suffixes) if table is not None else None
    return (None, None) if table is None or key is None else (key, table[key])
