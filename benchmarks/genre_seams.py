"""Seams of converted songs: notes that begin, and notes that are held, at borders of phrases.

python benchmarks/genre_seams.py DUMP --model RUN [--split test]

DUMP holds piano rolls of the domains of RUN. Each song is converted as `voiceconv convert` does,
phrases overlapping by half, and phrase by phrase without overlap. At each bar line are counted the
notes that begin, and the share of notes sounding before it that sound on. Cells: at borders of
phrases without overlap, and at all other bar lines; with 95% bootstrap intervals of the difference,
over songs.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv.converter import FileConverter
from voiceconv.data.dump import read_dump
from voiceconv.evaluation.bootstrap import summary
from voiceconv.features.piano_roll import SOUNDS
from voiceconv.genre.phrases import BAR
from voiceconv.models.brunner import PHRASE


def songs(dump: Path, converter: FileConverter) -> Iterator[tuple[str, Tensor]]:
    """Domain and roll (1, C, T) of what has three phrases or more; T is whole phrases."""
    for domain, some in read_dump(dump).items():
        for frames in some.values():
            roll = torch.from_numpy(np.asarray(frames).T.copy())[None]
            n_phrases = roll.shape[2] // PHRASE
            if n_phrases >= 3 and domain in converter.domains:
                yield domain, roll[..., : n_phrases * PHRASE]


@torch.no_grad()
def ways(converter: FileConverter, domain: str, roll: Tensor) -> dict[str, Tensor]:
    """A song as it is, and converted in both ways; (C, T) of booleans."""
    here = converter.domains.index(domain)
    there = 1 - here
    cut = [converter.translator(part, here, there) for part in roll.split(PHRASE, 2)]
    made = {
        "source": roll,
        "no overlap": torch.cat(cut, 2),
        "overlap": converter.translator(roll, here, there),
    }
    return {name: one[0] >= SOUNDS for name, one in made.items()}


def at_lines(roll: Tensor) -> tuple[Tensor, Tensor]:
    """(C, T) -> at each bar line but the first: notes that begin, share of notes that are held."""
    lines = torch.arange(BAR, roll.shape[1], BAR)
    before, after = roll[:, lines - 1], roll[:, lines]
    begun = (after & ~before).sum(0).float()
    held = (before & after).sum(0) / before.sum(0)  # NaN where nothing sounds
    return begun, held


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    converter = FileConverter.from_pretrained(options.model)
    if len(converter.domains) != 2:
        sys.exit(f"{options.model} has {len(converter.domains)} domains; give a model of two")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for domain, roll in songs(options.dump / options.split, converter):
        for way, made in ways(converter, domain, roll).items():
            is_border = torch.arange(1, roll.shape[2] // BAR) % (PHRASE // BAR) == 0
            for measure, values in zip(("begun", "held"), at_lines(made), strict=True):
                pair = (values[is_border].nanmean(), values[~is_border].nanmean())
                if not any(map(torch.isnan, pair)):
                    found.setdefault((way, measure), []).append((float(pair[0]), float(pair[1])))
    print("| | measure | songs | at borders | at other bar lines | difference |")
    print(f"|{' --- |' * 6}")
    for (way, measure), pairs in found.items():
        borders, others = (float(np.mean(column)) for column in zip(*pairs, strict=True))
        change = summary([border - other for border, other in pairs])
        said = f"{change['mean']:+.2f} [{change['low']:+.2f}, {change['high']:+.2f}]"
        print(f"| {way} | {measure} | {len(pairs)} | {borders:.2f} | {others:.2f} | {said} |")


if __name__ == "__main__":
    main()
