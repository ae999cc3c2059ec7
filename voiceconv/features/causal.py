"""What a streaming network hears of a wave, frame by frame as the wave comes in.

A frame has the shape of its spectrum in mel bands, its level, and its autocorrelation at the
periods of a voice. All are linear in one power or magnitude spectrum. Shape and autocorrelation
do not depend on the level, and the level is given under the loudest sound so far. So the frames
of a wave and of the same wave at half the level are equal, but near silence and in its first
sounds. What is estimated of the voice as it comes in (its mean shape, its loudest level) is a state
that the caller holds.
"""

import math
from dataclasses import dataclass

import torch
import torchaudio
from torch import Tensor

N_MELS = 80
WINDOW = 1 / 30  # seconds of a frame: two periods of a voice of 60 Hz
LOWEST, HIGHEST = 60.0, 700.0  # Hz, the F0 whose periods are looked at
PER_OCTAVE = 36  # periods; a third of a semitone
VOICED_BELOW = 1500.0  # Hz: harmonics above say little of a period, and noise is there
QUIET = 1e-5  # amplitude under which all is silence
UNHEARD = math.log(10 ** (-50 / 20))  # nepers: the loudest level of a wave that has not begun
DECAY = math.log(10 ** (2 / 20))  # nepers a second by which the loudest level is forgotten
SUDDEN = math.log(10 ** (10 / 20))  # nepers: a greater rise of the loudest level is another sound
COUNTED = math.log(10 ** (30 / 20))  # nepers under the loudest within which a frame is speech


@dataclass(frozen=True)
class Heard:
    """The state of what is estimated of B waves. Its tensors are never changed in place.

    loudest: (B,) nepers. weight: (B,) frames counted. total: (B, N_MELS), the sum of their shapes.
    """

    loudest: Tensor
    weight: Tensor
    total: Tensor

    @classmethod
    def nothing(cls, n_items: int = 1) -> "Heard":
        """Before the first frame."""
        zero = torch.zeros(n_items, dtype=torch.float64)
        return cls(zero + UNHEARD, zero, torch.zeros(n_items, N_MELS, dtype=torch.float64))


class CausalSpectrum:
    """Windows of a wave -> frames of `n_channels`: shape, level under the loudest, autocorrelation.

    Args:
        sample_rate: Hz.
        hop_length: samples from one frame to the next.

    prior: seconds of speech that the shape in `usual` counts for; memory: seconds of speech after
    which a frame counts for 1/e.
    """

    prior, memory = 1.0, 10.0

    def __init__(self, sample_rate: int, hop_length: int) -> None:
        self.sample_rate, self.hop_length = sample_rate, hop_length
        self.half = round(WINDOW * sample_rate / 2)  # samples before a frame's centre, and after
        self.n_fft = 1 << (2 * self.half - 1).bit_length()
        self._window = torch.hann_window(2 * self.half)
        self._mel = torchaudio.functional.melscale_fbanks(
            self.n_fft // 2 + 1, 0.0, sample_rate / 2, N_MELS, sample_rate, "slaney", "slaney"
        )  # (F, N_MELS)
        bins = torch.arange(self.n_fft // 2 + 1)
        octaves = math.log2(HIGHEST / LOWEST)
        self.pitches = LOWEST * 2 ** (torch.arange(int(octaves * PER_OCTAVE) + 1) / PER_OCTAVE)
        cosines = torch.cos(2 * math.pi * bins[:, None] * sample_rate / self.n_fft / self.pitches)
        low = torch.exp(-((bins * sample_rate / self.n_fft / VOICED_BELOW) ** 4))
        self._periods = (cosines * low[:, None]).contiguous()  # (F, P)
        self._low = low
        self._n_per_second = sample_rate / hop_length

    @property
    def n_channels(self) -> int:
        """Of a frame: N_MELS, 1, and one for each of `pitches`."""
        return N_MELS + 1 + len(self.pitches)

    def analyse(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., 2 half) -> shapes (..., N_MELS), levels (...) in nepers, periods (..., P)."""
        magnitudes = torch.fft.rfft(windows * self._window, self.n_fft).abs()
        power = (windows * self._window).square().mean(-1) / self._window.square().mean()
        levels = 0.5 * torch.log(power + QUIET**2)
        shapes = torch.log(magnitudes @ self._mel + 0.01 * QUIET) - levels[..., None]
        periods = magnitudes @ self._periods / (magnitudes @ self._low + QUIET)[..., None]
        return shapes, levels, periods

    def follow(
        self, shapes: Tensor, levels: Tensor, heard: Heard, usual: Tensor
    ) -> tuple[Tensor, Tensor, Heard]:
        """Shapes (B, N_MELS) and levels (B,) of one frame, and the state before it.

        usual: (N_MELS,), the shape of anybody's speech on average. Returns the mean shape of the
        voice (B, N_MELS), its loudest level (B,), and the state after the frame. What was counted
        before something far louder came counts less, as its power is less: it was not the voice.
        """
        levels = levels.double()
        faded = heard.loudest - DECAY / self._n_per_second
        loudest = torch.maximum(levels, faded)
        is_speech = (levels > loudest - COUNTED).double()
        kept = 1 - is_speech / (self.memory * self._n_per_second)
        kept = kept * torch.exp(-2 * (loudest - faded - SUDDEN).clamp_min(0))
        weight = kept * heard.weight + is_speech
        total = kept[:, None] * heard.total + is_speech[:, None] * shapes.double()
        n_prior = self.prior * self._n_per_second
        mean = (n_prior * usual.double() + total) / (n_prior + weight)[:, None]
        return mean.float(), loudest.float(), Heard(loudest, weight, total)

    def frames(
        self, windows: Tensor, heard: Heard, usual: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Heard]:
        """(B, T, 2 half) -> frames (B, n_channels, T), levels and loudest (B, T), the state after.

        usual: see `follow`.
        """
        shapes, levels, periods = self.analyse(windows)
        means, loudest = [], []
        for t in range(windows.shape[1]):
            mean, peak, heard = self.follow(shapes[:, t], levels[:, t], heard, usual)
            means.append(mean)
            loudest.append(peak)
        above = torch.stack(loudest, 1)
        parts = [shapes - torch.stack(means, 1), (levels - above)[..., None], periods]
        return torch.cat(parts, -1).transpose(1, 2), levels, above, heard

    def windows(self, wave: Tensor) -> Tensor:
        """Waves (..., N) -> (..., N // hop_length + 1, 2 half); frame t is centred on t hops."""
        n_frames = wave.shape[-1] // self.hop_length + 1
        after = (n_frames - 1) * self.hop_length + self.half - wave.shape[-1]
        padded = torch.nn.functional.pad(wave, (self.half, max(0, after)))
        return padded.unfold(-1, 2 * self.half, self.hop_length)[..., :n_frames, :]
