"""Harmonics and noise from WORLD features, one hop at a time: a causal WORLD synthesis.

Between two frames the amplitudes of the harmonics, their phases and F0 are lines; noise is white,
filtered in each frame, and the frames' noises overlap. Harmonics and filters have the minimum phase
of the mel-cepstrum, log H(w) = sum_m c_m exp(-j m v(w)) (see `features.mel_cepstrum`), which needs
no spectrum of the future. Levels are those of WORLD (Morise et al. 2016, IEICE Trans. E99-D(7)):
its excitation has unit power, so harmonic k of F0 f has amplitude 2 sqrt(f / rate) |H(k f)|.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.frames import Features
from voiceconv.features.mel_cepstrum import warp
from voiceconv.features.world import World
from voiceconv.vocoders.base import Vocoder

BAND = 3000.0  # Hz from one band of WORLD's aperiodicity to the next
LOWEST_DB = -60.0  # aperiodicity at 0 Hz; at half the rate it is 0 dB
NOISE_SECONDS = 11  # of the white noise that is used again and again
SEED = 0
LOG_MOST = 20.0  # nepers; exp() of more is no level of a sound


@dataclass(frozen=True)
class SynthesisState:
    """What one hop needs of those before. No tensor is changed in place.

    voiced: whether the frame before was; f0: in Hz, of the last voiced one; phase: of the
    fundamental, in radians. cepstrum: (C,), aperiodicity: (F,), of the frame before. tail:
    (n_fft - hop,), what the noise filters still ring. position: of the next noise sample.
    """

    voiced: bool
    f0: float
    phase: float
    cepstrum: Tensor
    aperiodicity: Tensor
    tail: Tensor
    position: int


class HarmonicNoise(Vocoder[World]):
    """Mel-cepstra, F0 and coded aperiodicity -> wave, by hops. All of it is float64."""

    takes = World
    is_causal = True

    def __init__(self, extractor: World) -> None:
        super().__init__(extractor)
        self.sample_rate, self.hop_length = extractor.sample_rate, extractor.hop_length
        self.n_fft = 1 << (4 * self.hop_length - 1).bit_length()
        bins = torch.linspace(0, math.pi, self.n_fft // 2 + 1, dtype=torch.float64)
        self._order = torch.arange(extractor.n_channels, dtype=torch.float64)
        angles = self._order * warp(bins, extractor.alpha)[:, None]  # (F, C)
        self._cosines, self._sines = angles.cos(), angles.sin()
        self._of_bands = self._interpolation(bins / math.pi * self.sample_rate / 2)
        # A Hann window of two hops: those of neighbours add up to 1.
        self._window = torch.hann_window(2 * self.hop_length, dtype=torch.float64)
        generator = torch.Generator().manual_seed(SEED)
        n_hops = NOISE_SECONDS * self.sample_rate // self.hop_length
        self._noise = torch.randn(
            (n_hops + 1) * self.hop_length, generator=generator, dtype=torch.float64
        )
        self._noise[-self.hop_length :] = self._noise[: self.hop_length]
        self._ramp = torch.arange(1, self.hop_length + 1, dtype=torch.float64) / self.hop_length
        self._silence = torch.full((extractor.n_channels,), 0.0, dtype=torch.float64)
        self._silence[0] = -LOG_MOST

    @property
    def n_bands(self) -> int:
        """K of the aperiodicity."""
        return self._of_bands.shape[1] - 2

    def start(self) -> SynthesisState:
        """Before the first frame: silence."""
        full = torch.ones(self.n_fft // 2 + 1, dtype=torch.float64)
        tail = torch.zeros(self.n_fft - self.hop_length, dtype=torch.float64)
        return SynthesisState(False, 0.0, 0.0, self._silence, full, tail, 0)

    def step(
        self, state: SynthesisState, cepstrum: Tensor, f0: float, aperiodicity: Tensor
    ) -> tuple[Tensor, SynthesisState]:
        """A frame: (C,), Hz or 0, (K,) in dB -> the hop (hop_length,) that ends with it, state."""
        cepstrum = cepstrum.double()
        share = torch.ones_like(state.aperiodicity)
        if f0 > 0:
            known = torch.nn.functional.pad(aperiodicity.double().clamp(LOWEST_DB, 0), (1, 1))
            known[0] = LOWEST_DB
            share = 10 ** (self._of_bands @ known / 20)
        noise, tail, position = self._noise_of(state, cepstrum, share)
        harmonics, phase = self._harmonics(state, cepstrum, f0, share)
        last = f0 if f0 > 0 else state.f0
        after = SynthesisState(f0 > 0, last, phase, cepstrum, share, tail, position)
        return harmonics + noise, after

    def synthesize(self, features: Features) -> Tensor:
        """See Vocoder."""
        self._check(features)
        if features.f0 is None or features.aperiodicity is None:
            raise InputError("synthesis needs F0 and aperiodicity beside the mel-cepstra")
        rows = zip(features.frames.T, features.f0.tolist(), features.aperiodicity.T, strict=True)
        frames = list(rows)
        first, *others = frames
        _, state = self.step(self.start(), *first)  # its hop is before the wave
        hops = []
        for frame in [*others, frames[-1]]:  # the last hop is after the last frame
            hop, state = self.step(state, *frame)
            hops.append(hop)
        return torch.cat(hops).float()

    def _noise_of(
        self, state: SynthesisState, cepstrum: Tensor, share: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """The finished hop of noise, what still rings, the position after."""
        hop = self.hop_length
        white = self._noise[state.position : state.position + 2 * hop] * self._window
        gain = (self._cosines @ cepstrum).clamp_max(LOG_MOST).exp() * share
        response = torch.polar(gain, -(self._sines @ cepstrum))
        ringing = torch.fft.irfft(torch.fft.rfft(white, self.n_fft) * response, self.n_fft)
        whole = torch.nn.functional.pad(state.tail, (0, hop)) + ringing
        position = (state.position + hop) % (len(self._noise) - hop)
        return whole[:hop], whole[hop:], position

    def _harmonics(
        self, state: SynthesisState, cepstrum: Tensor, f0: float, share: Tensor
    ) -> tuple[Tensor, float]:
        """(hop,) between the frame before and this one, and the fundamental's phase at its end."""
        if not state.voiced and f0 <= 0:
            return torch.zeros(self.hop_length, dtype=torch.float64), 0.0
        before, now = (state.f0 if state.voiced else f0), (f0 if f0 > 0 else state.f0)
        sweep = before + (now - before) * (self._ramp - 0.5 / self.hop_length)
        phases = state.phase + 2 * math.pi / self.sample_rate * sweep.cumsum(0)
        numbers = torch.arange(1, int(self.sample_rate / 2 / max(before, now)) + 1)
        ends = [
            self._ends(numbers * pitch, pitch, one, noise, is_voiced)
            for pitch, one, noise, is_voiced in (
                (before, state.cepstrum, state.aperiodicity, state.voiced),
                (now, cepstrum, share, f0 > 0),
            )
        ]
        (loud0, angle0), (loud1, angle1) = ends
        loud = loud0[:, None] + (loud1 - loud0)[:, None] * self._ramp
        angles = angle0[:, None] + (angle1 - angle0)[:, None] * self._ramp
        made = (loud * torch.cos(numbers[:, None] * phases + angles)).sum(0)
        return made, float(phases[-1]) % (2 * math.pi)

    def _ends(
        self, places: Tensor, f0: float, cepstrum: Tensor, share: Tensor, is_voiced: bool
    ) -> tuple[Tensor, Tensor]:
        """Frequencies (K,) in Hz -> amplitudes and minimum phases (K,) of the harmonics."""
        angles = (
            self._order
            * warp(places.double() * 2 * math.pi / self.sample_rate, self.extractor.alpha)[:, None]
        )
        turned = -(angles.sin() @ cepstrum)
        if not is_voiced:
            return torch.zeros_like(turned), turned
        step = self.sample_rate / self.n_fft
        noise = share[(places / step).round().long().clamp_max(len(share) - 1)]
        tone = (1 - noise.square()).clamp_min(0).sqrt()
        loud = (angles.cos() @ cepstrum).clamp_max(LOG_MOST).exp()
        return 2 * math.sqrt(f0 / self.sample_rate) * loud * tone, turned

    def _interpolation(self, frequencies: Tensor) -> Tensor:
        """(F,) Hz -> (F, K + 2): from dB at 0 Hz, each band and half the rate to dB everywhere."""
        n_bands = int(min(15000.0, self.sample_rate / 2 - BAND) / BAND)
        known = torch.tensor([*(BAND * k for k in range(n_bands + 1)), self.sample_rate / 2])
        after = torch.searchsorted(known.double(), frequencies).clamp(1, len(known) - 1)
        low, high = known[after - 1].double(), known[after].double()
        upper = (frequencies - low) / (high - low)
        matrix = torch.zeros(len(frequencies), len(known), dtype=torch.float64)
        rows = torch.arange(len(frequencies))
        matrix[rows, after - 1] = 1 - upper
        matrix[rows, after] = upper
        return matrix
