"""Piano rolls of MIDI files: which pitches sound in each sixteenth. Brunner et al. 2018,
arXiv:1809.07575, section III: 64 steps of 84 pitches, binary, all tracks but drums in one plane.

How a conversion is written into its song, cell by cell of the roll:

- A note of which all cells stay is not touched: its times, velocity, channel and track are as they
  were, however short it is.
- Of a note of which some cells stay, these stay: it is shortened or cut in parts.
- A cell that is new right after a note of its pitch makes that note longer, of several the last.
- Any other new cells are new notes. They are played by the voice (track and channel) that sounds in
  that bar and whose pitches are nearest, as loud as the mean of the notes in the bar.
- What is longer or new ends where the next note of its voice and pitch starts, at the latest.
- Drums, and notes below or above the roll, stay as they are, as does all else in the file.
"""

import math
from bisect import bisect_right
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

SOUNDS = 0.5  # a cell's value from which on it sounds
CLEAR = 0.75  # of 1: how well notes begin on steps from some tick on, for that to be the origin
ALIGNED = 0.2  # of a step: so near to the file's own steps, they keep the file's bars
QUARTERS_PER_SECOND = 2.0  # 120 a minute: what counts as a second, whatever the tempo map says


class PianoRoll(FileRepresentation):
    """MIDI files -> frames (C, T) of 0 and 1: a channel for each pitch, a frame for each step.

    T is whole bars. The track `step` counts the frames' steps. They begin with the file, or, where
    nearly all notes begin between its sixteenths by the same part of one (a transcription with the
    right tempo), at the latest bar before the first note; a bar is then where long notes begin.

    Args:
        lowest: MIDI number of the first channel's pitch; the paper's 24.
        n_pitches: C; the paper's 84.
        steps_per_quarter: the paper's 4, sixteenths.
        steps_per_bar: the paper's 16, bars of 4/4.
        metres: those that a file may state, such as ["4/4"], for an experiment of one's own; None:
            any. A file that states none is taken. A model converts files of any metre.
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
        song, notes, grid = self._open(path)
        if self.metres is not None and set(song.metres) - set(self.metres):
            raise InputError(
                f"{path} is in {', '.join(song.metres)}, and features.metres has "
                f"{', '.join(self.metres)}; leave it out, or take it in with features.metres"
            )
        cells = self._raster(notes, grid, self._n_steps(grid, notes))
        roll = torch.from_numpy(cells.astype(np.float32))
        rate = self.frames_per_second
        part = slice(round(start * rate), None if end is None else round(end * rate))
        steps = torch.arange(roll.shape[1], dtype=torch.float32)[part]
        return Features(roll[:, part], {"step": steps}, self.definition)

    def write(self, path: Path, features: Features, template: Path) -> None:
        """See FileRepresentation; steps that features do not have stay as they are."""
        song, notes, grid = self._open(template)
        steps = features.tracks["step"].long().numpy()
        on = self._raster(notes, grid, max(self._n_steps(grid, notes), int(steps.max()) + 1))
        on[:, steps] = features.frames.numpy() >= SOUNDS
        song.write(path, *_Edit(self, grid, notes, on).changes())

    def picture(self, frames: Tensor) -> Tensor:
        """See FileRepresentation; black where a note sounds."""
        return 1 - frames.clamp(0, 1).flip(0)

    def _open(self, path: Path) -> tuple[Song, list[Note], "_Grid"]:
        """A song, those of its notes of which the roll has a row, and where its steps are.

        Raises InputError where there is no such note, or no step.
        """
        song, highest = Song.read(path), self.lowest + self.n_channels - 1
        if song.ticks_per_quarter < self.steps_per_quarter:
            raise InputError(
                f"{path} has {song.ticks_per_quarter} ticks in a quarter note, and the roll "
                f"{self.steps_per_quarter} steps; write it again with more"
            )
        notes = [note for note in song.notes if self.lowest <= note.pitch <= highest]
        if not notes:
            raise InputError(
                f"{path} has no note from {self.lowest} to {highest} that is no drum, so there is "
                "nothing in it to convert; leave it out"
            )
        return song, notes, self._grid(song, notes)

    def _raster(self, notes: Sequence[Note], grid: "_Grid", n_steps: int) -> NDArray[np.bool_]:
        """(C, n_steps): true where a note sounds."""
        on = np.zeros((self.n_channels, n_steps), bool)
        for note in notes:
            on[note.pitch - self.lowest, slice(*grid.steps(note))] = True
        return on

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
        self.roll, self.tick, self.on, self.notes = roll, grid.tick, on, notes
        self.cells = [grid.steps(note) for note in notes]
        self.rest = on & ~roll._raster(notes, grid, on.shape[1])  # what no note covers
        self.bars: dict[int, list[Note]] = defaultdict(list)
        self.starts: dict[tuple[Voice, int], list[int]] = defaultdict(list)  # ascending
        pitches: dict[Voice, list[int]] = defaultdict(list)
        for note, (first, end) in zip(notes, self.cells, strict=True):
            bar = roll.steps_per_bar
            for place in range(first // bar, (end - 1) // bar + 1):
                self.bars[place].append(note)
            self.starts[note.voice, note.pitch].append(note.start)
            pitches[note.voice].append(note.pitch)
        self.pitches = {voice: fmean(some) for voice, some in pitches.items()}

    def changes(self) -> tuple[list[tuple[Note, list[Note]]], list[Note]]:
        """Each note with those that replace it, where it changes; and the new notes."""
        longer = self._take_extensions()
        changed = []
        for number, note in enumerate(self.notes):
            parts = list(self._parts(number, longer.get(number)))
            if parts != [note]:
                changed.append((note, parts))
        new = [self._new(row, run) for row, cells in enumerate(self.rest) for run in _runs(cells)]
        return changed, [note for note in new if note.start < note.end]  # not before the file

    def _take_extensions(self) -> dict[int, int]:
        """Numbers of notes -> the end of the cells that make each longer; taken out of the rest.

        Of notes of one pitch that end with one cell, the last that started is made longer.
        """
        last: dict[tuple[int, int], int] = {}
        for number, (note, (_, end)) in enumerate(zip(self.notes, self.cells, strict=True)):
            row = note.pitch - self.roll.lowest
            if end < self.on.shape[1] and self.rest[row, end] and self.on[row, end - 1]:
                last[row, end] = number  # notes are in order of time
        longer = {}
        for (row, end), number in last.items():
            stop = end + next(_runs(self.rest[row, end:])).end
            self.rest[row, end:stop] = False
            longer[number] = stop
        return longer

    def _parts(self, number: int, longer: int | None) -> Iterator[Note]:
        """What stays of a note, with the cells up to `longer`."""
        note, (first, end) = self.notes[number], self.cells[number]
        for run in _runs(self.on[note.pitch - self.roll.lowest, first:end]):
            part, (began, ended) = note, note.messages
            if run.first > 0:
                part, began = part._replace(start=self.tick(first + run.first)), None
            stop = first + run.end
            if stop < end:
                part, ended = part._replace(end=self.tick(stop)), None
            elif longer is not None:
                part, ended = self._until_the_next(part._replace(end=self.tick(longer))), None
            yield part._replace(messages=(began, ended))

    def _new(self, row: int, run: _Run) -> Note:
        """A note that the song has not."""
        pitch = self.roll.lowest + row
        around = self.bars.get(run.first // self.roll.steps_per_bar, self.notes)
        voices = {note.voice for note in around}
        voice = min(voices, key=lambda one: (abs(self.pitches[one] - pitch), one))
        velocity = round(fmean(note.velocity for note in around))
        new = Note(pitch, velocity, self.tick(run.first), self.tick(run.end), voice)
        return self._until_the_next(new)

    def _until_the_next(self, note: Note) -> Note:
        """A note that ends where the next of its voice and pitch starts, at the latest."""
        starts = self.starts.get((note.voice, note.pitch), [])
        after = bisect_right(starts, note.start)
        return note._replace(end=min([note.end, *starts[after : after + 1]]))


def _runs(row: NDArray[np.bool_]) -> Iterator[_Run]:
    """(T,) -> its runs of true, from left to right."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        yield _Run(int(first), int(end))
