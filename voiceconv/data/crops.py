"""Random crops of frames: the training data of a GAN, one class per kind of batch.

All random numbers are a pure function of (seed, rank, step). So a resumed run sees the batches of
the uninterrupted one without stored state, and two ranks never see the same crop.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from voiceconv.data.alignment import align
from voiceconv.data.batches import Batch, Labelled, Paired, Pooled, Unpaired
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, Features, Representation
from voiceconv.features.stats import PAUSE
from voiceconv.schema import Count, Some

TRIES = 20  # draws of a phrase in which something sounds
Utterances = Mapping[str, Mapping[str, np.ndarray]]  # domain -> stem -> frames (T, C)


class Crops(ABC):
    """Batches by step, of crops normalised with the statistics of their domain.

    utterances: frames (T, C) by domain and stem, memory-mapped or not; the sorted domains are the
        domain_ids.

    `gives` is the kind of batch. A kind that `takes_others` is also given the utterances of domains
    that are no targets (`others`), and the `extractor`. A kind that `takes_pairs` is also given the
    utterances that PairedCrops would be given (`pairs`). `splits` are splits of a dump; the first
    existing one is used. Of `n_given` utterances of a domain, `n_left_out` are too short.
    """

    gives: ClassVar[type[Batch]]
    takes_others: ClassVar[bool] = False
    takes_pairs: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("train",)

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        n_frames: int = 128,
        batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.domains = list(utterances)
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._stats = [stats[domain] for domain in self.domains]
        self.n_given: dict[str, int] = {}
        self.n_left_out: dict[str, int] = {}
        self._prepare(utterances)

    @abstractmethod
    def _prepare(self, utterances: Utterances) -> None:
        """Keep the frames for crops. Raises InputError if there are none."""

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """The batch of a step."""

    def _draws(self, step: int) -> range:
        """The numbers of a step's items, counted over all steps and ranks."""
        first = (step * self.world_size + self.rank) * self.batch_size
        return range(first, first + self.batch_size)

    def _keep_long(self, utterances: Utterances) -> list[list[np.ndarray]]:
        """By domain_id the utterances as long as a crop. Raises InputError if a domain has none."""
        kept = [
            [m for m in some.values() if len(m) >= self.n_frames] for some in utterances.values()
        ]
        for domain, left in zip(utterances, kept, strict=True):
            self.n_given[domain] = len(utterances[domain])
            self.n_left_out[domain] = len(utterances[domain]) - len(left)
            if not left:
                longest = max(map(len, utterances[domain].values()), default=0)
                raise InputError(
                    f"domain {domain!r}: none of its {len(utterances[domain])} utterances is as "
                    f"long as a training crop of {self.n_frames} frames (the longest has "
                    f"{longest}); add longer recordings or lower data.n_frames"
                )
        return kept

    def _cut(self, matrix: np.ndarray, rng: np.random.Generator, stats: DomainStats) -> Tensor:
        """(T, C) -> a crop of it, normalised (C, n_frames)."""
        start = rng.integers(len(matrix) - self.n_frames + 1)
        crop = torch.from_numpy(np.array(matrix[start : start + self.n_frames]).T)
        return stats.normalize(crop)

    def _crops_of(self, domain_id: int, matrices: Sequence[np.ndarray], step: int) -> Tensor:
        """(batch_size, C, n_frames) of a domain."""
        rng = np.random.default_rng([self.seed, self.rank, step, domain_id])
        crops = []
        for draw in self._draws(step):
            matrix = matrices[self._turn(draw, len(matrices), domain_id)]
            crops.append(self._cut(matrix, rng, self._stats[domain_id]))
        return torch.stack(crops)

    def _turn(self, draw: int, n: int, *key: int) -> int:
        """Index of a draw among `n` items: each once per pass, each pass in its own order."""
        epoch, position = divmod(draw, n)
        order = np.random.default_rng([self.seed, epoch, *key]).permutation(n)
        return int(order[position])


class UnpairedCrops(Crops):
    """Crops of every domain, independent of each other.

    Each utterance comes once in every pass over its domain.
    """

    gives = Unpaired

    def _prepare(self, utterances: Utterances) -> None:
        self._matrices = self._keep_long(utterances)

    def batch(self, step: int) -> Unpaired:
        """See Crops."""
        return Unpaired(
            torch.stack([self._crops_of(d, some, step) for d, some in enumerate(self._matrices)])
        )


