"""The files of a listening test: from recordings to `stimuli/<id>.wav`, all at one loudness.

A recording is decoded and resampled once, its mean (a constant offset, which is not heard but takes
room for peaks) is subtracted, silence at both ends is cut, the method's change is
applied (an anchor's low-pass filter, the beeps of a check), both ends are faded, the loudness is
set to the test's, and the file is written with 16 bit and dither.

The loudness of anchors is set, too. BS.1534-3 defines them as low-passed versions of the reference
without a statement on level. Unchanged, they would be quieter, most with strong consonants, and
listeners hear a lower level as lower quality; an anchor should differ only in bandwidth.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from voiceconv import audio
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError, RunError
from voiceconv.evaluation.inputs import file_digest
from voiceconv.listen.building.selection import SHORTEST
from voiceconv.listen.building.signals import dithered, faded, padded, spans, true_peak
from voiceconv.listen.manifest import Stimulus

HIGHEST_PEAK = -1.0  # dBFS between samples
MOST_LOWERED = 6.0  # dB that a test may be lowered by; speech never needs as much, clicks do
TOLERANCE = 0.2  # LU between a file and the test
_ROUNDS = 3  # rounds of measuring and correcting
_SAME_TIME = 946_684_800  # 2000-01-01: the time stamp of all files

Change = Callable[[Tensor, int], Tensor]  # a wave (N,) and its rate -> (M,)


class Sound(NamedTuple):
    """A stimulus: `recording` after `change`.

    Stimuli of one scene are compared with each other, and are cut alike.
    """

    system: str
    item: str
    scene: str
    recording: Utterance
    change: Change | None = None


class Wave(NamedTuple):
    """A stimulus before its gain: samples (N,), and their start in the source in seconds."""

    samples: Tensor
    start: float
    peak: float  # dBFS, between samples
    offset: float = 0.0  # the mean that was subtracted, of full scale


class Levels(NamedTuple):
    """The loudness of a test (LUFS), the gain of each wave, and the reason.

    loudest: the id of the wave that limits it; None if it is the requested loudness.
    """

    loudness: float
    gains: dict[str, float]
    loudest: str | None = None


def render(
    sounds: Mapping[str, Sound], sample_rate: int, trim: float | None, padding: bool
) -> Iterator[tuple[str, Wave]]:
    """Yield (id, wave), scene by scene.

    trim: cut silence at both ends, dB below the loudest part; None: do not. padding: pad the waves
    of a scene to one length, so that listeners can switch between them at any time. Raises
    InputError if a recording has too little sound.
    """
    scenes: dict[str, list[str]] = {}
    for name, sound in sounds.items():
        scenes.setdefault(sound.scene, []).append(name)
    for names in scenes.values():
        recordings = list(dict.fromkeys(sounds[name].recording for name in names))
        cuts = _cut(recordings, sample_rate, trim)
        waves = {}
        for name in names:
            _, recording, change = sounds[name][2:]
            wave = cuts[recording].samples
            waves[name] = change(wave, sample_rate) if change else wave
        longest = max(wave.numel() for wave in waves.values())
        for name, wave in waves.items():
            wave = faded(wave, sample_rate)
            wave = padded(wave, longest) if padding else wave
            cut = cuts[sounds[name].recording]
            yield name, cut._replace(samples=wave, peak=true_peak(wave, sample_rate))


def levels(waves: Mapping[str, Wave], sample_rate: int, loudness: float) -> Levels:
    """The requested loudness, or lower in steps of 0.1 LU until all peaks are below -1 dBFS.

    It is equal for all waves: a limiter, or a lower gain of one wave, would bias the ratings.
    """
    loudest = None
    while True:
        gains = {name: _gain(wave.samples, sample_rate, loudness) for name, wave in waves.items()}
        peaks = {name: wave.peak + 20 * math.log10(gains[name]) for name, wave in waves.items()}
        worst = max(peaks, key=lambda name: peaks[name])
        if peaks[worst] <= HIGHEST_PEAK:
            return Levels(loudness, gains, loudest)
        loudness = round(loudness - math.ceil(10 * (peaks[worst] - HIGHEST_PEAK)) / 10, 3)
        loudest = worst


def require_even(
    waves: Mapping[str, Wave], sounds: Mapping[str, Sound], levels: Levels, loudness: float
) -> None:
    """Raise InputError if recordings lower the test by more than MOST_LOWERED from a loudness."""
    peaks: dict[str, float] = {}  # at this loudness
    for name, wave in waves.items():
        path = str(sounds[name].recording.path)
        peak = wave.peak + 20 * math.log10(levels.gains[name]) + loudness - levels.loudness
        peaks[path] = max(peak, peaks.get(path, peak))
    wrong = sorted(path for path, peak in peaks.items() if peak > HIGHEST_PEAK + MOST_LOWERED)
    if wrong:
        worst = max(wrong, key=lambda path: peaks[path])
        others = ", ".join(path for path in wrong if path != worst)
        raise InputError(
            f"{worst} would peak at {peaks[worst]:+.1f} dBFS at {loudness:g} LUFS, and lower all "
            f"stimuli to {levels.loudness:.1f} LUFS; take the click out of it, leave it out, or "
            f"choose --loudness {math.floor(levels.loudness)}"
            + (f"; likewise {others}" if others else "")
        )


def write(
    folder: Path,
    waves: Mapping[str, Wave],
    sounds: Mapping[str, Sound],
    sample_rate: int,
    levels: Levels,
) -> Iterator[Stimulus]:
    """Write each wave; yield the measurements of its file. Files differ only in their samples."""
    digests: dict[Path, str] = {}
    for name in sorted(waves):  # random ids: neither order nor time identifies a system
        wave, sound, path = waves[name], sounds[name], folder / f"{name}.wav"
        gain = levels.gains[name]
        audio.write(path, dithered(wave.samples * gain, int(name, 16)), sample_rate)
        os.utime(path, (_SAME_TIME, _SAME_TIME))
        heard = audio.read(path).samples
        reached = audio.loudness(heard, sample_rate)
        if abs(reached - levels.loudness) > TOLERANCE:
            raise RunError(
                f"{sound.recording.path} comes to {reached:.1f} LUFS in 16 bit where "
                f"{levels.loudness:.1f} were asked for; choose a higher loudness"
            )
        source = sound.recording.path
        if source not in digests:
            digests[source] = file_digest(source)
        yield Stimulus(
            name,
            sound.system,
            sound.item,
            seconds=heard.numel() / sample_rate,
            loudness=round(reached, 3),
            peak=round(true_peak(heard, sample_rate), 3),
            gain_db=round(20 * math.log10(gain), 3),
            source=str(source),
            sha256=digests[source],
            start=round(wave.start, 4),
            offset=round(wave.offset, 6),
        )


def _gain(wave: Tensor, sample_rate: int, loudness: float) -> float:
    """The gain of a wave (N,) for a loudness; because of gates it needs several rounds."""
    gain = 1.0
    for _ in range(_ROUNDS):
        gain *= audio.loudness_gain(wave * gain, sample_rate, loudness)
    return gain


def _cut(
    recordings: Sequence[Utterance], sample_rate: int, trim: float | None
) -> dict[Utterance, Wave]:
    """Recordings of one scene -> the wave of each, cut; its peak is not known yet."""
    waves, offsets = {}, {}
    for one in recordings:
        wave = read_wave(one, sample_rate).samples
        offsets[one] = float(wave.mean())
        waves[one] = wave - wave.mean()
    kept = [(0, wave.numel()) for wave in waves.values()]
    if trim is not None:
        kept = spans(list(waves.values()), sample_rate, trim)
    cuts = {}
    for (one, wave), (first, end) in zip(waves.items(), kept, strict=True):
        part = wave[first:end]
        if audio.loudness(part, sample_rate) == -math.inf:
            raise InputError(f"{one.path} is silent; leave it out, or make it again")
        if part.numel() < SHORTEST * sample_rate:
            raise InputError(
                f"{one.path} has {part.numel() / sample_rate:.2f} seconds of sound, and less than "
                f"{SHORTEST} can't be brought to a loudness; leave it out"
            )
        start = (one.start or 0.0) + first / sample_rate
        cuts[one] = Wave(part, start, math.nan, offsets[one])
    return cuts
