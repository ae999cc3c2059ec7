"""CycleGAN's image networks, on frames as a plane. Zhu et al. 2017, arXiv:1703.10593, section 7.1.

The frames are normalised, not in [-1, 1] as images are: the generator has no tanh at its end.
"""

from torch import Tensor, nn

from voiceconv.models.base import Discriminator, Generator, Verdict
from voiceconv.models.layers import conv2d, draw_convolutions, pad_plane
from voiceconv.schema import Count, Some


class ResidualBlock2d(nn.Module):
    """Two reflect-padded 3x3 convolutions with instance norm around a skip; no ReLU after it.

    norm: makes the norm of so many channels.
    """

    def __init__(self, n_channels: int, norm: type[nn.Module] = nn.InstanceNorm2d) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(n_channels, n_channels, 3),
            norm(n_channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(n_channels, n_channels, 3),
            norm(n_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, K, C, T)."""
        y: Tensor = x + self.layers(x)
        return y


def entry(n_inputs: int, n_filters: int) -> nn.Sequential:
    """Reflect padding and a 7x7 convolution, instance norm, ReLU."""
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        conv2d(n_inputs, n_filters, 7),
        nn.InstanceNorm2d(n_filters),
        nn.ReLU(),
    )


def down(n_inputs: int) -> nn.Sequential:
    """Half the plane, twice the channels."""
    return nn.Sequential(
        nn.Conv2d(n_inputs, 2 * n_inputs, 3, 2, 1), nn.InstanceNorm2d(2 * n_inputs), nn.ReLU()
    )


def up(n_inputs: int) -> nn.Sequential:
    """Twice the plane, half the channels: the inverse of `down`."""
    n_filters = n_inputs // 2
    return nn.Sequential(
        nn.ConvTranspose2d(n_inputs, n_filters, 3, 2, 1, output_padding=1),
        nn.InstanceNorm2d(n_filters),
        nn.ReLU(),
    )


def leave(n_inputs: int) -> nn.Sequential:
    """Reflect padding and a 7x7 convolution to one plane."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(n_inputs, 1, 7))


class ResnetGenerator(Generator):
    """7x7, `n_downs` halvings, residual blocks, as many doublings, 7x7: (B, C, T) -> (B, C, T).

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        base_channels: filters of the first layer; the paper's 64.
        n_residual_blocks: the paper's 9, 6 for pictures of 128 pixels.
        n_downs: the paper's 2.
    """

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 64,
        n_residual_blocks: Some = 9,
        n_downs: Some = 2,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.frame_multiple = 2**n_downs
        widths = [base_channels * 2**n for n in range(n_downs)]
        self.encoder = nn.ModuleList([entry(1, base_channels), *(down(width) for width in widths)])
        self.encoder.extend(
            ResidualBlock2d(base_channels * 2**n_downs) for _ in range(n_residual_blocks)
        )
        self.decoder = nn.Sequential(
            *(up(2 * width) for width in reversed(widths)), leave(base_channels)
        )
        draw_convolutions(self)

    def features(self, frames: Tensor) -> list[Tensor]:
        """(B, C, T) -> the padded plane and the output of each layer up to the last block."""
        outputs = [pad_plane(frames, self.frame_multiple)]
        for layer in self.encoder:
            outputs.append(layer(outputs[-1]))
        return outputs

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        plane: Tensor = self.decoder(self.features(frames)[-1])
        return plane[:, 0, : frames.shape[1], : frames.shape[2]]


class PatchGan(Discriminator):
    """The 70x70 PatchGAN: 4x4 convolutions, no norm in the first layer, which would erase level.

    Args:
        n_channels: C of the frames.
        base_channels: filters of the first layer; the paper's 64.
        n_inputs: planes; pix2pix shows it the input beside the output.
        padding: zeros around the input of each layer; pix2pixHD has 2.
    """

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 64,
        n_inputs: Count = 1,
        padding: Count = 1,
    ) -> None:
        super().__init__()
        c, p = base_channels, padding
        self.layers = nn.ModuleList(
            [
                nn.Sequential(conv2d(n_inputs, c, 4, 2, p), nn.LeakyReLU(0.2)),
                *(
                    nn.Sequential(
                        nn.Conv2d(n, 2 * n, 4, stride, p),
                        nn.InstanceNorm2d(2 * n),
                        nn.LeakyReLU(0.2),
                    )
                    for n, stride in ((c, 2), (2 * c, 2), (4 * c, 1))
                ),
            ]
        )
        self.exit = nn.Conv2d(8 * c, 1, 4, 1, p)
        draw_convolutions(self)

    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, T) -> one verdict of patches."""
        return [self.judge(pad_plane(frames, 1))]

    def judge(self, planes: Tensor) -> Verdict:
        """(B, n_inputs, C, T) -> logits (B, 1, about C / 8, about T / 8), and the features."""
        features = []
        x = planes
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return Verdict(self.exit(x), features)
