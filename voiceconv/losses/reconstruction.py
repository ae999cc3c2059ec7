"""Distances between frames that should be equal."""

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.models.base import Verdict


def l1_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference, for cycle (Zhu et al. 2017, ICCV, eq. 2) and identity (5.2)."""
    return F.l1_loss(estimate, reference)


def feature_matching_loss(fake: list[Verdict], real: list[Verdict]) -> Tensor:
    """Mean absolute difference of each layer's features, summed over layers, averaged over parts.

    Kong et al. 2020, "HiFi-GAN", arXiv:2010.05646, eq. 5. The features of `real` are constants.
    """
    terms = [
        sum(F.l1_loss(f, r.detach()) for f, r in zip(one.features, other.features, strict=True))
        for one, other in zip(fake, real, strict=True)
    ]
    return torch.stack(terms).mean()  # type: ignore[arg-type]
