"""Bandwidth extension: what lies above a wave's band, by a model whose domains are narrow and full.

Below the edge, EDGE of the wave's band, the wave stays as it is; above it the model's conversion is
heard. One filter divides both, so that they add up to the wave where the model changes nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from voiceconv.audio import faded, resample
from voiceconv.converter.converter import Converter
from voiceconv.errors import InputError
from voiceconv.progress import Share

DOMAINS = ("full", "narrow")
EDGE = 0.92  # of the wave's band: a resampler's filter has not begun here
MATCHED = (0.6, 0.9)  # of the wave's band: where the conversion's level is compared with the wave's
REACH = 0.005  # seconds on either side of a sample that the filter of the highs looks at
FADE = 0.01  # seconds: a sound that is cut off has all frequencies, which `narrow` never has
MOST = 4.0  # a conversion as quiet as silence is not raised without end


class FullBand:
    """A model of narrow to full.

    Raises InputError where its domains are others.
    """

    def __init__(self, converter: Converter, name: str) -> None:
        if tuple(converter.domains) != DOMAINS:
            raise InputError(
                f"{name} has the domains {', '.join(converter.domains)}, and bandwidth extension "
                "is by a model of narrow and full; train one, as docs/families.md says"
            )
        self.converter = converter
        self.sample_rate = converter.sample_rate

    def check_rate(self, sample_rate: int) -> None:
        """Raise InputError where waves of this rate have the model's band already."""
        if sample_rate >= self.sample_rate:
            raise InputError(
                f"nothing is missing above {sample_rate / 2:g} Hz: the model that extends the band "
                f"has {self.sample_rate} Hz, and the converted waves {sample_rate}; leave it out"
            )

    def extend(self, wave: Tensor, sample_rate: int, progress: Share | None = None) -> Tensor:
        """(N,) at sample_rate -> (M,) at the model's rate: the wave resampled, with highs."""
        narrow = resample(wave, sample_rate, self.sample_rate)
        shown = faded(narrow, self.sample_rate, FADE)
        full = self.converter.convert(shown, "full", "narrow", progress=progress)
        band = sample_rate / 2
        matched = [band * share for share in MATCHED]
        heard, made = (self._filtered(one, matched) for one in (narrow, full))
        gain = heard.norm() / made.norm().clamp_min(1e-9)
        change = gain.clamp_max(MOST) * full - narrow
        return narrow + self._filtered(change, [EDGE * band, self.sample_rate / 2])

    def _filtered(self, wave: Tensor, band: Sequence[float]) -> Tensor:
        """(N,) -> (N,) its frequencies in [low, high] Hz, in place; no phase is turned."""
        from scipy.signal import firwin, oaconvolve  # its import takes a second

        n_taps = 2 * round(REACH * self.sample_rate) + 1
        low, high = band
        edges = [low] if high >= self.sample_rate / 2 else [low, high]
        taps = firwin(n_taps, edges, pass_zero=False, fs=self.sample_rate, window=("kaiser", 8.0))
        if not len(wave):
            return wave
        samples = wave.cpu().numpy().astype(np.float64)
        return torch.from_numpy(oaconvolve(samples, taps, mode="same")).float()
