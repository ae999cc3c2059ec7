"""Lhotse manifests to Kaldi data directories and back: `voiceconv data from-lhotse`, `to-lhotse`.

Format: JSON lines, as lhotse's RecordingSet, SupervisionSet and CutSet store themselves. A
supervision is an utterance, its speaker the domain. What lhotse would make of a file when it loads
it (a command's output, a changed speed, a mixture) is no file of sound, and is refused: nothing
that a manifest names is run.
"""

import gzip
import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from voiceconv import audio
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, word, write_data_dir
from voiceconv.data.splits import SPLITS
from voiceconv.errors import InputError
from voiceconv.files import abridged, appearing, below, decode_text, printable
from voiceconv.optional import load

RECORDINGS, SUPERVISIONS = "recordings.jsonl.gz", "supervisions.jsonl.gz"
_ENDINGS = (".jsonl", ".jsonl.gz")
_DIGITS = 8  # of seconds, to which lhotse rounds
log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    """An object of lhotse's, and its place for errors: `cuts.jsonl.gz:3`."""

    object: Any
    place: str


class _Spoken(NamedTuple):
    """A supervision in the time of its recording, cut to what is meant of that."""

    supervision: Any
    recording: _Entry
    start: float
    end: float
    place: str


def from_lhotse(manifests: Sequence[Path], data: Path) -> list[Utterance]:
    """Write a data directory of recordings and supervisions, or of cuts; whole or not at all.

    A relative path in them is looked for from the current directory, as lhotse does, and then from
    the manifest's folder. Raises InputError, with file and line, for what is no file of sound or
    has no speaker, and for `data` that is there already.
    """
    found: dict[str, list[_Entry]] = {}
    for manifest in manifests:
        for entry in _read(manifest):
            found.setdefault(type(entry.object).__name__, []).append(entry)
    utterances = _Reader().utterances(found)
    if not utterances:
        raise InputError(
            f"{abridged(manifests)}: no supervision, which says who speaks when; give the manifest "
            "of supervisions, too"
        )
    with appearing(data) as scratch:
        write_data_dir(scratch, utterances)
    return utterances


def to_lhotse(data: Path, output: Path) -> dict[str, int]:
    """Write recordings.jsonl.gz and supervisions.jsonl.gz of a data directory, or of each split.

    Folder -> utterances. Raises InputError for a file that can't be read.
    """
    lhotse = load("lhotse", "a manifest", "lhotse", "lhotse")
    splits = [name for name in SPLITS if is_data_dir(data / name)]
    names = ["."] if is_data_dir(data) or not splits else splits
    counts = {}
    with appearing(output) as scratch:
        for name in names:
            utterances = read_data_dir(data / name)
            recordings = _recordings(utterances, lhotse)
            spoken = [_supervision(u, recordings[u.path], lhotse) for u in utterances]
            folder = scratch / name
            folder.mkdir(exist_ok=True)
            recording_set = lhotse.RecordingSet.from_recordings(recordings.values())
            recording_set.to_file(folder / RECORDINGS)
            lhotse.SupervisionSet.from_segments(spoken).to_file(folder / SUPERVISIONS)
            counts[str(output / name)] = len(utterances)
    return counts


