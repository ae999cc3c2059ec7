"""MIDI files: the notes of a song, and a copy of the song with other notes in their place.

Everything that is no changed note stays as it is, message by message: tempo map, names, programs,
controllers, drums. By mido, which keeps all messages of a file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import mido

from voiceconv.errors import InputError

DRUMS = 9  # the channel, counted from 0, on which notes are drums (General MIDI)
LONGEST = 100_000  # quarter notes: 14 hours at 120 a minute
_DAMAGED = (OSError, EOFError, ValueError, IndexError, KeyError, TypeError)  # as mido raises them


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
    tracks: list[list[tuple[int, mido.Message]]]
    notes: list[Note]
    kind: int  # MIDI's type: 0, one track, or 1
    metres: list[str]  # in the order in which they come

    @classmethod
    def read(cls, path: Path) -> Self:
        """A file of type 0 or 1. Raises InputError for a damaged one, or one of another kind."""
        try:
            file = mido.MidiFile(path, clip=True)
        except _DAMAGED as error:
            reason = str(error) or "it ends too soon"
            raise InputError(
                f"{path} is not readable as a MIDI file ({reason}); write it again"
            ) from error
        if file.ticks_per_beat <= 0:
            raise InputError(f"{path} counts time in frames of film, not in beats; write it again")
        if file.type not in (0, 1):
            raise InputError(f"{path} is of MIDI's type {file.type}; write it again as type 1")
        tracks = []
        for track in file.tracks:
            now, timed = 0, []
            for message in track:
                now += message.time
                timed.append((now, message))
            tracks.append(timed)
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
        return cls(file.ticks_per_beat, tracks, notes, file.type, metres)

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
            end = max([tick for tick, _ in track] + [tick for tick, _, _ in timed], default=0)
            file.tracks.append(_deltas(timed, end))
        file.save(path)


def _notes(number: int, track: list[tuple[int, mido.Message]]) -> list[Note]:
    """A track's notes; of equal ones that overlap, the first ends first."""
    sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    notes = []
    for place, (tick, message) in enumerate(track):
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(key, []).append((tick, message.velocity, place))
        elif sounding.get(key):
            start, velocity, began = sounding[key].pop(0)
            voice = Voice(number, message.channel)
            notes.append(Note(message.note, velocity, start, tick, voice, (began, place)))
    end = track[-1][0] if track else 0
    for (channel, pitch), some in sounding.items():
        for start, velocity, place in some:
            voice = Voice(number, channel)
            notes.append(Note(pitch, velocity, start, end, voice, (place, None)))
    return notes


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


def _deltas(timed: list[tuple[int, int, mido.Message]], end: int) -> mido.MidiTrack:
    """Messages in order, with the time of each counted from the last."""
    track, before = mido.MidiTrack(), 0
    for tick, _, message in timed:
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=end - before))
    return track
