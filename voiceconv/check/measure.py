"""The measurements of one recording: a pure function of the wave.

Levels are in dB of full scale (1.0) unless they are LUFS. Blocks last 20 ms.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voiceconv import audio
from voiceconv.check.fingerprint import SAMPLE_RATE, Fingerprint, fingerprint
from voiceconv.metrics import wave_input

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

Wave = NDArray[np.float64]
Embed = Callable[[Wave], NDArray[np.float64]]  # a wave (N,) at 16 kHz -> (256,)

# Samples count as clipped in a run of 3 or more that stay this close to the extreme (after a
# limiter or a resampler tops are not exactly flat), with a neighbour that falls more than 4 times
# as far. A smooth peak that looks flat is a parabola, so it falls by at most 4 times the tolerance.
_FLAT = 1e-3  # of the extreme
_FLATTEST = 1 / 65536  # half a step of 16 bits
_SHORTEST_TOP = 3  # samples
_EDGE = 4.0

# The noise floor is the sum over bands of 500 Hz, each at its 2nd percentile in time: if a speaker
# never pauses, vowels still leave the high bands free and fricatives the low ones. Such a low
# percentile lies below the mean of stationary noise; the correction was measured on white noise,
# and tests check it.
_BAND = 500.0  # Hz
_FLOOR_PERCENTILE = 2.0
_FLOOR_BIAS = 4.4  # dB
_DIGITAL_SILENCE = 1e-11  # power of a block, -110 dB: below it, a block is padding and not noise
_SPEECH_RANGE = 30.0  # dB below the loudest block: blocks above it give the level of speech

# A block is sound if it is within 40 dB of the loudest (as in `extract`) and 10 dB above the noise
# floor, if that is higher; a block within 20 dB of the loudest is always sound.
_TOP_DB, _ABOVE_NOISE, _ALWAYS = 40.0, 10.0, 20.0

# As WORLD searches; 50 Hz for the deepest voices. Decimated to 4 kHz, DIO gives the same quartiles
# within 0.1 Hz over cc0_speech at a quarter of the time.
F0_FLOOR, F0_CEIL = 50.0, 800.0  # Hz
_F0_PERIOD, _F0_SPEED = 10.0, 4  # ms
_F0_SECONDS = 60.0  # F0 is measured on at most this duration

# An octave leap: voiced frames at most 40 ms apart, whose F0 differs by 0.8 to 1.2 octaves.
_OCTAVE = (0.8, 1.2)
_LONGEST_GAP = 5  # frames

VOICE_SECONDS = 5.0  # the speaker embedding uses at most this duration, from the middle
_LEAST_VOICE = 1.0  # s; shorter embeddings are unreliable: cosine 0.6 to the own speaker's mean


@dataclass(frozen=True)
class Measurements:
    """Measurements of a recording; `snr` is inf without noise, levels are -inf in silence."""

    seconds: float
    sample_rate: int  # Hz
    peak: float
    clipped: float  # share of the samples
    dc: float  # of full scale
    dc_ratio: float  # of the RMS about it
    loudness: float  # LUFS
    noise: float  # dB
    snr: float  # dB: speech against noise floor
    silence: float  # share of the blocks
    lead: float  # s of silence at the start
    tail: float  # s of silence at the end
    f0: NDArray[np.float32]  # (voiced frames,) Hz
    octave_jumps: int
    fingerprint: Fingerprint
    embedding: NDArray[np.float64] | None = None  # None: not requested, or too short
    mixing: str = ""  # how channels were mixed down, if not by their mean

    @property
    def sounding(self) -> float:
        """Seconds without the silence at both ends."""
        return self.seconds - self.lead - self.tail

    @property
    def inner_silence(self) -> float:
        """Share of silence between the ends."""
        silent = self.silence * self.seconds - self.lead - self.tail
        return max(silent, 0.0) / self.sounding if self.sounding > 0 else 0.0

    @property
    def voiced(self) -> float:
        """Seconds with an F0."""
        return len(self.f0) * _F0_PERIOD / 1000


def measure(wave: Tensor, sample_rate: int, embed: Embed | None = None) -> Measurements:
    """Measure a wave (N,), N >= 1; `embed`: computes the speaker embedding, if requested."""
    samples = wave.double().numpy()
    seconds = len(samples) / sample_rate
    dc = float(samples.mean())
    rms = float(np.sqrt(np.mean((samples - dc) ** 2)))
    noise, snr = noise_floor(samples - dc, sample_rate)
    sounding = sounding_blocks(samples - dc, sample_rate, noise)
    lead, tail = silent_ends(sounding, seconds)
    narrow = audio.resample(wave - dc, sample_rate, SAMPLE_RATE).double().numpy()
    track = f0_track(narrow)
    is_long_enough = seconds - lead - tail >= _LEAST_VOICE
    has_voice = is_long_enough and wave_input.level(narrow) >= wave_input.SILENT
    return Measurements(
        seconds=seconds,
        sample_rate=sample_rate,
        peak=float(np.abs(samples).max()),
        clipped=clipped_share(samples),
        dc=dc,
        dc_ratio=abs(dc) / rms if rms > 0 else (0.0 if dc == 0 else math.inf),
        loudness=audio.loudness(wave, sample_rate),
        noise=noise,
        snr=snr,
        silence=1 - float(sounding.mean()) if sounding.size else 1.0,
        lead=lead,
        tail=tail,
        f0=track[track > 0].astype(np.float32),
        octave_jumps=octave_jumps(track),
        fingerprint=fingerprint(narrow),
        embedding=embed(_middle(narrow, lead, tail)) if embed and has_voice else None,
    )


def clipped_share(samples: Wave) -> float:
    """(N,) -> share of samples in flat tops at the highest or the lowest value."""
    n_clipped = 0
    for side in (samples, -samples):
        extreme = float(side.max())
        tolerance = max(_FLAT * extreme, _FLATTEST)
        if extreme <= 2 * _EDGE * tolerance:  # a few steps of 16 bits: everything is flat
            continue
        near = np.concatenate([[0], side >= extreme - tolerance, [0]]).astype(np.int8)
        first, last = np.flatnonzero(np.diff(near)).reshape(-1, 2).T  # tops are [first, last)
        padded = np.concatenate([[extreme], side, [extreme]])  # samples outside have no edge
        fall = extreme - np.minimum(padded[first], padded[last + 1])
        tops = last - first
        n_clipped += int(tops[(tops >= _SHORTEST_TOP) & (fall > _EDGE * tolerance)].sum())
    return n_clipped / len(samples)


def block_power(samples: Wave, sample_rate: int) -> NDArray[np.float64]:
    """(N,) -> mean square of each 20 ms, the last block padded with zeros."""
    size = max(sample_rate // 50, 1)
    padded = np.pad(samples, (0, -len(samples) % size))
    return np.asarray((padded.reshape(-1, size) ** 2).mean(1))


def noise_floor(samples: Wave, sample_rate: int) -> tuple[float, float]:
    """(N,) without DC -> level of the noise in dB, and of speech above it (SNR) in dB."""
    size, per_band = sample_rate // 50, round(_BAND / 50)
    n_blocks = len(samples) // size
    if n_blocks == 0:
        return -math.inf, math.inf
    window = np.hanning(size)
    scale = 2 / (size * (window**2).sum())  # sums over bins are mean squares
    blocks = samples[: n_blocks * size].reshape(n_blocks, size)
    bands = [
        np.add.reduceat(
            np.abs(np.fft.rfft(blocks[i : i + 1024] * window))[:, 1:] ** 2,
            np.arange(0, size // 2, per_band),
            axis=1,
        )
        for i in range(0, n_blocks, 1024)
    ]
    power = np.concatenate(bands) * scale  # (blocks, bands)
    power = power[power.sum(1) > _DIGITAL_SILENCE]
    if len(power) == 0:
        return -math.inf, math.inf
    floor = float(np.percentile(power, _FLOOR_PERCENTILE, axis=0).sum())
    noise = floor * 10 ** (_FLOOR_BIAS / 10)
    total = power.sum(1)
    loud = total[(total > total.max() * 10 ** (-_SPEECH_RANGE / 10)) & (total > 2 * noise)]
    # If nothing is 3 dB above the noise, the recording is only noise.
    snr = _decibels(float(loud.mean()) - noise) - _decibels(noise) if loud.size else 0.0
    return _decibels(noise), snr


def sounding_blocks(samples: Wave, sample_rate: int, noise: float) -> NDArray[np.bool_]:
    """(N,) without DC and its noise floor in dB -> blocks of 20 ms with sound."""
    power = block_power(samples, sample_rate)
    loudest = _decibels(float(power.max(initial=0.0)))
    if loudest == -math.inf:
        return np.zeros(len(power), bool)
    threshold = max(loudest - _TOP_DB, min(noise + _ABOVE_NOISE, loudest - _ALWAYS))
    return np.asarray(power > 10 ** (threshold / 10))


def silent_ends(sounding: NDArray[np.bool_], seconds: float) -> tuple[float, float]:
    """Seconds of silence at the start and at the end; all at the start if there is no sound."""
    places = np.flatnonzero(sounding)
    if places.size == 0:
        return seconds, 0.0
    return float(places[0]) / 50, max(seconds - float(places[-1] + 1) / 50, 0.0)


def f0_track(samples: Wave) -> NDArray[np.float64]:
    """(N,) at 16 kHz -> F0 (T,) every 10 ms, 0 where unvoiced, of the first minute. DIO."""
    part = samples[: int(_F0_SECONDS * SAMPLE_RATE)]
    part = np.pad(part, (0, max(1024 - len(part), 0)))  # WORLD reads out of bounds below a frame
    track, _ = pyworld.dio(
        part, SAMPLE_RATE, F0_FLOOR, F0_CEIL, frame_period=_F0_PERIOD, speed=_F0_SPEED
    )
    return np.asarray(track)


def octave_jumps(track: NDArray[np.float64]) -> int:
    """(T,) F0, 0 where unvoiced -> number of leaps by about an octave within 50 ms."""
    places = np.flatnonzero(track > 0)
    leap = np.abs(np.diff(np.log2(track[places])))
    near = np.diff(places) <= _LONGEST_GAP
    return int((near & (leap > _OCTAVE[0]) & (leap < _OCTAVE[1])).sum())


def _middle(samples: Wave, lead: float, tail: float) -> Wave:
    """Return the middle of the sounding part, at most VOICE_SECONDS."""
    start, stop = int(lead * SAMPLE_RATE), len(samples) - int(tail * SAMPLE_RATE)
    spare = max(stop - start - int(VOICE_SECONDS * SAMPLE_RATE), 0) // 2
    return samples[start + spare : stop - spare]


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf
