"""MUNIT's networks, on frames as a plane. Huang, Liu, Belongie and Kautz 2018, arXiv:1804.04732.

Sizes are those of the authors' code. The style sets the scales and
offsets of the decoder's instance norms; they are arguments of its blocks, not state. Up-sampling
has layer norms: instance norms would take out the levels that the style has set.

Differences: the frames are normalised, not in [-1, 1], so there is no tanh at the end. The
discriminators pad with two zeros, as pix2pixHD's do: the paper's reflection of one cell needs 61
rows at three scales, and there are 36 cepstra.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import STYLE, Discriminator, DomainId, Translator, Verdict
from voiceconv.models.cyclegan import ResidualBlock2d, entry, leave
from voiceconv.models.layers import conv2d, draw_convolutions, pad_plane
from voiceconv.models.unit import grown_parts
from voiceconv.schema import Count

FEWEST_CHANNELS = 16  # of frames: the style encoder halves that axis four times


class LayerNorm(nn.Module):
    """Mean 0, deviation 1 over all of an item, then a scale and an offset of each channel.

    (B, K, C, T) -> (B, K, C, T). As in the code, the deviation is the unbiased one, and scales
    start uniform in 0..1.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(n_channels))
        self.offset = nn.Parameter(torch.zeros(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, K, C, T)."""
        flat = x.flatten(1)
        mean, deviation = flat.mean(1), flat.std(1)
        normed = (x - mean[:, None, None, None]) / (deviation[:, None, None, None] + 1e-5)
        return normed * self.scale[:, None, None] + self.offset[:, None, None]


class AdaptiveBlock(nn.Module):
    """Two convolutions, each with an instance norm whose scales and offsets are given.

    AdaIN: Huang and Belongie 2017, arXiv:1703.06868, eq. 8.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.ReflectionPad2d(1),
                nn.Conv2d(n_channels, n_channels, 3),
                nn.InstanceNorm2d(n_channels),
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor, numbers: Tensor) -> Tensor:
        """(B, K, C, T); scale, offset, scale, offset (B, 4 K) -> (B, K, C, T)."""
        scale, offset, scale_2, offset_2 = numbers[..., None, None].chunk(4, dim=1)
        first, second = self.convolutions
        y = (scale * first(x) + offset).relu()
        y = scale_2 * second(y) + offset_2
        return x + y


class Decoder(nn.Module):
    """Content (B, 4c, C / 4, T / 4) and the numbers of a style -> a plane (B, 1, C, T)."""

    def __init__(self, c: int, n_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AdaptiveBlock(4 * c) for _ in range(n_blocks))
        self.up = nn.Sequential(_up(4 * c), _up(2 * c), leave(c))
        self.n_numbers = n_blocks * 4 * 4 * c

    def forward(self, content: Tensor, numbers: Tensor) -> Tensor:
        """(B, 4c, C / 4, T / 4), (B, n_numbers) -> (B, 1, C, T)."""
        x = content
        for block, own in zip(self.blocks, numbers.chunk(len(self.blocks), dim=1), strict=True):
            x = block(x, own)
        plane: Tensor = self.up(x)
        return plane


class Autoencoder(nn.Module):
    """Encoders of content and style, a decoder, and the MLP that a style reaches it by."""

    def __init__(self, c: int, n_blocks: int, n_style: int, n_hidden: int) -> None:
        super().__init__()
        self.content = nn.Sequential(
            entry(1, c),
            *(
                nn.Sequential(_half(n, 2 * n), nn.InstanceNorm2d(2 * n), nn.ReLU())
                for n in (c, 2 * c)
            ),
            *(ResidualBlock2d(4 * c) for _ in range(n_blocks)),
        )
        halvings = ((c, 2 * c), (2 * c, 4 * c), (4 * c, 4 * c), (4 * c, 4 * c))
        self.style = nn.Sequential(  # no norm: it would take out what a style is
            nn.Sequential(nn.ReflectionPad2d(3), conv2d(1, c, 7), nn.ReLU()),
            *(nn.Sequential(_half(*pair), nn.ReLU()) for pair in halvings),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(4 * c, n_style, 1),
            nn.Flatten(),
        )
        self.decoder = Decoder(c, n_blocks)
        self.mlp = nn.Sequential(
            nn.Linear(n_style, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, self.decoder.n_numbers),
        )
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):  # Kaiming's start, as in the code
                nn.init.kaiming_normal_(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)


