"""The family at a size that tests run in no time, and weights that need no random numbers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from voiceconv.models.base import Discriminator, Generator
from voiceconv.models.cyclegan_vc import FullDiscriminator, Generator1d
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.models.cyclegan_vc3 import TfanGenerator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator

GENERATORS: list[Callable[..., Generator]] = [
    Generator1d,
    Generator212,
    TfanGenerator,
    MaskedGenerator,
]
N_FRAMES = 32


def full_discriminator(n_channels: int, base_channels: int) -> Discriminator:
    """As large as the tests' crops."""
    return FullDiscriminator(n_channels, N_FRAMES, base_channels)


DISCRIMINATORS: list[Callable[..., Discriminator]] = [full_discriminator, PatchDiscriminator]


def filled(network: nn.Module) -> nn.Module:
    """The network with the i-th parameter set to sin(0.7 k + i), k counting its numbers."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.copy_(_wave(parameter.shape, torch.sin, 0.7, i))
    return network


def waves(*shape: int) -> Tensor:
    """cos(0.3 k), k counting the numbers of a tensor of this shape."""
    return _wave(torch.Size(shape), torch.cos, 0.3, 0)


def _wave(shape: torch.Size, wave: Callable[[Tensor], Tensor], rate: float, phase: float) -> Tensor:
    return wave(torch.arange(shape.numel(), dtype=torch.float32) * rate + phase).reshape(shape)
