"""Files as other people have them: of odd kinds, with what is truly in each.

All are made of 1.7 seconds of the bundled sample, in memory, without other programs.
"""

import importlib
import io
import struct
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from voiceconv import audio

Wave = NDArray[np.float64]  # (N,), or (N, channels)
RATE = 24_000
PAUSE = (0.9, 1.6)  # seconds of room tone in `voice`
TONE = -75.0  # dB, its RMS
_SAMPLE = Path(audio.__file__).parents[1] / "pretrained/sample.wav"


class File(NamedTuple):
    """A file.

    name: what is odd. content: its bytes, or those of the files of a folder by name. truth: what a
    listener would call the sound in it, mono (N,); none if empty. pause: seconds of it in which
    nobody speaks. is_whole: nothing of it is missing, so that to refuse it is a fault.
    """

    name: str
    suffix: str
    content: bytes | dict[str, bytes]
    truth: Wave
    rate: int = RATE
    pause: tuple[float, float] | None = PAUSE
    is_whole: bool = True


def all_files() -> Iterator[File]:
    """Every file; those that PyAV makes only where it is installed."""
    v = voice()
    for make in (
        _containers, _encodings, _rates, _headers, _sizes, _mp3, _joined, _channels, _levels,
        _pauses, _damaged, _tables,
    ):  # fmt: skip
        yield from make(v)
    yield from _garbage()
    if find_spec("av"):
        yield from _phones(v, importlib.import_module("av"))


def voice() -> Wave:
    """Speech of 2.4 seconds with a pause in it."""
    sample, rate = soundfile.read(_SAMPLE)
    assert rate == RATE
    sample = sample[int(1.3 * RATE) :]
    first, last = np.split(sample[: int(1.7 * RATE)], [int(PAUSE[0] * RATE)])
    return np.concatenate([first, noise(PAUSE[1] - PAUSE[0], TONE), last])


def noise(seconds: float, decibels: float, seed: int = 0) -> Wave:
    """White noise of an RMS."""
    rng = np.random.default_rng(seed)
    return 10 ** (decibels / 20) * rng.standard_normal(round(seconds * RATE))


