"""Distances between frames that ought to be equal."""

from torch import Tensor
from torch.nn import functional as F


def l1_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference: the cycle and identity losses, Zhu et al. 2017 (ICCV), eq.

    2 and section 5.2.
    """
    return F.l1_loss(estimate, reference)
