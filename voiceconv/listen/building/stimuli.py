"""The files of a listening test: from recordings to `stimuli/<id>.wav`, all of one loudness.

A recording is decoded and resampled once, cut where silence begins, changed where the method asks
for it (an anchor's low-pass filter, the beeps of a check), faded at both ends, brought to the
test's loudness and written as 16 bit with dither.

Anchors are brought to it, too. BS.1534-3 has them as low-passed versions of the reference, which
says nothing of level; left as filtered they would be quieter, by most where consonants are strong,
and listeners hear less level as less quality: the anchor is there for its bandwidth alone.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from voiceconv import audio
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError, RunError
from voiceconv.evaluation.inputs import file_digest
from voiceconv.listen.building.selection import SHORTEST
from voiceconv.listen.building.signals import dithered, faded, padded, spans, true_peak
from voiceconv.listen.manifest import Stimulus

HIGHEST_PEAK = -1.0  # dBFS between samples
TOLERANCE = 0.2  # LU between a file and the test
_ROUNDS = 3  # of measuring and correcting
_SAME_TIME = 946_684_800  # 2000-01-01: what all files are said to be from

Change = Callable[[Tensor, int], Tensor]  # a wave (N,) and its rate -> (M,)


class Sound(NamedTuple):
    """A stimulus to be made: `recording` as `change` leaves it.

    Those of one scene are heard beside each other, and are cut alike.
    """

    system: str
    item: str
    scene: str
    recording: Utterance
    change: Change | None = None


class Wave(NamedTuple):
    """A stimulus before its gain: samples (N,), and where in its source they begin, in seconds."""

    samples: Tensor
    start: float
    peak: float  # dBFS, between samples


class Levels(NamedTuple):
    """The loudness that a test gets (LUFS), what each wave is multiplied by for it, and why.

    loudest: the id of the wave that sets it; None where it is what was asked for.
    """

    loudness: float
    gains: dict[str, float]
    loudest: str | None = None


def render(
    sounds: Mapping[str, Sound], sample_rate: int, trim: float | None, padding: bool
) -> Iterator[tuple[str, Wave]]:
    """Yield (id, wave), scene by scene.

    trim: dB below the loudest at which silence at both ends is cut; None: not. padding: bring the
    waves of a scene to one length, that listeners can go from one to another at any time. Raises
    InputError where a recording has too little sound in it.
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
            wave = cuts[recording][0]
            waves[name] = change(wave, sample_rate) if change else wave
        longest = max(wave.numel() for wave in waves.values())
        for name, wave in waves.items():
            wave = faded(wave, sample_rate)
            wave = padded(wave, longest) if padding else wave
            start = cuts[sounds[name].recording][1]
            yield name, Wave(wave, start, true_peak(wave, sample_rate))


def levels(waves: Mapping[str, Wave], sample_rate: int, loudness: float) -> Levels:
    """The loudness asked for, or as many tenths of a LU less as keep all peaks below -1 dBFS.

    That goes for all waves alike: a limiter, or less of one alone, would change what is judged.
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


def write(
    folder: Path,
    waves: Mapping[str, Wave],
    sounds: Mapping[str, Sound],
    sample_rate: int,
    levels: Levels,
) -> Iterator[Stimulus]:
    """Write each wave; yield what its file, read again, is. Files differ in nothing but samples."""
    digests: dict[Path, str] = {}
    for name in sorted(waves):  # ids are random: neither this order nor the time says what it is
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
        )


def _gain(wave: Tensor, sample_rate: int, loudness: float) -> float:
    """What brings a wave (N,) to a loudness: gates make loudness other than proportional to it."""
    gain = 1.0
    for _ in range(_ROUNDS):
        gain *= audio.loudness_gain(wave * gain, sample_rate, loudness)
    return gain


def _cut(
    recordings: Sequence[Utterance], sample_rate: int, trim: float | None
) -> dict[Utterance, tuple[Tensor, float]]:
    """Recordings of one scene -> what is heard of each, (N,), and where in its file that begins."""
    waves = {
        one: audio.read(one.path, sample_rate, one.start or 0.0, one.end).samples
        for one in recordings
    }
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
        cuts[one] = part, (one.start or 0.0) + first / sample_rate
    return cuts
