"""Melody, rhythm and instrument of a conversion of music.

Conventions
-----------
Waves are (N,) floating point at 16 kHz without offset, at wave_input.py's level; what is compared
sample by sample is brought to the original's or the reference's root mean square. Nothing is moved
or warped in time: a conversion of music keeps time. The longer wave is cut if it is longer by at
most 0.1 s. The original or the reference comes first.

Metrics
-------
* chroma_similarity: mean cosine of the chroma of frames of 0.1 s of the original and its
  conversion, over frames in which the original sounds; 1 is identical. Chroma is that of a
  constant-Q transform, each wave at its own tuning, as librosa estimates it. Overtones count, so
  that another instrument with the same notes has less.
* onset_f: F-measure of detected onsets, matched within 50 ms, in %.
* mel_distance: mean absolute difference from the reference of 80 mel bands in dB, floored at 60 dB
  below the reference's largest.
* instrument: 100 where the target's instrument is likelier than the source's, else 0. Of a
  recording are known means and deviations over its frames of 19 mel-frequency cepstral
  coefficients without that of level, where it sounds; of an instrument, the normal distribution of
  each over training recordings.

References
----------
Raffel et al. 2014, "mir_eval", ISMIR: the matching of onsets. McFee et al. 2015, "librosa".
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import copy_synthesis
from voiceconv.metrics.copy_synthesis import match
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.optional import load

librosa = load("librosa", "measures of music", "librosa", extra="")
HOP = 512  # samples: of onsets, chroma and cepstra
BLOCK = 3  # frames of chroma that are one: 0.1 s
N_FFT, N_MELS, N_COEFFICIENTS = 1024, 80, 20
FLOOR = 60.0  # dB below the largest
SOUNDING = 40.0  # dB below the loudest frame
WINDOW = 0.05  # seconds
LEAST_DEVIATION = 1e-3  # of a feature; of one recording there is none
MELODY = ("chroma_similarity", "onset_f")

Wave = NDArray[np.float64]


@dataclass(frozen=True)
class Timbre:
    """A normal distribution of each feature, over the recordings of an instrument; (F,) each."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def validate(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> None:
    """Raise ValueError on waves that are not of one performance, or silent."""
    copy_synthesis.validate(
        reference,
        estimated,
        "the conversion",
        "music is compared without warping: give a recording of the same notes at the same time",
    )


def chroma_similarity(reference: Wave, estimated: Wave) -> float:
    """(N,) and (N,), the first not silent -> mean cosine over blocks in which the first sounds."""
    one, other = (_chroma(wave) for wave in (reference, estimated))
    sounds = _blocks(_sounds(reference)[None].astype(float))[0] > 0.5
    if not sounds.any():
        raise ValueError("the original sounds for less than 0.1 s, which is no chroma")
    dots = (one * other).sum(0)
    norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return float((dots / np.maximum(norms, 1e-12))[sounds].mean())


