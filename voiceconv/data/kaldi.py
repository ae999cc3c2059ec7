"""Kaldi data directories: utterances with their domain and file.

Format: https://kaldi-asr.org/doc/data_prep.html. `wav.scp` (utterance or recording, path) and
`utt2spk` (utterance, domain) are required; `segments` (utterance, recording, start and end in
seconds, and a channel from 0 as extract-segments takes it), `reco2file_and_channel` (recording,
name, channel A or B), `text` (utterance, transcript) and `spk2utt` are read where present. A path
may hold spaces: it is the rest of its line. Commands (ending in `|`) are refused and never run.
Names are read as `plain_name` has them, and none leads out of a folder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.files import below, plain_name, printable, read_text, replace_text

_BLANKS = " \t"
_SIDES = {"A": 0, "1": 0, "B": 1, "2": 1}
_ARCHIVE = re.compile(r"\.ark(:\d+)?(\[[\d:,]*\])?$")  # Kaldi's and ESPnet's


@dataclass(frozen=True)
class Utterance:
    """One recording, or the part of it between `start` and `end` (seconds; None: its end).

    channel: the only one that is meant, from 0; None: all, mixed down.
    """

    id: str
    domain: str
    path: Path
    start: float | None = None
    end: float | None = None
    text: str | None = None
    channel: int | None = None


class _Entry(NamedTuple):
    """The value of a line, and its place for errors: `data/train/utt2spk:3`."""

    value: str
    place: str


def is_data_dir(directory: Path | str) -> bool:
    """Whether a folder is itself a Kaldi data directory, not a folder of them."""
    return (Path(directory) / "wav.scp").is_file()


def read_data_dir(directory: Path | str) -> list[Utterance]:
    """Read and check a data directory; utterances sorted by id. Errors name file and line.

    A relative path is looked for from the current directory, as Kaldi does, and then from the data
    directory.
    """
    directory = Path(directory)
    recordings = _read_table(directory / "wav.scp")
    domains = _read_table(directory / "utt2spk")
    texts = _read_optional(directory / "text")
    if not recordings:
        raise InputError(f"{directory / 'wav.scp'} names no recording; add some or prepare again")
    paths = {name: _resolve(entry, directory) for name, entry in recordings.items()}
    parts = dict(_parts(directory, recordings))
    channels = _channels(directory / "reco2file_and_channel", paths)
    for name, entry in domains.items():
        _one_word(entry, "a domain")
        below(name, entry.place)
        below(entry.value, entry.place)
        _known(name, parts, entry, "segments" if is_segmented(directory) else "wav.scp")
    for name, (*_, place) in parts.items():
        if name not in domains:
            raise InputError(
                f"{place}: utterance {name!r} has no line in utt2spk; add `{name} DOMAIN`"
            )
    for name, entry in texts.items():
        _known(name, parts, entry, "wav.scp")
    _check_spk2utt(directory / "spk2utt", domains)
    return [
        Utterance(
            name,
            domains[name].value,
            paths[recording],
            start,
            end,
            texts[name].value if name in texts else None,
            channels.get(recording) if channel is None else channel,
        )
        for name, (recording, start, end, channel, _) in sorted(parts.items())
    ]


# path, start, end, channel
Source = tuple[str, float, float | None, int | None]


def source(utterance: Utterance) -> Source:
    """What of which recording an utterance is, as a data directory has it."""
    u = utterance
    return str(u.path), u.start or 0.0, u.end, u.channel


def sources(directory: Path | str) -> dict[str, Source]:
    """Utterance -> its source, in a data directory of `write_data_dir`; no recording is opened."""
    directory = Path(directory)
    recordings = _read_table(directory / "wav.scp")
    return {
        name: (recordings[recording].value, start or 0.0, end, channel)
        for name, (recording, start, end, channel, _) in _parts(directory, recordings)
    }


def write_data_dir(directory: Path | str, utterances: Iterable[Utterance]) -> None:
    """Write wav.scp, utt2spk, spk2utt and, where needed, text and segments, in Kaldi's order.

    A text or segments of other utterances that is there goes.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    utterances = sorted(utterances, key=lambda u: u.id)
    for utterance in utterances:
        _check_writable(utterance)
    segmented = any((u.start, u.end, u.channel) != (None, None, None) for u in utterances)
    # A recording of several utterances gets the name of the first one.
    recordings: dict[Path, str] = {}
    for u in utterances:
        recordings.setdefault(u.path, u.id)
    by_domain: dict[str, list[str]] = {}
    for u in utterances:
        by_domain.setdefault(u.domain, []).append(u.id)
    if segmented:
        _write(directory / "wav.scp", {name: str(path) for path, name in recordings.items()})
        _write(directory / "segments", {u.id: _part(u, recordings[u.path]) for u in utterances})
    else:
        (directory / "segments").unlink(missing_ok=True)
        _write(directory / "wav.scp", {u.id: str(u.path) for u in utterances})
    _write(directory / "utt2spk", {u.id: u.domain for u in utterances})
    _write(directory / "spk2utt", {d: " ".join(names) for d, names in by_domain.items()})
    if texts := {u.id: u.text for u in utterances if u.text is not None}:
        _write(directory / "text", texts)
    else:
        (directory / "text").unlink(missing_ok=True)


