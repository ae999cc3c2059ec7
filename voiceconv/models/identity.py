"""The network that changes nothing: around it, only the statistics and F0 are converted."""

from torch import Tensor

from voiceconv.models.base import DomainId, Translator


class IdentityTranslator(Translator):
    """What every other translator has to beat. Made as they are, it needs neither number."""

    def __init__(self, n_channels: int = 0, n_domains: int = 0) -> None:
        super().__init__()

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """(B, C, T) -> the same."""
        return frames
