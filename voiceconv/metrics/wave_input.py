"""The requirements of all measures on a wave.

Conventions
-----------
Waves are mono, (N,) floating point, at 16 kHz, nominally in [-1, 1]. Converted, reference and
training recordings are scaled to a peak of 0.8 before measuring, because the speaker encoder and
DNSMOS depend on level.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000  # Hz
PEAK = 0.8
SHORTEST = 1024  # samples: one CheapTrick frame at 16 kHz; WORLD reads out of bounds below it


def validate(wave: NDArray[np.floating], name: str = "wave") -> None:
    """Raise ValueError unless `wave` is (N,), finite and long enough; warn if it is silent."""
    if wave.ndim != 1:
        raise ValueError(f"{name} has shape {wave.shape}; give a mono wave (N,)")
    if not np.issubdtype(wave.dtype, np.floating):
        raise ValueError(f"{name} holds {wave.dtype} samples; give floating point in [-1, 1]")
    if wave.size < SHORTEST:
        raise ValueError(
            f"{name} has {wave.size} samples; at least {SHORTEST} ({SHORTEST / SAMPLE_RATE:.3f} s "
            f"at {SAMPLE_RATE} Hz) are needed"
        )
    if not np.isfinite(wave).all():
        raise ValueError(f"{name} holds NaN or infinite samples; convert it again")
    if not wave.any():
        warnings.warn(f"{name} is digital silence: its scores mean nothing", stacklevel=2)


def scale_to_peak(wave: NDArray[np.floating], peak: float = PEAK) -> NDArray[np.float64]:
    """(N,) -> (N,) float64 with its largest magnitude at `peak`; silence stays silence."""
    scaled = wave.astype(np.float64)
    largest = np.abs(scaled).max(initial=0.0)
    return scaled * (peak / largest) if largest > 0 else scaled
