"""Naturalness without a reference: DNSMOS, a network that predicts listeners' ratings.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, as wave_input.py prepares them, because DNSMOS depends
on level (the same recordings 18 dB quieter score 0.1 higher) and on offset (0.3% of full scale
moves it by 0.24). Waves shorter than 9.01 s are repeated
until they are longer, as in speechmos. Windows of 9.01 s are scored every second and take 0.4 s
each, so an utterance of 2 s, repeated to 16 s, takes seven times as long as one of 9 s.

Metrics
-------
Of ITU-T P.835, 1 to 5, higher is better:

* dnsmos: the overall score (OVRL).
* dnsmos_signal: the quality of the speech alone (SIG).
* dnsmos_background: the quality of the background (BAK).

References
----------
Reddy et al. 2022, "DNSMOS P.835", ICASSP; weights of speechmos 0.0.1.
"""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import wave_input
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.optional import load

THEIRS = {"dnsmos": "ovrl_mos", "dnsmos_signal": "sig_mos", "dnsmos_background": "bak_mos"}


def validate(wave: NDArray[np.floating]) -> None:
    """Raise ValueError on a wave that cannot be scored, or is silent."""
    wave_input.validate(wave)


class Dnsmos:
    """speechmos' DNSMOS. Raises InputError if the extra `eval` is missing."""

    def __init__(self) -> None:
        self._run = load("speechmos.dnsmos", "DNSMOS", "speechmos with onnxruntime").run

    def score(self, wave: NDArray[np.floating]) -> dict[str, float]:
        """Wave (N,) at 16 kHz -> the three scores, each about 1 to 5."""
        validate(wave)
        found = self._run(condition(wave), SAMPLE_RATE)
        return {name: float(found[theirs]) for name, theirs in THEIRS.items()}


def evaluate(scorer: Dnsmos, wave: NDArray[np.floating]) -> dict[str, float]:
    """Wave (N,) at 16 kHz -> dnsmos, dnsmos_signal and dnsmos_background."""
    return scorer.score(wave)


def protocol() -> dict[str, object]:
    """The versions of the networks, for the stamp."""
    return {package: version(package) for package in ("speechmos", "onnxruntime", "librosa")}
