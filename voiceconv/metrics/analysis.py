"""WORLD analysis of a recording, done once for all measures with a parallel reference.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, as wave_input.py prepares them. A frame is 5 ms. All
other settings are in a :class:`MelCepstralProtocol`; scores with different protocols cannot be
compared. The reference comes first.

Metrics
-------
None; :class:`Pair` is what mel_cepstral_distortion.py, prosody.py and modulation_spectrum.py
measure.

References
----------
Morise et al. 2016, "WORLD", IEICE Trans. E99-D(7). Mel-cepstra: Tokuda et al. 1994, ICSLP.
"""

import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from voiceconv.data.alignment import align
from voiceconv.features.mel_cepstrum import MelCepstrum
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

FRAME_PERIOD = 5.0  # ms
Silence = Literal["loud", "voiced", "none"]
Search = Literal["dio", "harvest"]
Frames = NDArray[np.float64]


@dataclass(frozen=True)
class MelCepstralProtocol:
    """The settings of a mel-cepstral distortion.

    Args:
        order: the highest coefficient.
        alpha: coefficient of the all-pass that warps the frequency axis.
        with_c0: whether c0, the frame's level, counts.
        silence: which frames count: those within `dynamic_range` dB of the loudest ("loud"), those
            with an F0 ("voiced"), or all ("none").
        dynamic_range: dB of power, the sum of a frame's envelope; for "loud" only. f0: the F0
        estimator: "dio", refined by stonemask, or "harvest", which takes 25 times as long.
    """

    order: int = 24
    alpha: float = 0.42
    with_c0: bool = False
    silence: Silence = "loud"
    dynamic_range: float = 40.0
    f0: Search = "dio"

    def __post_init__(self) -> None:
        if not 1 <= self.order <= 512:  # CheapTrick has 513 bins, so there is no information beyond
            raise ValueError(f"order {self.order} of the mel-cepstrum; give 1 to 512")
        if not 0 <= self.alpha < 1:
            raise ValueError(f"alpha {self.alpha} warps nothing; give 0 or more and less than 1")
        if not self.dynamic_range > 0:
            raise ValueError(f"a dynamic range of {self.dynamic_range} dB; give more than 0")
        for name, value, known in (
            ("silence", self.silence, get_args(Silence)),
            ("f0", self.f0, get_args(Search)),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r} of the protocol; give {', '.join(known)}")


DEFAULT = MelCepstralProtocol()


@dataclass(frozen=True)
class Analysis:
    """A recording in frames of 5 ms."""

    f0: NDArray[np.float64]  # (T,) Hz, 0 where unvoiced
    cepstra: Frames  # (T, order + 1), c0 first
    power: NDArray[np.float64]  # (T,) sum of the envelope
    protocol: MelCepstralProtocol = DEFAULT

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(T,) whether a frame counts by the protocol's rule of silence."""
        if self.protocol.silence == "voiced":
            return self.f0 > 0
        if self.protocol.silence == "loud":
            return loud(self.power, self.protocol.dynamic_range)
        return np.ones(len(self.f0), bool)

    @property
    def frames(self) -> Frames:
        """(T, K): the compared coefficients of every frame, counted or not, with or without c0."""
        return self.cepstra if self.protocol.with_c0 else self.cepstra[:, 1:]

    @property
    def span(self) -> slice:
        """Frames from the first that counts to the last; an empty slice if none counts."""
        counted = np.flatnonzero(self.counted)
        return slice(int(counted[0]), int(counted[-1]) + 1) if len(counted) else slice(0, 0)


@dataclass(frozen=True)
class Pair:
    """Two recordings of one sentence with their aligned frames."""

    reference: Analysis
    estimated: Analysis
    path: NDArray[np.int64]  # (P, 2) frame numbers; (0, 2) if no frame of a recording counts


def loud(power: NDArray[np.float64], dynamic_range: float = 40.0) -> NDArray[np.bool_]:
    """Power (T,) -> (T,) whether a frame lies within `dynamic_range` dB of the loudest."""
    return power > power.max() * 10 ** (-dynamic_range / 10)


def find_f0(
    wave: NDArray[np.floating], search: Search = "dio"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wave (N,) at 16 kHz, already scaled -> F0 (T,) in Hz, 0 where unvoiced, and its times."""
    x = np.ascontiguousarray(wave, np.float64)
    if search == "harvest":
        return pyworld.harvest(x, SAMPLE_RATE, frame_period=FRAME_PERIOD)
    f0, times = pyworld.dio(x, SAMPLE_RATE, frame_period=FRAME_PERIOD)
    return pyworld.stonemask(x, f0, times, SAMPLE_RATE), times


def analyse(wave: NDArray[np.floating], protocol: MelCepstralProtocol = DEFAULT) -> Analysis:
    """Wave (N,) at 16 kHz -> its analysis; T = N // 80 + 1."""
    x = np.ascontiguousarray(condition(wave))
    f0, times = find_f0(x, protocol.f0)
    envelope = pyworld.cheaptrick(x, f0, times, SAMPLE_RATE)  # (T, F), power
    codec = MelCepstrum(protocol.order + 1, 2 * (envelope.shape[1] - 1), protocol.alpha)
    cepstra = codec.encode(torch.from_numpy(envelope.T)).numpy().T  # (T, order + 1)
    return Analysis(f0, cepstra, envelope.sum(1), protocol)


def pair(reference: Analysis, estimated: Analysis) -> Pair:
    """Align two analyses by dynamic time warping of the frames that count."""
    if reference.protocol != estimated.protocol:
        raise ValueError(
            f"analyses of {reference.protocol} and {estimated.protocol} do not compare"
        )
    numbers = [np.flatnonzero(analysis.counted) for analysis in (reference, estimated)]
    if not all(map(len, numbers)):
        return Pair(reference, estimated, np.zeros((0, 2), np.int64))
    path = align(reference.frames[numbers[0]], estimated.frames[numbers[1]])
    return Pair(
        reference, estimated, np.stack([numbers[0][path[:, 0]], numbers[1][path[:, 1]]], axis=1)
    )


def protocol(chosen: MelCepstralProtocol = DEFAULT) -> dict[str, object]:
    """The settings of analysis and alignment, for the stamp."""
    return {
        **asdict(chosen),
        "envelope": "WORLD CheapTrick",
        "frame_period": FRAME_PERIOD,
        "warping": "Euclidean distance of the mel-cepstra; steps (1, 1), (1, 0), (0, 1), weight 1",
        "pyworld": version("pyworld"),
        "librosa": version("librosa"),
    }
