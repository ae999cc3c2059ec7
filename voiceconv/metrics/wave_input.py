"""The requirements of all measures on a wave, and the treatment that all waves get.

Conventions
-----------
Waves are mono, (N,) floating point, at 16 kHz, nominally in [-1, 1]. Before a measure, the mean is
removed, the level is brought to 0.4, and what is beyond +-1 is limited, because the speaker encoder
and DNSMOS depend on level and offset. The *level* is the 99.9th percentile of the magnitude: speech
peaks lie 1 to 8 dB above it (2 of the 1642 recordings of cc0_speech exceed the limit), and a click
of a few samples does not move it, as it would move a peak. `remarks` says when an offset or a click
was large enough to matter.

A wave with a level below -80 dB of full scale is silent, and **a silent wave has no value in any
measure**: `validate` raises. Such an utterance is missing from a mean, which shows in its n.

References
----------
Percentiles of the amplitude as a level that outliers do not move: Huber 1981, "Robust Statistics".
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000  # Hz
QUANTILE, LEVEL, LIMIT = 0.999, 0.4, 1.0
SILENT = 1e-4  # of full scale, -80 dB; the converter's SILENCE
OFFSET = 0.05  # of the root mean square; the worst speaker of cc0_speech (kathleen) has 0.03
SHORTEST = 1024  # samples: one CheapTrick frame at 16 kHz; WORLD reads out of bounds below it


def validate(wave: NDArray[np.floating], name: str = "wave") -> None:
    """Raise ValueError unless `wave` is (N,), finite, long enough and not silent."""
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
    if level(centre(wave)) < SILENT:
        raise ValueError(f"{name} is silent; silence has no value in any measure")


def centre(wave: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) -> (N,) with mean 0."""
    samples = wave.astype(np.float64)
    return samples - samples.mean()


def level(centred: NDArray[np.float64]) -> float:
    """(N,) with mean 0 -> the 99.9th percentile of its magnitude; full scale is 1."""
    return float(np.quantile(np.abs(centred), QUANTILE))


def gain(centred: NDArray[np.float64]) -> float:
    """(N,) with mean 0 -> the factor that brings it to a level of 0.4; 1 if it is silent."""
    found = level(centred)
    return LEVEL / found if found >= SILENT else 1.0


def condition(wave: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) -> (N,) without offset, at a level of 0.4 if it is not silent, limited to [-1, 1]."""
    centred = centre(wave)
    return np.clip(centred * gain(centred), -LIMIT, LIMIT)


def remarks(wave: NDArray[np.floating]) -> dict[str, str]:
    """(N,), not silent -> what `condition` has changed so much that it must be said, by kind."""
    centred = centre(wave)
    offset, deviation = float(wave.mean(dtype=np.float64)), float(centred.std())
    n_limited = int(np.sum(np.abs(centred) * gain(centred) > LIMIT))
    said = {}
    if abs(offset) > OFFSET * deviation:
        said["offset"] = f"an offset of {100 * offset:+.2f}% of full scale was removed"
    if n_limited:
        said["click"] = f"{n_limited} of {wave.size} samples, far above the others, were limited"
    return said


def protocol() -> dict[str, object]:
    """The treatment of all waves, for the stamp."""
    return {
        "sample_rate": SAMPLE_RATE,
        "offset": "the mean is removed",
        "level": f"percentile {100 * QUANTILE:g} of the magnitude at {LEVEL}, limited to {LIMIT:g}",
        "silent": f"level below {SILENT:g}: no value in any measure",
    }
