"""Crops of the targets with other formants and at other speeds, and of voices that are no target.

A crop of a target whose formants are bent is what another voice might have said: an input whose
answer is known, without a pair of recordings. All random numbers are a pure function of (seed,
rank, step), as in `crops`.
"""

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voiceconv.data.alignment import align
from voiceconv.data.batches import Perturbed
from voiceconv.data.crops import Crops, Utterances
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor
from voiceconv.features.stats import PAUSE, STD_FLOOR
from voiceconv.schema import Count, Range

Frames = NDArray[np.float32]  # (T, C)
Share = Annotated[float, Range(0, most=1)]
Amount = Annotated[float, Range(0, below=0.5)]

N_ALIGNED = 24  # cepstra that an alignment goes by, the higher the less


class PerturbedCrops(Crops):
    """Crops of the targets beside bent ones, crops of any voices, and of pairs that say the same.

    Args:
        utterances: of the targets.
        extractor: the features, which know how their axis is bent.
        others: utterances of domains that are only sources.
        n_others: crops per step of any voices, without an answer.
        n_pairs: pairs per step of voices that say the same: a sentence that a target and one of
            `others` share, by its stem, aligned in time. Where no sentence is shared, a crop bent
            in two ways.
        bend: of the all-pass, at most.
        ripple: deviation of the sine above it.
        speed: a crop is said up to this share faster or slower.
        from_targets: share of the `n_others` crops that come from targets.
        aligned: whether the frames of a shared sentence say the same at the same time already.
    """

    gives = Perturbed
    takes_others = True

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        n_frames: int,
        batch_size: int,
        extractor: FeatureExtractor,
        others: Utterances,
        n_others: Count = 6,
        n_pairs: Count = 5,
        bend: Amount = 0.12,
        ripple: Amount = 0.03,
        speed: Amount = 0.18,
        from_targets: Share = 0.7,
        aligned: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not isinstance(extractor, FeatureExtractor):
            raise InputError(
                f"{type(extractor).__name__} frames have no formants that PerturbedCrops could "
                "bend; override `batches`"
            )
        self._extractor, self._others = extractor, others
        self.n_others, self.n_pairs = n_others, n_pairs
        self.bend, self.ripple, self.speed = bend, ripple, speed
        self.from_targets, self.aligned = from_targets, aligned
        super().__init__(utterances, stats, n_frames, batch_size, seed, rank, world_size)

    def _prepare(self, utterances: Utterances) -> None:
        self._targets = self._keep_long(utterances)
        self._sources = self._keep_long(self._others)
        self._pairs = [  # domain_id, the target's frames, the other's
            (domain_id, target[stem], other[stem])
            for domain_id, target in enumerate(utterances.values())
            for other in self._others.values()
            for stem in target  # in their order: that of a set is another in each process
            if stem in other and min(len(target[stem]), len(other[stem])) >= self.n_frames
        ]
        root = torch.stack([stats.frames_std for stats in self._stats]).mean(0).sqrt()
        self._scale = (root / root.mean())[None]
        self._paths: dict[int, NDArray[np.int64]] = {}

    def batch(self, step: int) -> Perturbed:
        """See Crops."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        own = [self._of_target(draw, rng) for draw in self._draws(step)]
        others = [self._of_any(rng) for _ in range(self.n_others)]
        pairs = [self._pair(rng) for _ in range(self.n_pairs)]
        frames, bent, domain_ids = zip(*own, strict=True)
        one, other, said, said_ids = zip(*pairs, strict=True)
        return Perturbed(
            torch.stack(frames),
            torch.tensor(domain_ids),
            torch.stack(bent),
            self._scale,
            torch.stack(others),
            torch.from_numpy(rng.integers(len(self.domains), size=self.n_others)),
            torch.stack(one),
            torch.stack(other),
            torch.stack(said),
            torch.tensor(said_ids),
        )

    def _of_target(self, draw: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, int]:
        """A crop as it is and bent, (C, n_frames) each, and its domain_id."""
        n_domains = len(self.domains)
        domain_id = self._turn(draw, n_domains)
        matrices = self._targets[domain_id]
        matrix = matrices[self._turn(draw // n_domains, len(matrices), domain_id)]
        said = self._at_a_speed(matrix, rng)
        part = self._part(len(said), rng)
        frames = self._stats[domain_id].normalize(torch.from_numpy(said[part].T.copy()))
        return frames, self._as_stranger(said, part, rng), domain_id

    def _of_any(self, rng: np.random.Generator) -> Tensor:
        """A crop of any voice, as a stranger's (C, n_frames)."""
        pool = self._targets
        if self._sources and rng.random() >= self.from_targets:
            pool = self._sources
        matrices = pool[rng.integers(len(pool))]
        said = self._at_a_speed(matrices[rng.integers(len(matrices))], rng)
        return self._as_stranger(said, self._part(len(said), rng), rng)

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
        """Crops of two voices that say the same, as strangers', (C, n_frames) each.

        With the second's as it is, and its domain_id.
        """
        if not self._pairs:
            domain_id = int(rng.integers(len(self._targets)))
            matrices = self._targets[domain_id]
            one = other = matrices[rng.integers(len(matrices))]
            path = np.arange(len(one))
        else:
            number = int(rng.integers(len(self._pairs)))
            domain_id, other, one = self._pairs[number]
            if number not in self._paths:
                self._paths[number] = self._path(one, other)
            path = self._paths[number]
        part = self._part(len(one), rng)
        said = self._stats[domain_id].normalize(torch.from_numpy(other[path[part]].T.copy()))
        strangers = self._as_stranger(one, part, rng), self._as_stranger(other, path[part], rng)
        return *strangers, said, domain_id

    def _part(self, n_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """The frames of a crop."""
        start = rng.integers(n_frames - self.n_frames + 1)
        return np.arange(start, start + self.n_frames)

    def _at_a_speed(self, matrix: Frames, rng: np.random.Generator) -> Frames:
        """(T, C) -> (U, C): frames interpolated, U at least n_frames."""
        fastest = (len(matrix) - 1) / self.n_frames
        rate = min(rng.uniform(1 - self.speed, 1 + self.speed), fastest)
        if fastest < 1 or rate == 1:
            return np.asarray(matrix)
        n_frames = max(self.n_frames, int((len(matrix) - 1) / rate))  # a quotient may round down
        place = np.arange(n_frames) * rate
        before = place.astype(np.int64)
        share = (place - before).astype(np.float32)[:, None]
        return matrix[before] * (1 - share) + matrix[before + 1] * share

    def _as_stranger(
        self, matrix: Frames, part: NDArray[np.int64], rng: np.random.Generator
    ) -> Tensor:
        """(T, C) -> its frames `part` with other formants, by its own statistics (C, n_frames)."""
        bend = rng.uniform(-self.bend, self.bend)
        matrix_of_bend = self._extractor.bend(bend, self.ripple * rng.standard_normal())
        bent = matrix_of_bend @ torch.from_numpy(np.array(matrix)).T
        level = self._cepstra(matrix)[0]
        return self._standardised(bent, level, self._extractor.std_floor)[:, part]

    def _cepstra(self, matrix: Frames) -> Tensor:
        """(T, C) -> (K, T)."""
        return self._extractor.cepstra(torch.from_numpy(np.array(matrix)).T)

    def _standardised(self, values: Tensor, level: Tensor, floor: float = STD_FLOOR) -> Tensor:
        """(K, T) by its own statistics of the frames that are no pause; level: (T,) in nepers."""
        is_sounding = level >= level.max() - PAUSE * math.log(10) / 20
        std, mean = torch.std_mean(values[:, is_sounding], 1, correction=0, keepdim=True)
        return (values - mean) / std.clamp_min(floor)

    def _path(self, one: Frames, other: Frames) -> NDArray[np.int64]:
        """(T, C), (U, C) -> the frame of `other` that says the same as each of `one` (T,)."""
        if self.aligned:
            return np.arange(len(one))
        path = align(self._shape(one), self._shape(other))
        n_steps = np.bincount(path[:, 0], minlength=len(one))
        mean = np.bincount(path[:, 0], path[:, 1], len(one)) / n_steps
        return mean.round().astype(np.int64)

    def _shape(self, matrix: Frames) -> NDArray[np.float64]:
        """(T, C) -> what an alignment goes by (T, K): smoothed cepstra of unit deviation."""
        cepstra = self._cepstra(matrix)[:N_ALIGNED]
        order = torch.arange(len(cepstra))[:, None]
        shape = self._standardised(cepstra, cepstra[0]) / (1 + order / 6).sqrt()
        smooth = torch.nn.functional.avg_pool1d(shape, 3, 1, 1, count_include_pad=False)
        return smooth.T.double().numpy()