def _part(u: Utterance, recording: str) -> str:
    """The value of a line of segments."""
    channel = "" if u.channel is None else f" {u.channel}"
    return f"{recording} {u.start or 0.0!r} {-1 if u.end is None else u.end!r}{channel}"


def word(name: str) -> str:
    """The name of a file or folder as a field of a Kaldi file: see `plain_name`; no spaces."""
    return "_".join(plain_name(name).split())


def is_segmented(directory: Path) -> bool:
    """Whether utterances are parts of recordings."""
    return (directory / "segments").exists()


def read_table(path: Path | str) -> dict[str, str]:
    """Read lines of `key value`; the value is the rest of the line. Errors name file and line."""
    return {key: entry.value for key, entry in _read_table(Path(path)).items()}


def _read_table(path: Path) -> dict[str, _Entry]:
    holds_paths = path.name == "wav.scp"
    try:
        # Bytes of paths that are not UTF-8 pass unchanged.
        text = read_text(path, "surrogateescape" if holds_paths else "strict")
    except FileNotFoundError:
        raise InputError(f"there is no {path}; make it by `voiceconv prepare SRC DATA`") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    table: dict[str, _Entry] = {}
    # Not splitlines() and split(): they also part at characters that a path or a text may hold.
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(_BLANKS)
        if not line:
            continue
        word = line.replace("\t", " ").split(" ", 1)[0]
        value, place = line[len(word) :].strip(_BLANKS), f"{printable(path)}:{number}"
        key = plain_name(word)
        if key in table:
            first = table[key].place.rpartition(":")[2]
            raise InputError(
                f"{place}: {key!r} occurs a second time, first in line {first}; keep one"
            )
        if not value and path.name != "text":
            raise InputError(f"{place}: found only {key!r}; a line of {path.name} has two fields")
        table[key] = _Entry(value if holds_paths else plain_name(value), place)
    return table


def _read_optional(path: Path) -> dict[str, _Entry]:
    return _read_table(path) if path.exists() else {}


def _resolve(entry: _Entry, directory: Path) -> Path:
    """Return the path of a wav.scp line."""
    if entry.value.endswith("|"):
        raise InputError(
            f"{entry.place}: {entry.value!r} is a command, and commands are not run; "
            "write what it prints to a file and name that"
        )
    for path in (Path(entry.value), directory / entry.value):
        if path.is_file():
            return path
    if _ARCHIVE.search(entry.value):
        raise InputError(
            f"{entry.place}: {entry.value!r} is a place in a Kaldi archive, as ESPnet's dump has "
            "it, not a sound file; name the files that it was made of, or write some with "
            "`format_wav_scp.sh --audio-format wav`"
        )
    raise InputError(f"{entry.place}: there is no file {entry.value!r}; mend the path")


