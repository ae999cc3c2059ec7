"""Distance of modulation spectra: how much statistical averaging has smoothed a voice in time.

Conventions
-----------
The input is a recording's analysis (analysis.py): all frames of 5 ms from the first that counts to
the last, with pauses, without c0. Each coefficient's trajectory is cut into segments of 256 frames
(1.28 s), overlapping by half, so that utterances of different lengths can be compared. One more
segment at the end of the utterance covers the rest. A shorter utterance is one segment. From each
segment the mean is subtracted, a Hann window is applied, and the power of the Fourier transform is
divided by the window's energy. Powers are averaged over segments (Welch), and floored at 1e-10. The
two utterances are not aligned, because the spectrum is independent of time.

Metrics
-------
* :func:`distance`: root mean square difference of the two log spectra over coefficients and over
  modulation frequencies above 0 and up to 50 Hz, in dB; lower is closer. Above 50 Hz a 5 ms
  analysis with windows of three pitch periods contains little but its own noise.

References
----------
Takamichi et al. 2014, "A postfilter to modify the modulation spectrum in HMM-based speech
synthesis", ICASSP; Takamichi et al. 2016, "Postfilters to modify the modulation spectrum for
statistical parametric speech synthesis", IEEE/ACM TASLP 24(4). They transform whole utterances at
one length; segments are our addition.
"""

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics.analysis import FRAME_PERIOD, Pair

SEGMENT = 256  # frames
HIGHEST = 50.0  # Hz
FLOOR = 1e-10  # floor of the power: a constant trajectory has none

Frames = NDArray[np.float64]


def validate(reference: Frames, estimated: Frames) -> None:
    """Raise ValueError unless both are (T, K) of one K, finite, with two frames at the least."""
    for name, frames in (("reference", reference), ("estimate", estimated)):
        if frames.ndim != 2 or len(frames) < 2:
            raise ValueError(
                f"the {name}'s trajectories have shape {frames.shape}; give (T, K), T >= 2"
            )
        if not np.isfinite(frames).all():
            raise ValueError(f"the {name}'s trajectories hold NaN or infinite values")
    if reference.shape[1] != estimated.shape[1]:
        raise ValueError(
            f"{reference.shape[1]} and {estimated.shape[1]} trajectories do not compare; "
            "analyse both at one order"
        )


def modulation_spectrum(frames: Frames) -> Frames:
    """Trajectories (T, K) -> (F, K) log power in dB at the modulation frequencies compared."""
    length = min(SEGMENT, len(frames))
    starts = list(range(0, len(frames) - length + 1, max(length // 2, 1)))
    if starts[-1] + length < len(frames):
        starts.append(len(frames) - length)
    window = np.hanning(length + 2)[1:-1, None]  # without its two zeros
    segments = np.stack([frames[start : start + length] for start in starts])  # (S, length, K)
    segments = window * (segments - segments.mean(axis=1, keepdims=True))
    power = np.square(np.abs(np.fft.rfft(segments, SEGMENT, axis=1))) / np.square(window).sum()
    frequency = np.fft.rfftfreq(SEGMENT, FRAME_PERIOD / 1000)
    compared = (frequency > 0) & (frequency <= HIGHEST)
    return 10 * np.log10(np.maximum(power.mean(axis=0)[compared], FLOOR))


def distance(reference: Frames, estimated: Frames) -> float:
    """Trajectories (T, K) and (U, K) -> dB."""
    validate(reference, estimated)
    difference = modulation_spectrum(reference) - modulation_spectrum(estimated)
    return float(np.sqrt(np.square(difference).mean()))


def evaluate_pair(aligned: Pair) -> dict[str, float]:
    """Two recordings -> {"modulation_spectrum_distance": dB}, {} if one has under two frames."""
    trajectories = [one.cepstra[one.span, 1:] for one in (aligned.reference, aligned.estimated)]
    if min(map(len, trajectories)) < 2:
        return {}
    return {"modulation_spectrum_distance": distance(*trajectories)}


def protocol() -> dict[str, object]:
    """The settings of modulation spectra, for the stamp; the analysis has its own."""
    return {
        "coefficients": "1 to the analysis' order",
        "segment": SEGMENT,
        "overlap": 0.5,
        "window": "Hann",
        "highest": HIGHEST,
        "floor": FLOOR,
    }
