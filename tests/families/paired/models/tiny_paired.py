"""One network from the first domain to the second, and no way back."""

from torch import Tensor, cat, nn

from voiceconv.models.base import Discriminator, DomainId, Translator, Verdict


class OneWay(Translator):
    """Two convolutions around a skip.

    Args:
        n_channels: C of the frames.
        n_domains: must be 2.
    """

    def __init__(self, n_channels: int, n_domains: int, hidden_channels: int = 16) -> None:
        super().__init__()
        if n_domains != 2:
            raise ValueError(f"pairs are of 2 domains, not {n_domains}")
        self.layers = nn.Sequential(
            nn.Conv1d(n_channels, hidden_channels, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(hidden_channels, n_channels, 5, padding=2),
        )

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator."""
        return [(0, 1)]

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator."""
        converted: Tensor = self.layers(frames)
        return frames + converted


class PairDiscriminator(Discriminator):
    """Judges frames beside those that they were made of: pix2pix's, arXiv:1611.07004."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2 * n_channels, 1, 5, padding=2)
        self.n_channels = n_channels

    def forward(self, frames: Tensor, source: Tensor) -> list[Verdict]:
        """(B, C, T) twice -> one verdict (B, 1, T)."""
        return [Verdict(self.conv(cat([frames, source.expand_as(frames)], 1)), [])]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator; of one frame, which stands for all."""
        return {"source": self.conv.weight.new_zeros(1, self.n_channels, 1)}
