"""Distance of a copy from its original: the loss by analysis and vocoder, without conversion.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, the reference scaled to a peak of 0.8 (see wave_input.py)
and the copy to the reference's root mean square, because a vocoder's phases move peaks by decibels
at equal loudness. The waves are aligned sample by sample; the longer one is cut if it is longer by
at most 0.1 s. F0 is WORLD's (analysis.py); frames with equal numbers are compared, without time
warping. The reference comes first. Undefined measures are left out of the result: all if one wave
is silent, PESQ if it finds no utterance or only a short one, STOI below 30 frames of speech (0.4
s), the F0 error if no frame is voiced in both.

Metrics
-------
* stft_distance: spectral convergence + mean absolute difference of the log magnitudes (natural
  logarithm), averaged over three resolutions; 0 is identical.
* pesq: wide band, MOS-LQO from 1.04 to 4.64; higher is better.
* stoi: about 0 to 1; higher is better.
* f0_error: root mean square difference of log F0 over the frames that are voiced in both, in cents.
* copy_voicing_error: share of the frames that are voiced in one and not in the other, in %.

References
----------
Yamamoto et al. 2020, "Parallel WaveGAN", ICASSP, eq. 3 to 6, with the windows of their table 1 in
samples (theirs at 24 kHz, here at 16 kHz). ITU-T P.862.2, by pesq 0.0.4. Taal et al. 2011, "An
algorithm for intelligibility prediction of time-frequency weighted noisy speech", IEEE TASLP 19(7),
by pystoi 0.4.1.
"""

import warnings
from importlib.metadata import version

import librosa
import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import analysis, prosody, wave_input
from voiceconv.metrics.analysis import DEFAULT, Search, find_f0
from voiceconv.metrics.wave_input import SAMPLE_RATE, scale_to_peak
from voiceconv.optional import load

RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))  # FFT, window, hop in samples
FLOOR = 1e-7  # of power, as in the authors' code: log() of an empty bin
TOLERANCE = 1600  # samples: vocoders end on a whole frame
F0 = ("f0_error", "copy_voicing_error")

Wave = NDArray[np.float64]
Contour = NDArray[np.float64]


def validate(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> None:
    """Raise ValueError on waves that are no original and copy; warn if one is silent."""
    wave_input.validate(reference, "the original")
    wave_input.validate(estimated, "the copy")
    if abs(len(reference) - len(estimated)) > TOLERANCE:
        raise ValueError(
            f"the copy is {len(estimated) / SAMPLE_RATE:.3f} s long and its original "
            f"{len(reference) / SAMPLE_RATE:.3f} s; give the copy of this recording"
        )


def match(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> tuple[Wave, Wave]:
    """(N,) and (M,) -> (K,) and (K,), K the smaller, at equal level."""
    length = min(len(reference), len(estimated))
    original = scale_to_peak(reference[:length])
    copy = estimated[:length].astype(np.float64)
    level = np.sqrt(np.square(copy).mean())
    if level > 0:
        copy *= np.sqrt(np.square(original).mean()) / level
    return original, copy


def stft_distance(reference: Wave, estimated: Wave) -> float:
    """(N,) and (N,) -> Yamamoto et al. 2020, eq. 3 and 6; the reference must not be silent."""
    total = 0.0
    for n_fft, window, hop in RESOLUTIONS:
        first, second = (magnitude(wave, n_fft, window, hop) for wave in (reference, estimated))
        total += float(np.linalg.norm(first - second) / np.linalg.norm(first))  # eq. 4
        total += float(np.abs(np.log(first) - np.log(second)).mean())  # eq. 5
    return total / len(RESOLUTIONS)


def magnitude(wave: Wave, n_fft: int, window: int, hop: int) -> NDArray[np.float64]:
    """(N,) -> (F, T), floored; frames centred, with silence around the wave."""
    spectrum = librosa.stft(wave, n_fft=n_fft, win_length=window, hop_length=hop, window="hann")
    return np.sqrt(np.maximum(np.square(np.abs(spectrum)), FLOOR))


class Pesq:
    """Wide-band PESQ. Raises InputError if pesq is missing."""

    def __init__(self) -> None:
        self._pesq = load("pesq", "PESQ (its installation takes a C compiler)", "pesq", "pesq")

    def score(self, reference: Wave, estimated: Wave) -> float | None:
        """(N,) and (N,) at equal level -> MOS-LQO; None if PESQ finds no utterance."""
        try:
            return float(self._pesq.pesq(SAMPLE_RATE, reference, estimated, "wb"))
        except (self._pesq.NoUtterancesError, self._pesq.BufferTooShortError):
            return None


class Stoi:
    """STOI. Raises InputError if the extra `eval` is missing."""

    def __init__(self) -> None:
        self._stoi = load("pystoi", "STOI", "pystoi").stoi

    def score(self, reference: Wave, estimated: Wave) -> float | None:
        """(N,) and (N,) -> STOI; None if there is less speech than one segment."""
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
            try:
                return float(self._stoi(reference, estimated, SAMPLE_RATE))
            except RuntimeWarning:
                return None


def compare_f0(reference: Contour, estimated: Contour) -> dict[str, float]:
    """F0 (T,) and (T,) in Hz, 0 where unvoiced -> f0_error, if defined, and copy_voicing_error."""
    couples = np.stack([reference, estimated], axis=1)
    error = prosody.compare_f0(couples).get("log_f0_rmse")
    voicing = {"copy_voicing_error": prosody.compare_voicing(couples)}
    return voicing if error is None else {"f0_error": error, **voicing}


def evaluate(
    reference: NDArray[np.floating],
    estimated: NDArray[np.floating],
    pesq: Pesq | None = None,
    stoi: Stoi | None = None,
    search: Search = DEFAULT.f0,
) -> dict[str, float]:
    """Waves (N,) and (M,) at 16 kHz -> the measures; pesq and stoi if a scorer is given."""
    validate(reference, estimated)
    original, copy = match(reference, estimated)
    if not (original.any() and copy.any()):
        return {}
    found = {
        "stft_distance": stft_distance(original, copy),
        "pesq": pesq.score(original, copy) if pesq else None,
        "stoi": stoi.score(original, copy) if stoi else None,
        **compare_f0(find_f0(original, search)[0], find_f0(copy, search)[0]),
    }
    return {name: value for name, value in found.items() if value is not None}


def protocol(name: str, search: Search = DEFAULT.f0) -> dict[str, object]:
    """The settings of one measure, for the stamp."""
    level = {"level": "the copy at the original's root mean square"}
    if name in F0:
        f0 = {"f0": search, "frame_period": analysis.FRAME_PERIOD, "pyworld": version("pyworld")}
        return {**level, **f0}
    package = {"pesq": "pesq", "stoi": "pystoi"}.get(name)
    return {**level, **({package: version(package)} if package else {"resolutions": RESOLUTIONS})}
