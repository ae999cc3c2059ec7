"""Phrases of a dump of piano rolls, and what of a phrase is content: notes, pitch classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv.data.dump import read_dump, read_yaml
from voiceconv.errors import InputError
from voiceconv.models.brunner import PHRASE

BAR = 16  # steps
OCTAVE = 12


def read_phrases(split: Path) -> dict[str, Tensor]:
    """A split of a dump -> by domain (N, C, PHRASE) of 0 and 1: whole, and something sounds.

    Each begins where the one before ends. Raises InputError for another kind of dump, and for a
    domain without a phrase.
    """
    kind = read_yaml(split / "features.yaml").get("_target_")
    if kind != "voiceconv.features.piano_roll.PianoRoll":
        raise InputError(f"{split} is of {kind}; a genre is one of piano rolls of MIDI files")
    found = {}
    for domain, songs in read_dump(split).items():
        phrases = [phrase for song in songs.values() for phrase in _cut(np.asarray(song))]
        if not phrases:
            raise InputError(f"{split}: {domain} has no whole phrase of {PHRASE} steps; add songs")
        found[domain] = torch.from_numpy(np.stack(phrases))
    return found


def _cut(song: np.ndarray) -> Sequence[np.ndarray]:
    """(T, C) -> each (C, PHRASE)."""
    parts = (song[start : start + PHRASE] for start in range(0, len(song) - PHRASE + 1, PHRASE))
    return [part.T for part in parts if part.any()]


def onsets(phrases: Tensor) -> Tensor:
    """(N, C, T) -> where a note begins; a note that is held over the border begins with it."""
    before = torch.nn.functional.pad(phrases, (1, 0))[..., :-1]
    return (phrases > 0) & (before == 0)


def note_f(one: Tensor, other: Tensor) -> Tensor:
    """(N, C, T) twice -> the F-measure of their note onsets, equal in pitch and step; (N,).

    1 where neither has a note.
    """
    a, b = onsets(one), onsets(other)
    both, total = (a & b).sum((1, 2)), a.sum((1, 2)) + b.sum((1, 2))
    return torch.where(total > 0, 2 * both / total.clamp_min(1), 1.0)


def chroma(phrases: Tensor, lowest: int = 24) -> Tensor:
    """(N, C, T) -> steps of each pitch class in each bar (N, 12, T / BAR)."""
    bars = phrases.unflatten(2, (-1, BAR)).sum(3)
    classes = torch.zeros(len(phrases), OCTAVE, bars.shape[2])
    rows = (torch.arange(phrases.shape[1]) + lowest) % OCTAVE
    return classes.index_add_(1, rows, bars)


def chroma_similarity(one: Tensor, other: Tensor) -> Tensor:
    """(N, C, T) twice -> mean cosine of bars' chroma (N,); of two silent bars 1, of one 0."""
    a, b = chroma(one), chroma(other)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1)
    silent = (a.sum(1) == 0) & (b.sum(1) == 0)
    return torch.where(silent, 1.0, cosine).mean(1)


def transposed(phrases: Tensor, semitones: int) -> Tensor:
    """(N, C, T) -> the same, higher; what leaves the roll goes to the octave beside it."""
    if semitones == 0:
        return phrases
    moved = torch.zeros_like(phrases)
    n_rows = phrases.shape[1]
    for row in range(n_rows):
        place = row + semitones
        place += OCTAVE * ((place < 0) - (place >= n_rows))
        moved[:, place] = torch.maximum(moved[:, place], phrases[:, row])
    return moved
