"""Sound on a pipe: raw samples, or WAV whose length nobody knows yet."""

import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv.errors import InputError

Encoding = Literal["s16", "f32"]
Form = Literal["s16", "f32", "wav"]
DTYPES: dict[str, np.dtype] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
FULL = 32768.0  # of 16 bits
CODES = {(1, 16): "s16", (3, 32): "f32"}  # WAVE's format tag and bits
EXTENSIBLE = 0xFFFE  # the tag of a header whose real tag is further on
MOST_HEADER = 1 << 20  # bytes before the samples that a header may have
UNKNOWN = 0xFFFFFFFF  # length
ENDLESS = 0x7FFFF000  # bytes of samples from which a length is a placeholder


class Sound(NamedTuple):
    """What samples on a pipe mean; n_bytes of them, or all until the end if it is None."""

    sample_rate: int
    encoding: Encoding
    n_channels: int = 1
    n_bytes: int | None = None


def decoded(data: bytes, sound: Sound) -> Tensor:
    """Whole frames of samples -> (n,), channels averaged."""
    samples = np.frombuffer(data, DTYPES[sound.encoding]).astype(np.float32)
    if sound.encoding == "s16":
        samples /= FULL
    return torch.from_numpy(samples.reshape(-1, sound.n_channels).mean(1))


def encoded(wave: Tensor, encoding: Encoding) -> bytes:
    """(n,) -> samples; 16 bits within their range."""
    samples = wave.numpy()
    if encoding == "s16":
        samples = np.clip(np.rint(samples * FULL), -FULL, FULL - 1)
    return samples.astype(DTYPES[encoding]).tobytes()


def read_chunks(pipe: BinaryIO, sound: Sound, n_samples: int) -> Iterator[Tensor]:
    """Chunks (n,) of at most n_samples, as soon as they are there; half a sample is left out."""
    size = DTYPES[sound.encoding].itemsize * sound.n_channels
    read = getattr(pipe, "read1", pipe.read)
    kept, left = b"", sys.maxsize if sound.n_bytes is None else sound.n_bytes
    while left and (data := read(min(n_samples * size, left))):
        kept, left = kept + data, left - len(data)
        whole = len(kept) // size * size
        if whole:
            yield decoded(kept[:whole], sound)
        kept = kept[whole:]


def read_wav_header(pipe: BinaryIO) -> Sound:
    """Read up to the first sample. Raises InputError for what is no WAV of 16 bits or floats."""
    riff = _exactly(pipe, 12)
    if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
        raise InputError("stdin is no WAV; give --format s16 or f32 and --rate for raw samples")
    sound: Sound | None = None
    for _ in range(64):
        name, size = struct.unpack("<4sI", _exactly(pipe, 8))
        if name == b"data":
            # 0 and what is nearly all are what writers put who do not know yet
            if sound is not None and 0 < size < ENDLESS:
                sound = sound._replace(n_bytes=size)
            break
        if size > MOST_HEADER:
            raise InputError(f"stdin's WAV has {size} bytes before its samples; it is damaged")
        content = _exactly(pipe, size + size % 2)
        if name == b"fmt ":
            sound = _sound(content)
    else:
        sound = None
    if sound is None:
        raise InputError("stdin's WAV does not say what its samples are; it is damaged")
    return sound


def wav_header(sample_rate: int, encoding: Encoding) -> bytes:
    """Of a mono WAV without an end."""
    size = DTYPES[encoding].itemsize
    tag = {name: code for code, name in CODES.items()}[encoding][0]
    form = struct.pack("<HHIIHH", tag, 1, sample_rate, sample_rate * size, size, 8 * size)
    return b"".join(
        [
            struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE"),
            struct.pack("<4sI", b"fmt ", len(form)) + form,
            struct.pack("<4sI", b"data", UNKNOWN),
        ]
    )


def _sound(content: bytes) -> Sound:
    if len(content) < 16:
        raise InputError("stdin's WAV does not say what its samples are; it is damaged")
    tag, n_channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack("<H", content[24:26])
    encoding = CODES.get((tag, bits))
    if encoding is None or not n_channels:
        raise InputError(
            f"stdin's WAV has samples of {bits} bits, tag {tag}; a stream takes 16 bits or floats "
            "of 32: convert it with sox or ffmpeg first"
        )
    return Sound(rate, encoding, n_channels)  # type: ignore[arg-type]


def _exactly(pipe: BinaryIO, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes and (more := pipe.read(n_bytes - len(data))):
        data += more
    if len(data) < n_bytes:
        raise InputError("stdin ends within a WAV's header; nothing was converted")
    return data
