"""Domains with encoders and decoders of their own, and one space between them."""

import torch
from torch import Tensor, nn

from voiceconv.models.base import DomainId, Translator


class LatentTranslator(Translator):
    """A variational autoencoder for each domain, whose middle layer they share.

    In training the code is drawn: mean + noise. A conversion takes the mean.

    Args:
        n_channels: C of the frames.
        n_domains: D.
        n_codes: channels of the code.
    """

    def __init__(self, n_channels: int, n_domains: int, n_codes: int = 8) -> None:
        super().__init__()
        domains = range(n_domains)
        self.encoders = nn.ModuleList(nn.Conv1d(n_channels, 16, 5, padding=2) for _ in domains)
        self.middle = nn.Conv1d(16, n_codes, 1)
        self.voice = nn.Linear(n_channels, n_codes)
        self.decoders = nn.ModuleList(nn.Conv1d(n_codes, n_channels, 5, padding=2) for _ in domains)

    def encode(self, frames: Tensor, source: DomainId) -> Tensor:
        """(B, C, T) -> the code's mean (B, n_codes, T)."""
        code: Tensor = self.middle(self.encoders[int(source)](frames).relu())
        return code

    def decode(self, code: Tensor, target: DomainId) -> Tensor:
        """(B, n_codes, T) -> (B, C, T)."""
        frames: Tensor = self.decoders[int(target)](code)
        return frames

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator: a recording."""
        return {"reference": self.voice.weight.new_zeros(1, self.voice.in_features, 1)}

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator."""
        code = self.encode(frames, source)
        if "reference" in condition:  # (B, C, T'), whose level moves the code
            code = code + self.voice(condition["reference"].abs().mean(2))[..., None]
        if self.training:
            code = code + torch.randn_like(code)
        return self.decode(code, target)
