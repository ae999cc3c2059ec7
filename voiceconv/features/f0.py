"""F0 of a wave, searched for by one of three methods.

Harvest: Morise 2017, Interspeech. Dio with stonemask: Morise, Kawahara, Katayose 2009, AES 35th
Conf.; both are pyworld's. Swift: the network that the package swift-f0 carries (MIT), Nieradzik
2025, arXiv 2508.18440; it takes a small part of harvest's time, and hears through noise.
"""

import functools
import warnings
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceconv.optional import load

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

Track = NDArray[np.float64]
Method = Literal["harvest", "dio", "swift"]
METHODS: tuple[Method, ...] = get_args(Method)
RANGES: dict[Method, tuple[float, float]] = {  # Hz; of the first two, WORLD's own
    "harvest": (71.0, 800.0),
    "dio": (71.0, 800.0),
    "swift": (47.0, 1600.0),  # D4C and the network go no lower
}
NARROWEST = 1.05  # ceiling over floor that swift takes: its bins are 4.2% wide
HIGHEST = 1600.0  # Hz, of the search for high voices
HELD = 0.1  # seconds that a high voice keeps its F0: fricatives never do
VOICED = 0.5  # confidence of the network
QUIET = 0.01  # root mean square to which quieter waves are brought: the network hears levels
AFTER = 0.1  # seconds of silence behind the wave: the network's last windows lie across its end


def search(
    x: Track,
    sample_rate: int,
    frame_period: float,
    method: Method,
    floor: float | None = None,
    ceil: float | None = None,
) -> tuple[Track, Track]:
    """Find F0 in a wave (N,), a frame each `frame_period` ms from 0 to its end.

    Args:
        x: the wave.
        sample_rate: Hz.
        frame_period: ms.
        method: the search.
        floor: Hz; the method's own if None.
        ceil: Hz; the method's own if None, above which harvest and dio follow a voice that holds
            its F0.

    Returns:
        F0 (T,) in Hz, 0 where unvoiced, and the frames' times (T,) in seconds.
    """
    low, high = RANGES[method]
    limits = {"f0_floor": floor or low, "f0_ceil": ceil or high}
    if method == "swift":
        times = np.arange(int(1000 * len(x) / sample_rate / frame_period) + 1) * frame_period / 1000
        return _swift(x, sample_rate, times, limits["f0_floor"], limits["f0_ceil"]), times
    limits["frame_period"] = frame_period
    if method == "harvest":
        f0, times = pyworld.harvest(x, sample_rate, **limits)
    else:
        f0, times = pyworld.dio(x, sample_rate, **limits)
        f0 = pyworld.stonemask(x, f0, times, sample_rate)
    return (_with_high(x, sample_rate, frame_period, f0) if ceil is None else f0), times


def _with_high(x: Track, sample_rate: int, frame_period: float, f0: Track) -> Track:
    """F0 (T,) up to WORLD's ceiling -> F0 up to HIGHEST, where a soprano or a child holds it.

    Ordinary voices have harmonics there. So a high F0 counts only where it is held, and where
    the search below found F0 in at most half of the frames.
    """
    ceil = RANGES["dio"][1]
    limits = {"f0_floor": 0.75 * ceil, "f0_ceil": HIGHEST, "frame_period": frame_period}
    high, times = pyworld.dio(x, sample_rate, **limits)
    high = pyworld.stonemask(x, high, times, sample_rate)
    f0 = f0.copy()
    edges = np.flatnonzero(np.diff(np.r_[False, high > ceil, False].astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        is_held = (end - start) * frame_period >= 1000 * HELD
        if is_held and (f0[start:end] > 0).mean() <= 0.5:
            f0[start:end] = high[start:end]
    return f0


@functools.cache
def _network() -> Any:
    """The network of swift-f0, on one thread: extraction has one worker for each core."""
    return load("swift_f0", "F0 by swift", "swift-f0", extra="").SwiftF0(threads=1)


def _swift(x: Track, sample_rate: int, times: Track, floor: float, ceil: float) -> Track:
    """F0 (T,) at the times.

    Between the network's voiced frames, 16 ms apart, log F0 is a line. Its windows are 128 ms long,
    which blurs F0 too much for CheapTrick and D4C, so stonemask refines it.
    """
    level = np.sqrt(np.mean(np.square(x)))
    wave = (x / np.clip(level / QUIET, 1e-6, 1)).astype(np.float32)
    wave = np.pad(wave, (0, int(AFTER * sample_rate)))
    found = _network().detect(wave, sample_rate, floor, ceil)
    is_voiced = found.confidence >= VOICED
    if not is_voiced.any():
        return np.zeros(len(times))
    log_f0 = np.interp(times, found.timestamps[is_voiced], np.log(found.pitch_hz[is_voiced]))
    nearest = np.interp(times, found.timestamps, np.arange(len(is_voiced))).round().astype(int)
    f0 = np.where(is_voiced[nearest], np.exp(log_f0), 0.0)
    refined = pyworld.stonemask(x, f0, times, sample_rate)
    return np.where(refined > 0, refined, f0)  # it knows no F0 above a twelfth of the rate
