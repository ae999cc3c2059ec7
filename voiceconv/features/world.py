"""WORLD analysis: F0, mel-cepstra of CheapTrick's envelope, coded D4C aperiodicity.

Morise et al. 2016, IEICE Trans. E99-D(7); CheapTrick: Morise 2015, Speech Communication 67; D4C:
Morise 2016, ibid. 84; Harvest: Morise 2017, Interspeech. All of it is pyworld's; ours are the
mel-cepstra and the frame count.
"""

import warnings
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from voiceconv.features.base import FeatureExtractor
from voiceconv.features.frames import Features
from voiceconv.features.mel_cepstrum import MelCepstrum, all_pass_alpha
from voiceconv.features.warping import cepstral_bend
from voiceconv.schema import Above0, Count, Range

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

F0_FLOOR = 71.0  # Hz, WORLD's own default; CheapTrick's FFT length follows from it
F0_CEIL = 800.0  # Hz, WORLD's own default
HIGHEST = 1600.0  # Hz, of the search for high voices
HELD = 0.1  # seconds that a high voice keeps its F0: fricatives never do
LOWEST_RATE = 12_000  # Hz: D4C's code has bands of 3 kHz and leaves the topmost 3 kHz out
DITHER = 1e-5  # -100 dB full scale: D4C and CheapTrick divide by zero on digital silence


class World(FeatureExtractor):
    """wave -> mel-cepstra (C, T), F0 (T,) in Hz and coded band aperiodicity (K, T) in dB."""

    tracks = ("f0", "ap")

    def __init__(
        self,
        sample_rate: Count = 24000,
        n_coefficients: Count = 36,
        frame_period: Annotated[float, Range(above=0, most=1000)] = 5.0,
        f0_method: Literal["harvest", "dio"] = "harvest",
        f0_floor: Above0 = F0_FLOOR,
        f0_ceil: Above0 = F0_CEIL,
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
        if not f0_floor < f0_ceil <= sample_rate / 2:
            raise ValueError(
                f"f0_floor {f0_floor} and f0_ceil {f0_ceil} must rise within "
                f"0..{sample_rate / 2} Hz"
            )
        if f0_method not in ("harvest", "dio"):
            raise ValueError(
                f"f0_method must be 'harvest' or 'dio' (with stonemask), not {f0_method!r}"
            )
        self.sample_rate = sample_rate
        self.hop_length = int(hop_length)
        self.n_channels = n_coefficients
        self.frame_period = frame_period
        self.f0_method = f0_method
        self.f0_floor = f0_floor
        self.f0_ceil = f0_ceil
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
        f0, times = self._f0(x)
        envelope = pyworld.cheaptrick(
            x, f0, times, self.sample_rate, f0_floor=F0_FLOOR, fft_size=self.n_fft
        )
        aperiodicity = pyworld.d4c(x, f0, times, self.sample_rate, fft_size=self.n_fft)
        coded = pyworld.code_aperiodicity(aperiodicity, self.sample_rate)
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

    def _f0(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        search = {
            "f0_floor": self.f0_floor,
            "f0_ceil": self.f0_ceil,
            "frame_period": self.frame_period,
        }
        if self.f0_method == "harvest":
            f0, times = pyworld.harvest(x, self.sample_rate, **search)
        else:
            f0, times = pyworld.dio(x, self.sample_rate, **search)
            f0 = pyworld.stonemask(x, f0, times, self.sample_rate)
        return (self._with_high_f0(x, f0) if self.f0_ceil == F0_CEIL else f0), times

    def _with_high_f0(self, x: np.ndarray, f0: np.ndarray) -> np.ndarray:
        """F0 (T,) up to F0_CEIL -> F0 up to HIGHEST, where a soprano or a child holds it.

        Ordinary voices have harmonics there. So a high F0 counts only where it is held, and where
        the search below found F0 in at most half of the frames.
        """
        search = {"f0_floor": 0.75 * F0_CEIL, "f0_ceil": HIGHEST, "frame_period": self.frame_period}
        high, times = pyworld.dio(x, self.sample_rate, **search)
        high = pyworld.stonemask(x, high, times, self.sample_rate)
        f0 = f0.copy()
        edges = np.flatnonzero(np.diff(np.r_[False, high > F0_CEIL, False].astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            is_held = (end - start) * self.frame_period >= 1000 * HELD
            if is_held and (f0[start:end] > 0).mean() <= 0.5:
                f0[start:end] = high[start:end]
        return f0
