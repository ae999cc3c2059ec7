"""HiFi-GAN: Kong et al. 2020, arXiv:2010.05646.

Generator: section 2.2 and table 5 (appendix A.1), whose three sizes V1, V2 and V3 are keywords.
Discriminators: section 2.3. Convolutions have torch's initial weights. The authors' code has them
too: its N(0, 0.01) is overwritten by weight norm before the first use.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from voiceconv.models.base import Verdict, WaveDiscriminator, WaveGenerator
from voiceconv.schema import Count

SLOPE = 0.1  # slope of the leaky rectifiers
LAST_SLOPE = 0.01  # slope of the generator's last one; only in the authors' code


class HifiGan(WaveGenerator):
    """Frames (B, C, T) -> waves (B, T * hop_length) in -1..1, each frame in the middle of its hop.

    This is the convention of the published models: their mel starts (n_fft - hop_length) / 2
    samples before the wave, ours n_fft / 2 before it.

    Args:
        rates: upsampling factor of each stage; their product is hop_length.
        kernels: of the transposed convolutions, k_u in the paper; even if their rate is even.
        channels: before the first stage, h_u in the paper; each stage halves them.
        residual_kernels: of the blocks whose outputs are averaged, k_r in the paper; odd.
        dilations: D_r in the paper, one table per block; a row is a skip around its convolutions.
    """

    def __init__(
        self,
        n_channels: int,
        hop_length: int,
        rates: Sequence[Count] = (8, 8, 2, 2),
        kernels: Sequence[Count] = (16, 16, 4, 4),
        channels: Count = 512,
        residual_kernels: Sequence[Count] = (3, 7, 11),
        dilations: Sequence[Sequence[Sequence[Count]]] = (((1, 1), (3, 1), (5, 1)),) * 3,
    ) -> None:
        super().__init__()
        _check(hop_length, rates, kernels, channels, residual_kernels, dilations)
        self.hop_length = hop_length
        self.frame_centre = hop_length // 2
        self.entry = weight_norm(nn.Conv1d(n_channels, channels, 7, padding=3))
        self.stages = nn.ModuleList(
            Stage(channels >> number, rate, kernel, residual_kernels, dilations)
            for number, (rate, kernel) in enumerate(zip(rates, kernels, strict=True))
        )
        self.exit = weight_norm(nn.Conv1d(channels >> len(rates), 1, 7, padding=3))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, T * hop_length)."""
        x = self.entry(frames)
        for stage in self.stages:
            x = stage(x)
        return torch.tanh(self.exit(F.leaky_relu(x, LAST_SLOPE))).squeeze(1)


