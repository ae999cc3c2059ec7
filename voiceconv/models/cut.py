"""CUT's generator, which CVC uses on speech, and the projections that its contrast goes through.

CUT: Park, Efros, Zhang and Zhu 2020, arXiv:2007.15651. CVC: Li et al. 2021, arXiv:2011.00782. The
sizes are those of the authors' code: CycleGAN's network of nine blocks, whose strides are replaced
by blurs. The frames are normalised, not in [-1, 1] as images are: there is no tanh at the end. CVC
pads by repetition; here it is by reflection, as in CUT.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import DomainId, Generator, Translator, same_shapes
from voiceconv.models.cyclegan import ResidualBlock2d, entry, leave
from voiceconv.models.layers import pad_plane
from voiceconv.schema import Count

GAIN = 0.02  # of Xavier's start
DEPTH = 5  # residual blocks before the last features


class BlurredDown(nn.Module):
    """Convolution, instance norm, ReLU, a blur of [1, 2, 1] / 4 in both axes, each second value.

    (B, K, C, T) -> (B, 2K, C / 2, T / 2).
    """

    kernel: Tensor

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, 2 * n_inputs, 3, padding=1)
        self.norm = nn.InstanceNorm2d(2 * n_inputs)
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("kernel", (row[:, None] * row)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, 2K, C / 2, T / 2)."""
        return self.halve(self.conv(x))

    def halve(self, x: Tensor) -> Tensor:
        """What comes after the convolution: (B, 2K, C, T) -> (B, 2K, C / 2, T / 2)."""
        x = F.pad(self.norm(x).relu(), (1, 1, 1, 1), mode="reflect")
        n_maps = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(n_maps, 1, 3, 3)
        return F.conv2d(x, kernel, stride=2, groups=n_maps)


def smooth_up(n_inputs: int) -> nn.Sequential:
    """Twice the plane, half the channels: the inverse of BlurredDown.

    Between zeros, [1, 3, 3, 1] / 4 in both axes with repeated edges is bilinear interpolation.
    """
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(n_inputs, n_inputs // 2, 3, padding=1),
        nn.InstanceNorm2d(n_inputs // 2),
        nn.ReLU(),
    )


class CutGenerator(Generator):
    """7x7, two halvings, residual blocks, two doublings, 7x7: (B, C, T) -> (B, C, T).

    `widths`: channels of the features.

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        base_channels: filters of the first layer; the authors' 64.
        n_residual_blocks: the authors' 9.
    """

    frame_multiple = 4

    def __init__(
        self, n_channels: int, base_channels: Count = 64, n_residual_blocks: Count = 9
    ) -> None:
        super().__init__()
        c = base_channels
        self.entry = entry(1, c)
        self.downs = nn.ModuleList([BlurredDown(c), BlurredDown(2 * c)])
        blocks = [ResidualBlock2d(4 * c) for _ in range(n_residual_blocks)]
        self.blocks = nn.ModuleList(blocks[:DEPTH])
        self.decoder = nn.Sequential(*blocks[DEPTH:], smooth_up(4 * c), smooth_up(2 * c), leave(c))
        self.widths = [1, 2 * c, 4 * c, 4 * c] + [4 * c] * (n_residual_blocks > 1)
        _start(self)

    def features(self, frames: Tensor) -> list[Tensor]:
        """(B, C, T) -> five planes (B, K, C', T'), K as in `widths`; the decoder takes the last.

        The padded frames, both halvings' convolutions before their norm, the first residual block
        and the fifth, or the last of fewer. In the authors' numbers these are the layers 0, 4, 8,
        12 and 16; their layer 0 has three values of reflection at each edge, too.
        """
        planes = [pad_plane(frames, self.frame_multiple)]
        x = self.entry(planes[0])
        for down in self.downs:
            planes.append(down.conv(x))  # type: ignore[operator]
            x = down.halve(planes[-1])  # type: ignore[operator]
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return [*planes, outputs[0], *outputs[1:][-1:]]

    def convert(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, C, T) -> the converted (B, C, T), and the features of the input."""
        features = self.features(frames)
        plane: Tensor = self.decoder(features[-1])
        return plane[:, 0, : frames.shape[1], : frames.shape[2]], features

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return self.convert(frames)[0]


class CutTranslator(Translator):
    """One generator for each target, which takes any voice; it never looks at `source`."""

    any_source = True
    generators: nn.ModuleList

    def __init__(
        self, n_channels: int, n_domains: int, generator: Callable[..., CutGenerator]
    ) -> None:
        super().__init__()
        self.generators = nn.ModuleList(generator(n_channels=n_channels) for _ in range(n_domains))
        self.frame_multiple = CutGenerator.frame_multiple

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator; target is an int."""
        converted: Tensor = self.generators[int(target)](frames)
        return converted

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator; a lone domain's is from anybody."""
        return super().directions(n_domains) or [(0, 0)]

    def networks(self) -> dict[str, nn.Module]:
        """See Translator; the network of one target, because all are alike."""
        return {"generator": self.generators[0]}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new target starts from the generator of the model's first."""
        grown: dict[str, Tensor] = {}
        for target, place in enumerate(places):
            prefix = f"generators.{place or 0}."
            grown |= {
                f"generators.{target}.{name.removeprefix(prefix)}": weight
                for name, weight in weights.items()
                if name.startswith(prefix)
            }
        return same_shapes(self.state_dict(), grown)


class Projections(nn.Module):
    """A perceptron of two layers for each plane of features, made with the network.

    The authors' are made at the first batch, so that their optimiser comes later.

    Args:
        widths: channels of the planes.
        width: of the perceptrons; the authors' 256.
    """

    def __init__(self, widths: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, width))
            for n_inputs in widths
        )
        _start(self)

    def forward(self, planes: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Planes (B, K, C, T), for each the places (P,) in its C * T -> (B, P, width) each."""
        return [
            head(plane.flatten(2)[..., at].transpose(1, 2))
            for head, plane, at in zip(self.heads, planes, places, strict=True)
        ]


def _start(network: nn.Module) -> None:
    """Draw weights by Xavier's rule with the authors' gain; biases are 0."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(part.weight, GAIN)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
