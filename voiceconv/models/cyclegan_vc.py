"""CycleGAN-VC networks. Kaneko and Kameoka 2017, arXiv:1711.11293, figure 2.

A 1-D gated convolutional generator over mel-cepstra (channels are coefficients) and a 2-D gated
discriminator that ends in one number ("FullGAN" in the CycleGAN-VC2 paper). What the paper leaves
open, and our reading:

- Whether the figure's c counts a gated unit's output or the filters going into it. Read as the
  output (each of the two branches has c filters, as in the popular re-implementation), the
  generator has 38,055,704 parameters at 24 coefficients. No size is given for this one;
  CycleGAN-VC2's figures agree with the later papers' sizes only when read the other way.
- How the discriminator's 6x3 kernel meets the 6 rows that 24 coefficients leave. We keep the rows
  (padding 2 above and 3 below, TensorFlow's "same") and flatten all of them into the last, fully
  connected layer.
- A sigmoid at the end: none, since the paper trains by least squares.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import Discriminator, Generator, Verdict
from voiceconv.models.layers import GatedConv1d, GatedConv2d, PixelShuffle1d, ResidualBlock1d
from voiceconv.schema import Count, Some


class UpBlock1d(nn.Module):
    """Conv k5, pixel shuffle by 2, instance norm, GLU: (B, K, T) -> (B, n_filters / 4, 2T)."""

    def __init__(self, n_inputs: int, n_filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_inputs, n_filters, 5, padding=2)
        self.shuffle = PixelShuffle1d(2)
        self.norm = nn.InstanceNorm1d(n_filters // 2, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, T) -> (B, n_filters / 4, 2T)."""
        return F.glu(self.norm(self.shuffle(self.conv(x))), dim=1)


class Generator1d(Generator):
    """Downsample time twice, six residual blocks, upsample twice; every unit gated (figure 2, top).

    Args:
        n_channels: C of the frames, any number.
        base_channels: channels after the first gated unit, the paper's 128; all others follow.
        n_residual_blocks: the paper's 6.
    """

    frame_multiple = 4

    def __init__(
        self, n_channels: int, base_channels: Count = 128, n_residual_blocks: Some = 6
    ) -> None:
        super().__init__()
        c = base_channels
        self.entry = GatedConv1d(n_channels, 2 * c, 15, normalized=False)
        self.down = nn.Sequential(GatedConv1d(c, 4 * c, 5, 2), GatedConv1d(2 * c, 8 * c, 5, 2))
        self.residual = nn.Sequential(
            *(ResidualBlock1d(4 * c, 16 * c) for _ in range(n_residual_blocks))
        )
        self.up = nn.Sequential(UpBlock1d(4 * c, 16 * c), UpBlock1d(4 * c, 8 * c))
        self.exit = nn.Conv1d(2 * c, n_channels, 15, padding=7)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        x = self.residual(self.down(self.entry(frames)))  # (B, 4c, T/4)
        converted: Tensor = self.exit(self.up(x))
        return converted


class FullDiscriminator(Discriminator):
    """Judges a crop as a whole: gated 2-D convolutions, a dense layer over all that they leave.

    Args:
        n_channels: C of the frames.
        n_frames: T of the crops; the dense layer ties the network to it, the paper's 128.
        base_channels: channels after the first gated unit, the paper's 128.
    """

    def __init__(self, n_channels: int, n_frames: Count = 128, base_channels: Count = 128) -> None:
        super().__init__()
        c = base_channels
        self.n_frames = n_frames
        self.layers = nn.Sequential(
            GatedConv2d(1, 2 * c, (3, 3), (1, 2), normalized=False),
            GatedConv2d(c, 4 * c, (3, 3), 2),
            GatedConv2d(2 * c, 8 * c, (3, 3), 2),
            nn.Sequential(
                nn.ZeroPad2d((1, 1, 2, 3)),  # 6 rows of kernel: rows in = rows out
                nn.Conv2d(4 * c, 16 * c, (6, 3), (1, 2)),
                nn.InstanceNorm2d(16 * c, affine=True),
                nn.GLU(dim=1),
            ),
        )
        rows = -(-n_channels // 4)  # halved twice, rounded up
        columns = -(-n_frames // 16)
        self.exit = nn.Linear(8 * c * rows * columns, 1)

    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, n_frames) -> one verdict of (B, 1) logits."""
        if frames.shape[-1] != self.n_frames:
            raise ValueError(
                f"crops of {frames.shape[-1]} frames for a discriminator with "
                f"n_frames={self.n_frames}: make the two equal"
            )
        features = []
        x = frames.unsqueeze(1)
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return [Verdict(self.exit(x.flatten(1)), features)]