class MunitTranslator(Translator):
    """Content of the source, decoded with a style of the target.

    A conversion without a style takes the target's in `styles` (D, n_style). Of separate domains it
    is the mean style of the domain's crops, which the objective keeps there; otherwise a draw from
    the prior N(0, I), which training makes the domain's.

    Args:
        n_channels: C of the frames, 16 or more.
        n_domains: D.
        base_channels: filters of the first layer; the code's 64.
        n_residual_blocks: of the content encoder, and of the decoder; the code's 4.
        n_style: numbers of a style; the code's 8.
        n_hidden: of the layers between style and decoder; the code's 256.
        separate: whether each domain has an autoencoder of its own, as in the paper. Ours is one
            for all: then the style alone says who speaks, it may be a voice's that was not trained
            on, and the source is not asked for.
    """

    frame_multiple = 4
    styles: Tensor

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 64,
        n_residual_blocks: Count = 4,
        n_style: Count = 8,
        n_hidden: Count = 256,
        separate: bool = True,
    ) -> None:
        super().__init__()
        if n_channels < FEWEST_CHANNELS:
            raise ValueError(
                f"n_channels {n_channels} must be {FEWEST_CHANNELS} or more: the style encoder "
                "halves that axis four times"
            )
        self.n_channels = n_channels
        self.n_style = n_style
        self.separate = separate
        self.shared = not separate  # type: ignore[misc]
        self.any_source = not separate
        self.autoencoders = nn.ModuleList(
            Autoencoder(base_channels, n_residual_blocks, n_style, n_hidden)
            for _ in range(n_domains if separate else 1)
        )
        start = torch.zeros if separate else torch.randn
        self.register_buffer("styles", start(n_domains, n_style))

    def encode(self, frames: Tensor, domain: DomainId) -> Tensor:
        """(B, C, T) -> content (B, 4 base_channels, C / 4, T / 4), both rounded up."""
        content: Tensor = self._of(domain).content(pad_plane(frames, self.frame_multiple))
        return content

    def encode_style(self, frames: Tensor, domain: DomainId) -> Tensor:
        """(B, C, T) -> style (B, n_style)."""
        style: Tensor = self._of(domain).style(pad_plane(frames, self.frame_multiple))
        return style

    def decode(
        self, content: Tensor, style: Tensor, domain: DomainId, n_frames: int | None = None
    ) -> Tensor:
        """Content and style (B, n_style) -> frames (B, C, T), the first n_frames of them."""
        own = self._of(domain)
        plane: Tensor = own.decoder(content, own.mlp(style))
        return plane[:, 0, : self.n_channels, :n_frames]

    def sample_style(self, seed: int) -> Tensor:
        """A style of nobody, (1, n_style), from the prior N(0, I)."""
        return torch.randn(1, self.n_style, generator=torch.Generator().manual_seed(seed))

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator. style (B, n_style): where it is NaN, the target's own is taken."""
        domain_ids = torch.as_tensor(target, device=self.styles.device).expand(len(frames))
        style = self.styles[domain_ids]
        if STYLE in condition:
            given = condition[STYLE]
            style = torch.where(given.isnan(), style, given)
        return self.decode(self.encode(frames, source), style, target, frames.shape[-1])

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator; a lone domain's is from anybody."""
        alone = [(0, 0)] if self.any_source else []
        return super().directions(n_domains) or alone

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return {STYLE: torch.full((1, self.n_style), torch.nan)}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new domain keeps its style and, if separate, its random start.

        No mean of styles: two new domains of one style would be one voice.
        """
        given = dict(weights)
        if "styles" in given:
            kept = [
                own if place is None else given["styles"][place]
                for own, place in zip(self.styles, places, strict=True)
            ]
            given["styles"] = torch.stack(kept)
        return grown_parts(self, {"autoencoders"} if self.separate else set(), given, places)

    def _of(self, domain: DomainId) -> Autoencoder:
        return self.autoencoders[int(domain) if self.separate else 0]  # type: ignore[return-value]


class MunitDiscriminator(Discriminator):
    """A judge of patches at each scale, without norms; scale n sees averages over 2^n cells.

    Args:
        n_channels: C of the frames, any number.
        base_channels: filters of the first layer; the code's 64.
        n_scales: the code's 3.
    """

    def __init__(self, n_channels: int, base_channels: Count = 64, n_scales: Count = 3) -> None:
        super().__init__()
        c = base_channels
        widths = ((1, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        self.scales = nn.ModuleList(
            nn.ModuleList(
                [
                    *(nn.Sequential(conv2d(*w, 4, 2, 2), nn.LeakyReLU(0.2)) for w in widths),
                    nn.Conv2d(8 * c, 1, 1),
                ]
            )
            for _ in range(n_scales)
        )
        draw_convolutions(self, with_biases=False)

    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, T) -> a verdict per scale, about (B, 1, C / 16, T / 16) the first."""
        plane = pad_plane(frames, 1)
        verdicts = []
        for judge in self.scales:
            features = []
            x = plane
            for layer in judge:  # type: ignore[attr-defined]
                x = layer(x)
                features.append(x)
            verdicts.append(Verdict(features.pop(), features))
            plane = F.avg_pool2d(plane, 3, 2, 1, count_include_pad=False)
        return verdicts


def _half(n_inputs: int, n_filters: int) -> nn.Sequential:
    """Half the plane: reflect padding and a 4x4 convolution."""
    return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(n_inputs, n_filters, 4, 2))


def _up(n_inputs: int) -> nn.Sequential:
    """Twice the plane by repetition, half the channels by a 5x5 convolution; layer norm, ReLU."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.ReflectionPad2d(2),
        nn.Conv2d(n_inputs, n_inputs // 2, 5),
        LayerNorm(n_inputs // 2),
        nn.ReLU(),
    )
