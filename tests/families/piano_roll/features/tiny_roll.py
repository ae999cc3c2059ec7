"""Piano rolls from text: a line for each sixteenth note, which lists its pitches.

    # any number of lines that begin so, kept as they are
    60 64 67 @80

are a C major chord of velocity 80; an empty line is a rest.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.base import FileRepresentation
from voiceconv.features.frames import Features
from voiceconv.features.stats import DomainStats

VELOCITY = 64.0  # of a line that states none


class TinyRoll(FileRepresentation):
    """Frames (C, T) of 0 and 1, a channel for each semitone from `lowest` on; velocity beside them.

    Args:
        lowest: MIDI number of the first channel's pitch.
        n_pitches: C.
        frames_per_second: sixteenths a second.
    """

    extensions = frozenset({".roll"})
    tracks = ("velocity",)

    def __init__(
        self, lowest: int = 60, n_pitches: int = 12, frames_per_second: float = 8.0
    ) -> None:
        self.lowest = lowest
        self.n_channels = n_pitches
        self._rate = frames_per_second

    @property
    def frames_per_second(self) -> float:
        """See Representation."""
        return self._rate

    @property
    def definition(self) -> dict[str, object]:
        """See Representation."""
        return {"kind": "tiny_roll", "lowest": self.lowest, "n_channels": self.n_channels}

    def fit(self, utterances: Iterable[Features]) -> DomainStats:
        """See Representation; a note that a domain never plays has no deviation to divide by."""
        return DomainStats.neutral(self.n_channels)

    def read(self, path: Path, start: float = 0.0, end: float | None = None) -> Features:
        """See FileRepresentation."""
        _, lines = _parts(path)
        last = len(lines) if end is None else round(end * self._rate)
        lines = lines[round(start * self._rate) : last]
        frames = torch.zeros(self.n_channels, len(lines))
        velocity = torch.zeros(len(lines))
        for number, line in enumerate(lines):
            notes, _, loud = line.partition("@")
            try:
                pitches = [int(note) - self.lowest for note in notes.split()]
                velocity[number] = float(loud) if loud else VELOCITY * bool(pitches)
            except ValueError:
                raise InputError(f"{path}: {line!r} is no list of pitches; mend it") from None
            if any(not 0 <= pitch < self.n_channels for pitch in pitches):
                raise InputError(f"{path}: {line!r} leaves the {self.n_channels} pitches; mend it")
            frames[pitches, number] = 1.0
        return Features(frames, {"velocity": velocity}, self.definition)

    def write(self, path: Path, features: Features, template: Path) -> None:
        """See FileRepresentation; a note sounds from 0.5 on."""
        lines, _ = _parts(template)
        for frame, loud in zip(features.frames.T, features.tracks["velocity"], strict=True):
            notes = [str(self.lowest + int(pitch)) for pitch in (frame > 0.5).nonzero()[:, 0]]
            lines.append(" ".join([*notes, f"@{loud:g}"] if notes else []))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def picture(self, frames: Tensor) -> Tensor:
        """See FileRepresentation; black where a note sounds."""
        return 1 - frames.clamp(0, 1).flip(0)


def _parts(path: Path) -> tuple[list[str], list[str]]:
    """The lines that are kept, and those of notes."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as text ({error}); write it again") from error
    kept = [line for line in lines if line.startswith("#")]
    return kept, lines[len(kept) :]
