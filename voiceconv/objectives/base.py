"""The interface between a GAN family and the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from torch import Tensor, nn

from voiceconv.data.batches import Batch
from voiceconv.models.base import Discriminator, Translator

Losses = dict[str, Tensor]


class Fake(NamedTuple):
    """Fakes and what describes them, all (B, ...): the pool keeps an item's together."""

    frames: Tensor
    condition: dict[str, Tensor] = {}  # nobody writes into it

    def detach(self) -> Self:
        """The same without gradients."""
        condition = {name: value.detach() for name, value in self.condition.items()}
        return self._replace(frames=self.frames.detach(), condition=condition)


Generated = dict[str, list[Fake]]  # by kind; each a list by what judges them

PLAYERS = ("generator", "discriminator")

B = TypeVar("B", bound=Batch)


class Objective(nn.Module, ABC, Generic[B]):
    """Two players and their losses. A classifier plays with the discriminators.

    `takes` is the kind of batch that it trains on. What is random in it is drawn from (seed, step),
    or from torch's own generators, which are part of a checkpoint: so that resume is exact.

    generator: the network that ships.
    weights: player -> loss name -> factor. The names must be those of the losses, all of them and
    no other.
    """

    takes: ClassVar[type[Batch]]

    def __init__(
        self,
        generator: nn.Module,
        discriminators: nn.Module,
        weights: Mapping[str, Mapping[str, float]],
    ) -> None:
        super().__init__()
        if set(weights) != set(PLAYERS):
            raise KeyError(f"weights are for {sorted(weights)}; the players are {list(PLAYERS)}")
        self.generator = generator
        self.discriminators = discriminators
        self.weights = {player: dict(weights[player]) for player in PLAYERS}

    @classmethod
    def plan(cls, n_steps: int) -> dict[str, Any]:
        """Keywords of the constructor that follow from the length of a run; none by default."""
        return {}

    def networks(self) -> dict[str, nn.Module]:
        """What `voiceconv info` describes: the translator's, and a discriminator."""
        found = self.generator.networks() if isinstance(self.generator, Translator) else {}
        parts = self.discriminators.modules()
        judge = next((part for part in parts if isinstance(part, Discriminator)), None)
        return found if judge is None else {**found, "discriminator": judge}

    def player(self, name: str) -> nn.Module:
        """The networks that this player trains."""
        return {"generator": self.generator, "discriminator": self.discriminators}[name]

    @abstractmethod
    def generator_losses(self, batch: B, step: int) -> tuple[Losses, Generated]:
        """A batch -> unweighted scalars by name, and the fakes with what describes them."""

    @abstractmethod
    def discriminator_losses(self, batch: B, generated: Generated) -> Losses:
        """The same batch and the detached fakes -> unweighted scalars by name."""

    @abstractmethod
    def examples(self, batch: B) -> list[tuple[Tensor, Tensor]]:
        """Inputs and outputs whose health is watched, (n, C, T) each, by direction; may be none."""

    @property
    def chance_levels(self) -> Mapping[str, float]:
        """A discriminator's loss -> its value where the discriminator cannot tell real from fake.

        Losses that have no such value (of a classifier, a penalty, Wasserstein's) are left out.
        """
        return {}

    def require_weights(self, **names: set[str]) -> None:
        """Raise ValueError unless each player's weights have these names."""
        for player, wanted in names.items():
            if self.weights[player].keys() != wanted:
                raise ValueError(
                    f"weights.{player} names {sorted(self.weights[player])}; the losses are "
                    f"{sorted(wanted)}"
                )

    def total(self, player: str, losses: Losses) -> Tensor:
        """Weighted sum. Raises KeyError unless the losses are exactly those that have a weight."""
        weights = self.weights[player]
        if losses.keys() != weights.keys():
            raise KeyError(f"{player} losses {sorted(losses)} against weights {sorted(weights)}")
        return sum(
            (weights[name] * loss for name, loss in losses.items()),
            start=next(iter(losses.values())).new_zeros(()),
        )