# recording, start, end, channel, place
_Part = tuple[str, float | None, float | None, int | None, str]


def _parts(directory: Path, recordings: Mapping[str, _Entry]) -> Iterator[tuple[str, _Part]]:
    """Utterances with their recording and part; without `segments`, each recording is one."""
    if not is_segmented(directory):
        for name, entry in recordings.items():
            yield name, (name, None, None, None, entry.place)
        return
    for name, entry in _read_table(directory / "segments").items():
        fields = entry.value.replace("\t", " ").split()
        try:
            recording, start, end = fields[0], float(fields[1]), float(fields[2])
            (channel,) = map(int, fields[3:]) if len(fields) > 3 else (None,)
        except (IndexError, ValueError):
            raise InputError(
                f"{entry.place}: expected `utterance recording start end [channel]`, found "
                f"{f'{name} {entry.value}'!r}"
            ) from None
        if recording not in recordings:
            raise InputError(
                f"{entry.place}: recording {recording!r} has no line in wav.scp; add it"
            )
        if not 0 <= start or not (end == -1 or start < end < float("inf")):
            raise InputError(
                f"{entry.place}: {start:g} to {end:g} seconds is no part of a recording; "
                "start before the end (-1: the recording's)"
            )
        yield name, (recording, start, None if end == -1 else end, channel, entry.place)


def _channels(path: Path, recordings: Mapping[str, Path]) -> dict[str, int]:
    """Recording -> its channel, of the files that have several: a side may be a file of its own."""
    channels: dict[str, int] = {}
    for recording, entry in _read_optional(path).items():
        if recording not in recordings or _n_channels(recordings[recording]) < 2:
            continue
        side = entry.value.split()[-1].upper()
        if side not in _SIDES:
            raise InputError(f"{entry.place}: {side!r} is no channel; write A (or 1), or B (or 2)")
        channels[recording] = _SIDES[side]
    return channels


def _n_channels(path: Path) -> int:
    try:
        return audio.probe(path).n_channels
    except InputError:  # reading will say it
        return 0


def _known(name: str, parts: Mapping[str, _Part], entry: _Entry, where: str) -> None:
    if name not in parts:
        raise InputError(f"{entry.place}: utterance {name!r} is not in {where}; take the line out")


def _one_word(entry: _Entry, what: str) -> None:
    if any(blank in entry.value for blank in _BLANKS):
        raise InputError(f"{entry.place}: {entry.value!r} is not one word; {what} has no spaces")


def _check_spk2utt(path: Path, domains: Mapping[str, _Entry]) -> None:
    """Compare spk2utt, where present, with utt2spk."""
    if not path.exists():
        return
    listed: dict[str, str] = {}
    for domain, entry in _read_table(path).items():
        for name in entry.value.replace("\t", " ").split():
            if name not in domains or domains[name].value != domain:
                raise InputError(
                    f"{entry.place}: {name!r} is not of domain {domain!r} in utt2spk; "
                    "delete spk2utt or make it again"
                )
            listed[name] = domain
    for name, entry in domains.items():
        if name not in listed:
            raise InputError(
                f"{entry.place}: {name!r} is missing in spk2utt; delete spk2utt or make it again"
            )


def _check_writable(utterance: Utterance) -> None:
    """Refuse values that a line of a Kaldi file can't contain."""
    for word in (utterance.id, utterance.domain):
        if not word or any(c in word for c in " \t\r\n"):
            raise InputError(f"{word!r} can't be an utterance's or a domain's name; use no spaces")
    path = str(utterance.path)
    if set(path) & set("\r\n") or path != path.strip(_BLANKS) or path.endswith("|"):
        raise InputError(
            f"the path {path!r} can't stand in a wav.scp (a line end in it, or a space or `|` "
            "at its end); rename the file or its folder"
        )
    if set(utterance.text or "") & set("\r\n"):
        raise InputError(f"the transcript of {utterance.id} holds a line end; put it on one line")


def _write(path: Path, table: Mapping[str, str]) -> None:
    replace_text(path, "".join(f"{key} {table[key]}\n" for key in sorted(table)))
