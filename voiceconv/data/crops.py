"""Random crops of each domain's frames: the training data of a GAN.

All that is random here is a pure function of (seed, rank, step), so a resumed run sees what the
uninterrupted one would have seen without any state being kept, and two ranks never see the same
crop.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.stats import DomainStats


class UnpairedCrops:
    """Batches by step: normalised crops (batch_size, C, n_frames) of each domain.

    utterances: domain -> matrices (T, C), memory-mapped or not. Those shorter than a crop are left
        out; `n_left_out` counts them by domain.

    Domains come in the order of `utterances`. Each utterance comes once in every pass over its
    domain, in an order of that pass's own.
    """

    def __init__(
        self,
        utterances: Mapping[str, Sequence[np.ndarray]],
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
        self._matrices = [
            [m for m in utterances[domain] if len(m) >= n_frames] for domain in self.domains
        ]
        self.n_left_out = {
            domain: len(utterances[domain]) - len(kept)
            for domain, kept in zip(self.domains, self._matrices, strict=True)
        }
        for domain, kept in zip(self.domains, self._matrices, strict=True):
            if not kept:
                longest = max((len(m) for m in utterances[domain]), default=0)
                raise InputError(
                    f"domain {domain!r}: none of its {len(utterances[domain])} utterances is as "
                    f"long as a training crop of {n_frames} frames (the longest has {longest}); "
                    "add longer recordings or lower data.n_frames"
                )

    def batch(self, step: int) -> list[Tensor]:
        """One tensor (batch_size, C, n_frames) for each domain, by domain_id."""
        return [self._crops(domain_id, step) for domain_id in range(len(self.domains))]

    def _crops(self, domain_id: int, step: int) -> Tensor:
        matrices, stats = self._matrices[domain_id], self._stats[domain_id]
        rng = np.random.default_rng([self.seed, self.rank, step, domain_id])
        first = (step * self.world_size + self.rank) * self.batch_size
        crops = []
        for draw in range(first, first + self.batch_size):
            epoch, position = divmod(draw, len(matrices))
            order = np.random.default_rng([self.seed, epoch, domain_id]).permutation(len(matrices))
            matrix = matrices[order[position]]
            start = rng.integers(len(matrix) - self.n_frames + 1)
            crops.append(
                torch.from_numpy(np.array(matrix[start : start + self.n_frames]).T)
            )  # (C, n_frames)
        return stats.normalize(torch.stack(crops))
