"""MIDI files: the notes of a song, and a copy of the song with other notes in their place.

Everything that is no changed note stays as it is, message by message: tempo map, names, programs,
controllers, drums. By mido, which keeps all messages of a file but for two: an escape (F7) becomes
SysEx (F0), and real-time messages, which a file must not have, are left out and named.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import mido
from mido.midifiles.meta import KeySignatureError

from voiceconv.errors import InputError

DRUMS = 9  # the channel, counted from 0, on which notes are drums (General MIDI)
LONGEST = 10_000  # quarter notes: 83 minutes at 120 a minute
Timed = tuple[int, mido.Message]  # a message and its tick
log = logging.getLogger(__name__)
_SHORT = (EOFError, IndexError)  # as mido raises them
_DAMAGED = (OSError, ValueError, KeyError, TypeError, KeySignatureError)


class Voice(NamedTuple):
    """Where a note is played: the number of the track, and the channel, both from 0."""

    track: int
    channel: int


class Note(NamedTuple):
    """A note [start, end) in ticks. messages: those that begin and end it, by place in its track.

    messages are None where no file has them yet, and the end where the file ends without it.
    """

    pitch: int
    velocity: int
    start: int
    end: int
    voice: Voice
    messages: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Song:
    """A file's messages with their ticks, and its notes that are no drums, in order of time."""

    ticks_per_quarter: int
    tracks: list[list[Timed]]
    notes: list[Note]
    kind: int  # MIDI's type: 0, one track, or 1
    metres: list[str]  # in the order in which they come

    @classmethod
    def read(cls, path: Path) -> Self:
        """A file of type 0 or 1. Raises InputError for a damaged one, or one of another kind."""
        file = _open(path)
        if file.ticks_per_beat < 0:
            raise InputError(f"{path} counts time in frames of film, not in beats; write it again")
        if file.ticks_per_beat == 0:
            raise InputError(f"{path} has 0 ticks in a quarter note; write it again")
        if file.type not in (0, 1):
            raise InputError(f"{path} is of MIDI's type {file.type}; write it again as type 1")
        tracks, n_left_out = [], 0
        for track in file.tracks:
            now, timed = 0, []
            for message in track:
                now += message.time
                if message.is_realtime:
                    n_left_out += 1
                else:
                    timed.append((now, message))
            tracks.append(timed)
        if n_left_out:
            log.warning(
                "%s: %d real-time messages, which no file may have, are left out", path, n_left_out
            )
        last = max((tick for track in tracks for tick, _ in track), default=0)
        if last > LONGEST * file.ticks_per_beat:
            raise InputError(
                f"{path} lasts {last / file.ticks_per_beat:.3g} quarter notes, and {LONGEST} are "
                "the most; check its times"
            )
        notes = [note for number, track in enumerate(tracks) for note in _notes(number, track)]
        notes.sort(key=lambda note: (note.start, note.pitch))
        signatures = sorted(
            (tick, number, f"{message.numerator}/{message.denominator}")
            for number, track in enumerate(tracks)
            for tick, message in track
            if message.type == "time_signature"
        )
        metres = list(dict.fromkeys(metre for _, _, metre in signatures))
        kind = file.type if len(tracks) == 1 else 1  # of several tracks 1, whatever is said
        return cls(file.ticks_per_beat, tracks, notes, kind, metres)

    def write(
        self, path: Path, changed: Iterable[tuple[Note, list[Note]]], new: list[Note]
    ) -> None:
        """A copy with notes changed: each of `changed` is replaced by those after it, if any.

        A replacement that begins or ends with the note that it is for keeps that message.
        """
        dropped: set[tuple[int, int]] = set()
        added: list[list[tuple[int, int, mido.Message]]] = [[] for _ in self.tracks]
        for note, others in changed:
            kept = {place for other in others for place in other.messages}
            dropped |= {
                (note.voice.track, place)
                for place in note.messages
                if place is not None and place not in kept
            }
            for other in others:
                _add(added, other)
        for note in new:
            _add(added, note)
        file = mido.MidiFile(type=self.kind, ticks_per_beat=self.ticks_per_quarter)
        for number, (track, more) in enumerate(zip(self.tracks, added, strict=True)):
            own = [
                (tick, 0, message)
                for place, (tick, message) in enumerate(track)
                if (number, place) not in dropped and message.type != "end_of_track"
            ]
            timed = sorted([*own, *more], key=lambda one: one[:2])
            end = max((tick for tick, _ in track), default=0)
            file.tracks.append(track_of([(tick, message) for tick, _, message in timed], end))
        file.save(path)


def _open(path: Path) -> mido.MidiFile:
    """By mido; a data byte above 127 is taken as 127, and named."""
    cause: Exception
    try:
        try:
            return mido.MidiFile(path)
        except OSError as error:
            if "data byte" not in str(error):
                raise
            file = mido.MidiFile(path, clip=True)
            log.warning("%s: bytes above 127 in its messages are taken as 127", path)
            return file
    except _SHORT as error:
        reason, cause = "it, or a message of it, ends too soon", error
    except _DAMAGED as error:
        reason, cause = str(error), error
        if isinstance(error, KeyError | TypeError | KeySignatureError):
            reason = f"a message of it makes no sense: {error}"
    raise InputError(f"{path} is not readable as a MIDI file ({reason}); write it again") from cause


def _notes(number: int, track: list[Timed]) -> list[Note]:
    """A track's notes; of equal ones that overlap, the first ends first.

    Where a track has more starts of a pitch than ends, a note ends where the next one starts.
    """
    played = [
        (place, tick, message)
        for place, (tick, message) in enumerate(track)
        if message.type in ("note_on", "note_off") and message.channel != DRUMS
    ]
    n_missing: Counter[tuple[int, int]] = Counter()
    for _, _, message in played:
        n_missing[message.channel, message.note] += 1 if _is_start(message) else -1
    sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    notes = []

    def end(key: tuple[int, int], tick: int, place: int | None) -> None:
        start, velocity, began = sounding[key].pop(0)
        notes.append(Note(key[1], velocity, start, tick, Voice(number, key[0]), (began, place)))

    for place, tick, message in played:
        key = (message.channel, message.note)
        others = sounding.setdefault(key, [])
        if not _is_start(message):
            if others:
                end(key, tick, place)
            continue
        if others and n_missing[key] > 0:
            n_missing[key] -= 1
            end(key, tick, None)
        others.append((tick, message.velocity, place))
    last = track[-1][0] if track else 0
    for key, others in sounding.items():
        for _ in range(len(others)):
            end(key, last, None)
    return notes


def _is_start(message: mido.Message) -> bool:
    return bool(message.type == "note_on" and message.velocity)


def _add(added: list[list[tuple[int, int, mido.Message]]], note: Note) -> None:
    """The messages of a note that a file has not: an end before all of its tick, a start after."""
    began, ended = note.messages
    track, channel = note.voice
    if began is None:
        start = mido.Message("note_on", note=note.pitch, velocity=note.velocity, channel=channel)
        added[track].append((note.start, 1, start))
    if ended is None:
        end = mido.Message("note_off", note=note.pitch, velocity=0, channel=channel)
        added[track].append((note.end, -1, end))


def track_of(timed: Iterable[Timed], end: int = 0) -> mido.MidiTrack:
    """Messages with their ticks, in order -> a track that ends at a tick, or with the last."""
    track, before = mido.MidiTrack(), 0
    for tick, message in timed:
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=max(end - before, 0)))
    return track
