"""pix2pixHD networks, on frames as a plane. Wang et al. 2018, arXiv:1711.11585, section 3.

Its global network is the generator of CycleGAN with more halvings (`cyclegan.ResnetGenerator`).
The frames are normalised, not in [-1, 1] as images are: there is no tanh.
"""

from torch import Tensor, nn

from voiceconv.models.base import Discriminator, Generator, Verdict
from voiceconv.models.cyclegan import (
    PatchGan,
    ResidualBlock2d,
    ResnetGenerator,
    down,
    entry,
    leave,
    up,
)
from voiceconv.models.layers import draw_convolutions, pad_plane
from voiceconv.models.pix2pix import beside, silence
from voiceconv.schema import Count, Some


def halved() -> nn.AvgPool2d:
    """Half the plane, by means that leave the padding out."""
    return nn.AvgPool2d(3, 2, 1, count_include_pad=False)


class LocalEnhancer(Generator):
    """A network at the full rate around a global one at half of it: (B, C, T) -> (B, C, T).

    The features of the global network are added to those of the stem (figure 3).

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        base_channels: filters of the first layer; the paper's 32. The global network has twice as
            many.
        n_residual_blocks: of the global network (`whole`); the paper's 9.
        n_downs: halvings of the global network; the paper's 4, of which 80 rows leave 3.
        n_local_blocks: residual blocks at the full rate; the paper's 3.
    """

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 32,
        n_residual_blocks: Some = 9,
        n_downs: Some = 4,
        n_local_blocks: Some = 3,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.frame_multiple = 2 ** (n_downs + 1)
        self.halved = halved()
        self.whole = ResnetGenerator(n_channels, 2 * base_channels, n_residual_blocks, n_downs)
        self.whole.decoder = nn.Sequential(
            *list(self.whole.decoder)[:-1]
        )  # its last layer would make frames
        self.stem = nn.Sequential(entry(1, base_channels), down(base_channels))
        blocks = [ResidualBlock2d(2 * base_channels) for _ in range(n_local_blocks)]
        self.local = nn.Sequential(*blocks, up(2 * base_channels), leave(base_channels))
        draw_convolutions(self)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        plane = pad_plane(frames, self.frame_multiple)
        x = self.halved(plane)
        for layer in self.whole.encoder:
            x = layer(x)
        made: Tensor = self.local(self.stem(plane) + self.whole.decoder(x))
        return made[:, 0, : frames.shape[1], : frames.shape[2]]


class MultiScalePatchGan(Discriminator):
    """PatchGANs of the source and what was made of it, each at half the rate of the one before.

    Zeros around each layer's input, two on each side, so that small planes can be judged, too.

    Args:
        n_channels: C of the frames.
        base_channels: filters of the first layer; the paper's 64.
        n_scales: the paper's 3, its code's 2.
    """

    def __init__(self, n_channels: int, base_channels: Count = 64, n_scales: Count = 2) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.halved = halved()
        self.scales = nn.ModuleList(
            PatchGan(n_channels, base_channels, n_inputs=2, padding=2) for _ in range(n_scales)
        )

    def forward(self, frames: Tensor, source: Tensor) -> list[Verdict]:  # type: ignore[override]
        """(B, C, T) twice -> a verdict of patches for each scale, the full rate's first."""
        planes = beside(frames, source)
        verdicts = []
        for index, patches in enumerate(self.scales):
            planes = self.halved(planes) if index else planes
            verdicts.append(patches.judge(planes))  # type: ignore[operator]
        return verdicts

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        return silence(self.n_channels)
