"""Extracted corpora small enough for tests: `high` and `low` say sentences of the same names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tiny_model import CONFIG, PITCH, WORLD, normalized, speech
from torch import Tensor

from voiceconv.build import build
from voiceconv.data.archive import ArchiveWriter
from voiceconv.data.statistics import write_stats
from voiceconv.features import FeatureExtractor

SPLITS = {"train": ("01", "02"), "val": ("11",)}


def write_dump(
    folder: Path,
    features: Mapping[str, Any] = WORLD,
    splits: Mapping[str, tuple[str, ...]] = SPLITS,
    seconds: float = 1.5,
    pitches: Mapping[str, float] = PITCH,
) -> Path:
    """Each split's sentences, said by all domains: syllables that are alike for one name."""
    extractor = build(features, FeatureExtractor)
    for split, stems in splits.items():
        (folder / split).mkdir(parents=True)
        with (
            ArchiveWriter(folder / split, "feats", 0) as feats,
            ArchiveWriter(folder / split, "f0", 0) as f0,
            ArchiveWriter(folder / split, "ap", 0) as ap,
        ):
            for domain, pitch in pitches.items():
                for stem in stems:
                    wave = normalized(speech(pitch, seconds, seed=int(stem)))
                    tracks = extractor.extract(wave)
                    feats.write(f"{domain}-{stem}", rows(tracks.frames))
                    if tracks.f0 is not None and tracks.aperiodicity is not None:
                        f0.write(f"{domain}-{stem}", rows(tracks.f0))
                        ap.write(f"{domain}-{stem}", rows(tracks.aperiodicity))
        finish(folder / split, features)
    write_stats(folder / "train")
    return folder


def finish(split: Path, features: Mapping[str, Any]) -> None:
    """What `extract` writes beside the archives; an archive that stayed empty goes."""
    for kind in ("feats", "f0", "ap"):
        scp = split / f"{kind}.0.scp"
        if scp.read_text():
            scp.rename(split / f"{kind}.scp")
    ids = [line.split()[0] for line in (split / "feats.scp").read_text().splitlines()]
    (split / "utt2spk").write_text("".join(f"{one} {one.split('-')[0]}\n" for one in ids))
    (split / "features.yaml").write_text(yaml.safe_dump(dict(features)))
    (split / "processing.yaml").write_text(
        yaml.safe_dump({"trim": None, "loudness": CONFIG["loudness"]})
    )


def rows(track: Tensor) -> np.ndarray:
    """(C, T) -> (T, C); (T,) stays."""
    return track.movedim(0, -1).numpy()
