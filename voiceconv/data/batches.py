"""Training batches: tensors by name, one class per kind of data.

`data/crops.py` makes them from a dump; `Objective.takes` states the kind for training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Tensors by name; dimension `item_dim` of each counts the items."""

    item_dim: ClassVar[int] = 0

    def tensors(self) -> list[Tensor]:
        """In the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]

    def to(self, device: torch.device | str) -> Self:
        """The same batch on a device."""
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    @classmethod
    def of_first_items(cls, batches: Sequence[Self]) -> Self:
        """The first item of each batch, as one batch."""
        columns = zip(*(batch.tensors() for batch in batches), strict=True)
        dim = cls.item_dim
        return cls(*(torch.cat([t.narrow(dim, 0, 1) for t in column], dim) for column in columns))


@dataclass(frozen=True)
class Unpaired(Batch):
    """Crops of every domain. frames: (D, B, C, T), by domain_id."""

    item_dim = 1
    frames: Tensor


@dataclass(frozen=True)
class Labelled(Batch):
    """Crops of any domains. frames: (B, C, T); domain_ids: (B,)."""

    frames: Tensor
    domain_ids: Tensor


@dataclass(frozen=True)
class Paired(Batch):
    """One sentence by two domains, aligned frame by frame. source, target: (B, C, T); ids: (B,)."""

    source: Tensor
    target: Tensor
    source_ids: Tensor
    target_ids: Tensor


@dataclass(frozen=True)
class Pooled(Batch):
    """Crops of every domain beside crops of all others. frames, others: (D, B, C, T).

    other_ids: (D, B), the domains that `others` come from.
    """

    item_dim = 1
    frames: Tensor
    others: Tensor
    other_ids: Tensor


@dataclass(frozen=True)
class Perturbed(Batch):
    """Crops of the targets beside what another voice would have said, and crops of other voices.

    frames: (B, C, T), of `domain_ids` (B,); bent: (B, C, T), the same with other formants.
    scale: (1, C), weights of the channels, 1 on average: all have unit deviation, and what hardly
        moves in a spectrum should count less.
    others: (O, C, T), of any voices; target_ids: (O,), what they are to become.
    one, other: (P, C, T), two voices that say the same at the same time.
    said: (P, C, T), the frames of `other` as they are, of the targets `said_ids` (P,).

    All but `frames` and `said` are normalised as a stranger's are, by their recording's statistics.
    """

    frames: Tensor
    domain_ids: Tensor
    bent: Tensor
    scale: Tensor
    others: Tensor
    target_ids: Tensor
    one: Tensor
    other: Tensor
    said: Tensor
    said_ids: Tensor


@dataclass(frozen=True)
class Segments(Batch):
    """Frames with their waves. frames: (B, C, T); waves: (B, T * hop_length)."""

    frames: Tensor
    waves: Tensor
