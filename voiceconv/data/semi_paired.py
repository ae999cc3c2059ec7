"""Crops of every domain beside the few pairs that there are."""

from collections.abc import Callable, Mapping

from voiceconv.data.batches import SemiPaired
from voiceconv.data.crops import Crops, PairedCrops, Utterances
from voiceconv.features import DomainStats
from voiceconv.schema import Some


class SemiPairedCrops(Crops):
    """Crops of another kind, each batch beside one of PairedCrops.

    Args:
        utterances: for the crops without pairs.
        pairs: for the pairs, of the same domains; a domain may have none.
        unpaired: makes the crops without pairs.
        n_pairs: see PairedCrops; 0 leaves the crops without pairs alone.

    Both draw as they would alone.
    """

    gives = SemiPaired
    takes_pairs = True

    def __init__(
        self,
        utterances: Utterances,
        stats: Mapping[str, DomainStats],
        pairs: Utterances,
        unpaired: Callable[..., Crops],
        n_frames: int = 128,
        batch_size: int = 1,
        n_pairs: Some | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        given = n_frames, batch_size
        ranks = {"seed": seed, "rank": rank, "world_size": world_size}
        self._unpaired = unpaired(utterances, stats, *given, **ranks)
        self._paired = PairedCrops(pairs, stats, *given, n_pairs=n_pairs, **ranks)
        super().__init__(utterances, stats, *given, **ranks)

    def _prepare(self, utterances: Utterances) -> None:
        for crops in (self._unpaired, self._paired):
            self.n_given |= crops.n_given
            self.n_left_out |= crops.n_left_out

    def batch(self, step: int) -> SemiPaired:
        """See Crops."""
        return SemiPaired(self._unpaired.batch(step), self._paired.batch(step))
