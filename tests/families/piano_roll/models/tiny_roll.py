"""A generator of piano rolls: convolutions in time, and how sure it is of each note."""

import torch
from torch import Tensor, nn

from voiceconv.models.base import Generator


class RollGenerator(Generator):
    """Three convolutions; what comes out lies in 0..1.

    Args:
        n_channels: C of the frames.
        hidden_channels: channels inside.
    """

    frame_multiple = 1

    def __init__(self, n_channels: int, hidden_channels: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(n_channels, hidden_channels, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(hidden_channels, hidden_channels, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(hidden_channels, n_channels, 5, padding=2),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return torch.sigmoid(self.layers(frames) + 4 * frames - 2)
