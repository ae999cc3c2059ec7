"""CycleGAN-VC3's generator. Kaneko et al. 2020, arXiv:2010.11672, section 3.

CycleGAN-VC2's 2-1-2D network with three of its instance norms replaced by time-frequency adaptive
normalization (TFAN): after the 1x1 convolution that leads from 1-D back to 2-D, and after the pixel
shuffle of the two upsampling blocks. Its discriminators are CycleGAN-VC2's `PatchDiscriminator`.

What the paper gives: three layers (N = 3) of kernel 5 and 128 hidden channels. What it leaves open,
and our reading: the activation between them (ReLU) and the resizing of the source (nearest
neighbour), both as in SPADE, from which TFAN derives (Park et al. 2019, arXiv:1903.07291); heads of
kernel 5 too, on top of the three; a network of its own for each TFAN, the 2-D ones over the source
as one plane. So read, the generator has 27,321,665 parameters at 80 channels; the paper says 27 M.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import Generator
from voiceconv.models.layers import GatedConv2d, MapConv2d, ResidualBlock1d, conv2d
from voiceconv.schema import Count, Some


class Tfan(nn.Module):
    """Norm without parameters, then a scale and a shift for every element, drawn from the source.

    f' = (1 + gamma(x)) . norm(f) + beta(x), where x is the source resized to f.
    1-D: f (B, K, T'), x (B, C, T). 2-D: f (B, K, C', T'), x (B, 1, C, T).

    Args:
        conv, norm: nn.Conv1d and nn.InstanceNorm1d, or conv2d and nn.InstanceNorm2d.
        n_source: channels of x.
        n_features: K.
        n_hidden: channels of the layers between x and the two heads.
        n_layers: how many of them, the paper's N.
    """

    def __init__(
        self,
        conv: Callable[..., nn.Module],
        norm: type[nn.InstanceNorm1d] | type[nn.InstanceNorm2d],
        n_source: int,
        n_features: int,
        n_hidden: int = 128,
        n_layers: int = 3,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(n_layers):
            layers += [
                conv(n_hidden if i else n_source, n_hidden, kernel, padding=kernel // 2),
                nn.ReLU(),
            ]
        self.norm = norm(n_features, affine=False)
        self.shared = nn.Sequential(*layers)
        self.scale = conv(n_hidden, n_features, kernel, padding=kernel // 2)
        self.shift = conv(n_hidden, n_features, kernel, padding=kernel // 2)

    def forward(self, features: Tensor, source: Tensor) -> Tensor:
        """Features (B, K, ...) and source (B, ., ...) of as many axes -> (B, K, ...)."""
        hidden = self.shared(F.interpolate(source, size=features.shape[2:], mode="nearest"))
        modulated: Tensor = (1 + self.scale(hidden)) * self.norm(features) + self.shift(hidden)
        return modulated


class TfanUpBlock2d(nn.Module):
    """Conv 5x5, pixel shuffle by 2, TFAN, GLU: (B, K, C, T) -> (B, n_filters / 8, 2C, 2T)."""

    def __init__(self, n_inputs: int, n_filters: int, tfan: Callable[[int], Tfan]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_filters, 5, padding=2)
        self.shuffle = nn.PixelShuffle(2)
        self.tfan = tfan(n_filters // 4)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """(B, K, C, T) and the source (B, 1, C_0, T_0) -> (B, n_filters / 8, 2C, 2T)."""
        return F.glu(self.tfan(self.shuffle(self.conv(x)), source), dim=1)


class TfanGenerator(Generator):
    """The 2-1-2D network whose way up is modulated by the source frames.

    Args:
        n_channels: C of the frames, divisible by 4.
        base_channels: filters of the first layer, the paper's 128; all other widths follow.
        n_residual_blocks: the paper's 6.
        n_tfan_layers: the paper's N = 3.
    """

    frame_multiple = 4

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 128,
        n_residual_blocks: Some = 6,
        n_tfan_layers: Count = 3,
    ) -> None:
        super().__init__()
        if n_channels % 4:
            raise ValueError(
                f"n_channels {n_channels} must divide by 4: the network halves that axis twice"
            )
        c = base_channels
        rows = n_channels // 4

        def tfan_2d(n_features: int) -> Tfan:
            return Tfan(conv2d, nn.InstanceNorm2d, 1, n_features, c, n_tfan_layers)

        self.entry = GatedConv2d(1, c, (5, 15), normalized=False)
        self.down = nn.Sequential(
            GatedConv2d(c // 2, 2 * c, (5, 5), 2), GatedConv2d(c, 4 * c, (5, 5), 2)
        )
        self.to_1d = nn.Sequential(
            nn.Conv1d(2 * c * rows, 2 * c, 1), nn.InstanceNorm1d(2 * c, affine=True)
        )
        self.residual = nn.Sequential(
            *(ResidualBlock1d(2 * c, 4 * c) for _ in range(n_residual_blocks))
        )
        self.to_2d = nn.Conv1d(2 * c, 2 * c * rows, 1)
        self.tfan = Tfan(nn.Conv1d, nn.InstanceNorm1d, n_channels, 2 * c * rows, c, n_tfan_layers)
        self.up = nn.ModuleList(
            (TfanUpBlock2d(2 * c, 8 * c, tfan_2d), TfanUpBlock2d(c, 4 * c, tfan_2d))
        )
        self.exit = MapConv2d(c // 2, (5, 15))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        plane = frames.unsqueeze(1)
        x = self.down(self.entry(plane))  # (B, 2c, C/4, T/4)
        shape = x.shape[1:3]
        x = self.residual(self.to_1d(x.flatten(1, 2)))  # (B, 2c * C/4, T/4) -> (B, 2c, T/4)
        x = self.tfan(self.to_2d(x), frames).unflatten(1, shape)  # (B, 2c, C/4, T/4)
        for block in self.up:
            x = block(x, plane)
        return self.exit(x).squeeze(1)  # (B, 1, C, T) -> (B, C, T)
