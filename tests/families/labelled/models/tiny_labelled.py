"""One network for all pairs of domains, told both by their domain_ids, and a style."""

import torch
from torch import Tensor, nn

from voiceconv.models.base import Discriminator, DomainId, Translator, Verdict
from voiceconv.models.layers import pad_rows

STYLE = 2  # numbers of a style


class LabelledTranslator(Translator):
    """Down and up again by 2, the codes of source, target and style beside the frames.

    Args:
        n_channels: C of the frames.
        n_domains: D.
        hidden_channels: channels inside.
    """

    frame_multiple = 2
    shared = True

    def __init__(self, n_channels: int, n_domains: int, hidden_channels: int = 16) -> None:
        super().__init__()
        self.codes = nn.Embedding(n_domains, 4)
        n_inputs = n_channels + 2 * 4 + STYLE
        self.down = nn.Conv1d(n_inputs, hidden_channels, 4, stride=2, padding=1)
        self.norm = nn.InstanceNorm1d(hidden_channels, affine=True)
        self.up = nn.ConvTranspose1d(hidden_channels, n_channels, 4, stride=2, padding=1)

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator."""
        n_items, _, n_frames = frames.shape
        codes = [
            self.codes(torch.as_tensor(domain, device=frames.device)).expand(n_items, -1)
            for domain in (source, target)
        ]
        style = condition.get("style", frames.new_zeros(1, STYLE)).expand(n_items, -1)
        beside = torch.cat([*codes, style], 1)[..., None].expand(-1, -1, n_frames)
        x = pad_rows(torch.cat([frames, beside], 1), self.frame_multiple)
        converted: Tensor = self.up(self.norm(self.down(x)).relu())
        return frames + converted[..., :n_frames]

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return {"style": torch.zeros(1, STYLE)}


class LabelledDiscriminator(Discriminator):
    """Projection discriminator, Miyato and Koyama 2018, arXiv:1802.05637, eq. 3, and classifier.

    Args:
        n_channels: C of the frames.
        n_domains: D.
    """

    def __init__(self, n_channels: int, n_domains: int, hidden_channels: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_channels, hidden_channels, 5, padding=2)
        self.plain = nn.Linear(hidden_channels, 1)
        self.codes = nn.Embedding(n_domains, hidden_channels)
        self.classes = nn.Linear(hidden_channels, n_domains)

    def classify(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> logits of the domains (B, D)."""
        logits: Tensor = self.classes(self.conv(frames).relu().mean(2))
        return logits

    def forward(self, frames: Tensor, domain_ids: Tensor) -> list[Verdict]:
        """(B, C, T), (B,) -> one verdict (B, 1)."""
        pooled = self.conv(frames).relu().mean(2)
        of_domain = (self.codes(domain_ids) * pooled).sum(1, keepdim=True)
        return [Verdict(self.plain(pooled) + of_domain, [])]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        return {"domain_ids": torch.zeros(1, dtype=torch.long)}
