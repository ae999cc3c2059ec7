"""Few pairs among unpaired crops: two objectives of one translator.

An L1 loss of the pairs, with or without a discriminator, beside the unpaired objective on all
crops, in one training: the CycleGAN authors' advice (issue 185 of their PyTorch code).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Batch, Paired, SemiPaired
from voiceconv.errors import InputError
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator
from voiceconv.objectives.base import PLAYERS, Generated, Losses, Objective
from voiceconv.schema import Count, Step, Weights

T = TypeVar("T")

PARTS = ("unpaired", "paired")  # the fields of a batch, too


class PairedL1(Objective[Paired]):
    """What is converted is to be what the other said, frame by frame: L1, and nobody judges.

    Pairs are converted both ways, as far as the translator has these directions.
    """

    takes = Paired

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        super().__init__(translator, nn.ModuleList(), weights)
        self.require_weights(generator={"l1"}, discriminator=set())
        self.directions = translator.directions(n_domains)

    def generator_losses(self, batch: Paired, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: l1, a mean over all items and directions."""
        _, converted, said = map(torch.cat, zip(*self._conversions(batch), strict=True))
        return {"l1": l1_loss(converted, said)}, {}

    def discriminator_losses(self, batch: Paired, generated: Generated) -> Losses:
        """See Objective; none."""
        return {}

    def examples(self, batch: Paired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; every direction of the batch."""
        return [(frames, converted) for frames, converted, _ in self._conversions(batch)]

    def _conversions(self, batch: Paired) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """By direction: source frames, converted, and what the target said, (n, C, T) each."""
        ids = batch.source_ids, batch.target_ids
        for one, other in sorted(set(zip(*(some.tolist() for some in ids), strict=True))):
            items = (ids[0] == one) & (ids[1] == other)
            sides = {one: batch.source[items], other: batch.target[items]}
            for source, target in ((one, other), (other, one)):
                if (source, target) in self.directions:
                    converted = self.generator(sides[source], source, target)
                    yield sides[source], converted, sides[target]


class SemiSupervised(Objective[SemiPaired]):
    """An unpaired objective and a paired one, each on its own part of the batch.

    Args:
        discriminator: makes one, for each part whose node states none of its own.
        unpaired: makes the objective of `SemiPaired.unpaired`, such as CycleGAN.
        paired: makes the objective of `SemiPaired.paired`: PairedL1, Pix2Pix.
        weights: player -> part -> factor of the weights that the part's own node states.
        paired_decay: two steps; from the first to the second the factors of `paired` fall to 0 in a
            straight line. None: they stay.
        n_channels: C of the frames, for a discriminator that a part's node states.

    A loss is named PART_NAME. A part whose weights are all 0, or whose batch is empty, is not
    computed, and its losses are 0: the other part then takes the steps that it would take alone.
    """

    takes = SemiPaired

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        unpaired: Callable[..., Objective[Any]],
        paired: Callable[..., Objective[Any]],
        weights: Weights,
        paired_decay: tuple[Step, Step] | None = None,
        n_channels: Count | None = None,
        seed: int = 0,
    ) -> None:
        if paired_decay is not None and paired_decay[0] > paired_decay[1]:
            raise ValueError(f"paired_decay is {list(paired_decay)}; its first step is the earlier")
        given = {"translator": translator, "n_domains": n_domains, "seed": seed}
        parts = {  # in this order: the first draws the parameters that it would draw alone
            name: make(**given, discriminator=_own_discriminator(make, n_channels) or discriminator)
            for name, make in zip(PARTS, (unpaired, paired), strict=True)
        }
        judges = nn.ModuleDict({name: part.discriminators for name, part in parts.items()})
        super().__init__(translator, judges, weights)
        self.require_weights(**dict.fromkeys(PLAYERS, set(PARTS)))
        self.parts = nn.ModuleDict(parts)
        self.factors = self.weights
        self.paired_decay = paired_decay
        self.weights = self._weights_at(0)
        self._playing: list[str] = []  # in the latest step

    def player(self, name: str) -> nn.Module:
        """See Objective; what either part trains, the shared translator once."""
        return nn.ModuleList([self._part(part).player(name) for part in PARTS])

    def generator_losses(self, batch: SemiPaired, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: those of the parts, with unpaired_ or paired_ before them."""
        self.weights = self._weights_at(step)
        self._playing = [name for name in PARTS if self._plays(name, batch)]
        losses: Losses = {}
        generated: Generated = {}
        for name in PARTS:
            of_part = self._nothing(name, "generator", batch)
            if name in self._playing:
                of_part, fakes = self._part(name).generator_losses(getattr(batch, name), step)
                generated |= _prefixed(name, fakes)
            losses |= _prefixed(name, of_part)
        return losses, generated

    def discriminator_losses(self, batch: SemiPaired, generated: Generated) -> Losses:
        """See Objective. Names: as the generator's."""
        losses: Losses = {}
        for name in PARTS:
            of_part = self._nothing(name, "discriminator", batch)
            if name in self._playing:
                fakes = _of_part(name, generated)
                of_part = self._part(name).discriminator_losses(getattr(batch, name), fakes)
            losses |= _prefixed(name, of_part)
        return losses

    def examples(self, batch: SemiPaired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; of the unpaired part, which has all directions, if it plays."""
        playing = [name for name in PARTS if self._plays(name, batch)]
        return self._part(playing[0]).examples(getattr(batch, playing[0])) if playing else []

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; of the parts that took part in the latest step."""
        levels: dict[str, float] = {}
        for name in self._playing:
            levels |= _prefixed(name, self._part(name).chance_levels)
        return levels

    def _weights_at(self, step: int) -> dict[str, dict[str, float]]:
        """Player -> PART_NAME -> factor, as `weights` of every objective."""
        left = {"unpaired": 1.0, "paired": self._left(step)}
        return {
            player: {
                f"{part}_{name}": left[part] * self.factors[player][part] * weight
                for part in PARTS
                for name, weight in self._part(part).weights[player].items()
            }
            for player in PLAYERS
        }

    def _left(self, step: int) -> float:
        """What is left of the factors of `paired`: 1 before the decay, 0 after it."""
        if self.paired_decay is None:
            return 1.0
        start, end = self.paired_decay
        return min(1.0, max(0, end - step) / max(1, end - start))

    def _plays(self, name: str, batch: SemiPaired) -> bool:
        """Whether a part has anything to compute. Raises InputError for a batch of another kind."""
        takes, given = self._part(name).takes, getattr(batch, name)
        if not isinstance(given, takes):
            raise InputError(
                f"objective.{name} trains on {takes.__name__} batches, and batches.{name} gives "
                f"{type(given).__name__} ones; override one of them"
            )
        has_weight = any(any(_of_part(name, some).values()) for some in self.weights.values())
        return has_weight and given.tensors()[0].numel() > 0

    def _nothing(self, name: str, player: str, batch: Batch) -> Losses:
        """A part's losses of a player, 0 each."""
        return dict.fromkeys(self._part(name).weights[player], batch.tensors()[0].new_zeros(()))

    def _part(self, name: str) -> Objective[Any]:
        return self.parts[name]  # type: ignore[return-value]


def _prefixed(part: str, values: Mapping[str, T]) -> dict[str, T]:
    """By the names that a part uses -> by the names that are used here."""
    return {f"{part}_{name}": value for name, value in values.items()}


def _of_part(part: str, values: Mapping[str, T]) -> dict[str, T]:
    """The inverse of _prefixed; what is of the other part is left out."""
    start = f"{part}_"
    return {name[len(start) :]: one for name, one in values.items() if name.startswith(start)}


def _own_discriminator(
    make: Callable[..., Objective[Any]], n_channels: int | None
) -> Callable[..., Discriminator] | None:
    """What a part's node states to judge with, for frames of `n_channels`."""
    own: Callable[..., Discriminator] | None = getattr(make, "keywords", {}).get("discriminator")
    return own if own is None or n_channels is None else partial(own, n_channels=n_channels)
