"""Sound files to waves.

A wave is a float32 tensor (N,), mono, nominally in [-1, 1]. Every format of libsndfile is accepted,
and those of PyAV if it is installed: sample rates from 4 to 384 kHz, any number of channels (mixed
down by the rule in `mixing`), 8 to 32 bit and float. Files are decoded, mixed down and resampled in
blocks, so an hour of 48 kHz stereo needs only the memory of its mono samples at the requested rate.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from voiceconv.audio.decoders import warn_once
from voiceconv.audio.mixing import Mix, Tally
from voiceconv.audio.opening import (
    Key,
    Sound,
    opened,
    refuse_cut,
    remembered,
)
from voiceconv.audio.waves import Samples, gathered, n_resampled, resampled_blocks
from voiceconv.errors import InputError, RunError

# Formats of libsndfile whose files state their sample rate.
EXTENSIONS = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .nist "
    ".voc .avr .ircam .sf .paf .svx .8svx".split()
)
# Formats of phones and video that libsndfile does not read, but PyAV does (the extra `media`).
MEDIA_EXTENSIONS = frozenset(
    ".m4a .m4b .aac .mp4 .mov .3gp .3g2 .amr .awb .wma .asf .webm .weba .mkv .mka .ac3 .ape .tta "
    ".wv .spx".split()
)
_BLOCK = 1 << 16  # frames


class Recording(NamedTuple):
    """Samples (N,) float32, and their rate in Hz."""

    samples: Tensor
    sample_rate: int


class AudioInfo(NamedTuple):
    """A sound file's header; samples are counted per channel."""

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self.sample_rate


def read(
    path: Path | str,
    sample_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    channel: int | None = None,
) -> Recording:
    """Read a sound file (`-`: standard input) as a mono wave (N,), at `sample_rate` Hz if given.

    `start` and `end` in seconds choose a part. An `end` up to half a second after the file's end
    means its end, as in Kaldi's extract-segments. `channel`, counted from 0 as in Kaldi's
    segments, chooses one channel; None mixes all of them down. Damaged input raises InputError,
    and what does not fit into memory RunError.
    """
    with opened(path) as sound:
        rate = sound.decoder.sample_rate
        _check_channel(sound, channel)
        look = _looked(sound, is_mixed=channel is None)
        first, n_samples = _part(sound.name, look.n_samples, rate, start, end)
        blocks = _decoded(sound, look, first, n_samples, channel)
        n_output = n_samples
        if sample_rate is not None and sample_rate != rate:
            blocks = resampled_blocks(blocks, rate, sample_rate)
            n_output = n_resampled(n_samples, rate, sample_rate)
        try:
            return Recording(gathered(blocks, n_output), sample_rate or rate)
        except MemoryError:
            raise RunError(
                f"there is no memory for the {n_samples / rate:.0f} seconds that {sound.name} "
                "announces; mend its header, or read parts of it"
            ) from None


def probe(path: Path | str, channel: int | None = None) -> AudioInfo:
    """Read the header; decode only if the header does not state the length.

    Raises InputError as `read` does, if there is no such channel, too.
    """
    with opened(path) as sound:
        d = sound.decoder
        _check_channel(sound, channel)
        n_samples = d.n_samples or _looked(sound, is_mixed=False).n_samples
        return AudioInfo(n_samples, d.sample_rate, d.n_channels, d.subtype)


def mixing(path: Path | str, channel: int | None = None) -> Mix:
    """How `read` mixes a file's channels down; without a remark if it takes one of them."""
    with opened(path) as sound:
        return _looked(sound, is_mixed=channel is None).mix


def end_of_part(seconds: float, name: str, start: float, end: float | None) -> float:
    """Where a part of a recording of so many seconds ends, in seconds.

    None as `end`, and one up to half a second after the recording's, means its end. Raises
    InputError where there is no such part.
    """
    stop = seconds if end is None else end
    if not (0 <= start < stop and start < seconds and stop <= seconds + 0.5):
        last = start if end is None else end
        unit = "; these look like milliseconds" if 10 < last / seconds <= 1001 else ""
        raise InputError(
            f"{name} lasts {seconds:.2f} seconds; there is no part from {start:g} to {stop:g} "
            f"in it{unit}"
        )
    return min(stop, seconds)


