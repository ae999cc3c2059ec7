"""Level, clipping and silence of a conversion.

Conventions
-----------
Waves are (N,) floating point at any rate, and are not scaled: give the samples of the file, because
resampling moves peaks and hides clipping. Full scale is 1. Peak and clipping are of the samples as
they are; for loudness and silence the mean is removed. Loudness is left out of the result if all of
the wave lies under BS.1770's gate.

Metrics
-------
* loudness: integrated, gated, in LUFS (ITU-R BS.1770-4); -23 is the level of broadcasts.
* peak: the largest magnitude, in dB below full scale; 0 is full scale.
* clipped: share of samples at full scale, 32767 / 32768 or more (16 bit's largest), in %.
* silence: share of frames of 20 ms more than 40 dB below the loudest, in %.

References
----------
ITU-R BS.1770-4, 2015, "Algorithms to measure audio programme loudness and true-peak audio level".
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from voiceconv.audio.bs1770 import loudness
from voiceconv.metrics import wave_input

FULL_SCALE = 32767 / 32768
FRAME = 0.02  # seconds
DYNAMIC_RANGE = 40.0  # dB


def validate(wave: NDArray[np.floating], sample_rate: int) -> None:
    """Raise ValueError on a wave that cannot be measured, or is silent."""
    if sample_rate <= 0:
        raise ValueError(f"a sample rate of {sample_rate} Hz; give the file's own")
    wave_input.validate(wave)


def peak(wave: NDArray[np.floating]) -> float:
    """(N,), not silent -> dB of full scale."""
    return 20 * math.log10(float(np.abs(wave).max()))


def clipped(wave: NDArray[np.floating]) -> float:
    """(N,) -> share of samples at full scale, in %."""
    return 100 * float(np.mean(np.abs(wave) >= FULL_SCALE))


def silence(wave: NDArray[np.floating], sample_rate: int) -> float:
    """(N,) -> share of frames more than 40 dB below the loudest, in %.

    Frames do not overlap; an incomplete last frame is ignored, a wave below one frame is one frame.
    """
    length = min(round(FRAME * sample_rate), len(wave))
    n_frames = len(wave) // length
    power = np.square(wave[: n_frames * length].astype(np.float64)).reshape(n_frames, length).sum(1)
    return 100 * float(np.mean(power <= power.max() * 10 ** (-DYNAMIC_RANGE / 10)))


def evaluate(wave: NDArray[np.floating], sample_rate: int) -> dict[str, float]:
    """(N,) at any rate -> the four measures; loudness only if it is finite."""
    validate(wave, sample_rate)
    centred = wave_input.centre(wave)
    integrated = loudness(torch.from_numpy(centred.astype(np.float32)), sample_rate)
    return {
        **({"loudness": integrated} if math.isfinite(integrated) else {}),
        "peak": peak(wave),
        "clipped": clipped(wave),
        "silence": silence(centred, sample_rate),
    }


def protocol() -> dict[str, object]:
    """The settings of the level measures, for the stamp."""
    return {
        "loudness": "ITU-R BS.1770-4",
        "full_scale": FULL_SCALE,
        "frame": FRAME,
        "dynamic_range": DYNAMIC_RANGE,
        "scaled": "no: as the file holds it, at its own rate",
        "offset": "kept for peak and clipped",
    }
