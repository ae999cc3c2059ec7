"""Training batches: tensors by name, one class per kind of data.

`data/crops.py` makes them from a dump; `Objective.takes` states the kind for training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Tensors by name; dimension `item_dim` of each counts the items. A field may be a batch."""

    item_dim: ClassVar[int] = 0

    def tensors(self) -> list[Tensor]:
        """In the order of the fields, those of a batch in its place."""
        return [
            tensor
            for value in self._values()
            for tensor in (value.tensors() if isinstance(value, Batch) else [value])
        ]

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Self:
        """The same batch on a device."""
        return type(self)(
            *(value.to(device, non_blocking=non_blocking) for value in self._values())
        )

    @classmethod
    def of_first_items(cls, batches: Sequence[Self]) -> Self:
        """The first item of each batch, as one batch; an empty one gives none."""
        columns = zip(*(batch._values() for batch in batches), strict=True)
        return cls(*map(cls._of_first_items, columns))

    @classmethod
    def _of_first_items(cls, column: Sequence[Any]) -> Any:
        """A field of several batches -> the field of their first items."""
        if isinstance(column[0], Batch):
            return type(column[0]).of_first_items(column)
        dim = cls.item_dim
        return torch.cat([tensor.split(1, dim)[0] for tensor in column], dim)

    def _values(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]


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
class SemiPaired(Batch):
    """A batch of another kind, such as Unpaired or Labelled, beside pairs, which may be none."""

    unpaired: Batch
    paired: Paired


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


@dataclass(frozen=True)
class Taught(Batch):
    """What a streaming student hears, and what its teacher says at the same time.

    heard: (B, I, T), frames of `features.causal`. frames: (B, C, T), mel-cepstra of the targets
        `target_ids` (B,), c_0 relative to the level of what is heard.
    f0: (B, T) of what is heard, in Hz, 0 where unvoiced. aperiodicity: (B, K, T) in dB, of the
        targets, 0 where unvoiced. counts: (B, T), 1 where there is sound, and else 0.
    """

    heard: Tensor
    frames: Tensor
    f0: Tensor
    aperiodicity: Tensor
    counts: Tensor
    target_ids: Tensor
