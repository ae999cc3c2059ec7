"""Phrases of a dump of piano rolls, and what of a phrase is content: notes, pitch classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv.build import build
from voiceconv.data.dump import read_dump, read_yaml
from voiceconv.errors import InputError
from voiceconv.features import Representation
from voiceconv.features.base import differences
from voiceconv.features.piano_roll import PianoRoll
from voiceconv.models.brunner import PHRASE

BAR = 16  # steps
OCTAVE = 12


class Phrases(NamedTuple):
    """Of a domain: rolls (N, 84, PHRASE) of 0 and 1, the number of the song of each (N,), names."""

    rolls: Tensor
    songs: Tensor
    names: list[str]


def read_phrases(split: Path) -> dict[str, Phrases]:
    """A split of a dump -> by domain its phrases: whole, and something sounds in them.

    Each begins where the one before ends. Raises InputError for another kind of dump, and for a
    domain without a phrase.
    """
    check_definition(build(read_yaml(split / "features.yaml"), Representation), str(split))
    found = {}
    for domain, songs in read_dump(split).items():
        cut = [_cut(np.asarray(song)) for song in songs.values()]
        if not any(cut):
            raise InputError(f"{split}: {domain} has no whole phrase of {PHRASE} steps; add songs")
        rolls = np.stack([phrase for phrases in cut for phrase in phrases])
        numbers = [number for number, phrases in enumerate(cut) for _ in phrases]
        found[domain] = Phrases(torch.from_numpy(rolls), torch.tensor(numbers), list(songs))
    return found


def check_definition(representation: Representation, name: str) -> None:
    """Raise InputError for frames that are no rolls of 84 pitches in sixteenths, bars of 4/4."""
    if unlike := differences(PianoRoll().definition, representation.definition):
        raise InputError(
            f"{name}: {', '.join(unlike)}; genres are judged by piano rolls as features=piano_roll "
            "has them"
        )


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


def chroma(phrases: Tensor) -> Tensor:
    """(N, C, T), of which the first row is a C -> steps of each pitch class in each bar.

    (N, 12, T / BAR).
    """
    bars = phrases.unflatten(2, (-1, BAR)).sum(3)
    classes = torch.zeros(len(phrases), OCTAVE, bars.shape[2])
    rows = torch.arange(phrases.shape[1]) % OCTAVE
    return classes.index_add_(1, rows, bars)


def chroma_similarity(one: Tensor, other: Tensor) -> Tensor:
    """(N, C, T) twice -> mean cosine of bars' chroma (N,); of two silent bars 1, of one 0."""
    a, b = chroma(one), chroma(other)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1)
    silent = (a.sum(1) == 0) & (b.sum(1) == 0)
    return torch.where(silent, 1.0, cosine).mean(1)


def transposed(phrases: Tensor, semitones: int) -> Tensor:
    """(N, C, T) -> the same, higher; what leaves the roll goes to the octave beside it.

    There it may fall on a note that sounds.
    """
    if semitones == 0:
        return phrases
    moved = torch.zeros_like(phrases)
    n_rows = phrases.shape[1]
    for row in range(n_rows):
        place = row + semitones
        place += OCTAVE * ((place < 0) - (place >= n_rows))
        moved[:, place] = torch.maximum(moved[:, place], phrases[:, row])
    return moved
