"""Mel-cepstral distortion of a conversion against the target's own recording of the same sentence.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, as wave_input.py prepares them. By default
mel-cepstra are (T, 24) float64: coefficients 1 to 24 of SPTK's definition, alpha 0.42, of
CheapTrick's envelope every 5 ms, with F0 by dio and stonemask. c0 is left out, and so are frames
more than 40 dB below the loudest; the power of a frame is the sum of its envelope. Another protocol
gives other scores: :class:`MelCepstralProtocol`. The reference comes first. If no frame of a
recording counts (for example a whisper with the rule "voiced"), `evaluate` returns {}.

Metrics
-------
* :func:`distortion`: mean over the path of dynamic time warping of
  10 / ln 10 * sqrt(2 * sum_m (c_m - c'_m)^2), in dB; 0 is identical, lower is closer.

References
----------
Kubichek 1993, "Mel-cepstral distance measure for objective speech quality assessment", PACRIM.
The warping uses the same mel-cepstra, so the distortion is a little lower than along a path from
other features: compare only scores of this protocol.
"""

import numpy as np
from numpy.typing import NDArray

from voiceconv.data.alignment import align
from voiceconv.metrics import wave_input
from voiceconv.metrics.analysis import (
    DEFAULT,
    Frames,
    MelCepstralProtocol,
    Pair,
    analyse,
    pair,
    protocol,
)

__all__ = ["MelCepstralProtocol", "distortion", "evaluate", "evaluate_pair", "protocol", "validate"]

DECIBEL = 10 / np.log(10) * np.sqrt(2)


def validate(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> None:
    """Raise ValueError on waves that cannot be compared, or are silent."""
    wave_input.validate(reference, "the reference")
    wave_input.validate(estimated, "the estimate")


def distortion(reference: Frames, estimated: Frames) -> float:
    """Mel-cepstra (T, K) and (U, K) of the frames that count -> dB, averaged along the path."""
    path = align(reference, estimated)
    return along(reference[path[:, 0]], estimated[path[:, 1]])


def along(reference: Frames, estimated: Frames) -> float:
    """Mel-cepstra (P, K) and (P, K), frame by frame -> dB.

    Kubichek 1993, eq. 2, with the factor sqrt(2) for the spectrum's symmetric half.
    """
    return float(DECIBEL * np.sqrt(np.square(reference - estimated).sum(1)).mean())


def evaluate_pair(aligned: Pair) -> dict[str, float]:
    """Two aligned recordings -> {"mel_cepstral_distortion": dB}, or {} without a counted frame."""
    if not len(aligned.path):
        return {}
    reference = aligned.reference.frames[aligned.path[:, 0]]
    estimated = aligned.estimated.frames[aligned.path[:, 1]]
    return {"mel_cepstral_distortion": along(reference, estimated)}


def evaluate(
    reference: NDArray[np.floating],
    estimated: NDArray[np.floating],
    protocol: MelCepstralProtocol = DEFAULT,
) -> dict[str, float]:
    """Waves (N,) and (M,) at 16 kHz -> {"mel_cepstral_distortion": dB}."""
    validate(reference, estimated)
    return evaluate_pair(pair(analyse(reference, protocol), analyse(estimated, protocol)))
