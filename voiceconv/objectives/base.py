"""What a GAN family must say for the one trainer to train it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from voiceconv.models.base import Translator

Losses = dict[str, Tensor]
Generated = dict[str, list[Tensor]]  # what the generators made, by kind; each a list by domain_id

PLAYERS = ("generator", "discriminator")


class Objective(nn.Module, ABC):
    """Two players and their losses.

    weights: player -> loss name -> factor. The names must be those of the losses, all of them and
    no other.
    """

    def __init__(
        self,
        translator: Translator,
        discriminators: nn.Module,
        weights: Mapping[str, Mapping[str, float]],
    ) -> None:
        super().__init__()
        if set(weights) != set(PLAYERS):
            raise KeyError(f"weights are for {sorted(weights)}; the players are {list(PLAYERS)}")
        self.translator = translator
        self.discriminators = discriminators
        self.weights = {player: dict(weights[player]) for player in PLAYERS}

    def player(self, name: str) -> nn.Module:
        """The networks that `name` moves."""
        return {"generator": self.translator, "discriminator": self.discriminators}[name]

    @abstractmethod
    def generator_losses(self, batch: list[Tensor], step: int) -> tuple[Losses, Generated]:
        """Batch by domain_id, each (B, C, T) -> unweighted scalars by name, and the fakes."""

    @abstractmethod
    def discriminator_losses(self, batch: list[Tensor], generated: Generated) -> Losses:
        """The same batch and the detached fakes -> unweighted scalars by name."""

    @property
    @abstractmethod
    def undecided(self) -> float:
        """What each discriminator loss comes to where the discriminators cannot tell."""

    def total(self, player: str, losses: Losses) -> Tensor:
        """Weighted sum. Raises KeyError unless the losses are exactly those that have a weight."""
        weights = self.weights[player]
        if losses.keys() != weights.keys():
            raise KeyError(f"{player} losses {sorted(losses)} against weights {sorted(weights)}")
        return sum(
            (weights[name] * loss for name, loss in losses.items()),
            start=next(iter(losses.values())).new_zeros(()),
        )
