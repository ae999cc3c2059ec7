"""The interface between a GAN family and the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

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


class Objective(nn.Module, ABC):
    """Two players and their losses.

    generator: the network that ships.
    weights: player -> loss name -> factor. The names must be those of the losses, all of them and
    no other.
    """

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

    def player(self, name: str) -> nn.Module:
        """Networks trained by this player."""
        return {"generator": self.generator, "discriminator": self.discriminators}[name]

    @abstractmethod
    def generator_losses(self, batch: list[Tensor], step: int) -> tuple[Losses, Generated]:
        """A batch -> unweighted scalars by name, and the fakes with what describes them."""

    @abstractmethod
    def discriminator_losses(self, batch: list[Tensor], generated: Generated) -> Losses:
        """The same batch and the detached fakes -> unweighted scalars by name."""

    @abstractmethod
    def examples(self, batch: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Inputs and outputs for the health monitor, (n, C, T) each; may be empty."""

    @property
    @abstractmethod
    def undecided(self) -> float:
        """Each discriminator loss at chance level (same output for real and fake)."""

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
