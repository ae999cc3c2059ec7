"""Least squares: Mao et al. 2017 (ICCV), eq. 9 with a = 0, b = c = 1, but for its factors 1/2.

Those are weights, and weights belong to the configuration. Averaged over patches and over a
discriminator's scales.
"""

import torch
from torch import Tensor

from voiceconv.models.base import Verdict

UNDECIDED = 0.5  # the least discriminator_loss of one that says the same of every input


def discriminator_loss(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """E[(D(x) - 1)^2] + E[D(G(y))^2]."""
    terms = [
        (of_real.logits - 1).square().mean() + of_fake.logits.square().mean()
        for of_real, of_fake in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def generator_loss(fake: list[Verdict]) -> Tensor:
    """E[(D(G(y)) - 1)^2]."""
    return torch.stack([(verdict.logits - 1).square().mean() for verdict in fake]).mean()
