"""Distances between frames that ought to be equal."""

from torch import Tensor
from torch.nn import functional as F


def l1_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference, for cycle (Zhu et al. 2017, ICCV, eq. 2) and identity (5.2)."""
    return F.l1_loss(estimate, reference)
