"""Signal processing of a listening test on waves (N,): anchors, beeps, cuts, fades, dither."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import firwin, kaiserord, oaconvolve
from torch import Tensor

from voiceconv import audio

ANCHORS = {"anchor35": 3500.0, "anchor70": 7000.0}  # Hz
_FADE = 0.005  # seconds
_TOGETHER = 0.05  # seconds: recordings with a smaller difference in length are aligned in time
_BEEP_PITCH, _BEEP, _KEPT = 880.0, 0.2, 0.5  # Hz; seconds of a beep, and of speech beside beeps
_RIPPLE = 60.0  # dB of the stop band, so that the pass band's ripple is 0.01 dB


def stop_edge(pass_edge: float) -> float:
    """Start of an anchor's stop band in Hz: 4 kHz for 3.5 kHz, 8 kHz for 7 kHz."""
    return pass_edge * 8 / 7


def low_pass(pass_edge: float, sample_rate: int) -> NDArray[np.float64]:
    """Coefficients (K,), K odd, of an anchor's filter: symmetric, gain 1 at 0 Hz.

    ITU-R BS.1534-3 demands for the 3.5 kHz anchor a ripple of at most 0.1 dB in the pass band, and
    an attenuation of at least 25 dB at 4 kHz and 50 dB at 4.5 kHz. It does not state the edges of
    the 7 kHz anchor; here they are twice as high. A Kaiser window gives 0.01 dB, and 60 dB from the
    stop edge on.
    """
    width = stop_edge(pass_edge) - pass_edge
    n_taps, beta = kaiserord(_RIPPLE, width / (sample_rate / 2))
    centre = pass_edge + width / 2
    return firwin(n_taps | 1, centre, window=("kaiser", beta), fs=sample_rate)


def anchor(wave: Tensor, sample_rate: int, pass_edge: float) -> Tensor:
    """(N,) -> (N,), low-passed without delay."""
    taps = low_pass(pass_edge, sample_rate)
    return torch.from_numpy(oaconvolve(wave.numpy(), taps, "same").astype(np.float32))


def interrupted(wave: Tensor, sample_rate: int, n_beeps: int) -> Tensor:
    """(N,) -> (M,): replace the middle by beeps of equal loudness, 0.2 s apart.

    Half a second stays at both ends; a shorter wave stays whole and becomes longer.
    """
    n_beep = round(_BEEP * sample_rate)
    beep = torch.sin(2 * math.pi * _BEEP_PITCH / sample_rate * torch.arange(n_beep))
    beep = beep * audio.loudness_gain(beep, sample_rate, audio.loudness(wave, sample_rate))
    pause = torch.zeros(n_beep)
    middle = [pause, *[faded(beep, sample_rate), pause] * n_beeps]
    n_middle = (2 * n_beeps + 1) * n_beep
    n_kept = max((wave.numel() - n_middle) // 2, round(_KEPT * sample_rate))
    n_kept = min(n_kept, wave.numel() // 2)
    head, tail = wave[:n_kept], wave[wave.numel() - n_kept :]
    return torch.cat([faded(head, sample_rate), *middle, faded(tail, sample_rate)])


def faded(wave: Tensor, sample_rate: int) -> Tensor:
    """(N,) -> (N,), with a raised cosine of 5 ms at both ends."""
    return audio.faded(wave, sample_rate, _FADE)


def spans(waves: Sequence[Tensor], sample_rate: int, top_db: float) -> list[tuple[int, int]]:
    """First and last sample to keep of each recording (N,) of one sentence.

    Recordings whose lengths differ by less than 50 ms are conversions of one source, or the source:
    they are cut alike, from the first start of sound to the last end, so that they stay aligned.
    Other recordings are cut separately.
    """
    found = [audio.sounding(wave, sample_rate, top_db) for wave in waves]
    kept = list(found)
    for number, wave in enumerate(waves):
        company = [
            span
            for other, span in zip(waves, found, strict=True)
            if abs(other.numel() - wave.numel()) < _TOGETHER * sample_rate
        ]
        kept[number] = (min(first for first, _ in company), max(end for _, end in company))
    return [(first, min(end, wave.numel())) for (first, end), wave in zip(kept, waves, strict=True)]


def padded(wave: Tensor, n_samples: int) -> Tensor:
    """(N,) -> (n_samples,), with silence at the end."""
    return torch.nn.functional.pad(wave, (0, n_samples - wave.numel()))


def true_peak(wave: Tensor, sample_rate: int) -> float:
    """True peak of a wave (N,) in dBFS: BS.1770-4 annex 2, 4 times oversampled."""
    dense = audio.resample(wave, sample_rate, 4 * sample_rate)
    peak = max(float(dense.abs().max()), float(wave.abs().max()))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def dithered(wave: Tensor, seed: int) -> Tensor:
    """(N,) -> (N,) multiples of 1/32768 for 16-bit files, with triangular dither of 1 bit.

    The rounding error is then noise and no distortion (Lipshitz et al. 1992, JAES 40), and two
    files of one recording, such as X of ABX and its original, differ in their bytes.
    """
    rng = np.random.default_rng(seed)
    noise = rng.random(wave.numel()) - rng.random(wave.numel())
    return torch.from_numpy((np.rint(wave.numpy() * 32768.0 + noise) / 32768.0).astype(np.float32))
