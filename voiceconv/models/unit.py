"""UNIT's networks, on frames as a plane. Liu, Breuel and Kautz 2017, arXiv:1703.00848.

These are the networks of the NIPS paper's code, with the weight sharing of section 3: the last
block of all encoders is one block, so is the first of all decoders, and all discriminators share
their upper layers. (The authors' later code shares nothing.) The frames are normalised, not in
[-1, 1] as images are: there is no tanh at the end. The up-sampling layers' LeakyReLU is recalled,
not seen. The residual blocks pad by reflection, as CycleGAN's do; the code's padding was not seen.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from voiceconv.models.base import Discriminator, DomainId, Translator, Verdict, same_shapes
from voiceconv.models.cyclegan import ResidualBlock2d
from voiceconv.models.layers import MapConv2d, conv2d, draw_convolutions, pad_plane
from voiceconv.schema import Count, Range, Some

SLOPE = 0.01  # of the LeakyReLU


class UnitTranslator(Translator):
    """An encoder and a decoder for each domain, around a code that all share.

    In training the code has noise of variance 1: the posterior of section 3, whose variance is
    fixed. A conversion takes the code as it is.

    Args:
        n_channels: C of the frames, any number: the plane is padded and cut.
        n_domains: D.
        base_channels: filters of the first layer; the code's 64.
        n_residual_blocks: of a domain's own encoder, and of its decoder; the code's 3.
        code_noise: deviation of the noise on the code in training; the paper's 1.
    """

    frame_multiple = 4

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 64,
        n_residual_blocks: Some = 3,
        code_noise: Annotated[float, Range(0, most=10)] = 1.0,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.code_noise = code_noise
        c, n = base_channels, n_residual_blocks
        self.encoders = nn.ModuleList(_encoder(c, n) for _ in range(n_domains))
        self.shared_encoder = ResidualBlock2d(4 * c)
        self.shared_decoder = ResidualBlock2d(4 * c)
        self.decoders = nn.ModuleList(_decoder(c, n) for _ in range(n_domains))
        draw_convolutions(self, with_biases=False)

    def encode(self, frames: Tensor, domain: DomainId) -> Tensor:
        """(B, C, T) of a domain -> the code (B, 4 base_channels, C / 4, T / 4), both rounded up.

        In training with noise on it.
        """
        own = self.encoders[int(domain)]
        code: Tensor = self.shared_encoder(own(pad_plane(frames, self.frame_multiple)))
        if self.training and self.code_noise:
            code = code + self.code_noise * torch.randn_like(code)
        return code

    def decode(self, code: Tensor, domain: DomainId, n_frames: int | None = None) -> Tensor:
        """Codes -> frames (B, C, T) of a domain; of the T that the code has, the first n_frames."""
        plane: Tensor = self.decoders[int(domain)](self.shared_decoder(code))
        return plane[:, 0, : self.n_channels, :n_frames]

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator; source and target are int."""
        return self.decode(self.encode(frames, source), target, frames.shape[-1])

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new domain's own parts keep their random start."""
        return grown_parts(self, {"encoders", "decoders"}, weights, places)


class UnitDiscriminator(Discriminator):
    """The judges of all domains: two layers of their own, then layers that all share.

    Args:
        n_channels: C of the frames, any number.
        n_domains: D.
        base_channels: filters of the first layer; the code's 64.
        n_shared_layers: the code's 4, each of twice the filters of the one before.
    """

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        base_channels: Count = 64,
        n_shared_layers: Some = 4,
    ) -> None:
        super().__init__()
        c = base_channels
        self.own = nn.ModuleList(
            nn.ModuleList([_layer(conv2d(1, c, 7, 2, 3)), _layer(nn.Conv2d(c, 2 * c, 3, 2, 1))])
            for _ in range(n_domains)
        )
        widths = [2 * c * 2**n for n in range(n_shared_layers)]
        self.shared = nn.ModuleList(_layer(nn.Conv2d(n, 2 * n, 3, 2, 1)) for n in widths)
        self.exit = nn.Conv2d(2 * c * 2**n_shared_layers, 1, 1)
        draw_convolutions(self, with_biases=False)

    def forward(self, frames: Tensor, domain: int = 0) -> list[Verdict]:
        """(B, C, T) -> one verdict of a domain's judge, (B, 1, C / 64, T / 64), rounded up."""
        features = []
        x = pad_plane(frames, 1)
        for layer in [*self.own[domain], *self.shared]:  # type: ignore[misc]
            x = layer(x)
            features.append(x)
        return [Verdict(self.exit(x), features)]


def _layer(convolution: nn.Module) -> nn.Sequential:
    """A convolution and its LeakyReLU, without a norm."""
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))


def _encoder(c: int, n_blocks: int) -> nn.Sequential:
    """A plane (B, 1, C, T) -> (B, 4c, C / 4, T / 4)."""
    return nn.Sequential(
        _layer(conv2d(1, c, 7, padding=3)),
        _layer(nn.Conv2d(c, 2 * c, 3, 2, 1)),
        _layer(nn.Conv2d(2 * c, 4 * c, 3, 2, 1)),
        *(ResidualBlock2d(4 * c) for _ in range(n_blocks)),
    )


def _decoder(c: int, n_blocks: int) -> nn.Sequential:
    """(B, 4c, C / 4, T / 4) -> a plane (B, 1, C, T)."""
    return nn.Sequential(
        *(ResidualBlock2d(4 * c) for _ in range(n_blocks)),
        _layer(nn.ConvTranspose2d(4 * c, 2 * c, 3, 2, 1, output_padding=1)),
        _layer(nn.ConvTranspose2d(2 * c, c, 3, 2, 1, output_padding=1)),
        MapConv2d(c, (1, 1)),
    )


def grown_parts(
    network: nn.Module,
    lists: Collection[str],
    weights: Mapping[str, Tensor],
    places: Sequence[int | None],
) -> dict[str, Tensor]:
    """The weights for a start of networks that have parts of each domain, in `lists` of modules.

    Such a part's weights are named LIST.DOMAIN_ID.*; those of a new domain stay as they are here.
    Raises ValueError where the networks differ.
    """
    own = network.state_dict()
    grown = {name: one for name, one in weights.items() if name.split(".")[0] not in lists}
    for name, start in own.items():
        kind, _, rest = name.partition(".")
        if kind not in lists:
            continue
        domain_id, _, rest = rest.partition(".")
        place = places[int(domain_id)]
        there = start if place is None else weights.get(f"{kind}.{place}.{rest}")
        grown |= {} if there is None else {name: there}
    return same_shapes(own, grown)