def refuse_longer(path: Path | str, most_seconds: float) -> None:
    """Raise InputError for more than so many seconds of sound, of which no more is decoded.

    A header may announce less than there is, or nothing, and a small file may hold hours.
    """
    with opened(path) as sound:
        decoder = sound.decoder
        most = int(most_seconds * decoder.sample_rate)
        n_done, failed = decoder.n_samples or 0, False
        if n_done <= most:
            n_done, buffer = 0, _buffer(decoder.n_channels)
            while n_done <= most and not failed:
                block, failed = decoder.read(buffer)
                if len(block) == 0:
                    break
                n_done += len(block)
    if n_done > most:
        raise InputError(
            f"{sound.name} has more than the {most_seconds:g} seconds that are taken; cut it"
        )


class _Look(NamedTuple):
    """What only decoding a whole file tells."""

    n_samples: int
    mix: Mix


_LOOKS: dict[Key, _Look] = {}


def _looked(sound: Sound, is_mixed: bool) -> _Look:
    """Decode a file to mix down, or of unknown length, once before it is read."""
    decoder = sound.decoder
    is_mixed = is_mixed and decoder.n_channels > 1
    if decoder.n_samples is not None and not is_mixed:
        return _Look(decoder.n_samples, Mix((1.0,)))
    look = remembered(_LOOKS, sound.key, lambda: _look(sound))
    if is_mixed and look.mix.remark:
        said = "%s: %d channels mixed down, %s"
        warn_once(said, sound.name, decoder.n_channels, look.mix.remark)
    return look


def _look(sound: Sound) -> _Look:
    """Count and weigh all samples; damage is an error only where it hides the length."""
    decoder = sound.decoder
    tally = Tally(decoder.sample_rate, decoder.n_channels)
    buffer = _buffer(decoder.n_channels)
    n_done, failed = 0, False
    while not failed:
        block, failed = decoder.read(buffer)
        if len(block) == 0:
            break
        n_done += len(block)
        if decoder.n_channels > 1:
            tally.add(block)
    if decoder.n_samples is None and (failed or n_done == 0):
        refuse_cut(sound.name, n_done / decoder.sample_rate, None)
    decoder.seek(0)
    mix = tally.mix() if decoder.n_channels > 1 else Mix((1.0,))
    return _Look(n_done if decoder.n_samples is None else decoder.n_samples, mix)


def _buffer(n_channels: int) -> Samples:
    return np.empty((max(_BLOCK // n_channels, 1024), n_channels), np.float32)


def _check_channel(sound: Sound, channel: int | None) -> None:
    """Refuse a channel that the file does not have."""
    last = sound.decoder.n_channels - 1
    if channel is not None and not 0 <= channel <= last:
        raise InputError(
            f"{sound.name} has no channel {channel}; counted from 0, its last is channel {last}"
        )


def _part(
    name: str, n_samples: int, sample_rate: int, start: float, end: float | None
) -> tuple[int, int]:
    """Seconds -> the first sample and the number of samples."""
    stop = end_of_part(n_samples / sample_rate, name, start, end)
    first = round(start * sample_rate)
    return first, max(min(round(stop * sample_rate), n_samples) - first, 1)


def _decoded(
    sound: Sound, look: _Look, first: int, n_samples: int, channel: int | None
) -> Iterator[Samples]:
    """Decode from sample `first` on; mono blocks (n,), `n_samples` in all or InputError."""
    decoder, name, rate = sound.decoder, sound.name, sound.decoder.sample_rate
    n_done = 0
    buffer = _buffer(decoder.n_channels)
    damaged = first > 0 and not decoder.seek(first)
    while n_done < n_samples and not damaged:
        block, damaged = decoder.read(buffer[: n_samples - n_done])
        if len(block) == 0:
            break
        if channel is not None or decoder.n_channels == 1:
            mono = block[:, channel or 0].copy()
        else:
            mono = look.mix(block)
        finite = np.isfinite(mono)
        if not finite.all():
            place = (first + n_done + int(finite.argmin())) / rate
            raise InputError(
                f"{name} holds a NaN or infinite sample at {place:.3f} seconds; "
                "export it again as PCM"
            )
        n_done += len(mono)
        yield mono
    if damaged or n_done < n_samples:
        refuse_cut(name, (first + n_done) / rate, look.n_samples / rate)
