"""CycleGAN-VC2 networks. Kaneko et al. 2019, arXiv:1904.04631, figures 2 and 4.

The figures do not say what "c 256" before a GLU counts. Read as the channels going into the unit
(which halves them), the generator has 16.45 M parameters at 80 channels, the size that the later
papers of the family give it (16 M).
"""

from torch import Tensor, nn

from voiceconv.models.base import Discriminator, Generator, Verdict
from voiceconv.models.layers import GatedConv2d, MapConv2d, ResidualBlock1d
from voiceconv.schema import Count, Some


class UpBlock2d(nn.Module):
    """Conv 5x5, pixel shuffle by 2, instance norm, GLU.

    (B, K, C, T) -> (B, n_filters / 8, 2C, 2T).
    """

    def __init__(self, n_inputs: int, n_filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_filters, 5, padding=2)
        self.shuffle = nn.PixelShuffle(2)
        self.norm = nn.InstanceNorm2d(n_filters // 4, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, n_filters / 8, 2C, 2T)."""
        return nn.functional.glu(self.norm(self.shuffle(self.conv(x))), dim=1)


class Generator212(Generator):
    """The 2-1-2D network of section 3.2 and figure 2.

    Downsample in both axes, transform along time alone, upsample in both.

    Args:
        n_channels: C of the frames, divisible by 4.
        base_channels: filters of the first layer; the paper's 128, from which all other widths
            follow.
        n_residual_blocks: the paper's 6.
        n_planes: input planes; MaskCycleGAN-VC adds its mask as a second one.
    """

    frame_multiple = 4

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 128,
        n_residual_blocks: Some = 6,
        n_planes: Count = 1,
    ) -> None:
        super().__init__()
        if n_channels % 4:
            raise ValueError(
                f"n_channels {n_channels} must divide by 4: the network halves that axis twice"
            )
        c = base_channels
        rows = n_channels // 4
        self.entry = GatedConv2d(n_planes, c, (5, 15), normalized=False)
        self.down = nn.Sequential(
            GatedConv2d(c // 2, 2 * c, (5, 5), 2), GatedConv2d(c, 4 * c, (5, 5), 2)
        )
        self.to_1d = nn.Sequential(
            nn.Conv1d(2 * c * rows, 2 * c, 1), nn.InstanceNorm1d(2 * c, affine=True)
        )
        self.residual = nn.Sequential(
            *(ResidualBlock1d(2 * c, 4 * c) for _ in range(n_residual_blocks))
        )
        self.to_2d = nn.Sequential(
            nn.Conv1d(2 * c, 2 * c * rows, 1), nn.InstanceNorm1d(2 * c * rows, affine=True)
        )
        self.up = nn.Sequential(UpBlock2d(2 * c, 8 * c), UpBlock2d(c, 4 * c))
        self.exit = MapConv2d(c // 2, (5, 15))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return self.transform(frames.unsqueeze(1))

    def transform(self, planes: Tensor) -> Tensor:
        """Input planes (B, n_planes, C, T) -> (B, C, T)."""
        x = self.down(self.entry(planes))  # (B, 2c, C/4, T/4)
        shape = x.shape[1:3]
        x = self.residual(self.to_1d(x.flatten(1, 2)))  # (B, 2c * C/4, T/4) -> (B, 2c, T/4)
        x = self.to_2d(x).unflatten(1, shape)  # (B, 2c, C/4, T/4)
        return self.exit(self.up(x)).squeeze(1)  # (B, 1, C, T) -> (B, C, T)


class PatchDiscriminator(Discriminator):
    """PatchGAN (figure 4): judges overlapping patches.

    No dense layer, and no sigmoid under the least-squares loss.

    Args:
        n_channels: C of the frames, 8 or more: it halves that axis three times.
        base_channels: filters of the first layer; the paper's 128.
    """

    def __init__(self, n_channels: int, base_channels: Count = 128) -> None:
        super().__init__()
        if n_channels < 8:
            raise ValueError(f"n_channels {n_channels} must be 8 or more to be halved three times")
        c = base_channels
        self.layers = nn.Sequential(
            GatedConv2d(1, c, (3, 3), normalized=False),
            GatedConv2d(c // 2, 2 * c, (3, 3), 2),
            GatedConv2d(c, 4 * c, (3, 3), 2),
            GatedConv2d(2 * c, 8 * c, (3, 3), 2),
            GatedConv2d(4 * c, 8 * c, (1, 5)),
        )
        self.exit = nn.Conv2d(4 * c, 1, (1, 3), padding=(0, 1))

    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, T) -> one verdict of (B, 1, C/8, T/8) logits."""
        features = []
        x = frames.unsqueeze(1)
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return [Verdict(self.exit(x), features)]
