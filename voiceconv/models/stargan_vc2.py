"""StarGAN-VC2's networks. Kaneko et al. 2019, arXiv:1907.12279.

Kernels and widths are as the ports have them that agree with one another; the paper's own figure
was not seen. Its abstract says what matters: the voice is a scale and an offset after instance norm
in the generator, and the discriminator is told source and target. A layer's number of filters
counts both halves of a GLU.
"""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import (
    MIX,
    Discriminator,
    DomainId,
    Translator,
    Verdict,
    domain_codes,
    grown_rows,
    same_shapes,
)
from voiceconv.models.layers import MapConv2d, conv2d, pad_plane
from voiceconv.schema import Count, Some

ConditionedOn = Literal["target", "source and target"]


def n_codes(conditioned_on: ConditionedOn, n_domains: int) -> int:
    """The rows of a table: D, or D * D."""
    return n_domains if conditioned_on == "target" else n_domains**2


class ConditionalNorm(nn.Module):
    """Instance norm whose scale and offset are a code's; at first 1 and 0 for all codes."""

    def __init__(self, n_codes: int, n_channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm1d(n_channels)
        self.scale = nn.Parameter(torch.ones(n_codes, n_channels))
        self.offset = nn.Parameter(torch.zeros(n_codes, n_channels))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(B, K, T), shares of the codes (B, n_codes) -> (B, K, T)."""
        # Not a matrix product: autocast would round a scale near 1 to multiples of 0.008.
        scale, offset = ((codes[..., None] * table).sum(1) for table in (self.scale, self.offset))
        return self.norm(x) * scale[..., None] + offset[..., None]


class ConditionalBlock(nn.Module):
    """Convolution, conditional norm, GLU: (B, K, T) -> (B, K, T). No skip, as in the ports."""

    def __init__(self, n_codes: int, n_channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_channels, 2 * n_channels, kernel, padding=kernel // 2)
        self.norm = ConditionalNorm(n_codes, 2 * n_channels)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(B, K, T), (B, n_codes) -> (B, K, T)."""
        return F.glu(self.norm(self.conv(x), codes), dim=1)


class StarGan2Translator(Translator):
    """The 2-1-2D network whose blocks between are told the voice; see cyclegan_vc2.Generator212.

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        n_domains: D.
        base_channels: filters of the first layer; the ports' 128, from which all widths follow.
        n_blocks: the ports' 9.
        conditioned_on: the paper's "source and target" has a code for each pair. With "target" the
            source may be any voice.
    """

    frame_multiple = 4
    shared = True

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 128,
        n_blocks: Some = 9,
        conditioned_on: ConditionedOn = "source and target",
    ) -> None:
        super().__init__()
        self.n_domains, self.conditioned_on = n_domains, conditioned_on
        self.any_source = conditioned_on == "target"
        c, codes = base_channels, n_codes(conditioned_on, n_domains)
        rows = -(-n_channels // self.frame_multiple)
        self.encoder = nn.Sequential(
            *_gated(1, c, (5, 15), normalized=False),
            *_gated(c // 2, 2 * c, (5, 5), 2),
            *_gated(c, 4 * c, (5, 5), 2),
        )
        self.to_1d = nn.Sequential(nn.Conv1d(2 * c * rows, 2 * c, 1), nn.InstanceNorm1d(2 * c))
        self.blocks = nn.ModuleList(ConditionalBlock(codes, 2 * c) for _ in range(n_blocks))
        self.to_2d = nn.Conv1d(2 * c, 2 * c * rows, 1)
        self.decoder = nn.Sequential(*_up(2 * c, 8 * c), *_up(c, 4 * c), MapConv2d(c // 2, (5, 15)))

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator. mix: see `domain_codes`; a mixture's scales and offsets are mixtures."""
        codes = self._codes(source, target, len(frames), condition.get(MIX)).to(frames.device)
        x = self.encoder(pad_plane(frames, self.frame_multiple))  # (B, 2c, C/4, T/4)
        shape = x.shape[1:3]
        x = self.to_1d(x.flatten(1, 2))  # (B, 2c, T/4)
        for block in self.blocks:
            x = block(x, codes)
        planes: Tensor = self.decoder(self.to_2d(x).unflatten(1, shape))
        return planes[:, 0, : frames.shape[1], : frames.shape[2]]

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return {MIX: torch.zeros(1, self.n_domains)}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new domain starts from the mean of all codes, as source and target."""
        grown = {
            name: self._grown_table(weight, places)
            if name.endswith(("norm.scale", "norm.offset"))
            else weight
            for name, weight in weights.items()
        }
        return same_shapes(self.state_dict(), grown)

    def _codes(
        self, source: DomainId, target: DomainId, n_items: int, mix: Tensor | None
    ) -> Tensor:
        """Domain_ids -> shares of the codes (B, n_codes); a pair's is source * D + target."""
        to = domain_codes(target, n_items, self.n_domains, mix)
        if self.conditioned_on == "target":
            return to
        of = domain_codes(source, n_items, self.n_domains).to(to.device)
        return (of[:, :, None] * to[:, None, :]).flatten(1)

    def _grown_table(self, table: Tensor, places: Sequence[int | None]) -> Tensor:
        """(n_codes', K) -> (n_codes, K)."""
        if self.conditioned_on == "target":
            return grown_rows(table, places)
        n_given = isqrt(len(table))
        if n_given**2 != len(table):
            raise ValueError(f"a table has {len(table)} codes, which is no square: no pairs")
        pairs = table.unflatten(0, (n_given, n_given))
        return grown_rows(grown_rows(pairs, places), places, 1).flatten(0, 1)


class StarGan2Discriminator(Discriminator):
    """Judges the sum over a recording of what it sees; told the voices by a projection.

    Projection: Miyato and Koyama 2018, arXiv:1802.05637, eq. 3.

    Args:
        n_channels: C of the frames.
        n_domains: D.
        base_channels: filters of the first layer; the ports' 128.
        conditioned_on: the paper's "source and target", or "target" alone.
        pooling: the ports' sum, which grows with T, or mean.
    """

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 128,
        conditioned_on: ConditionedOn = "source and target",
        pooling: Literal["sum", "mean"] = "sum",
    ) -> None:
        super().__init__()
        self.n_domains, self.conditioned_on, self.pooling = n_domains, conditioned_on, pooling
        c = base_channels
        self.layers = nn.ModuleList(
            nn.Sequential(*layers)
            for layers in (
                _gated(1, c, (3, 3), normalized=False),
                _gated(c // 2, 2 * c, (3, 3), 2),
                _gated(c, 4 * c, (3, 3), 2),
                _gated(2 * c, 8 * c, (3, 3), 2),
                _gated(4 * c, 8 * c, (1, 5)),
            )
        )
        self.exit = nn.Linear(4 * c, 1)
        self.embedding = nn.Embedding(n_codes(conditioned_on, n_domains), 4 * c)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, frames: Tensor, source: Tensor, target: Tensor) -> list[Verdict]:  # type: ignore[override]
        """(B, C, T), as if converted from `source` (B,) to `target` (B,) -> a verdict of (B, 1)."""
        features = []
        x = pad_plane(frames, 1)
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        pooled = x.float().sum((2, 3)) if self.pooling == "sum" else x.float().mean((2, 3))
        both = self.conditioned_on == "source and target"
        voices = self.embedding(source * self.n_domains + target if both else target)
        return [Verdict(self.exit(pooled) + (voices * pooled).sum(1, keepdim=True), features)]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        source = torch.zeros(1, dtype=torch.long)
        return {"source": source, "target": (source + 1) % self.n_domains}


def _gated(
    n_inputs: int,
    n_filters: int,
    kernel: tuple[int, int],
    stride: int = 1,
    normalized: bool = True,
) -> list[nn.Module]:
    """Conv, instance norm by choice, GLU: half of n_filters come out."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    conv = conv2d(n_inputs, n_filters, kernel, stride, padding)
    return [conv, *([nn.InstanceNorm2d(n_filters)] if normalized else []), nn.GLU(1)]


def _up(n_inputs: int, n_filters: int) -> list[nn.Module]:
    """Conv 5x5, pixel shuffle by 2, GLU, no norm: n_filters / 8 come out, twice the plane."""
    return [nn.Conv2d(n_inputs, n_filters, 5, padding=2), nn.PixelShuffle(2), nn.GLU(1)]
