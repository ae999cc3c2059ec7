"""The training scheme of each GAN family: its losses. Independent of optimisers."""

from voiceconv.objectives.base import PLAYERS, Fake, Generated, Objective

__all__ = ["PLAYERS", "Fake", "Generated", "Objective"]
