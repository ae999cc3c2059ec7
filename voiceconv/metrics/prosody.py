"""F0 and tempo of a conversion, against the same sentence or against the target's statistics.

Conventions
-----------
F0 is WORLD's, every 5 ms, in Hz and 0 where unvoiced; differences of log F0 are in cents, 1200 to
the octave. With a parallel reference, frames are compared along the path of the mel-cepstral
distortion (analysis.py), so the same frames count. F0 is compared only if both frames of a pair are
voiced. Undefined measures are left out of the result: differences without such a pair, a
correlation of fewer than two pairs or of a constant, a ratio with a zero denominator. A target's F0
is that of its training recordings.

Metrics
-------
* log_f0_rmse: root mean square difference of log F0 along the path, cents; lower is closer.
* log_f0_correlation: Pearson's, of log F0 along the path, in [-1, 1]; higher is closer.
* voicing_error: share of the path's frame pairs with one voiced and one unvoiced frame, in %.
* duration_ratio: converted / reference, each from its first frame that counts to its last.
* f0_mean_difference: mean log F0 of an utterance minus the target's over all frames, in cents;
  positive is too high.
* f0_spread_ratio: standard deviation of log F0 within the utterance / that within the target's
  utterances (frames pooled, each about its own utterance's mean), so that the target itself lies
  about 1; below 1 is flatter.

References
----------
Toda et al. 2007, "Voice conversion based on maximum-likelihood estimation of spectral parameter
trajectory", IEEE TASLP 15(8), section II: log F0 of a voice as a Gaussian.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import analysis, wave_input
from voiceconv.metrics.analysis import DEFAULT, Pair, Search, find_f0

OCTAVE = 1200.0  # cents
STEADY = 1e-6  # cents: the rounding error of a constant contour

Contour = NDArray[np.float64]


@dataclass(frozen=True)
class F0Statistics:
    """A voice's log F0 in cents above 1 Hz."""

    mean: float  # over all voiced frames
    deviation: float  # over the same frames, each about the mean of its utterance


def validate(wave: NDArray[np.floating], name: str = "wave") -> None:
    """Raise ValueError on a wave that cannot be analysed, or is silent."""
    wave_input.validate(wave, name)


def contour(wave: NDArray[np.floating], search: Search = "dio") -> Contour:
    """Wave (N,) at 16 kHz -> F0 (T,) in Hz, 0 where unvoiced."""
    validate(wave)
    return find_f0(wave_input.condition(wave), search)[0]


def cents(f0: Contour) -> Contour:
    """F0 (T,) in Hz -> (V,) cents above 1 Hz, of the voiced frames."""
    return OCTAVE * np.log2(f0[f0 > 0])


def f0_statistics(contours: Sequence[Contour]) -> F0Statistics:
    """n contours (T,) in Hz -> mean of log F0, and its deviation within an utterance."""
    voiced = [one for one in map(cents, contours) if len(one)]
    if not voiced:
        raise ValueError(
            f"no voiced frame in {len(contours)} recordings: there is no F0 to compare with"
        )
    within = np.concatenate([one - one.mean() for one in voiced])
    return F0Statistics(float(np.concatenate(voiced).mean()), float(within.std()))


def evaluate_pair(aligned: Pair) -> dict[str, float]:
    """Two aligned recordings -> the four measures, without undefined ones."""
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
    """F0 (P, 2) in Hz, reference first -> log_f0_rmse and log_f0_correlation, if defined."""
    voiced = couples[(couples > 0).all(axis=1)]
    if not len(voiced):
        return {}
    first, second = OCTAVE * np.log2(voiced.T)
    scores = {"log_f0_rmse": float(np.sqrt(np.square(first - second).mean()))}
    if min(first.std(), second.std()) > STEADY:
        scores["log_f0_correlation"] = float(np.corrcoef(first, second)[0, 1])
    return scores


def compare_voicing(couples: NDArray[np.float64]) -> float:
    """F0 (P, 2) in Hz -> the share of pairs with one voiced and one unvoiced frame, in %."""
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
    """The settings of the F0 measures, for the stamp."""
    return {
        "f0": search,
        "frame_period": analysis.FRAME_PERIOD,
        "spread": "within utterances",
        "pyworld": analysis.version("pyworld"),
    }
