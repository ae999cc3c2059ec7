"""`voiceconv stats`: each domain's statistics over an extracted split."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv.build import build
from voiceconv.data.archive import Archive, FloatArray
from voiceconv.data.dump import names_by_domain, read_yaml
from voiceconv.errors import InputError
from voiceconv.features.base import Representation
from voiceconv.features.frames import Features
from voiceconv.features.stats import DomainStats, load_stats, save_stats
from voiceconv.files import replacing

STATS = "stats.safetensors"


def write_stats(dump: Path | str) -> dict[str, DomainStats]:
    """Fit every domain of a split and write `<dump>/stats.safetensors`, whole or not at all.

    Raises InputError for a domain without an utterance, and for a track that only some have.
    """
    dump = Path(dump)
    frames = Archive(dump / "feats.scp")
    if not frames:
        raise InputError(f"{dump}: feats.scp names no utterance; run `voiceconv extract` first")
    representation = build(read_yaml(dump / "features.yaml"), Representation)
    scps = {name: dump / f"{name}.scp" for name in representation.tracks}
    # What somebody else has extracted may lack tracks.
    tracks = {name: Archive(scp) for name, scp in scps.items() if scp.exists()}
    utterances = names_by_domain(dump, frames)
    for name, track in tracks.items():
        if missing := sorted(frames.keys() - track.keys()):
            raise InputError(f"{scps[name]} lacks {missing[0]!r} of feats.scp; extract again")
    for domain, names in utterances.items():
        if not names:
            raise InputError(f"{dump}: feats.scp has no utterance of {domain!r}; extract again")
    stats = {
        domain: representation.fit(_features(names, frames, tracks))
        for domain, names in utterances.items()
    }
    with replacing(dump / STATS) as temporary:
        save_stats(temporary, stats)
    return stats


def read_stats(dump: Path) -> dict[str, DomainStats]:
    """Read the statistics that `voiceconv stats` wrote to a dump.

    Raises InputError if there are none.
    """
    if not (dump / STATS).exists():
        raise InputError(f"{dump}: no {STATS}; run `voiceconv stats {dump}` first")
    return load_stats(dump / STATS)


def _features(
    names: list[str],
    frames: Mapping[str, FloatArray],
    tracks: Mapping[str, Mapping[str, FloatArray]],
) -> Iterator[Features]:
    for name in names:
        own = {kind: _tensor(there[name]) for kind, there in tracks.items()}
        yield Features(_tensor(frames[name]), own)


def _tensor(array: FloatArray) -> Tensor:
    """(T, C) or (T,) -> (C, T) or (T,); an archive's view is read-only and unaligned."""
    return torch.from_numpy(np.array(array)).movedim(-1, 0)
