"""Piano rolls of MIDI files: which pitches sound in each sixteenth. Brunner et al. 2018,
arXiv:1809.07575, section III: 64 steps of 84 pitches, binary, all tracks but drums in one plane.

How a conversion is written into its song, cell by cell of the roll:

- A note of which all cells stay is not touched: its times, velocity, channel and track are as they
  were, however short it is.
- Of a note of which some cells stay, these stay: it is shortened or cut in parts.
- A cell that is new right after a note of its pitch makes that note longer.
- Any other new cells are new notes. They are played by the voice (track and channel) that plays in
  that bar and whose pitches are nearest, as loud as the mean of the bar.
- Drums, and notes below or above the roll, stay as they are, as does all else in the file.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.base import FileRepresentation
from voiceconv.features.frames import Features
from voiceconv.features.midi import Note, Song, Voice
from voiceconv.features.stats import DomainStats
from voiceconv.schema import Count

LOUDNESS = 80  # velocity of a new note where the song has no other
SOUNDS = 0.5  # a cell's value from which on it sounds
CLEAR = 0.5  # of 1: how well notes begin on steps from some tick on, for that to be the origin
ALIGNED = 0.1  # of a step: so near to the file's own steps, it keeps the file's bars
QUARTERS_PER_SECOND = 2.0  # 120 a minute: what counts as a second, whatever the tempo map says


class PianoRoll(FileRepresentation):
    """MIDI files -> frames (C, T) of 0 and 1: a channel for each pitch, a frame for each step.

    T is whole bars. The track `step` counts the frames' steps. They begin with the file, or, where
    its notes begin between its sixteenths, all by the same part of one (a transcription with the
    right tempo), at the latest bar before the first note; a bar is then where long notes begin.

    Args:
        lowest: MIDI number of the first channel's pitch; the paper's 24.
        n_pitches: C; the paper's 84.
        steps_per_quarter: the paper's 4, sixteenths.
        steps_per_bar: the paper's 16, bars of 4/4.
        metres: those that a file may state, such as ["4/4"]; None: any. A file that states none is
            taken. A model converts files of any metre.
    """

    extensions = frozenset({".mid", ".midi"})
    tracks = ("step",)

    def __init__(
        self,
        lowest: int = 24,
        n_pitches: Count = 84,
        steps_per_quarter: Count = 4,
        steps_per_bar: Count = 16,
        metres: Sequence[str] | None = None,
    ) -> None:
        if lowest < 0 or lowest + n_pitches > 128:
            raise ValueError(f"pitches {lowest} to {lowest + n_pitches - 1} are not in 0 to 127")
        self.lowest = lowest
        self.n_channels = n_pitches
        self.steps_per_quarter = steps_per_quarter
        self.steps_per_bar = steps_per_bar
        self.metres = metres

    @property
    def frames_per_second(self) -> float:
        """Steps of a second at 120 quarter notes a minute."""
        return QUARTERS_PER_SECOND * self.steps_per_quarter

    @property
    def definition(self) -> dict[str, object]:
        """See Representation."""
        return {
            "kind": "piano_roll",
            "lowest": self.lowest,
            "n_channels": self.n_channels,
            "steps_per_quarter": self.steps_per_quarter,
            "steps_per_bar": self.steps_per_bar,
        }

    def node(self, given: dict[str, object]) -> dict[str, object]:  # type: ignore[override]
        """See Representation; a model takes any metre."""
        return {name: value for name, value in given.items() if name != "metres"}

    def fit(self, utterances: Iterable[Features]) -> DomainStats:
        """See Representation; networks see 0 and 1."""
        return DomainStats.neutral(self.n_channels)

    def read(self, path: Path, start: float = 0.0, end: float | None = None) -> Features:
        """See FileRepresentation; seconds are those of `frames_per_second`."""
        song = Song.read(path)
        if self.metres is not None and set(song.metres) - set(self.metres):
            raise InputError(
                f"{path} is in {', '.join(song.metres)}, and features.metres has "
                f"{', '.join(self.metres)}; leave it out, or take it in with features.metres"
            )
        notes = list(self._within(song))
        if not notes:
            raise InputError(
                f"{path} has no note from {self.lowest} to {self.lowest + self.n_channels - 1} "
                "that is no drum, so there is nothing in it to convert; leave it out"
            )
        grid = self._grid(song, notes)
        roll = torch.zeros(self.n_channels, self._n_steps(grid, notes))
        for note in notes:
            roll[note.pitch - self.lowest, slice(*grid.steps(note))] = 1.0
        rate = self.frames_per_second
        part = slice(round(start * rate), None if end is None else round(end * rate))
        steps = torch.arange(roll.shape[1], dtype=torch.float32)[part]
        return Features(roll[:, part], {"step": steps}, self.definition)

    def write(self, path: Path, features: Features, template: Path) -> None:
        """See FileRepresentation; steps that features do not have stay as they are."""
        song = Song.read(template)
        notes = list(self._within(song))
        grid = self._grid(song, notes)
        n_steps = max(self._n_steps(grid, notes), int(features.tracks["step"].max()) + 1)
        on = np.zeros((self.n_channels, n_steps), bool)
        for note in notes:
            on[note.pitch - self.lowest, slice(*grid.steps(note))] = True
        steps = features.tracks["step"].long().numpy()
        on[:, steps] = features.frames.numpy() >= SOUNDS
        song.write(path, *_Edit(self, grid, notes, on).notes())

    def picture(self, frames: Tensor) -> Tensor:
        """See FileRepresentation; black where a note sounds."""
        return 1 - frames.clamp(0, 1).flip(0)

    def _within(self, song: Song) -> Iterator[Note]:
        """The notes of which the roll has a row."""
        for note in song.notes:
            if 0 <= note.pitch - self.lowest < self.n_channels:
                yield note

    def _grid(self, song: Song, notes: Sequence[Note]) -> "_Grid":
        """Where steps and bars begin: see the class."""
        ticks, bar = song.ticks_per_quarter / self.steps_per_quarter, self.steps_per_bar
        starts = np.array([note.start for note in notes])
        mean = np.exp(2j * np.pi * starts / ticks).mean()
        phase = float(np.angle(mean)) / (2 * np.pi) * ticks
        if abs(mean) < CLEAR or abs(phase) < ALIGNED * ticks:
            return _Grid(0.0, ticks)
        steps = np.round((starts - phase) / ticks).astype(int)
        lengths = np.array([note.end - note.start for note in notes])
        downbeat = int(np.bincount(steps % bar, lengths, bar).argmax())
        first = int(steps.min())
        return _Grid(phase + (first - (first - downbeat) % bar) * ticks, ticks)

    def _n_steps(self, grid: "_Grid", notes: Sequence[Note]) -> int:
        """Whole bars, up to the end of the last note."""
        last = max(grid.steps(note)[1] for note in notes)
        return -(-last // self.steps_per_bar) * self.steps_per_bar


class _Grid(NamedTuple):
    """Steps of so many ticks from a tick on, which may be before the file."""

    origin: float
    ticks: float

    def steps(self, note: Note) -> tuple[int, int]:
        """A note's steps [first, end): the nearest, and one at least."""
        first = math.floor((note.start - self.origin) / self.ticks + 0.5)
        end = math.floor((note.end - self.origin) / self.ticks + 0.5)
        return max(first, 0), max(first, 0, end - 1) + 1

    def tick(self, step: int) -> int:
        """Where a step begins."""
        return max(round(self.origin + step * self.ticks), 0)