def encoded(wave: Wave, format_: str = "WAV", subtype: str | None = None, **how: Any) -> bytes:
    """A file's bytes, by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, wave, how.pop("rate", RATE), subtype, format=format_, **how)
    return file.getvalue()


def decoded(data: bytes) -> Wave:
    """What libsndfile reads of a plain file: the truth of lossy encodings."""
    return np.asarray(soundfile.read(io.BytesIO(data))[0])


def _containers(v: Wave) -> Iterator[File]:
    for format_, suffix, endian in (
        ("WAV", "wav", "FILE"), ("WAV", "wav", "BIG"), ("WAVEX", "wav", "FILE"),
        ("RF64", "rf64", "FILE"), ("W64", "w64", "FILE"), ("AIFF", "aiff", "FILE"),
        ("AIFF", "aifc", "LITTLE"), ("AU", "au", "FILE"), ("CAF", "caf", "FILE"),
        ("NIST", "sph", "FILE"), ("VOC", "voc", "FILE"), ("SVX", "8svx", "FILE"),
    ):  # fmt: skip
        name = format_ if endian == "FILE" else f"{format_}, {endian.lower()}-endian"
        yield File(name, suffix, encoded(v, format_, "PCM_16", endian=endian), v)
    for format_, suffix in (("FLAC", "wav"), ("WAV", "flac"), ("MP3", "ogg")):
        data = encoded(v, format_)
        yield File(f"{format_} that is called .{suffix}", suffix, data, decoded(data))


def _encodings(v: Wave) -> Iterator[File]:
    wav = "PCM_U8 PCM_24 FLOAT ULAW ALAW IMA_ADPCM MS_ADPCM GSM610 G721_32"
    for format_, subtypes in (
        ("WAV", wav), ("AU", "DOUBLE"), ("CAF", "ALAC_16"), ("FLAC", "PCM_24"),
        ("OGG", "VORBIS OPUS"),
    ):  # fmt: skip
        for subtype in subtypes.split():
            data = encoded(v, format_, subtype)
            yield File(f"{format_}, {subtype}", format_.lower(), data, decoded(data))
    yield File("float of 16-bit numbers", "wav", encoded(32768 * v, "WAV", "FLOAT"), 32768 * v)


def _rates(v: Wave) -> Iterator[File]:
    wave = torch.from_numpy(v).float()
    for rate in (4000, 8000, 11_025, 44_100, 96_000, 384_000):
        truth = audio.resample(wave, RATE, rate).double().numpy()
        yield File(f"{rate} Hz", "wav", encoded(truth, subtype="PCM_24", rate=rate), truth, rate)


def _headers(v: Wave) -> Iterator[File]:
    data = encoded(v, "WAV", "PCM_16")
    bext = b"bext" + struct.pack("<I", 602) + bytes(602)
    odd = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    for name, before, behind in (
        ("bext chunk", bext, b""), ("odd LIST chunk", odd, b""), ("LIST behind", b"", odd),
        ("zeros behind", b"", bytes(30_000)), ("ID3 behind", b"", b"TAG" + bytes(125)),
    ):  # fmt: skip
        body = data[12:36] + before + data[36:] + behind
        head = data[:4] + struct.pack("<I", len(body) + 4) + data[8:12]
        yield File(f"WAV, {name}", "wav", head + body, v)
    padded = data[12:36] + data[36:] + bytes(30_000)
    yield File("WAV, zeros that RIFF counts not", "wav", data[:12] + padded, v)
    yield File("ID3 before FLAC", "flac", tag(1) + encoded(v, "FLAC"), v)
    yield File("ID3 before WAV", "wav", tag(1) + data, v)


def tag(n: int) -> bytes:
    """An ID3 tag of n times 16 KiB, as for a picture."""
    return b"ID3\3\0\0" + bytes([0, n, 0, 0]) + bytes(n << 14)


def _sizes(v: Wave) -> Iterator[File]:
    data = encoded(v, "WAV", "PCM_16")
    n, form = len(data) - 44, len(data) - 8
    for name, size, form_size in (
        ("0x80000000", 1 << 31, (1 << 31) + 36), ("0x7F000000", 0x7F00_0000, 0x7F00_0024),
        ("0xFFFFFFFF", 0xFFFF_FFFF, 0xFFFF_FFFF), ("0", 0, form), ("0 and RIFF 0", 0, 0),
        ("with the header", n + 44, form), ("8 too long", n + 8, form + 8),
        ("half, RIFF right", n // 2, form), ("half, RIFF too", n // 2, n // 2 + 36),
    ):  # fmt: skip
        patched = bytearray(data)
        struct.pack_into("<I", patched, 4, form_size)
        struct.pack_into("<I", patched, 40, size)
        yield File(f"WAV, size {name}", "wav", bytes(patched), v)
    rf64 = bytearray(encoded(v, "RF64", "PCM_16"))
    place = rf64.index(b"ds64") + 8
    rf64[place : place + 24] = bytes(24)
    yield File("RF64, ds64 empty", "rf64", bytes(rf64), v)
    aiff = encoded(v, "AIFF", "PCM_16")
    for name, n_frames, size in (("0x7F000000", 0x3F80_0000, 0x7F00_0008), ("0", 0, 0)):
        patched = bytearray(aiff)
        struct.pack_into(">I", patched, 4, size)
        struct.pack_into(">I", patched, aiff.index(b"COMM") + 10, n_frames)
        struct.pack_into(">I", patched, aiff.index(b"SSND") + 4, size)
        yield File(f"AIFF, size {name}", "aiff", bytes(patched), v)
    au = bytearray(encoded(v, "AU", "PCM_16"))
    au[8:12] = b"\xff" * 4
    yield File("AU, size open", "au", bytes(au), v)
    flac = bytearray(encoded(v, "FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    yield File("FLAC, length unknown", "flac", bytes(flac), v)


def _mp3(v: Wave) -> Iterator[File]:
    for mode in ("CONSTANT", "VARIABLE"):
        data = encoded(v, "MP3", bitrate_mode=mode, compression_level=0.3)
        kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[2] >> 4]
        bare = data[72_000 * kilobits // RATE :]  # without the Xing frame
        half = len(data) // 2
        hole = data[:half] + bytes(2000) + data[half + 2000 :]
        name, twice = f"MP3, {mode.lower()}", np.tile(v, 2)
        yield File(name, "mp3", data, v)
        yield File(f"{name}, no Xing", "mp3", bare, v)
        yield File(f"{name}, no Xing, large tag", "mp3", tag(7) + bare, v)
        yield File(f"{name}, joined", "mp3", data + data, twice)
        yield File(f"{name}, no Xing, joined", "mp3", bare + bare, twice)
        yield File(f"{name}, with a hole", "mp3", hole, v, is_whole=False)
        yield File(f"{name}, cut", "mp3", data[:half], v, is_whole=False)
        yield File(f"{name}, no Xing, cut", "mp3", bare[:half], v[: len(v) // 2], pause=None)


def _joined(v: Wave) -> Iterator[File]:
    for format_, subtype, suffix in (
        ("WAV", None, "wav"), ("FLAC", None, "flac"), ("OGG", "VORBIS", "ogg"),
        ("OGG", "OPUS", "opus"), ("AIFF", None, "aiff"), ("AU", None, "au"),
    ):  # fmt: skip
        data = encoded(v, format_, subtype)
        truth = np.tile(decoded(data), 2)
        yield File(f"{subtype or format_}, joined", suffix, data + data, truth)
    other = encoded(v[::3], "FLAC", rate=8000)
    yield File("FLAC, joined to one of 8 kHz", "flac", encoded(v, "FLAC") + other, np.tile(v, 2))


def _channels(v: Wave) -> Iterator[File]:
    none, time = np.zeros_like(v), np.arange(len(v)) / RATE
    long, turns = np.concatenate([v, v, v, v]), np.repeat([1.0, 0.0, 1.0, 0.0], len(v))
    long_time = np.arange(len(long)) / RATE
    hum = sum(0.1 / k * np.sin(2 * np.pi * 50 * k * long_time + k) for k in (1, 2, 3, 5))
    hiss, other = noise(len(v) / RATE, -60.0, 1), v[::-1]
    mixed, array = (v + other) / 2, tuple(np.roll(v, k) for k in range(24))
    layouts: dict[str, tuple[tuple[Wave, ...], Wave, tuple[float, float] | None]] = {
        "both alike": ((v, v), v, PAUSE),
        "opposite": ((v, -v), v, PAUSE),
        "opposite, not quite": ((v, -0.9 * v), v, PAUSE),
        "one of two": ((v, none), v, PAUSE),
        "one of six": ((none, none, v, none, none, none), v, PAUSE),
        "hum in the other": ((long, hum), long, PAUSE),
        "both sides of a call": ((long * turns, long * (1 - turns)), long, PAUSE),
        "hiss in the other": ((v, hiss), v, None),
        "5 ms late": ((v, np.roll(v, 120)), (v + np.roll(v, 120)) / 2, PAUSE),
        "two voices": ((v, other), mixed, None),
        "offset in the other": ((v, none + 0.3), v, PAUSE),
        "opposite for a third": ((v, np.where(time < 1, -v, v)), v, PAUSE),
        "sum is nothing": ((v, other, -v - other), v, None),
        "24 of a microphone array": (array, np.mean(array, 0), PAUSE),
    }
    for name, (channels, truth, pause) in layouts.items():
        data = encoded(np.stack(channels, 1), "WAV", "FLOAT")
        yield File(f"channels: {name}", "wav", data, truth, pause=pause)


def _levels(v: Wave) -> Iterator[File]:
    now = audio.level(torch.from_numpy(v).float(), RATE)
    for lufs in (-6, -14, -35, -50, -60, -65, -72, -80, -100):
        wave = v * 10 ** ((lufs - now) / 20)
        yield File(f"at {lufs} LUFS, float", "wav", encoded(wave, "WAV", "FLOAT"), wave)
    data = encoded(v * 10 ** ((-60 - now) / 20), "WAV", "PCM_16")
    yield File("at -60 LUFS, 16 bit", "wav", data, decoded(data))
    for name, change in _harms(v).items():
        yield File(name, "wav", encoded(change, "WAV", "FLOAT"), change)


def _harms(v: Wave) -> dict[str, Wave]:
    """What befalls a wave that is recorded badly."""
    place = np.arange(len(v))
    click, spikes = v.copy(), v.copy()
    click[len(v) // 2] = 1.0
    spikes[:: RATE // 2] = 3.0
    hum = 0.003 * np.sin(2 * np.pi * 50 * place / RATE)
    return {
        "offset of 10%": v + 0.1,
        "offset that drifts": v + 0.2 * place / len(v),
        "click in the pause": click,
        "spikes of three times full scale": spikes,
        "clipped": np.clip(8 * v, -0.9, 0.9),
        "hum below speech": v + hum,
        "noise 20 dB below": v + noise(len(v) / RATE, -45.0),
        "noise 10 dB below": v + noise(len(v) / RATE, -35.0),
        "backwards": v[::-1].copy(),
    }


def _pauses(v: Wave) -> Iterator[File]:
    speech = v[: int(PAUSE[0] * RATE)]

    def around(name: str, middle: Wave, before: Wave = speech, behind: Wave = speech) -> File:
        wave = np.concatenate([before, middle, behind])
        start = len(before) / RATE
        span = (start, start + len(middle) / RATE)
        return File(f"pause: {name}", "wav", encoded(wave, "WAV", "FLOAT"), wave, pause=span)

    tones = ((3, -60), (3, -80), (25, -50), (25, -60), (25, -70), (25, -85), (45, -70))
    for seconds, level in tones:
        yield around(f"{seconds} s at {level} dB", noise(seconds, level))
    none = np.zeros(0)
    yield around("10 s of digital silence", np.zeros(10 * RATE))
    yield around("10 s of digital silence first", np.zeros(10 * RATE), none)
    yield around("10 s of room tone last", noise(10, -65.0), behind=none)
    yield around("10 s of rising room tone", noise(10, -60.0) * np.geomspace(0.1, 1, 10 * RATE))
    yield around("10 s, half room tone", np.concatenate([noise(5, -60.0), np.zeros(5 * RATE)]))
    yield around(
        "10 s at -55 dB below 300 Hz", np.convolve(noise(10, -35.0), np.ones(80) / 80, "same")
    )
    for name, wave in (
        ("nothing but digital silence", np.zeros(2 * RATE)),
        ("nothing but room tone at -70 dB", noise(4, -70.0)),
        ("nothing but room tone at -95 dB", noise(4, -95.0)),
        ("30 ms", v[2000:2720]),
        ("one sample", v[2000:2001]),
    ):
        yield File(name, "wav", encoded(wave, "WAV", "FLOAT"), wave, pause=None)


def _damaged(v: Wave) -> Iterator[File]:
    makers: dict[str, tuple[str, str | None]] = {
        "wav": ("WAV", None), "flac": ("FLAC", None), "ogg": ("OGG", "VORBIS"),
        "opus": ("OGG", "OPUS"), "aiff": ("AIFF", None), "au": ("AU", None),
        "caf": ("CAF", "PCM_16"), "w64": ("W64", None), "sph": ("NIST", None),
        "voc": ("VOC", None),
    }  # fmt: skip
    for suffix, (format_, subtype) in makers.items():
        data = encoded(v, format_, subtype)
        yield File(f"{suffix}, cut", suffix, data[: len(data) // 2], v, is_whole=False)
    flac = bytearray(encoded(v, "FLAC"))
    flac[len(flac) // 2] ^= 0xFF
    yield File("flac, one byte wrong", "flac", bytes(flac), v, is_whole=False)
    for name, value in (("NaN", np.nan), ("infinite", np.inf)):
        wave = v.copy()
        wave[RATE] = value
        yield File(f"one sample {name}", "wav", encoded(wave, "WAV", "FLOAT"), v, is_whole=False)


def _garbage() -> Iterator[File]:
    none = np.zeros(0)
    header = encoded(none, "WAV", "PCM_16")
    random = np.random.default_rng(0).bytes(50_000)
    page = b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"
    rate_1 = bytearray(encoded(np.zeros(RATE), "WAV", "PCM_16"))
    struct.pack_into("<I", rate_1, 24, 1)
    for name, suffix, data in (
        ("empty", "wav", b""), ("header without samples", "wav", header), ("web page", "wav", page),
        ("zip archive", "wav", b"PK\3\4" + random), ("random bytes", "wav", random),
        ("random bytes", "mp3", random), ("random bytes", "m4a", random), ("web page", "ogg", page),
        ("pointer of Git LFS", "flac", b"version https://git-lfs.github.com/spec/v1\nsize 12345\n"),
        ("zeros", "wav", bytes(50_000)), ("zeros", "mp3", bytes(50_000)),
        ("picture", "mp3", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + random),
        ("rate of 1 Hz", "wav", bytes(rate_1)),
    ):  # fmt: skip
        yield File(f"{name} that is called .{suffix}", suffix, data, none, is_whole=False)


def _tables(v: Wave) -> Iterator[File]:
    """Kaldi data directories of one utterance."""
    wav = encoded(v, "WAV", "PCM_16")
    texts: dict[str, Callable[[str], bytes]] = {
        "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
        "UTF-16": lambda text: text.encode("utf-16"),
        "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    }
    for name, encode in texts.items():
        content = {
            "a.wav": wav, "wav.scp": encode("one a.wav\n"), "utt2spk": encode("one someone\n")
        }  # fmt: skip
        yield File(f"Kaldi table, {name}", "", content, v)
    part = {
        "a.wav": wav, "wav.scp": b"rec a.wav\n", "utt2spk": b"one someone\n",
        "segments": b"one rec 0 2\n",
    }  # fmt: skip
    late = part | {"segments": b"one rec 0 2000\n"}
    yield File("Kaldi segments in milliseconds", "", late, v, is_whole=False)
    yield File("Kaldi segments", "", part, v[: 2 * RATE])


def _phones(v: Wave, av: Any) -> Iterator[File]:
    """What telephones and browsers record, by PyAV."""
    for name, codec, container, rate in (
        ("m4a", "aac", "ipod", 48_000), ("mp4", "aac", "mp4", 44_100),
        ("mov", "pcm_s16le", "mov", RATE), ("aac", "aac", "adts", 16_000),
        ("m4a", "alac", "ipod", RATE), ("amr", "libopencore_amrnb", "amr", 8000),
        ("3gp", "libopencore_amrnb", "3gp", 8000), ("webm", "libopus", "webm", 48_000),
        ("mka", "libopus", "matroska", 48_000), ("wma", "wmav2", "asf", 44_100),
        ("ac3", "ac3", "ac3", 48_000), ("wv", "wavpack", "wv", RATE), ("tta", "tta", "tta", RATE),
    ):  # fmt: skip
        if codec not in av.codecs_available:
            continue
        data = _by_pyav(av, [v], codec, container, rate)
        truth = audio.resample(torch.from_numpy(v).float(), RATE, rate).double().numpy()
        yield File(f"{name} ({codec})", name, data, truth, rate)
        if name in ("m4a", "webm") and codec != "alac":
            left = _by_pyav(av, [v, np.zeros_like(v)], codec, container, rate)
            yield File(f"{name} ({codec}), one of two", name, left, truth, rate)
            yield File(f"{name} ({codec}), called .wav", "wav", data, truth, rate)
            yield File(f"{name}, cut", name, data[: len(data) // 2], truth, rate, is_whole=False)


def _by_pyav(av: Any, channels: list[Wave], codec: str, container: str, rate: int) -> bytes:
    """A file of one or two channels (N,)."""
    layout = "mono" if len(channels) == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.stack(channels).astype(np.float32), "fltp", layout)
    frame.sample_rate = RATE
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 12_200 if codec.endswith("amrnb") else 64_000
        known = [format_.name for format_ in av.codec.Codec(codec, "w").audio_formats]
        stream.format = next((name for name in known if "16" in name), known[0])
        resampler = av.AudioResampler(stream.format.name, layout, rate)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            output.mux(stream.encode(part))
    return file.getvalue()
