"""The identity network: the converter around it still converts statistics and F0."""

from torch import Tensor

from voiceconv.models.base import DomainId, Translator


class IdentityTranslator(Translator):
    """Frames -> the same frames. The constructor takes the usual arguments and ignores them."""

    def __init__(self, n_channels: int = 0, n_domains: int = 0) -> None:
        super().__init__()

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator; a lone domain's is from anybody."""
        return super().directions(n_domains) or [(0, 0)]

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """(B, C, T) -> the same."""
        return frames
