"""Melody and tempo of a conversion, against the same sentence or against the target's habits.

Conventions
-----------
F0 is WORLD's, every 5 ms, in Hz and 0 where unvoiced; differences of log F0 are in cents, 1200 to
the octave. With a parallel reference, frames are compared along the path of the mel-cepstral
distortion (analysis.py), so that what does not count there does not count here; F0 itself only
where both frames of a couple are voiced. What is undefined is left out of the result: differences
without such a couple, a correlation of fewer than two or of a constant, a ratio to nothing. A
target's F0 is that of its training recordings.

Metrics
-------
* log_f0_rmse: root mean square difference of log F0 along the path, cents; lower is closer.
* log_f0_correlation: Pearson's, of log F0 along the path, in [-1, 1]; higher is closer.
* voicing_error: share of the path's couples of which one frame is voiced and the other not, in %.
* duration_ratio: converted / reference, each from its first frame that counts to its last.
* f0_mean_difference: mean log F0 of an utterance less the target's over all frames, in cents:
  positive is too high.
* f0_spread_ratio: standard deviation of log F0 within the utterance / that within the target's
  utterances (frames pooled, each about its own utterance's mean), so that the target itself lies
  about 1; below 1 is flatter.

References
----------
Toda et al. 2007, "Voice conversion based on maximum-likelihood estimation of spectral parameter
trajectory", IEEE TASLP 15(8), section II: a voice's F0 as a Gaussian of its logarithm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import analysis, wave_input
from voiceconv.metrics.analysis import DEFAULT, Pair, Search, find_f0

OCTAVE = 1200.0  # cents
STEADY = 1e-6  # cents: what rounding alone lets a constant contour move

Contour = NDArray[np.float64]


@dataclass(frozen=True)
class F0Statistics:
    """A voice's log F0 in cents above 1 Hz."""

    mean: float  # over all voiced frames
    deviation: float  # over the same, each about the mean of its own utterance


def validate(wave: NDArray[np.floating], name: str = "wave") -> None:
    """Raise ValueError on a wave that cannot be analysed; warn where it is silent."""
    wave_input.validate(wave, name)


def contour(wave: NDArray[np.floating], search: Search = "dio") -> Contour:
    """Wave (N,) at 16 kHz -> F0 (T,) in Hz, 0 where unvoiced."""
    validate(wave)
    return find_f0(wave_input.scale_to_peak(wave), search)[0]


def cents(f0: Contour) -> Contour:
    """F0 (T,) in Hz -> (V,) cents above 1 Hz, of the voiced frames."""
    return OCTAVE * np.log2(f0[f0 > 0])


def f0_statistics(contours: Sequence[Contour]) -> F0Statistics:
    """n contours (T,) in Hz -> what log F0 is on average and how far it moves in an utterance."""
    voiced = [one for one in map(cents, contours) if len(one)]
    if not voiced:
        raise ValueError(
            f"no voiced frame in {len(contours)} recordings: there is no F0 to compare with"
        )
    within = np.concatenate([one - one.mean() for one in voiced])
    return F0Statistics(float(np.concatenate(voiced).mean()), float(within.std()))


def evaluate_pair(aligned: Pair) -> dict[str, float]:
    """Two aligned recordings -> the four measures, without those that are undefined."""
    if not len(aligned.path):
        return {}
    reference, estimated = aligned.reference, aligned.estimated
    couples = np.stack(
        [reference.f0[aligned.path[:, 0]], estimated.f0[aligned.path[:, 1]]], axis=1
    )  # (P, 2)
    spans = [len(one.f0[one.span]) for one in (reference, estimated)]
    return {
        **compare_f0(couples),
        "voicing_error": compare_voicing(couples),
        "duration_ratio": spans[1] / spans[0],
    }


def compare_f0(couples: NDArray[np.float64]) -> dict[str, float]:
    """F0 (P, 2) in Hz, the reference's first -> log_f0_rmse and log_f0_correlation, if defined."""
    voiced = couples[(couples > 0).all(axis=1)]
    if not len(voiced):
        return {}
    first, second = OCTAVE * np.log2(voiced.T)
    scores = {"log_f0_rmse": float(np.sqrt(np.square(first - second).mean()))}
    if min(first.std(), second.std()) > STEADY:
        scores["log_f0_correlation"] = float(np.corrcoef(first, second)[0, 1])
    return scores


def compare_voicing(couples: NDArray[np.float64]) -> float:
    """F0 (P, 2) in Hz -> the share of couples of which one is voiced and the other not, in %."""
    voiced = couples > 0
    return 100 * float(np.mean(voiced[:, 0] != voiced[:, 1]))


def evaluate(target: F0Statistics, estimated: Contour) -> dict[str, float]:
    """An utterance's F0 (T,) in Hz against a target's statistics; {} without a voiced frame."""
    pitch = cents(estimated)
    if not len(pitch):
        return {}
    scores = {"f0_mean_difference": float(pitch.mean() - target.mean)}
    if target.deviation > STEADY:
        scores["f0_spread_ratio"] = float(pitch.std() / target.deviation)
    return scores


def protocol(search: Search = DEFAULT.f0) -> dict[str, object]:
    """How F0 is found and compared, for the stamp."""
    return {
        "f0": search,
        "frame_period": analysis.FRAME_PERIOD,
        "spread": "within utterances",
        "pyworld": analysis.version("pyworld"),
    }
