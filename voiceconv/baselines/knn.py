"""Replace each frame by the mean of its nearest neighbours in the target's training frames.

kNN-VC (Baas, van Niekerk and Kamper 2023, Interspeech) with WORLD features. The paper compares
WavLM features, which contain little of the voice, by cosine, and a HiFi-GAN synthesises the mean of
4. We compare normalised mel-cepstra, where only the normalisation removes the voice.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.models.base import DomainId, Translator

N_NEAREST = 4  # as in the paper
COMPARED = slice(0, 25)  # c0 to c24: with the power c0 all measures on val are better
CONTEXT = (-4, -2, 0, 2, 4)  # frames whose cepstra are joined to a frame's own
MOST = 50_000  # frames of a domain that are searched: about 4 minutes at 5 ms
BLOCK = 256  # query frames per batch: their distances take 50 MB


class NearestFrames(Translator):
    """Searches a domain's frames by Euclidean distance; each index is built at its first use.

    bank: domain_id -> its normalised training utterances (T, C).
    """

    def __init__(
        self, bank: Callable[[int], Sequence[Tensor]], n_nearest: int = N_NEAREST, most: int = MOST
    ) -> None:
        super().__init__()
        self._bank = bank
        self._n_nearest = n_nearest
        self._most = most
        self._banks: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator. Channel 0, the power, stays."""
        target = int(target)
        if target not in self._banks:
            self._banks[target] = self._make_bank(self._bank(target))
        return torch.stack([self._replace(one.T, *self._banks[target]).T for one in frames])

    def _make_bank(self, utterances: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Utterances (T, C) -> keys (N, K) and frames (N, C), evenly thinned out."""
        every = -(-sum(map(len, utterances)) // self._most)
        keys = torch.cat([_keys(one) for one in utterances])[::every]
        return keys.contiguous(), torch.cat(list(utterances))[::every]

    def _replace(self, frames: Tensor, keys: Tensor, bank: Tensor) -> Tensor:
        """(T, C) -> (T, C)."""
        blocks = [
            torch.cdist(block, keys).topk(min(self._n_nearest, len(keys)), largest=False).indices
            for block in _keys(frames).split(BLOCK)
        ]
        nearest = bank[torch.cat(blocks)].mean(1)  # (T, k, C) -> (T, C)
        return torch.cat([frames[:, :1], nearest[:, 1:]], dim=1)


def _keys(frames: Tensor) -> Tensor:
    """(T, C) -> (T, K): the search keys; frames at the ends are repeated."""
    reach = max(CONTEXT)
    padded = F.pad(frames[:, COMPARED].T, (reach, reach), mode="replicate").T
    return torch.cat([padded[reach + step : reach + step + len(frames)] for step in CONTEXT], 1)
