"""Contrast between frames that say the same and frames that do not."""

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(
    code: Tensor, other: Tensor, temperature: float = 0.1, tolerance: int = 2
) -> Tensor:
    """Codes (B, K, T) of two voices that say the same at the same time -> InfoNCE, a scalar.

    van den Oord et al. 2018, arXiv:1807.03748, eq. 4, of cosines: each frame has to find its own
    moment among the T of the other voice. The frames up to `tolerance` around it count, too, since
    an alignment is no more exact; log(T / (2 tolerance + 1)) is about the value at chance.
    """
    similarity = F.normalize(code.float(), dim=1).transpose(1, 2) @ F.normalize(
        other.float(), dim=1
    )  # (B, T, T)
    logits = similarity / temperature
    moments = torch.arange(logits.shape[1], device=logits.device)
    same = (moments[:, None] - moments).abs() <= tolerance
    found = logits.masked_fill(~same, -torch.inf).logsumexp(2)
    return (logits.logsumexp(2) - found).mean()


def patch_nce_loss(query: Tensor, key: Tensor, temperature: float = 0.07) -> Tensor:
    """Features (B, P, K) of P places of an output and of its input -> PatchNCE, a scalar.

    Park et al. 2020, arXiv:2007.15651: InfoNCE of cosines, where a place of the output has to find
    its own place among the P of the input. Others of the same item are the negatives, the keys are
    constants. log(P) is the value at chance.
    """
    of_query, of_key = F.normalize(query.float(), dim=2), F.normalize(key.detach().float(), dim=2)
    logits = of_query @ of_key.transpose(1, 2) / temperature  # (B, P, P)
    found = logits.diagonal(dim1=1, dim2=2)
    return (logits.logsumexp(2) - found).mean()
