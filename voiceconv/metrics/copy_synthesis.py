"""Distance of a copy from its original: the loss by analysis and vocoder, without conversion.

Conventions
-----------
Waves are (N,) floating point at 16 kHz without offset, the reference at wave_input.py's level and
the copy at the reference's root mean square, because a vocoder's phases move peaks by decibels at
equal loudness. The waves are compared sample by sample: a copy that is late or early is moved by
its lag first, and the longer wave is cut if it is longer by at most 0.1 s. F0 is WORLD's
(analysis.py); frames with equal numbers are compared, without time warping. The reference comes
first. Undefined measures are left out of the result: PESQ if it finds no utterance or only a short
one, STOI below 30 frames of speech (0.4 s), the F0 error if no frame is voiced in both.

Metrics
-------
* stft_distance: spectral convergence + mean absolute difference of the log magnitudes (natural
  logarithm), averaged over three resolutions; 0 is identical.
* pesq: wide band, MOS-LQO from 1.04 to 4.64; higher is better.
* stoi: about 0 to 1; higher is better.
* f0_error: root mean square difference of log F0 over the frames that are voiced in both, in cents.
* copy_voicing_error: share of the frames that are voiced in one and not in the other, in %.
* lag: by how much the copy is late, in whole ms, negative if it is early; within 0.1 s. At this lag
  the correlation of the envelopes (root mean square of 1 ms, smoothed by a Hann window of 20 ms)
  is largest. 0 unless it exceeds that without lag by 0.02, which takes about 6 ms with speech: so
  the 1 to 3 ms by which analysis moves an envelope count as none.

References
----------
Yamamoto et al. 2020, "Parallel WaveGAN", ICASSP, eq. 3 to 6, with the windows of their table 1 in
samples (theirs at 24 kHz, here at 16 kHz). ITU-T P.862.2, by pesq 0.0.4. Taal et al. 2011, "An
algorithm for intelligibility prediction of time-frequency weighted noisy speech", IEEE TASLP 19(7),
by pystoi 0.4.1.
"""

import warnings
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import analysis, prosody, wave_input
from voiceconv.metrics.analysis import DEFAULT, Search, find_f0
from voiceconv.metrics.wave_input import SAMPLE_RATE, centre, condition, gain
from voiceconv.optional import load

librosa = load("librosa", "a distance of spectra", "librosa", extra="")
RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))  # FFT, window, hop in samples
FLOOR = 1e-7  # of power, as in the authors' code: log() of an empty bin
TOLERANCE = 1600  # samples: vocoders end on a whole frame
MILLISECOND = SAMPLE_RATE // 1000  # samples
SMOOTHING = 20  # ms
RISE = 0.02  # of the envelopes' correlation, from which a lag counts
F0 = ("f0_error", "copy_voicing_error")

Wave = NDArray[np.float64]
Contour = NDArray[np.float64]


def validate(
    reference: NDArray[np.floating],
    estimated: NDArray[np.floating],
    name: str = "the copy",
    remedy: str = "give the copy of this recording",
) -> None:
    """Raise ValueError on waves that are no original and copy, or silent.

    name, remedy: of the second, and of another length, in the sentence.
    """
    wave_input.validate(reference, "the original")
    wave_input.validate(estimated, name)
    if abs(len(reference) - len(estimated)) > TOLERANCE:
        raise ValueError(
            f"{name} is {len(estimated) / SAMPLE_RATE:.3f} s long and its original "
            f"{len(reference) / SAMPLE_RATE:.3f} s; {remedy}"
        )


def match(reference: NDArray[np.floating], estimated: NDArray[np.floating]) -> tuple[Wave, Wave]:
    """(N,) and (M,) -> (K,) and (K,), K the smaller, without offset and at equal level."""
    length = min(len(reference), len(estimated))
    first, second = centre(reference[:length]), centre(estimated[:length])
    levels = [float(np.sqrt(np.square(one).mean())) for one in (first, second)]
    ratio = levels[0] / levels[1] if levels[1] > 0 else 1.0
    return condition(reference[:length]), second * (gain(first) * ratio)


def lag(reference: Wave, estimated: Wave) -> int:
    """(N,) and (N,) -> by how many ms the copy is late; 0 unless the envelopes agree better so."""
    first, second = envelope(reference), envelope(estimated)
    most = min(TOLERANCE // MILLISECOND, len(first) // 4)

    def correlation(late: int) -> float:
        length = len(first) - abs(late)
        one, other = first[max(-late, 0) :][:length], second[max(late, 0) :][:length]
        one, other = one - one.mean(), other - other.mean()
        norm = np.sqrt(np.square(one).sum() * np.square(other).sum())
        return float(one @ other / norm) if norm > 0 else 0.0

    best = max(range(-most, most + 1), key=correlation)
    return best if correlation(best) >= correlation(0) + RISE else 0


def envelope(wave: Wave) -> NDArray[np.float64]:
    """(N,) -> (T,), a value per ms."""
    blocks = wave[: len(wave) // MILLISECOND * MILLISECOND].reshape(-1, MILLISECOND)
    window = np.hanning(SMOOTHING + 2)[1:-1]
    return np.convolve(np.sqrt(np.square(blocks).mean(1)), window / window.sum(), "same")


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
    length = min(len(reference), len(estimated))
    late = lag(centre(reference[:length]), centre(estimated[:length]))
    first, second = (max(one, 0) * MILLISECOND for one in (-late, late))
    original, copy = match(reference[first:], estimated[second:])
    found = {
        "stft_distance": stft_distance(original, copy),
        "pesq": pesq.score(original, copy) if pesq else None,
        "stoi": stoi.score(original, copy) if stoi else None,
        **compare_f0(find_f0(original, search)[0], find_f0(copy, search)[0]),
        "lag": float(late),
    }
    return {name: value for name, value in found.items() if value is not None}


def protocol(name: str, search: Search = DEFAULT.f0) -> dict[str, object]:
    """The settings of one measure, for the stamp."""
    moved = f"moved by the lag of 1 ms envelopes, within {TOLERANCE / SAMPLE_RATE:g} s, rise {RISE}"
    level = {"level": "the copy at the original's root mean square", "alignment": moved}
    if name in F0:
        f0 = {"f0": search, "frame_period": analysis.FRAME_PERIOD, "pyworld": version("pyworld")}
        return {**level, **f0}
    own: dict[str, dict[str, object]] = {"stft_distance": {"resolutions": RESOLUTIONS}}
    if name in ("pesq", "stoi"):
        package = {"pesq": "pesq", "stoi": "pystoi"}[name]
        own[name] = {package: version(package)}
    return {**level, **own.get(name, {})}
