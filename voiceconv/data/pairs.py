"""Normalised frames of a dump, and pairs of parallel sentences, for the baselines."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv.build import build
from voiceconv.data.archive import Archive
from voiceconv.data.dump import read_yaml
from voiceconv.data.kaldi import read_table
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, differences


class Corpus:
    """The splits of a dump without `test`: frames (T, C) by domain and stem.

    Parallel sentences have the same stem in all domains. Pairs come from the split `paired`, if it
    exists, so that `val` stays for model selection; otherwise from `train` and `val`.
    """

    def __init__(self, dump: Path, stats: Mapping[str, DomainStats]) -> None:
        self.dump = dump
        self.stats = stats
        self._splits = ["paired"] if (dump / "paired").is_dir() else ["train", "val"]

    def train(self, domain: str) -> list[Tensor]:
        """A domain's training utterances, (T, C) each. Raises InputError without any."""
        if not (found := self._frames("train", domain)):
            raise InputError(
                f"{self.dump / 'train'}: feats.scp has no utterance of {domain!r}; extract again"
            )
        return list(found.values())

    def pairs(self, source: str, target: str) -> list[tuple[Tensor, Tensor]]:
        """Parallel sentences of two domains: (T, C) and (U, C). Raises InputError without any."""
        found = []
        for split in self._splits:
            ours, theirs = self._frames(split, source), self._frames(split, target)
            found += [(ours[stem], theirs[stem]) for stem in ours if stem in theirs]
        if not found:
            raise self._without_pairs(f"{source} and {target} say")
        return found

    def require_pairs(self) -> None:
        """Raise InputError if no two domains have a parallel sentence."""
        shared = (
            self._ids(split, one).keys() & self._ids(split, other).keys()
            for split in self._splits
            for one, other in combinations(self.stats, 2)
        )
        if not any(shared):
            raise self._without_pairs("two domains say")

    def _without_pairs(self, who: str) -> InputError:
        return InputError(
            f"{self.dump}: no sentence that {who} in {' or '.join(self._splits)}, and baseline:gmm "
            f"learns from such pairs; extract some to {self.dump / 'paired'}, or take baseline:knn"
        )

    def _ids(self, split: str, domain: str) -> dict[str, str]:
        """A domain's utterances of a split: stem -> id, sorted."""
        path = self.dump / split / "utt2spk"
        if split == "val" and not path.exists():
            return {}
        ids = sorted(name for name, one in read_table(path).items() if one == domain)
        return {name.removeprefix(f"{domain}-"): name for name in ids}

    def _frames(self, split: str, domain: str) -> dict[str, Tensor]:
        ids = self._ids(split, domain)
        if not ids:
            return {}
        self._require_same_features(split)
        archive, stats = Archive(self.dump / split / "feats.scp"), self.stats[domain]
        return {
            stem: stats.normalize(torch.from_numpy(np.array(archive[name]).T)).T
            for stem, name in ids.items()
            if name in archive
        }

    def _require_same_features(self, split: str) -> None:
        ours, theirs = (
            build(read_yaml(self.dump / one / "features.yaml"), FeatureExtractor).definition
            for one in ("train", split)
        )
        if differing := differences(ours, theirs):
            raise InputError(
                f"{self.dump / split} was extracted with other features than "
                f"{self.dump / 'train'}: {'; '.join(differing)}; extract it again"
            )