def _read(manifest: Path) -> Iterator[_Entry]:
    """The objects of a manifest. lhotse does not open it: its name could be a command."""
    deserialize = load("lhotse.serialization", "a manifest", "lhotse", "lhotse").deserialize_item
    if not manifest.name.endswith(_ENDINGS):
        raise InputError(
            f"{printable(manifest)} does not end in {' or '.join(_ENDINGS)}; write it so by "
            f"`lhotse copy {printable(manifest.name)} NAME.jsonl.gz`"
        )
    try:
        data = manifest.read_bytes()
        text = gzip.decompress(data) if manifest.suffix == ".gz" else data
    except FileNotFoundError:
        raise InputError(f"there is no {printable(manifest)}; check the path") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {printable(manifest)}: {error}; fetch it again") from None
    for number, line in enumerate(decode_text(text, printable(manifest)).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{printable(manifest)}:{number}"
        try:
            yield _Entry(deserialize(json.loads(line)), place)
        except Exception as error:  # lhotse checks little, and raises what comes
            raise InputError(
                f"{place} is no object of lhotse ({type(error).__name__}: {error}); mend the line"
            ) from None


class _Reader:
    """Lhotse's objects to utterances; every recording is looked at once."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, int], tuple[Path, int]] = {}

    def utterances(self, found: Mapping[str, Sequence[_Entry]]) -> list[Utterance]:
        """In the order of the manifests. found: name of a class -> its objects."""
        utterances: dict[str, Utterance] = {}
        for spoken in self._spoken(found):
            utterance = self._utterance(spoken)
            if utterance.id in utterances:
                raise InputError(
                    f"{spoken.place}: supervision {utterance.id!r} occurs a second time; keep one"
                )
            utterances[utterance.id] = utterance
        return list(utterances.values())

    def _spoken(self, found: Mapping[str, Sequence[_Entry]]) -> Iterator[_Spoken]:
        for kind, entries in found.items():
            if kind in ("MonoCut", "MultiCut"):
                for entry in entries:
                    yield from _of_cut(entry)
            elif kind not in ("Recording", "SupervisionSegment"):
                name = getattr(entries[0].object, "id", "")
                raise InputError(
                    f"{entries[0].place}: {name!r} is a {kind}, which is not one part of one "
                    "recording; write its sound to a file by `CutSet.save_audios`"
                )
        recordings: dict[str, _Entry] = {}
        for entry in found.get("Recording", ()):
            if entry.object.id in recordings:
                raise InputError(
                    f"{entry.place}: recording {entry.object.id!r} occurs a second time; keep one"
                )
            recordings[entry.object.id] = entry
        silent = dict(recordings)
        for entry in found.get("SupervisionSegment", ()):
            of = entry.object.recording_id
            if of not in recordings:
                raise InputError(
                    f"{entry.place}: there is no recording {of!r}; give its manifest, too"
                )
            silent.pop(of, None)
            start, end = entry.object.start, entry.object.end
            yield _Spoken(entry.object, recordings[of], start, end, entry.place)
        if silent:
            log.warning(
                "recordings without a supervision are left out (%d): %s",
                len(silent), abridged(silent),
            )  # fmt: skip

    def _utterance(self, spoken: _Spoken) -> Utterance:
        supervision, recording = spoken.supervision, spoken.recording.object
        if not supervision.speaker:
            raise InputError(
                f"{spoken.place}: supervision {supervision.id!r} has no speaker, which is the "
                "domain; add it"
            )
        name, domain = word(supervision.id), word(supervision.speaker)
        for one in (name, domain):
            below(one, spoken.place)
        path, channel = self._sound(spoken)
        is_whole = spoken.end >= recording.duration - 0.5 / recording.sampling_rate
        return Utterance(
            name,
            domain,
            path,
            round(spoken.start, _DIGITS) or None,
            None if is_whole else round(spoken.end, _DIGITS),
            None if supervision.text is None else supervision.text.strip(),
            channel,
        )

    def _sound(self, spoken: _Spoken) -> tuple[Path, int | None]:
        """The file of a supervision, and its channel there; None: all of the file's."""
        given = spoken.supervision.channel
        channels = [given] if isinstance(given, int) else list(given)
        recording = spoken.recording.object
        for number, source in enumerate(recording.sources):
            if set(channels) <= set(source.channels):
                path, n_channels = self._path(number, spoken.recording)
                if len(channels) == n_channels:
                    return path, None
                if len(channels) == 1:
                    return path, source.channels.index(channels[0])
        raise InputError(
            f"{spoken.place}: supervision {spoken.supervision.id!r} is of the channels {channels}, "
            f"which are neither one channel nor all of a file of {recording.id!r}; name one"
        )

    def _path(self, number: int, entry: _Entry) -> tuple[Path, int]:
        """The path of a recording's source, and how many channels it has."""
        recording = entry.object
        key = entry.place, number
        if key not in self._paths:
            _check_plain(entry)
            source = recording.sources[number]
            path = _existing(source.source, entry)
            info = audio.probe(path)
            if info.sample_rate != recording.sampling_rate:
                raise InputError(
                    f"{entry.place}: recording {recording.id!r} has {recording.sampling_rate} Hz, "
                    f"and {printable(path)} {info.sample_rate}; make the manifest of the file again"
                )
            if info.n_channels != len(source.channels):
                raise InputError(
                    f"{entry.place}: recording {recording.id!r} has the channels "
                    f"{source.channels}, and {printable(path)} has {info.n_channels}; make the "
                    "manifest of the file again"
                )
            self._paths[key] = path, info.n_channels
        return self._paths[key]


def _of_cut(entry: _Entry) -> Iterator[_Spoken]:
    """A cut's supervisions, whose times are counted from its start."""
    cut = entry.object
    if not cut.has_recording:
        raise InputError(f"{entry.place}: cut {cut.id!r} has no recording; make cuts of recordings")
    if not cut.supervisions:
        raise InputError(
            f"{entry.place}: cut {cut.id!r} has no supervision, which says who speaks; leave the "
            "cut out"
        )
    for supervision in cut.supervisions:
        start, end = max(0.0, supervision.start), min(cut.duration, supervision.end)
        recording = _Entry(cut.recording, entry.place)
        yield _Spoken(supervision, recording, cut.start + start, cut.start + end, entry.place)


def _check_plain(entry: _Entry) -> None:
    """Refuse a recording that is more than its files."""
    recording = entry.object
    for source in recording.sources:
        if source.type != "file":
            raise InputError(
                f"{entry.place}: recording {recording.id!r} is of a {source.type}, and only files "
                "are read (no command is run); write its sound to a file and name that"
            )
    if recording.transforms:
        names = ", ".join(
            one["name"] if isinstance(one, dict) else type(one).__name__
            for one in recording.transforms
        )
        raise InputError(
            f"{entry.place}: recording {recording.id!r} is changed when lhotse loads it ({names}); "
            "write its sound to a file and name that, or take the manifest from before the change"
        )


def _existing(name: str, entry: _Entry) -> Path:
    manifest = Path(entry.place.rpartition(":")[0])
    for path in (Path(name), manifest.parent / name):
        if path.is_file():
            return Path(os.path.abspath(path))
    raise InputError(f"{entry.place}: there is no file {name!r}; mend the path")


def _recordings(utterances: Sequence[Utterance], lhotse: Any) -> dict[Path, Any]:
    """Path -> lhotse's Recording, which is called as the first utterance of it."""
    recordings: dict[Path, Any] = {}
    for u in utterances:
        if u.path not in recordings:
            info = audio.probe(u.path)
            source = lhotse.audio.AudioSource(
                "file", list(range(info.n_channels)), os.path.abspath(u.path)
            )
            recordings[u.path] = lhotse.Recording(
                u.id, [source], info.sample_rate, info.n_samples, info.seconds
            )
    return recordings


def _supervision(u: Utterance, recording: Any, lhotse: Any) -> Any:
    start = u.start or 0.0
    end = audio.end_of_part(recording.duration, printable(u.path), start, u.end)
    channels = recording.channel_ids
    channel = u.channel if u.channel is not None else channels
    return lhotse.SupervisionSegment(
        id=u.id,
        recording_id=recording.id,
        start=start,
        duration=round(end - start, _DIGITS),
        channel=channels[0] if len(channels) == 1 else channel,
        text=u.text,
        speaker=u.domain,
    )
