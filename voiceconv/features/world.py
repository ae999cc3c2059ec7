"""WORLD analysis: F0, mel-cepstra of CheapTrick's envelope, coded D4C aperiodicity.

Morise et al. 2016, IEICE Trans. E99-D(7); CheapTrick: Morise 2015, Speech Communication 67; D4C:
Morise 2016, ibid. 84. Both are pyworld's; ours are the mel-cepstra, the frame count and the choice
of frames for D4C. `f0.py` has the searches for F0.
"""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from voiceconv.features import f0 as searches
from voiceconv.features.base import FeatureExtractor
from voiceconv.features.f0 import METHODS, NARROWEST, RANGES, Method, Track, pyworld
from voiceconv.features.frames import Features
from voiceconv.features.mel_cepstrum import MelCepstrum, all_pass_alpha
from voiceconv.features.warping import cepstral_bend
from voiceconv.schema import Above0, Count, Range

F0_FLOOR = 71.0  # Hz, WORLD's own default; CheapTrick's FFT length follows from it
LOWEST_RATE = 12_000  # Hz: D4C's code has bands of 3 kHz and leaves the topmost 3 kHz out
DITHER = 1e-5  # -100 dB full scale: D4C and CheapTrick divide by zero on digital silence


class World(FeatureExtractor):
    """wave -> mel-cepstra (C, T), F0 (T,) in Hz and coded band aperiodicity (K, T) in dB.

    Args:
        sample_rate: Hz.
        n_coefficients: C.
        frame_period: ms.
        f0_method: how F0 is searched for; harvest where a model's configuration does not say.
        f0_floor: Hz, the lowest F0; the method's own if None.
        f0_ceil: Hz, the highest F0; the method's own if None.
        d4c_step: frames from one analysis of aperiodicity to the next.
        alpha: coefficient of the all-pass that warps the frequency axis; near mel if None.
    """

    tracks = ("f0", "ap")

    def __init__(
        self,
        sample_rate: Count = 24000,
        n_coefficients: Count = 36,
        frame_period: Annotated[float, Range(above=0, most=1000)] = 5.0,
        f0_method: Method = "harvest",
        f0_floor: Above0 | None = None,
        f0_ceil: Above0 | None = None,
        d4c_step: Count = 1,
        alpha: Annotated[float, Range(above=-1, below=1)] | None = None,
    ) -> None:
        hop_length = sample_rate * frame_period / 1000
        if not hop_length.is_integer() or hop_length < 1:
            raise ValueError(
                f"frame_period {frame_period} ms is no whole number of samples at {sample_rate} Hz"
            )
        if sample_rate < LOWEST_RATE:
            raise ValueError(
                f"sample_rate {sample_rate} Hz leaves no band of aperiodicity; "
                f"WORLD needs {LOWEST_RATE} Hz or more"
            )
        if f0_method not in METHODS:
            raise ValueError(f"f0_method must be one of {', '.join(METHODS)}, not {f0_method!r}")
        floor, ceil = f0_floor or RANGES[f0_method][0], f0_ceil or RANGES[f0_method][1]
        if not floor < ceil <= sample_rate / 2:
            raise ValueError(
                f"f0_floor {floor} and f0_ceil {ceil} must rise within 0..{sample_rate / 2} Hz"
            )
        low, high = RANGES["swift"]
        if f0_method == "swift" and not (low <= floor <= ceil / NARROWEST and ceil <= high):
            raise ValueError(
                f"f0_floor {floor} and f0_ceil {ceil} must lie within {low}..{high} Hz, a factor "
                f"of {NARROWEST} or more apart, for f0_method swift"
            )
        self.sample_rate = sample_rate
        self.hop_length = int(hop_length)
        self.n_channels = n_coefficients
        self.frame_period = frame_period
        self.f0_method = f0_method
        self.f0_floor = f0_floor
        self.f0_ceil = f0_ceil
        self.d4c_step = d4c_step
        self.alpha = all_pass_alpha(sample_rate) if alpha is None else alpha
        # CheapTrick and the codec must agree on one FFT length whatever the search range of F0
        self.n_fft: int = pyworld.get_cheaptrick_fft_size(sample_rate, F0_FLOOR)
        self.mel_cepstrum = MelCepstrum(n_coefficients, self.n_fft, self.alpha)

    @property
    def definition(self) -> dict[str, object]:
        """See Representation. How F0 is searched for is left out: frames stay interchangeable."""
        return {
            "kind": "world",
            "sample_rate": self.sample_rate,
            "hop_length": self.hop_length,
            "n_channels": self.n_channels,
            "n_fft": self.n_fft,
            "alpha": self.alpha,
        }

    def extract(self, wave: Tensor) -> Features:
        """(N,) -> Features; T = N // hop_length + 1, which is also WORLD's own count."""
        n_frames = self.n_frames(len(wave))
        # A fixed seed: the same wave must give the same features in every process and on every day.
        noise = np.random.default_rng(0).standard_normal(max(len(wave), self.n_fft))
        x = DITHER * noise
        x[: len(wave)] += (
            wave.double().numpy()
        )  # shorter than one FFT: WORLD reads out of bounds, so pad
        f0, times = searches.search(
            x, self.sample_rate, self.frame_period, self.f0_method, self.f0_floor, self.f0_ceil
        )
        envelope = self._envelope(x, f0, times)
        coded = self._coded_aperiodicity(x, f0, times)
        cepstrum = self.mel_cepstrum.encode(torch.from_numpy(envelope[:n_frames].T))
        return Features(
            frames=cepstrum.float(),
            tracks={
                "f0": torch.from_numpy(f0[:n_frames]).float(),
                "ap": torch.from_numpy(coded[:n_frames].T).float(),
            },
            definition=self.definition,
        )

    def cepstra(self, frames: Tensor) -> Tensor:
        """See FeatureExtractor; the frames are one."""
        return frames

    def bend(self, beta: float, gamma: float = 0.0) -> Tensor:
        """See FeatureExtractor."""
        return cepstral_bend(self.n_channels, beta, gamma)

    def _envelope(self, x: Track, f0: Track, times: Track) -> Track:
        """F0 (T,) -> CheapTrick's power spectra (T, F), by windows of three periods.

        Unvoiced frames have its window for 500 Hz, which is so short that neighbours differ much.
        Swift calls more frames unvoiced than the others; so there they have the window of the
        voiced frames around them, which brings the frames nearer to those by harvest (0.7 dB of
        mel-cepstral distortion, not 1.3). Below F0_FLOOR CheapTrick would take 500 Hz, too.
        """
        voiced = np.flatnonzero(f0)
        if self.f0_method == "swift" and len(voiced):
            f0 = np.exp(np.interp(times, times[voiced], np.log(f0[voiced])))
        f0 = np.where(f0 > 0, np.maximum(f0, F0_FLOOR), 0.0)
        return pyworld.cheaptrick(
            x, f0, times, self.sample_rate, f0_floor=F0_FLOOR, fft_size=self.n_fft
        )

    def _coded_aperiodicity(self, x: Track, f0: Track, times: Track) -> Track:
        """F0 (T,) -> (T, K) in dB, 0 where unvoiced.

        D4C analyses the first and the last frame of a voiced stretch and every `d4c_step`-th one;
        between these, dB are lines. Its windows are four periods long, so neighbours are alike.
        """
        is_voiced = f0 > 0
        before, after = np.r_[False, is_voiced[:-1]], np.r_[is_voiced[1:], False]
        is_nth = np.arange(len(f0)) % self.d4c_step == 0
        is_taken = is_voiced & (is_nth | ~before | ~after)
        is_taken[0] = True  # D4C takes no empty track
        at = np.flatnonzero(is_taken)
        aperiodicity = pyworld.d4c(x, f0[at], times[at], self.sample_rate, fft_size=self.n_fft)
        found = pyworld.code_aperiodicity(aperiodicity, self.sample_rate)
        voiced = np.flatnonzero(is_voiced)
        coded = np.zeros((len(f0), found.shape[1]))
        coded[voiced] = np.stack([np.interp(voiced, at, band) for band in found.T], axis=1)
        return coded
