"""Effective bandwidth of a recording: up to where it holds sound, whatever its sample rate.

Conventions
-----------
Waves are (N,) floating point at any rate, without offset (wave_input.py). The long-term spectrum is
the mean power of Hann windows of 32 ms that overlap by half (Welch 1967, IEEE Trans. Audio
Electroacoust. 15(2)). The bandwidth is the highest frequency at which it is less than 60 dB below
its maximum. On cc0_speech (24 kHz) this is 7.1 kHz or more for every recording, and 3.7 to 4.0 kHz
after a telephone's 8 kHz: a low-pass filter leaves the rounding of 16 bits, 70 dB down and more.

Two recordings are *unlike* if, of the analysed band (up to 8 kHz), one has less than 0.8 of what
the other has. Measures along the spectral envelope then measure the missing band.
"""

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics.wave_input import SAMPLE_RATE

WINDOW = 0.032  # seconds
RANGE = 60.0  # dB
UNLIKE = 0.8


def bandwidth(centred: NDArray[np.floating], sample_rate: int) -> float:
    """(N,) with mean 0, not silent, one window or longer -> Hz."""
    length = min(2 * round(WINDOW * sample_rate / 2), len(centred))
    frames = np.lib.stride_tricks.sliding_window_view(centred, length)[:: length // 2]  # (T, N)
    power = np.zeros(length // 2 + 1)
    for start in range(0, len(frames), 256):  # an hour in one piece would be gigabytes
        block = np.fft.rfft(frames[start : start + 256] * np.hanning(length))
        power += np.square(np.abs(block)).sum(0)
    highest = np.flatnonzero(power > power.max() * 10 ** (-RANGE / 10))[-1]
    return float(highest * sample_rate / length)


def are_unlike(first: float, second: float) -> bool:
    """Whether two bandwidths in Hz differ too much within the analysed band."""
    narrow, wide = sorted(min(one, SAMPLE_RATE / 2) for one in (first, second))
    return narrow < UNLIKE * wide


def protocol() -> dict[str, object]:
    """The definition, for the stamp."""
    return {"bandwidth": f"Welch, {WINDOW} s, {RANGE:g} dB below the maximum", "unlike": UNLIKE}