class PhraseCrops(UnpairedCrops):
    """Crops of every domain that begin at a bar, and in which something sounds.

    unit: frames of a bar.
    """

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        n_frames: int = 64,
        batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        unit: Count = 16,
    ) -> None:
        self.unit = unit
        super().__init__(utterances, stats, n_frames, batch_size, seed, rank, world_size)

    def _cut(self, matrix: np.ndarray, rng: np.random.Generator, stats: DomainStats) -> Tensor:
        """See Crops; of what is silent for TRIES draws, a silent crop."""
        for _ in range(TRIES):
            start = self.unit * int(rng.integers((len(matrix) - self.n_frames) // self.unit + 1))
            crop = np.array(matrix[start : start + self.n_frames])
            if crop.any():
                break
        return stats.normalize(torch.from_numpy(crop.T))


class LabelledCrops(Crops):
    """Crops with their domain_ids; domains take turns, and a batch may have any number of them.

    Each utterance comes once in every pass over its domain.
    """

    gives = Labelled

    def _prepare(self, utterances: Utterances) -> None:
        self._matrices = self._keep_long(utterances)

    def batch(self, step: int) -> Labelled:
        """See Crops."""
        n_domains = len(self.domains)
        rng = np.random.default_rng([self.seed, self.rank, step])
        crops, domain_ids = [], []
        for draw in self._draws(step):
            domain_id = self._turn(draw, n_domains)
            matrices = self._matrices[domain_id]
            matrix = matrices[self._turn(draw // n_domains, len(matrices), domain_id)]
            crops.append(self._cut(matrix, rng, self._stats[domain_id]))
            domain_ids.append(domain_id)
        return Labelled(torch.stack(crops), torch.tensor(domain_ids))


class PooledCrops(Crops):
    """Crops of every domain, each beside crops of a pool of the other domains, which take turns.

    Domains that are no targets belong to every pool; then a lone target will do. They have no
    domain_id: -1 stands for them. Each of their recordings is normalised by its own statistics,
    pauses left out, as a stranger's is in conversion. Targets are normalised by their domain's.

    Args:
        others: utterances of domains that are only sources.
        extractor: of the frames, needed for `others`.
    """

    gives = Pooled
    takes_others = True

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        n_frames: int = 128,
        batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        others: Utterances | None = None,
        extractor: Representation | None = None,
    ) -> None:
        self._sources, self._extractor = others or {}, extractor
        super().__init__(utterances, stats, n_frames, batch_size, seed, rank, world_size)

    def _prepare(self, utterances: Utterances) -> None:
        self._matrices = self._keep_long(utterances)
        self._pool = [*self._matrices, *self._keep_long(self._sources)]
        if len(self._pool) < 2:
            raise InputError(
                f"{self.domains[0]!r} is the dump's one domain, and nobody is there to be "
                "converted to it; extract recordings of other domains, too"
            )

    def batch(self, step: int) -> Pooled:
        """See Crops."""
        pooled = [self._others(domain_id, step) for domain_id in range(len(self.domains))]
        return Pooled(
            torch.stack([self._crops_of(d, some, step) for d, some in enumerate(self._matrices)]),
            torch.stack([crops for crops, _ in pooled]),
            torch.tensor([domain_ids for _, domain_ids in pooled]),
        )

    def _others(self, domain_id: int, step: int) -> tuple[Tensor, list[int]]:
        """(batch_size, C, n_frames) of other domains, and their domain_ids."""
        others = [other for other in range(len(self._pool)) if other != domain_id]
        rng = np.random.default_rng([self.seed, self.rank, step, domain_id, 1])
        crops, domain_ids = [], []
        for draw in self._draws(step):
            other = others[self._turn(draw, len(others), domain_id, 1)]
            matrices = self._pool[other]
            matrix = matrices[self._turn(draw // len(others), len(matrices), domain_id, 2, other)]
            is_target = other < len(self.domains)
            stats = self._stats[other] if is_target else self._of_recording(matrix)
            crops.append(self._cut(matrix, rng, stats))
            domain_ids.append(other if is_target else -1)
        return torch.stack(crops), domain_ids

    def _of_recording(self, matrix: np.ndarray) -> DomainStats:
        """Statistics of (T, C) alone."""
        assert self._extractor is not None
        features = Features(torch.from_numpy(np.array(matrix)).T)
        if isinstance(self._extractor, FeatureExtractor):  # files of other kinds have no pauses
            level = self._extractor.cepstra(features.frames)[0]  # in nepers
            features = features.at(level >= level.max() - PAUSE * math.log(10) / 20)
        return self._extractor.fit([features])


class PairedCrops(Crops):
    """Crops of sentences that two domains share, aligned in time by DTW of normalised frames.

    A shared sentence has the same stem in both domains. The pair's lower domain_id is the source.
    Pairs come from the split `paired` if the dump has it, otherwise from `train`.

    n_pairs: so many pairs of recordings at most, chosen by the seed: more pairs contain fewer.
        0: a batch has no item. None: all.
    """

    gives = Paired
    splits = ("paired", "train")

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        n_frames: int = 128,
        batch_size: int = 1,
        n_pairs: Some | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.n_pairs = n_pairs
        super().__init__(utterances, stats, n_frames, batch_size, seed, rank, world_size)

    def _prepare(self, utterances: Utterances) -> None:
        self._pairs = []  # (T, C), (U, C), path (P, 2), domain_ids
        for stem, pair in self._chosen(utterances):
            ours, theirs = (utterances[self.domains[domain_id]][stem] for domain_id in pair)
            path = self._aligned(ours, theirs, pair)
            is_long = len(path) >= self.n_frames
            self._pairs += [(ours, theirs, path, pair)] if is_long else []
            name = " and ".join(self.domains[domain_id] for domain_id in pair)
            self.n_given[name] = self.n_given.get(name, 0) + 1
            self.n_left_out[name] = self.n_left_out.get(name, 0) + (not is_long)
        if not self._pairs and self.n_pairs != 0:
            raise InputError(
                f"no two of {', '.join(self.domains)} say one sentence of {self.n_frames} frames "
                "or more; give paired recordings the same file name in both folders, or lower "
                "data.n_frames"
            )

    def batch(self, step: int) -> Paired:
        """See Crops."""
        if not self._pairs:
            return self._no_pairs()
        rng = np.random.default_rng([self.seed, self.rank, step])
        sides: tuple[list[Tensor], list[Tensor]] = [], []
        ids = []
        for draw in self._draws(step):
            *matrices, path, pair = self._pairs[self._turn(draw, len(self._pairs))]
            start = rng.integers(len(path) - self.n_frames + 1)
            for side, matrix, frames, domain_id in zip(
                sides, matrices, path[start : start + self.n_frames].T, pair, strict=True
            ):
                crop = torch.from_numpy(np.array(matrix[frames]).T)
                side.append(self._stats[domain_id].normalize(crop))
            ids.append(pair)
        source_ids, target_ids = torch.tensor(ids).T
        return Paired(torch.stack(sides[0]), torch.stack(sides[1]), source_ids, target_ids)

    def _no_pairs(self) -> Paired:
        """A batch without an item."""
        none = torch.zeros(0, len(self._stats[0].frames_mean), self.n_frames)
        no_ids = torch.zeros(0, dtype=torch.long)
        return Paired(none, none, no_ids, no_ids)

    def _chosen(self, utterances: Utterances) -> list[tuple[str, tuple[int, int]]]:
        """Stems and domain_ids of the pairs to train on, in the order of the domains."""
        said = [utterances[domain] for domain in self.domains]
        shared = [
            (stem, pair)
            for pair in combinations(range(len(said)), 2)
            for stem in said[pair[0]]
            if stem in said[pair[1]]
        ]
        order = np.random.default_rng(self.seed).permutation(len(shared))
        return [shared[number] for number in sorted(order[: self.n_pairs])]

    def _aligned(self, ours: np.ndarray, theirs: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
        """(T, C), (U, C) -> the path's pairs of frames (P, 2)."""
        frames = (
            self._stats[domain_id].normalize(torch.from_numpy(np.array(matrix)).T).T.double()
            for matrix, domain_id in zip((ours, theirs), pair, strict=True)
        )
        return align(*(one.numpy() for one in frames))
