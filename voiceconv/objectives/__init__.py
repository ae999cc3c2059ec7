"""How each GAN family is trained: which losses, of what. They know nothing of optimisers."""

from voiceconv.objectives.base import PLAYERS, Fake, Generated, Objective

__all__ = ["PLAYERS", "Fake", "Generated", "Objective"]
