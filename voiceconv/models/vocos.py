"""Vocos: Siuzdak 2023, arXiv:2306.00814. A Fourier-based vocoder: no upsampling, one inverse STFT.

Generator: section 3.1, a ConvNeXt backbone (Liu et al. 2022, arXiv:2201.03545) at the frames' own
rate and a head that gives each bin's magnitude and phase. Discriminator: section 3.2's second one,
on complex spectrograms in bands, that of DAC (Kumar et al. 2023, arXiv:2306.06546, section 3.3).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from voiceconv.errors import InputError
from voiceconv.models.base import SpectralGenerator, Verdict, WaveDiscriminator
from voiceconv.schema import Count, Some

MOMENTUM = 0.99 / 1.99  # momentum of the refinement: 0.99 in the paper's terms
LARGEST = 1e2  # limit of a magnitude, as in the authors' code: early in training exp() may be inf
BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # band limits, as shares of the Nyquist frequency
SLOPE = 0.1  # slope of the leaky rectifiers


class Vocos(SpectralGenerator):
    """Frames (B, C, T) -> waves (B, T * hop_length), frame t centred on sample t * hop_length.

    Args:
        n_fft: of the inverse STFT; a multiple of 2 * hop_length, at least 4 * hop_length.
        hidden: channels between the two products of a block, three times `channels` in the paper.
        n_refinements: iterations of Griffin and Lim 1984 on the head's spectra. Ours; the paper
            has none. They improve phases that the network has not learnt exactly.
        with_levels: add a linear map of the frames to the head's log-magnitudes. Ours, too: one
            product gives the level, so the layers need not learn it.
    """

    def __init__(
        self,
        n_channels: int,
        hop_length: int,
        n_fft: Count = 1024,
        channels: Count = 512,
        hidden: Count = 1536,
        n_blocks: Count = 8,
        n_refinements: Some = 0,
        with_levels: bool = False,
    ) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.n_fft = n_fft
        self.n_refinements = n_refinements
        self.embed = nn.Conv1d(n_channels, channels, 7, padding=3)
        self.first_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNextBlock(channels, hidden, scale=1 / n_blocks) for _ in range(n_blocks)
        )
        self.last_norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, n_fft + 2)
        self.levels = nn.Linear(n_channels, n_fft // 2 + 1) if with_levels else None
        self.inverse_stft = InverseStft(n_fft, hop_length)
        for module in (self.embed, *self.blocks.modules()):  # as in the authors' code
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def spectra(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """See SpectralGenerator."""
        x = self.first_norm(self.embed(frames).transpose(1, 2))  # (B, T, channels)
        for block in self.blocks:
            x = block(x)
        log_magnitudes, phases = self.head(self.last_norm(x)).float().chunk(2, dim=2)
        if self.levels is not None:
            log_magnitudes = log_magnitudes + self.levels(frames.transpose(1, 2)).float()
        return log_magnitudes.transpose(1, 2), phases.transpose(1, 2)

    def waves(self, log_magnitudes: Tensor, phases: Tensor) -> Tensor:
        """See SpectralGenerator."""
        magnitudes = log_magnitudes.exp().clamp_max(LARGEST)
        real, imaginary = phases.cos(), phases.sin()
        if self.n_refinements:
            # Without gradients: the gradient of a near-silent bin's phase grows without bound. So
            # magnitudes learn from the waves, and phases from their own losses.
            with torch.no_grad():
                real, imaginary = self.inverse_stft.refine(
                    magnitudes, real, imaginary, self.n_refinements
                )
        waves: Tensor = self.inverse_stft(magnitudes * real, magnitudes * imaginary)
        return waves

    @torch.no_grad()
    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """See SpectralGenerator. Raises InputError for the bins of another FFT."""
        if self.levels is None:
            return
        if self.levels.weight.shape != weight.shape:
            raise InputError(
                f"generator.n_fft is {self.n_fft}, the features' {2 * (len(weight) - 1)}: "
                "with_levels wants the same, or set generator.with_levels=false"
            )
        self.levels.weight.copy_(weight)
        self.levels.bias.copy_(bias)


class ConvNextBlock(nn.Module):
    """Depth-wise convolution over time, two products over channels: (B, T, C) -> (B, T, C)."""

    def __init__(self, channels: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.widen = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        y = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        y = self.narrow(F.gelu(self.widen(y)))
        return x + self.scale * y


class InverseStft(nn.Module):
    """Spectra (B, F, T) -> waves (B, T * hop_length): overlap-add under a Hann window.

    Least squares (Griffin and Lim 1984, eq. 6). Frame t is centred on sample t * hop_length; the
    last frame's second half gives the last hop.
    """

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        if n_fft % (2 * hop_length):
            raise ValueError(f"n_fft {n_fft} is no multiple of twice hop_length {hop_length}")
        if n_fft < 4 * hop_length:  # the last samples would be only in one window, at its zero
            raise ValueError(f"n_fft {n_fft} is less than four times hop_length {hop_length}")
        self.n_fft, self.hop_length = n_fft, hop_length
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Real and imaginary parts, (B, F, T) each -> (B, T * hop_length)."""
        window: Tensor = self.window  # type: ignore[assignment]
        spectra = torch.complex(real, imaginary).transpose(1, 2)
        segments = torch.fft.irfft(spectra, self.n_fft) * window  # (B, T, n_fft)
        weights = window.square().expand(1, segments.shape[1], -1)
        return self._overlap_add(segments) / self._overlap_add(weights)

    def refine(
        self, magnitudes: Tensor, real: Tensor, imaginary: Tensor, n_iterations: int
    ) -> tuple[Tensor, Tensor]:
        """Make phases (as cosine and sine) more consistent between frames; (B, F, T) each.

        Griffin and Lim 1984 with the momentum of Perraudin et al. 2013, eq. 5.
        """
        before = torch.zeros_like(magnitudes), torch.zeros_like(magnitudes)
        for _ in range(n_iterations):
            now = self.stft(self(magnitudes * real, magnitudes * imaginary))
            ahead = [one - MOMENTUM * old for one, old in zip(now, before, strict=True)]
            scale = (ahead[0].square() + ahead[1].square() + 1e-12).rsqrt()
            real, imaginary = ahead[0] * scale, ahead[1] * scale
            before = now
        return real, imaginary

    def stft(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T * hop_length) -> real and imaginary parts (B, F, T), silence around the wave."""
        window: Tensor = self.window  # type: ignore[assignment]
        spectra = torch.stft(
            waves,
            self.n_fft,
            self.hop_length,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )[..., :-1]
        return spectra.real, spectra.imag

    def _overlap_add(self, segments: Tensor) -> Tensor:
        """(B, T, n_fft) -> (B, T * hop_length)."""
        n_frames, n_hops = segments.shape[1], self.n_fft // self.hop_length
        hops = segments.unflatten(2, (n_hops, self.hop_length))  # (B, T, n_hops, hop_length)
        summed = sum(
            F.pad(hops[:, :, k], (0, 0, k, n_hops - 1 - k)) for k in range(n_hops)
        )  # (B, T + n_hops - 1, hop_length), from half a window before the first frame's centre
        kept: Tensor = summed[:, n_hops // 2 : n_hops // 2 + n_frames]  # type: ignore[index]
        return kept.flatten(1)


class MultiResolutionDiscriminator(WaveDiscriminator):
    """Waves (B, N) -> one verdict for each FFT size."""

    def __init__(
        self, fft_sizes: Sequence[Count] = (2048, 1024, 512), channels: Count = 32
    ) -> None:
        super().__init__()
        self.resolutions = nn.ModuleList(BandedSpectrum(size, channels) for size in fft_sizes)

    def forward(self, waves: Tensor) -> list[Verdict]:
        """See WaveDiscriminator."""
        return [resolution(waves) for resolution in self.resolutions]


class BandedSpectrum(nn.Module):
    """One resolution: separate convolutions for each band of the complex spectrogram."""

    def __init__(self, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        limits = [int(limit * (n_fft // 2 + 1)) for limit in BANDS]
        self.bands = list(zip(limits[:-1], limits[1:], strict=True))
        self.stacks = nn.ModuleList(_layers(channels) for _ in self.bands)
        self.last = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, waves: Tensor) -> Verdict:
        """(B, N) -> logits (B, 1, T, bins left); the outputs of all layers but the first."""
        spectra = self._spectra(waves)
        features, ends = [], []
        for (low, high), layers in zip(self.bands, self.stacks, strict=True):
            x = spectra[..., low:high]
            for number, layer in enumerate(layers.children()):
                x = F.leaky_relu(layer(x), SLOPE)
                features += [x] if number else []
            ends.append(x)
        logits = self.last(torch.cat(ends, dim=3))
        return Verdict(logits, [*features, logits])

    def _spectra(self, waves: Tensor) -> Tensor:
        """(B, N) -> (B, 2, T, F) of waves without DC at a peak of 0.8, to hide the level."""
        waves = waves.float() - waves.float().mean(1, keepdim=True)
        waves = 0.8 * waves / (waves.abs().amax(1, keepdim=True) + 1e-9)
        spectra = torch.stft(
            waves,
            self.n_fft,
            self.n_fft // 4,
            window=self.window,  # type: ignore[arg-type]
            return_complex=True,
        )
        return torch.view_as_real(spectra).permute(0, 3, 2, 1)


def _layers(channels: int) -> nn.ModuleList:
    shapes = [(2, 9, 1), (channels, 9, 2), (channels, 9, 2), (channels, 9, 2), (channels, 3, 1)]
    return nn.ModuleList(
        weight_norm(nn.Conv2d(n, channels, (3, width), (1, stride), (1, width // 2)))
        for n, width, stride in shapes
    )