class Onsets:
    """The F-measure of onsets. Raises InputError if the extra `eval` is missing."""

    def __init__(self) -> None:
        self._onset = load("mir_eval.onset", "the F-measure of onsets", "mir_eval")

    def score(self, reference: Wave, estimated: Wave) -> float | None:
        """(N,) and (N,) -> in %; None where the first has no onset."""
        first, second = (
            librosa.onset.onset_detect(y=wave, sr=SAMPLE_RATE, hop_length=HOP // 2, units="time")
            for wave in (reference, estimated)
        )
        if not len(first):
            return None
        return float(100 * self._onset.f_measure(first, second, window=WINDOW)[0])


def mel_distance(reference: Wave, estimated: Wave) -> float:
    """(N,) and (N,) -> mean absolute difference in dB."""
    power = [
        librosa.feature.melspectrogram(
            y=wave, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=N_FFT // 4, n_mels=N_MELS
        )
        for wave in (reference, estimated)
    ]
    least = power[0].max() * 10 ** (-FLOOR / 10)
    one, other = (10 * np.log10(np.maximum(some, least)) for some in power)
    return float(np.abs(one - other).mean())


def timbre(wave: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,), not silent -> features (2 * (N_COEFFICIENTS - 1),)."""
    heard = condition(wave)
    cepstra = librosa.feature.mfcc(
        y=heard, sr=SAMPLE_RATE, n_mfcc=N_COEFFICIENTS, n_fft=N_FFT, hop_length=HOP
    )[1:, _sounds(heard)]
    return np.concatenate([cepstra.mean(1), cepstra.std(1)])


def timbre_of(features: Sequence[NDArray[np.float64]]) -> Timbre:
    """Features (F,) of an instrument's recordings -> the instrument."""
    stacked = np.stack(features)
    return Timbre(stacked.mean(0), np.maximum(stacked.std(0), LEAST_DEVIATION))


def likelihood(instrument: Timbre, features: NDArray[np.float64]) -> float:
    """The logarithm of its density at features (F,)."""
    away = (features - instrument.mean) / instrument.deviation
    return float(-0.5 * np.square(away).sum() - np.log(instrument.deviation).sum())


def evaluate(
    original: NDArray[np.floating], conversion: NDArray[np.floating], onsets: Onsets | None = None
) -> dict[str, float]:
    """Waves (N,) and (M,) at 16 kHz -> chroma_similarity, and onset_f if a scorer is given."""
    validate(original, conversion)
    pair = match(original, conversion)
    f_measure = onsets.score(*pair) if onsets else None
    found = {"chroma_similarity": chroma_similarity(*pair), "onset_f": f_measure}
    return {name: value for name, value in found.items() if value is not None}


def evaluate_parallel(
    reference: NDArray[np.floating], conversion: NDArray[np.floating]
) -> dict[str, float]:
    """Waves (N,) and (M,) at 16 kHz, of the same notes at the same time -> mel_distance."""
    validate(reference, conversion)
    return {"mel_distance": mel_distance(*match(reference, conversion))}


def evaluate_instrument(
    target: Timbre, source: Timbre, features: NDArray[np.float64]
) -> dict[str, float]:
    """Instruments, and features (F,) of a conversion -> instrument."""
    return {"instrument": 100.0 * (likelihood(target, features) > likelihood(source, features))}


def protocol(name: str) -> dict[str, object]:
    """The settings of one measure, for the stamp."""
    own: dict[str, dict[str, object]] = {
        "chroma_similarity": {
            "chroma": "constant-Q, own tuning",
            "block": BLOCK * HOP,
            "sounding": SOUNDING,
        },
        "onset_f": {"window": WINDOW, "hop": HOP // 2},
        "mel_distance": {"n_fft": N_FFT, "n_mels": N_MELS, "floor": FLOOR},
        "instrument": {"features": f"{N_COEFFICIENTS - 1} MFCC, mean and deviation", "hop": HOP},
    }
    package = {"mir_eval": version("mir_eval")} if name == "onset_f" else {}
    return {**own[name], **package, "librosa": version("librosa")}


def _chroma(wave: Wave) -> NDArray[np.float64]:
    """(N,) -> (12, B), a column for each block."""
    with warnings.catch_warnings():  # of the lowest octave in a wave below two seconds
        warnings.filterwarnings("ignore", "n_fft=", UserWarning)
        return _blocks(
            librosa.feature.chroma_cqt(y=wave, sr=SAMPLE_RATE, hop_length=HOP, norm=None)
        )


def _blocks(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, T) -> (K, B), means of blocks; an incomplete last one is left out, unless it is all."""
    n_blocks = frames.shape[1] // BLOCK
    if not n_blocks:
        return frames.mean(1, keepdims=True)
    return frames[:, : n_blocks * BLOCK].reshape(len(frames), n_blocks, BLOCK).mean(2)


def _sounds(wave: Wave) -> NDArray[np.bool_]:
    """(N,), not silent -> (T,), the frames that are not much softer than the loudest."""
    level = librosa.feature.rms(y=wave, frame_length=N_FFT, hop_length=HOP)[0]
    return level > level.max() * 10 ** (-SOUNDING / 20)
