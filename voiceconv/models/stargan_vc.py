"""StarGAN-VC's networks. Kameoka et al. 2018, arXiv:1806.02169, figure 3.

The figure counts channels after the gates. Its batch norm would let the items of a batch meet, and
needs running statistics, so an item is normalised by itself, with as many parameters: the encoder
by instance norm, which takes away what a voice has throughout a recording. Everywhere else the code
of a domain lies beside the input, the same at each place, or the domain is what to find. Instance
norm would take most of that away, too; there all channels are normalised together.
"""

from collections.abc import Mapping, Sequence

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
from voiceconv.models.layers import MapConv2d, conv2d, pad_plane, pad_rows
from voiceconv.schema import Count

CLASSIFIED_ROWS = 8  # the classifier sees the first rows alone

Size = tuple[int, int]  # rows, frames


class ItemNorm(nn.InstanceNorm2d):
    """Instance norm by one mean and deviation of all channels together: (B, K, C, T) -> the same.

    A channel keeps its level beside the others, which instance norm takes away.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, K, C, T)."""
        return F.group_norm(x, 1, self.weight, self.bias, self.eps)


class GatedBlock(nn.Module):
    """Convolution, norm, GLU: (B, K, C, T) -> (B, n_channels, C / stride, T / stride).

    up: a transposed convolution, which multiplies by the strides instead.
    """

    def __init__(
        self,
        n_inputs: int,
        n_channels: int,
        kernel: Size,
        stride: Size = (1, 1),
        norm: type[nn.InstanceNorm2d] = ItemNorm,
        up: bool = False,
    ) -> None:
        super().__init__()
        padding = (kernel[0] - stride[0]) // 2, (kernel[1] - stride[1]) // 2
        make = nn.ConvTranspose2d if up else conv2d
        self.conv = make(n_inputs, 2 * n_channels, kernel, stride, padding)
        self.norm = norm(2 * n_channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, n_channels, C / stride, T / stride)."""
        return F.glu(self.norm(self.conv(x)), dim=1)


class StarGanTranslator(Translator):
    """An encoder that is told nothing, and a decoder whose every layer is told the target.

    So the source may be any voice. The decoder's output replaces the source's frames. The paper
    (section 3.2) keeps them, and adds what the decoder makes of the target over what it makes of
    the source, whose code a stranger does not have.

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        n_domains: D.
        base_channels: of the first layer; the paper's 32, from which all other widths follow.
        code_channels: of the one row between encoder and decoder; the paper's 5.
    """

    frame_multiple = 4
    shared = True
    any_source = True

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 32,
        code_channels: Count = 5,
    ) -> None:
        super().__init__()
        self.n_domains = n_domains
        c, d = base_channels, n_domains
        rows = -(-n_channels // self.frame_multiple)
        instance = nn.InstanceNorm2d
        self.encoder = nn.Sequential(
            GatedBlock(1, c, (3, 9), norm=instance),
            GatedBlock(c, 2 * c, (4, 8), (2, 2), instance),
            GatedBlock(2 * c, 4 * c, (4, 8), (2, 2), instance),
            GatedBlock(4 * c, 2 * c, (3, 5), norm=instance),
            GatedBlock(2 * c, code_channels, (rows, 5), (rows, 1), instance),
        )
        self.decoder = nn.ModuleList(
            [
                GatedBlock(code_channels + d, 2 * c, (rows, 5), (rows, 1), up=True),
                GatedBlock(2 * c + d, 4 * c, (3, 5), up=True),
                GatedBlock(4 * c + d, 2 * c, (4, 8), (2, 2), up=True),
                GatedBlock(2 * c + d, c, (4, 8), (2, 2), up=True),
            ]
        )
        # A transposed convolution of stride 1 is a plain one with its taps turned round.
        self.exit = MapConv2d(c + d, (3, 9))

    def encode(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> the content (B, code_channels, 1, T / 4), T rounded up."""
        content: Tensor = self.encoder(pad_plane(frames, self.frame_multiple))
        return content

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator. mix: see `domain_codes`."""
        codes = domain_codes(target, len(frames), self.n_domains, condition.get(MIX))
        x = self.encode(frames)
        for layer in (*self.decoder, self.exit):
            x = layer(_beside(x, codes))
        return x[:, 0, : frames.shape[1], : frames.shape[2]]

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return {MIX: torch.zeros(1, self.n_domains)}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new domain starts from the mean of all inputs for a code."""
        own = self.state_dict()
        told = {f"decoder.{n}.conv.weight": 0 for n in range(len(self.decoder))}
        grown = dict(weights)
        for name, dim in (told | {"exit.weight": 1}).items():  # a transposed one's inputs are first
            n_features = own[name].shape[dim] - self.n_domains
            given = weights.get(name, own[name])
            if given.shape[dim] > n_features:
                features, codes = given.tensor_split([n_features], dim)
                grown[name] = torch.cat([features, grown_rows(codes, places, dim)], dim)
        return same_shapes(own, grown)


class StarGanDiscriminator(Discriminator):
    """Judges eighths of the frames, all rows at once; every layer is told the domain.

    Args:
        n_channels: C of the frames, which is the height of the last kernel.
        n_domains: D.
        base_channels: of all layers but the last; the paper's 32.
    """

    def __init__(self, n_channels: int, n_domains: int, base_channels: Count = 32) -> None:
        super().__init__()
        self.n_domains = n_domains
        c, d = base_channels, n_domains
        self.layers = nn.ModuleList(
            [
                GatedBlock(1 + d, c, (3, 9)),
                GatedBlock(c + d, c, (3, 8), (1, 2)),
                GatedBlock(c + d, c, (3, 8), (1, 2)),
                GatedBlock(c + d, c, (3, 6), (1, 2)),
            ]
        )
        self.exit = nn.Conv2d(c + d, 1, (n_channels, 5), padding=(0, 2))

    def forward(self, frames: Tensor, domain_ids: Tensor) -> list[Verdict]:  # type: ignore[override]
        """(B, C, T), (B,) -> one verdict of (B, 1, 1, T / 8) logits, T rounded up."""
        codes = domain_codes(domain_ids, len(frames), self.n_domains)
        x = pad_rows(frames, 8)[:, None]
        features = []
        for layer in self.layers:
            x = layer(_beside(x, codes))
            features.append(x)
        return [Verdict(self.exit(_beside(x, codes)), features)]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        return {"domain_ids": torch.zeros(1, dtype=torch.long)}


class StarGanClassifier(nn.Module):
    """Says whose frames these are, from their first 8 rows.

    Args:
        n_domains: D.
        base_channels: of the first layer; the paper's 8.
    """

    def __init__(self, n_domains: int, base_channels: Count = 8) -> None:
        super().__init__()
        c = base_channels
        self.layers = nn.Sequential(
            GatedBlock(1, c, (4, 4), (2, 2)),
            GatedBlock(c, 2 * c, (4, 4), (2, 2)),
            GatedBlock(2 * c, 4 * c, (4, 4), (2, 2)),
            GatedBlock(4 * c, 2 * c, (3, 4), (1, 2)),
            nn.Conv2d(2 * c, n_domains, (1, 4), (1, 2), (0, 1)),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T), C of 8 or more -> logits (B, D, T / 32), T rounded up."""
        logits: Tensor = self.layers(pad_rows(frames[:, :CLASSIFIED_ROWS], 32)[:, None])
        return logits[:, :, 0]


def _beside(x: Tensor, codes: Tensor) -> Tensor:
    """(B, K, C, T), codes (B, D) -> (B, K + D, C, T), the code at each place."""
    planes = codes.to(x)[..., None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)
