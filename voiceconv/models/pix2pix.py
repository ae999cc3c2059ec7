"""pix2pix networks, on frames as a plane. Isola et al. 2017, arXiv:1611.07004, section 6.1.

The paper has batch norm, dropout at test time too, and a tanh at the end. Here the norm is instance
norm, which the paper's batches of one make of it, and which is the same in training and conversion;
dropout is noise in training alone, so a conversion is deterministic; and frames are normalised, not
in [-1, 1] as images are, so there is no tanh.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import Discriminator, Generator, PairTranslator, Verdict
from voiceconv.models.cyclegan import PatchGan
from voiceconv.models.layers import PlaneConv2d, draw_convolutions, pad_plane
from voiceconv.schema import Count, Range

N_NOISY = 3  # layers with dropout, the innermost


class MapConvTranspose2d(nn.ConvTranspose2d):
    """4x4 transposed convolution of stride 2 to one map, as a product and a sum of shifted taps.

    (B, K, C, T) -> (B, 1, 2C, 2T). On a CPU its weight gradient would be that of a convolution of
    one plane, which is not safe: see layers.PlaneConv2d. The parameters are those of
    nn.ConvTranspose2d.
    """

    def __init__(self, n_inputs: int) -> None:
        super().__init__(n_inputs, 1, 4, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, K, C, T) -> (B, 1, 2C, 2T)."""
        if x.is_cuda:
            return super().forward(x)
        taps = self.weight.flatten(1).t() @ x.flatten(2)  # (B, 16, C * T)
        # Under autocast the taps are bfloat16; summed so, they would lose digits.
        taps = taps.to(torch.promote_types(taps.dtype, torch.float32))
        shape = (2 * x.shape[2], 2 * x.shape[3])
        maps = F.fold(taps, shape, kernel_size=4, stride=2, padding=1)
        return maps + self.bias.view(1, 1, 1, 1)  # type: ignore[union-attr]


class UnetGenerator(Generator):
    """Halvings to the bottom, as many doublings, skips between: (B, C, T) -> (B, C, T).

    No layer has a bias but the last. The first and the innermost layer have no norm: at the bottom
    a plane of one value would become 0.

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        base_channels: filters of the first layer; the paper's 64. They double up to eight times.
        n_downs: the paper's 8 are for 256 rows and frames, 7 for 128.
        dropout: of the three innermost doublings, in training only; the paper's 0.5.
    """

    # Any T: it pads by itself, to one multiple. PairTranslator would pad to four of them, and most
    # of what a norm sees would be the last frame.
    frame_multiple = 1

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 64,
        n_downs: Annotated[int, Range(2, most=10)] = 8,
        dropout: Annotated[float, Range(0, below=1)] = 0.5,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.plane_multiple = 2**n_downs
        widths = [base_channels * min(2**level, 8) for level in range(n_downs)]
        self.downs = nn.ModuleList([PlaneConv2d(1, widths[0], 4, 2, 1, bias=False)])
        for level in range(1, n_downs):
            self.downs.append(_down(widths[level - 1], widths[level], level < n_downs - 1))
        self.ups = nn.ModuleList()
        for level in reversed(range(1, n_downs)):
            innermost = level == n_downs - 1
            n_inputs = widths[level] if innermost else 2 * widths[level]
            noise = dropout if n_downs - level <= N_NOISY else 0.0
            self.ups.append(_up(n_inputs, widths[level - 1], noise))
        self.exit = nn.Sequential(nn.ReLU(), MapConvTranspose2d(2 * widths[0]))
        draw_convolutions(self)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        x = pad_plane(frames, self.plane_multiple, fewest=1)
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        for up in self.ups:
            x = torch.cat([up(x), skips.pop()], 1)
        plane: Tensor = self.exit(x)
        return plane[:, 0, : frames.shape[1], : frames.shape[2]]


def _down(n_inputs: int, n_filters: int, normalized: bool) -> nn.Sequential:
    """Half the plane."""
    norm = nn.InstanceNorm2d(n_filters, affine=True) if normalized else nn.Identity()
    conv = nn.Conv2d(n_inputs, n_filters, 4, 2, 1, bias=False)
    return nn.Sequential(nn.LeakyReLU(0.2), conv, norm)


def _up(n_inputs: int, n_filters: int, dropout: float) -> nn.Sequential:
    """Twice the plane."""
    return nn.Sequential(
        nn.ReLU(),
        nn.ConvTranspose2d(n_inputs, n_filters, 4, 2, 1, bias=False),
        nn.InstanceNorm2d(n_filters, affine=True),
        nn.Dropout(dropout),
    )


class OneWayTranslator(PairTranslator):
    """One generator for each pair of domains, from the lower domain_id to the higher.

    For an objective that does not learn the way back.
    """

    def __init__(
        self, n_channels: int, n_domains: int, generator: Callable[..., Generator]
    ) -> None:
        super().__init__(n_channels, n_domains, generator)
        for source, target in self.directions(n_domains):
            del self.generators[f"{target}_to_{source}"]

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator."""
        return list(combinations(range(n_domains), 2))


class ConditionalPatchGan(Discriminator):
    """The 70x70 PatchGAN on two planes: the source, and what was made of it.

    Args:
        n_channels: C of the frames.
        base_channels: filters of the first layer; the paper's 64.
    """

    def __init__(self, n_channels: int, base_channels: Count = 64) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.patches = PatchGan(n_channels, base_channels, n_inputs=2)

    def forward(self, frames: Tensor, source: Tensor) -> list[Verdict]:  # type: ignore[override]
        """(B, C, T) twice -> one verdict of patches."""
        return [self.patches.judge(beside(frames, source))]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        return silence(self.n_channels)


def beside(frames: Tensor, source: Tensor) -> Tensor:
    """Frames and their sources, (B, C, T) each, or one source for all -> planes (B, 2, C, T)."""
    return torch.cat([pad_plane(source.expand_as(frames), 1), pad_plane(frames, 1)], 1)


def silence(n_channels: int) -> dict[str, Tensor]:
    """The default source of a conditional discriminator: (1, C, 1), one frame for all."""
    return {"source": torch.zeros(1, n_channels, 1)}
