"""What a recording is like: measures in which speakers are alike, and other sounds are not.

They are of the frames within SOUNDING dB of a recording's loudest, by its mel spectrum up to TOP
Hz: neither level and pauses nor the rate of the file matter.
"""

import math
from collections.abc import Iterable
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from voiceconv.features import FeatureExtractor, Features

SOUNDING = 30.0  # dB
LEAST = 0.5  # seconds of sounding frames: less says little
LEAST_VOICED = 0.1  # seconds
LOWEST, TOP, N_BANDS = 100.0, 6800.0, 24  # Hz: a file at 16 kHz has as much
LAGS = (0.02, 0.06, 0.2)  # seconds: within a sound, from sound to sound, from syllable to syllable
# The groups of measures, in their order, with how many there are of each.
GROUPS = {
    "spectrum": 5,  # mean of its shape
    "variety": 8,  # deviation of its level and its shape
    "speed": 9,  # how much level, coarse and fine shape change, at each of LAGS
    "envelope": 2,  # skewness of the level's steps; kurtosis of level and shape
    "voicing": 2,  # share of frames with F0; changes a second
    "pitch": 1,  # median log F0
    "intonation": 2,  # range of log F0; its change in 20 ms
    "breath": 2,  # aperiodicity, of the lowest band and of the others
}

# A second voice: what is left of a frame after the period of its F0 is cancelled has a period, too
# (de Cheveigne 1993, JASA 93(6)).
_RATE, _BAND = 8000, (80.0, 1200.0)  # Hz
_WINDOW, _SHORTEST, _LONGEST = 480, 20, 107  # samples: 60 ms; F0 of 400 and 75 Hz
_STEP, _STEADY = 0.02, 0.05  # seconds from frame to frame; of log F0 within one
_MULTIPLE, _LEFT, _PERIODIC = 0.12, 0.15, 0.6
_LOUD = 20.0  # dB below the loudest frame


class Traits(NamedTuple):
    """Of one recording: measures (K,) in the order of GROUPS, NaN where nothing can be measured.

    pitch: median F0 in Hz, second: share of steady voiced frames with another F0 in them; 0 where
    there is none. voiced: share of the sounding frames.
    """

    measures: Tensor
    pitch: float
    second: float
    voiced: float


def traits(extractor: FeatureExtractor, wave: Tensor, features: Features) -> Traits | None:
    """A wave (N,) and its features -> what it is like; None where there is too little sound."""
    bands = _bands(extractor, features.frames)
    per_second = extractor.frames_per_second
    level = 10 * (bands * (math.log(10) / 10)).logsumexp(0) / math.log(10)
    top = level.quantile(0.98)
    sounding = level >= top - SOUNDING
    if int(sounding.sum()) < LEAST * per_second:
        return None
    shape = _cosines(13) @ bands
    std, mean = torch.std_mean(shape[:, sounding], 1)
    standard = (shape - mean[:, None]) / std[:, None].clamp_min(1e-3)
    f0 = features.f0
    measures = [
        mean[1:6],
        std[:8].clamp_min(1e-3).log(),
        *(_change(standard, sounding, round(lag * per_second)) for lag in LAGS),
        _envelope(level, standard[:6, sounding], top, round(LAGS[0] * per_second)),
        _voice(f0, features.aperiodicity, sounding, per_second),
    ]
    n_voiced = 0 if f0 is None else int(((f0 > 0) & sounding).sum())
    has_pitch = f0 is not None and n_voiced >= LEAST_VOICED * per_second
    return Traits(
        torch.cat(measures),
        float(f0[f0 > 0].median()) if f0 is not None and has_pitch else 0.0,
        0.0 if f0 is None else second_voice(wave, extractor, f0, level >= top - _LOUD),
        1.0 if f0 is None else n_voiced / int(sounding.sum()),
    )


def mean_traits(
    extractor: FeatureExtractor, heard: Iterable[tuple[Tensor, Features]]
) -> Traits | None:
    """Parts of a wave with their features -> the mean of what they are like."""
    found = [one for part, features in heard if (one := traits(extractor, part, features))]
    if not found:
        return None
    measures = torch.stack([one.measures for one in found]).nanmean(0)
    pitched = [one.pitch for one in found if one.pitch]
    others = (fmean(one[at] for one in found) for at in (2, 3))
    return Traits(measures, fmean(pitched) if pitched else 0.0, *others)