class Stage(nn.Module):
    """Transposed convolution, then the mean of residual blocks (the paper's MRF).

    (B, C, T) -> (B, C / 2, T * rate).
    """

    def __init__(
        self,
        n_inputs: int,
        rate: int,
        kernel: int,
        residual_kernels: Sequence[int],
        dilations: Sequence[Sequence[Sequence[int]]],
    ) -> None:
        super().__init__()
        self.upsample = weight_norm(
            nn.ConvTranspose1d(n_inputs, n_inputs // 2, kernel, rate, padding=(kernel - rate) // 2)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(n_inputs // 2, width, table)
            for width, table in zip(residual_kernels, dilations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C / 2, T * rate)."""
        x = self.upsample(F.leaky_relu(x, SLOPE))
        summed: Tensor = reduce(torch.add, (block(x) for block in self.blocks))
        return summed / len(self.blocks)


class ResidualBlock(nn.Module):
    """For each row of dilations, a skip around as many convolutions: (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.rows = nn.ModuleList(
            nn.ModuleList(weight_norm(_dilated(channels, kernel, dilation)) for dilation in row)
            for row in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        for row in self.rows:
            y = x
            for layer in row.children():
                y = layer(F.leaky_relu(y, SLOPE))
            x = x + y
        return x


def _dilated(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    padding = (kernel - 1) * dilation // 2
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)


def _check(
    hop_length: int,
    rates: Sequence[int],
    kernels: Sequence[int],
    channels: int,
    residual_kernels: Sequence[int],
    dilations: Sequence[Sequence[Sequence[int]]],
) -> None:
    """Raise ValueError unless the wave has hop_length samples per frame."""
    if math.prod(rates) != hop_length:
        raise ValueError(
            f"rates {list(rates)} make {math.prod(rates)} samples of a frame, hop_length is "
            f"{hop_length}"
        )
    if len(kernels) != len(rates):
        raise ValueError(f"{len(kernels)} kernels for {len(rates)} rates: they go in pairs")
    for rate, kernel in zip(rates, kernels, strict=True):
        if kernel < rate or (kernel - rate) % 2:
            raise ValueError(
                f"kernel {kernel} for rate {rate}: it must be the rate and an even number"
            )
    if channels % (1 << len(rates)):
        raise ValueError(f"channels {channels} can't be halved {len(rates)} times")
    if len(dilations) != len(residual_kernels):
        raise ValueError(
            f"{len(dilations)} tables of dilations for {len(residual_kernels)} residual_kernels: "
            "they go in pairs"
        )
    even = [kernel for kernel in residual_kernels if kernel % 2 == 0]
    if even:
        raise ValueError(f"residual kernel {even[0]} has no middle: it must be odd")


class MultiPeriodDiscriminator(WaveDiscriminator):
    """Section 2.3: waves (B, N) -> one verdict for each period.

    base_channels: filters of the first layer, 32 in the paper; then 4, 16, 32 and 32 times as many.
    """

    def __init__(
        self, periods: Sequence[Count] = (2, 3, 5, 7, 11), base_channels: Count = 32
    ) -> None:
        super().__init__()
        self.periods = nn.ModuleList(Period(period, base_channels) for period in periods)

    def forward(self, waves: Tensor) -> list[Verdict]:
        """See WaveDiscriminator."""
        return [period(waves) for period in self.periods]


class Period(nn.Module):
    """Every `period`-th sample: the wave in rows of `period`, convolved down the columns."""

    def __init__(self, period: int, base_channels: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, *(base_channels * factor for factor in (1, 4, 16, 32, 32))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(n, m, (5, 1), (stride, 1), (2, 0)))
            for n, m, stride in zip(widths[:-1], widths[1:], (3, 3, 3, 3, 1), strict=True)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waves: Tensor) -> Verdict:
        """(B, N) -> logits (B, rows, period) and every layer's output."""
        missing = -waves.shape[1] % self.period
        x = F.pad(waves[:, None], (0, missing), mode="reflect").unflatten(2, (-1, self.period))
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        logits = self.last(x)
        return Verdict(logits.flatten(1), [*features, logits])


class MultiScaleDiscriminator(WaveDiscriminator):
    """Section 2.3, as in MelGAN: waves (B, N) -> one verdict for each scale, each at half the rate.

    The weights of the first scale have spectral norm, the others weight norm.

    base_channels: filters of the first layer, 128 in the paper; a multiple of 16.
    """

    def __init__(self, n_scales: Count = 3, base_channels: Count = 128) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            Scale(base_channels, weight_norm if number else spectral_norm)
            for number in range(n_scales)
        )

    def forward(self, waves: Tensor) -> list[Verdict]:
        """See WaveDiscriminator."""
        x, verdicts = waves[:, None], []
        for number, scale in enumerate(self.scales):
            x = F.avg_pool1d(x, 4, 2, padding=2) if number else x  # (B, 1, N) -> (B, 1, N / 2 + 1)
            verdicts.append(scale(x))
        return verdicts


class Scale(nn.Module):
    """Convolutions in groups down the wave."""

    def __init__(self, base_channels: int, norm: Callable[[nn.Module], nn.Module]) -> None:
        super().__init__()
        widths = [1, *(base_channels * factor for factor in (1, 1, 2, 4, 8, 8, 8))]
        shapes = [(15, 1, 1), (41, 2, 4), *[(41, s, 16) for s in (2, 4, 4, 1)], (5, 1, 1)]
        self.layers = nn.ModuleList(
            norm(nn.Conv1d(n, m, kernel, stride, padding=kernel // 2, groups=groups))
            for n, m, (kernel, stride, groups) in zip(widths[:-1], widths[1:], shapes, strict=True)
        )
        self.last = norm(nn.Conv1d(widths[-1], 1, 3, padding=1))

    def forward(self, waves: Tensor) -> Verdict:
        """(B, 1, N) -> logits (B, N / 64) and every layer's output."""
        x, features = waves, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        logits = self.last(x)
        return Verdict(logits.flatten(1), [*features, logits])
