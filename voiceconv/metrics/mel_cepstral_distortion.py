"""Mel-cepstral distortion of a conversion against the target's own recording of the same sentence.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, scaled to a peak of 0.8 (see waves.py). Mel-cepstra are
(T, 24) float64: coefficients 1 to 24 of SPTK's definition, alpha 0.42, of CheapTrick's envelope
every 5 ms, with F0 by dio and stonemask. c0 is left out, as are frames more than 40 dB below the
loudest, where the power of a frame is the sum of its envelope. The reference comes first.

Metrics
-------
* :func:`distortion`: mean over the path of dynamic time warping of
  10 / ln 10 * sqrt(2 * sum_m (c_m - c'_m)^2), in dB; 0 is identical, lower is closer.

References
----------
Kubichek 1993, "Mel-cepstral distance measure for objective speech quality assessment", PACRIM.
The warping is of the same mel-cepstra, so that the figure is a little below what a path found
elsewhere would give: compare only with figures of this protocol.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from voiceconv.data.alignment import align
from voiceconv.features.mel_cepstrum import MelCepstrum
from voiceconv.metrics import waves
from voiceconv.metrics.waves import SAMPLE_RATE, scale_to_peak

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

FRAME_PERIOD = 5.0  # ms
ORDER = 24
ALPHA = 0.42
DYNAMIC_RANGE = 40.0  # dB
DECIBEL = 10 / np.log(10) * np.sqrt(2)

Frames = NDArray[np.float64]


def validate(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> None:
    """Raise ValueError on waves that cannot be compared; warn where one is silent."""
    waves.validate(reference, "the reference")
    waves.validate(estimated, "the estimate")


def mel_cepstra(wave: NDArray[np.floating]) -> Frames:
    """Wave (N,) at 16 kHz -> (T, 24), the frames within 40 dB of the loudest."""
    x = np.ascontiguousarray(scale_to_peak(wave))
    f0, times = pyworld.dio(x, SAMPLE_RATE, frame_period=FRAME_PERIOD)
    f0 = pyworld.stonemask(x, f0, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(x, f0, times, SAMPLE_RATE)  # (T, F), power
    codec = MelCepstrum(ORDER + 1, 2 * (envelope.shape[1] - 1), ALPHA)
    cepstra = codec.encode(torch.from_numpy(envelope.T)).numpy().T  # (T, 25)
    return cepstra[loud(envelope.sum(1)), 1:]


def loud(power: NDArray[np.float64], dynamic_range: float = DYNAMIC_RANGE) -> NDArray[np.bool_]:
    """Power (T,) -> (T,) whether a frame lies within `dynamic_range` dB of the loudest."""
    return power > power.max() * 10 ** (-dynamic_range / 10)


def distortion(reference: Frames, estimated: Frames) -> float:
    """Mel-cepstra (T, K) and (U, K), without c0 -> dB, averaged along the warping path.

    Kubichek 1993, eq. 2, with the factor sqrt(2) that counts the spectrum's symmetric half.
    """
    path = align(reference, estimated)
    difference = reference[path[:, 0]] - estimated[path[:, 1]]  # (P, K)
    return float(DECIBEL * np.sqrt(np.square(difference).sum(1)).mean())


def evaluate(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> dict[str, float]:
    """Waves (N,) and (M,) at 16 kHz -> {"mel_cepstral_distortion": dB}."""
    validate(reference, estimated)
    return {"mel_cepstral_distortion": distortion(mel_cepstra(reference), mel_cepstra(estimated))}