class _Run(NamedTuple):
    """Cells [first, end) of a row that are on."""

    first: int
    end: int


class _Edit:
    """A song's notes, and what its roll shall be: (C, T), true where a note sounds."""

    def __init__(
        self, roll: PianoRoll, grid: _Grid, notes: Sequence[Note], on: NDArray[np.bool_]
    ) -> None:
        self.roll, self.tick, self.on = roll, grid.tick, on
        self.cells = [grid.steps(note) for note in notes]
        self.notes_within = notes
        self.bars: dict[int, list[Note]] = defaultdict(list)
        for note, (first, _) in zip(notes, self.cells, strict=True):
            self.bars[first // roll.steps_per_bar].append(note)
        pitches: dict[Voice, list[int]] = defaultdict(list)
        for note in notes:
            pitches[note.voice].append(note.pitch)
        self.pitches = {voice: fmean(some) for voice, some in pitches.items()}

    def notes(self) -> tuple[list[tuple[Note, list[Note]]], list[Note]]:
        """Each note with those that replace it, where it changes; and the new notes."""
        rest = self.on.copy()  # what no note covers yet
        for note, cells in zip(self.notes_within, self.cells, strict=True):
            rest[note.pitch - self.roll.lowest, slice(*cells)] = False
        longer = self._ends(rest)
        changed = []
        for note, cells in zip(self.notes_within, self.cells, strict=True):
            parts = list(self._parts(note, cells, longer))
            if parts != [note]:
                changed.append((note, parts))
        new = [self._new(row, run) for row in range(len(rest)) for run in _runs(rest[row])]
        return changed, [note for note in new if note.start < note.end]  # not before the file

    def _ends(self, rest: NDArray[np.bool_]) -> dict[tuple[int, int], int]:
        """(row, end of a note) -> the end of the cells that make it longer; taken out of rest."""
        longer = {}
        ends = {
            (note.pitch - self.roll.lowest, end)
            for note, (_, end) in zip(self.notes_within, self.cells, strict=True)
        }
        for row, end in ends:
            if end < rest.shape[1] and rest[row, end] and self.on[row, end - 1]:
                gone = np.flatnonzero(~rest[row, end:])
                stop = end + int(gone[0]) if len(gone) else rest.shape[1]
                longer[row, end] = stop
        for (row, end), stop in longer.items():
            rest[row, end:stop] = False
        return longer

    def _parts(
        self, note: Note, cells: tuple[int, int], longer: dict[tuple[int, int], int]
    ) -> Iterator[Note]:
        """What stays of a note."""
        row, (first, end) = note.pitch - self.roll.lowest, cells
        began, ended = note.messages
        for run in _runs(self.on[row, first:end]):
            part, messages = note, [began, ended]
            if run.first > 0:
                part = part._replace(start=self.tick(first + run.first))
                messages[0] = None
            stop = first + run.end
            if stop < end or (row, end) in longer:
                stop = longer.get((row, stop), stop)
                part = part._replace(end=self.tick(stop))
                messages[1] = None
            yield part._replace(messages=(messages[0], messages[1]))

    def _new(self, row: int, run: _Run) -> Note:
        """A note that the song has not."""
        pitch = self.roll.lowest + row
        around = self.bars.get(run.first // self.roll.steps_per_bar, self.notes_within)
        voices = {note.voice for note in around}
        voice = min(voices, key=lambda one: (abs(self.pitches[one] - pitch), one))
        velocity = round(fmean(note.velocity for note in around)) if around else LOUDNESS
        return Note(pitch, velocity, self.tick(run.first), self.tick(run.end), voice)


def _runs(row: NDArray[np.bool_]) -> Iterator[_Run]:
    """(T,) -> its runs of true, from left to right."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        yield _Run(int(first), int(end))
