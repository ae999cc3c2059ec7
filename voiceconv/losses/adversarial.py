"""Adversarial losses; averaged over patches and over the scales of a discriminator.

Least squares: Mao et al. 2017 (ICCV), eq. 9 with a = 0, b = c = 1, without its factors 1/2: they
are weights and belong to the configuration. Hinge: Lim and Ye 2017, arXiv:1705.02894; in Vocos
(Siuzdak 2023, arXiv:2306.00814, section 3.2) the generator's loss is clipped, too. Cross-entropy:
Goodfellow et al. 2014, arXiv:1406.2661, eq. 1, of logits; the generator's is the one of section 3
that does not saturate.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.models.base import Verdict

CHANCE_LEVEL = 0.5  # the lowest discriminator_loss with one output for all inputs: chance level


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


def hinge_discriminator_loss(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(y)))]."""
    terms = [
        (1 - of_real.logits).relu().mean() + (1 + of_fake.logits).relu().mean()
        for of_real, of_fake in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def hinge_generator_loss(fake: list[Verdict]) -> Tensor:
    """E[max(0, 1 - D(G(y)))]."""
    return torch.stack([(1 - verdict.logits).relu().mean() for verdict in fake]).mean()


def cross_entropy_discriminator_loss(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """-E[log S(D(x))] - E[log(1 - S(D(G(y))))], S the sigmoid."""
    terms = [
        F.softplus(-of_real.logits).mean() + F.softplus(of_fake.logits).mean()
        for of_real, of_fake in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def cross_entropy_generator_loss(fake: list[Verdict]) -> Tensor:
    """-E[log S(D(G(y)))]."""
    return torch.stack([F.softplus(-verdict.logits).mean() for verdict in fake]).mean()


def gradient_penalty(real: list[Verdict], frames: Tensor) -> Tensor:
    """Verdicts on real frames (B, C, T) that need gradients -> E[|dD/dx|^2], a scalar.

    R1 of Mescheder et al. 2018, arXiv:1801.04406, eq. 9, without its factor 1/2. The verdict of an
    item is the mean over patches and scales.
    """
    verdicts = [verdict.logits.flatten(1).mean(1) for verdict in real]
    (gradient,) = torch.autograd.grad(
        torch.stack(verdicts).mean(0).sum(), frames, create_graph=True
    )
    return gradient.square().flatten(1).sum(1).mean()


class GanMode(NamedTuple):
    """The losses of both networks; `chance_level` is the discriminator's loss at chance level."""

    generator_loss: Callable[[list[Verdict]], Tensor]
    discriminator_loss: Callable[[list[Verdict], list[Verdict]], Tensor]
    chance_level: float


GAN_MODES = {
    "least_squares": GanMode(generator_loss, discriminator_loss, CHANCE_LEVEL),
    "hinge": GanMode(hinge_generator_loss, hinge_discriminator_loss, 2.0),
    "cross_entropy": GanMode(
        cross_entropy_generator_loss, cross_entropy_discriminator_loss, 2 * math.log(2)
    ),
}
