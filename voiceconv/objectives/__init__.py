"""How each GAN family is trained: which losses, of what. They know nothing of optimisers."""

from voiceconv.objectives.base import Generated, Objective

__all__ = ["Generated", "Objective"]