def second_voice(wave: Tensor, extractor: FeatureExtractor, f0: Tensor, is_loud: Tensor) -> float:
    """Share of loud frames of steady F0 in which something of another F0 is left without it.

    wave (N,); f0 (T,) in Hz; is_loud (T,).
    """
    per_second = extractor.frames_per_second
    half = max(1, round(_STEP / 2 * per_second))
    places = torch.arange(half, len(f0) - half, 2 * half)
    before, now, after = f0[places - half], f0[places], f0[places + half]
    steady = (before > 0) & (now > 0) & (after > 0) & is_loud[places]
    steady &= (after.clamp_min(1) / before.clamp_min(1)).log().abs() < _STEADY
    narrow = _narrow(wave, extractor.sample_rate)
    margin = _WINDOW // 2 + _RATE // 50  # half a window and a period
    centres = (places * _RATE / per_second).round().long()
    steady &= (centres >= margin) & (centres < len(narrow) - margin)
    if int(steady.sum()) < 10:
        return 0.0
    period = _RATE / now[steady, None].double()
    at = centres[steady, None] + torch.arange(_WINDOW) - _WINDOW // 2
    earlier = (at - period).clamp_min(0)
    first, share = earlier.long(), earlier.frac()
    same, shifted = narrow[at], torch.lerp(narrow[first], narrow[first + 1], share)
    left = same - shifted
    power = same.square().sum(1) + shifted.square().sum(1)
    is_left = left.square().sum(1) > _LEFT * power
    window = torch.hann_window(_WINDOW, dtype=left.dtype)
    likeness = _autocorrelation(left * window) / _autocorrelation(window)
    lags = torch.arange(_SHORTEST, _LONGEST)
    multiple = lags / period
    other = likeness[:, lags].masked_fill((multiple - multiple.round()).abs() < _MULTIPLE, 0.0)
    return float((is_left & (other.amax(1) > _PERIODIC)).double().mean())


def _bands(extractor: FeatureExtractor, frames: Tensor) -> Tensor:
    """(C, T) -> power in dB (N_BANDS, T), at frequencies equally spaced on the mel scale."""
    cepstra = extractor.cepstra(frames)
    nyquist = extractor.sample_rate / 2
    low, high = (_mel(min(one, nyquist)) / _mel(nyquist) for one in (LOWEST, TOP))
    places = torch.linspace(low, high, N_BANDS) * math.pi
    return (places[:, None] * torch.arange(len(cepstra))).cos() @ cepstra * (20 / math.log(10))


def _mel(frequency: float) -> float:
    return math.log1p(frequency / 700)


def _cosines(n: int) -> Tensor:
    """The first rows (n, N_BANDS) of an orthonormal cosine transform, level first."""
    angles = torch.arange(n)[:, None] * (torch.arange(N_BANDS) + 0.5) * (math.pi / N_BANDS)
    return angles.cos() * math.sqrt(2 / N_BANDS)


def _change(standard: Tensor, sounding: Tensor, lag: int) -> Tensor:
    """Log mean square change (3,) over `lag` frames: of level, of coarse and of fine shape."""
    lag = max(lag, 1)
    both = sounding[lag:] & sounding[:-lag]
    if not both.any():
        return torch.full((3,), math.nan)
    steps = (standard[:, lag:] - standard[:, :-lag])[:, both].square().mean(1)
    steps = steps.clamp_min(1e-6).log()
    return torch.stack([steps[0], steps[1:5].mean(), steps[5:].mean()])


def _envelope(level: Tensor, standard: Tensor, top: Tensor, lag: int) -> Tensor:
    """(2,): the skewness of the level's steps, which are steep up in speech; log kurtosis."""
    lag = max(lag, 1)
    is_loud = level >= top - 40
    steps = (level[lag:] - level[:-lag])[is_loud[lag:] | is_loud[:-lag]]
    skewness = steps.pow(3).mean() / (steps.square().mean().pow(1.5) + 1e-6)
    return torch.stack([skewness, standard.pow(4).mean().log()])


def _voice(
    f0: Tensor | None, aperiodicity: Tensor | None, sounding: Tensor, per_second: float
) -> Tensor:
    """The groups from voicing on."""
    found = torch.full((7,), math.nan)
    if f0 is None:
        return found
    voiced, n_sounding = f0 > 0, int(sounding.sum())
    found[0] = voiced[sounding].float().mean()
    turns = (voiced[1:] != voiced[:-1]) & sounding[1:]
    found[1] = turns.sum() / n_sounding * per_second / 2
    if int(voiced.sum()) < LEAST_VOICED * per_second:
        return found
    log_f0 = f0[voiced].log()
    found[2] = log_f0.median()
    low, high = log_f0.quantile(torch.tensor([0.1, 0.9]))
    found[3] = (high - low).clamp_min(0.02).log()
    lag = max(1, round(LAGS[0] * per_second))
    both = voiced[lag:] & voiced[:-lag]
    if both.any():
        steps = (f0[lag:][both] / f0[:-lag][both]).log().abs()
        found[4] = steps.mean().clamp_min(1e-3).log()
    if aperiodicity is not None:
        of_bands = aperiodicity[:, voiced].mean(1)
        found[5], found[6] = of_bands[0], of_bands[1:].mean()
    return found


def _narrow(wave: Tensor, sample_rate: int) -> Tensor:
    """(N,) -> its _BAND at _RATE (M,), by one Fourier transform."""
    spectrum = torch.fft.rfft(wave.double())
    n = round(len(wave) * _RATE / sample_rate)
    frequency = torch.arange(n // 2 + 1) * (_RATE / n)
    low, high = _BAND
    gain = 1 / (1 + (low / frequency.clamp_min(1.0)) ** 8) / (1 + (frequency / high) ** 8)
    kept = pad(spectrum[: len(gain)], (0, max(0, len(gain) - len(spectrum))))
    return torch.fft.irfft(kept * gain, n)


def _autocorrelation(windows: Tensor) -> Tensor:
    """(..., _WINDOW) -> (..., _LONGEST), 1 at lag 0."""
    power = torch.fft.rfft(windows, 2 * _WINDOW).abs().square()
    found = torch.fft.irfft(power)[..., :_LONGEST]
    return found / found[..., :1].clamp_min(1e-12)
