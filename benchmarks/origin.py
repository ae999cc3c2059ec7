"""What survives of a converted file's origin: metadata, C2PA manifest, watermark; what each costs.

python benchmarks/origin.py DATA OUT [--sentences 4] [--more FOLDER ...]

DATA: folders of recordings by speaker and `splits/SPEAKER.test`, as shared/data/cc0_speech has
them. Converts test sentences of each speaker to the next one by the bundled model and marks them.
Prints, and writes to OUT/origin.json: how often the mark is found after codecs, resampling, noise,
crops, speeds and further synthesis; how often in what has no mark (conversions, their sources, and
the recordings below each --more); what the mark does to quality; which programs keep metadata and
manifest; CPU seconds per minute of audio. Takes the extras watermark, c2pa, media and eval; ffmpeg
and sox where they are on PATH.
"""

import argparse
import io
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from voiceconv import audio, open_model
from voiceconv.commands.inspect import inspect
from voiceconv.converter import Converter, through_features
from voiceconv.metrics.copy_synthesis import Pesq
from voiceconv.metrics.naturalness import Dnsmos
from voiceconv.metrics.speaker_similarity import SpeakerEncoder
from voiceconv.provenance.note import CONVERTED
from voiceconv.provenance.stamp import Marks, Stamp
from voiceconv.provenance.watermark import FOUND, Watermark

RATE, SCORED = 24_000, 16_000
Wave = tuple[Tensor, int]  # and its rate
Attack = Callable[[Wave], Wave]
CODECS = {  # name, container, encoder, bits per second
    "MP3, 128 kbit/s": ("mp3", "libmp3lame", 128_000),
    "MP3, 64 kbit/s": ("mp3", "libmp3lame", 64_000),
    "MP3, 32 kbit/s": ("mp3", "libmp3lame", 32_000),
    "AAC, 48 kbit/s": ("mp4", "aac", 48_000),
    "Opus, 24 kbit/s": ("ogg", "libopus", 24_000),
    "Opus, 12 kbit/s": ("ogg", "libopus", 12_000),
}
# How programs copy a file, to each extension; {i} and {o} are the files.
PROGRAMS = {
    "cp": "cp {i} {o}",
    "ffmpeg -c copy": "ffmpeg -v error -y -i {i} -c copy {o}",
    "ffmpeg": "ffmpeg -v error -y -i {i} {o}",
    "sox": "sox {i} {o}",
}


def coded(wave: Wave, container: str, encoder: str, bit_rate: int) -> Wave:
    """Through a codec, at a rate that it has."""
    samples, rate = wave
    made = 48_000 if encoder == "libopus" else rate
    told = audio.resample(samples, rate, made).clamp(-1, 1)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(encoder, rate=made, layout="mono")
        stream.bit_rate = bit_rate
        steps = (told.numpy()[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(steps, format="s16", layout="mono")
        frame.sample_rate = made
        fifo = av.AudioFifo()
        fifo.write(av.AudioResampler(stream.format, "mono", made).resample(frame)[0])
        size = stream.codec_context.frame_size or 1024
        while (part := fifo.read(size, partial=True)) is not None:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as back:
        to_floats = av.AudioResampler("flt", "mono", made)
        parts = [one.to_ndarray()[0] for f in back.decode(audio=0) for one in to_floats.resample(f)]
    return torch.from_numpy(np.concatenate(parts)), made


def through_rate(wave: Wave, rate: int) -> Wave:
    """Resampled, and back."""
    samples, own = wave
    return audio.resample(audio.resample(samples, own, rate), rate, own), own


def noisy(wave: Wave, snr: float) -> Wave:
    """With white noise, so many dB below the wave's power."""
    samples, rate = wave
    noise = torch.randn(len(samples), generator=torch.Generator().manual_seed(0))
    return samples + noise * samples.pow(2).mean().sqrt() * 10 ** (-snr / 20), rate


def cropped(wave: Wave, seconds: float) -> Wave:
    """So much from the middle."""
    samples, rate = wave
    n = min(round(seconds * rate), len(samples))
    start = (len(samples) - n) // 2
    return samples[start : start + n], rate


def faster(wave: Wave, speed: float) -> Wave:
    """Speed and pitch changed together."""
    samples, rate = wave
    return audio.resample(samples, round(rate * speed), rate), rate


def stretched(wave: Wave, speed: float) -> Wave:
    """Speed changed, pitch kept, by a phase vocoder."""
    import librosa

    samples, rate = wave
    return torch.from_numpy(librosa.effects.time_stretch(samples.numpy(), rate=speed)), rate


def high_passed(wave: Wave, edge: float) -> Wave:
    """Without what lies below an edge."""
    from scipy.signal import butter, sosfiltfilt

    samples, rate = wave
    sections = butter(8, edge, "highpass", fs=rate, output="sos")
    return torch.from_numpy(sosfiltfilt(sections, samples.numpy()).copy()).float(), rate


def attacks(converter: Converter, target: str) -> dict[str, Attack]:
    """By name; target: of a further conversion."""
    found: dict[str, Attack] = {"none": lambda wave: wave}
    for name, (container, encoder, rate) in CODECS.items():
        found[name] = lambda wave, c=container, e=encoder, r=rate: coded(wave, c, e, r)
    for rate in (16_000, 8_000):
        found[f"resampled to {rate // 1000} kHz"] = lambda wave, r=rate: through_rate(wave, r)
    for snr in (30, 20, 10):
        found[f"noise, SNR {snr} dB"] = lambda wave, s=snr: noisy(wave, s)
    found["20 dB quieter"] = lambda wave: (wave[0] / 10, wave[1])
    for seconds in (2, 1, 0.5):
        found[f"{seconds} s of it"] = lambda wave, s=seconds: cropped(wave, s)
    for speed in (0.9, 1.1, 1.25):
        found[f"speed and pitch × {speed}"] = lambda wave, s=speed: faster(wave, s)
        found[f"speed × {speed}, same pitch"] = lambda wave, s=speed: stretched(wave, s)
    found["nothing below 2 kHz"] = lambda wave: high_passed(wave, 2000)
    found["WORLD analysis and synthesis"] = lambda wave: (
        through_features(converter.vocoder, wave[0]),
        RATE,
    )
    found["a second conversion"] = lambda wave: (converter.convert(wave[0], target), RATE)
    return found


def conversions(data: Path, n: int, converter: Converter) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield (target, source wave, converted wave) of n test sentences for each speaker."""
    speakers = sorted(path.stem for path in (data / "splits").glob("*.test"))
    for source, target in pairwise([*speakers, speakers[0]]):
        names = (data / "splits" / f"{source}.test").read_text().split()
        for name in names[:n]:
            wave = audio.read(data / source / f"{name}.flac", RATE).samples
            yield target, wave, converter.convert(wave, target)


def detection(watermark: Watermark, marked: Sequence[Wave], ways: dict[str, Attack]) -> Any:
    """How often the mark is found, and the confidence's mean, after each attack."""
    rows = {}
    for name, way in ways.items():
        found = [watermark.confidence(*_as_pcm(way(_as_pcm(wave)))) for wave in marked]
        hits = sum(one > FOUND for one in found)
        rows[name] = {
            "found": hits,
            "of": len(found),
            "confidence": round(float(np.mean(found)), 3),
        }
        print(f"{name:32} {hits}/{len(found)}  {np.mean(found):.2f}", flush=True)
    return rows


def _as_pcm(wave: Wave) -> Wave:
    """In steps of 16 bit, as files have it."""
    samples, rate = wave
    return (samples * 2**15).round().clamp(-(2**15), 2**15 - 1) / 2**15, rate


def quality(plain: Sequence[Tensor], marked: Sequence[Tensor]) -> dict[str, float]:
    """What the mark does, means over pairs of waves at RATE."""
    dnsmos, encoder, pesq = Dnsmos(), SpeakerEncoder(), Pesq()
    rows = []
    for before, after in zip(plain, marked, strict=True):
        a, b = (audio.resample(one, RATE, SCORED).double().numpy() for one in (before, after))
        rows.append(
            {
                "pesq": pesq.score(a, b) or float("nan"),
                "dnsmos_before": dnsmos.score(a)["dnsmos"],
                "dnsmos_after": dnsmos.score(b)["dnsmos"],
                "similarity": float(encoder.embed(a) @ encoder.embed(b)),
                "snr_db": float(
                    10 * torch.log10(before.pow(2).sum() / (after - before).pow(2).sum())
                ),
                "level_db": float(10 * torch.log10(after.pow(2).sum() / before.pow(2).sum())),
                "largest_change": float((after - before).abs().max()),
            }
        )
    return {name: round(float(np.nanmean([row[name] for row in rows])), 3) for name in rows[0]}


def survival(folder: Path, wave: Tensor, marks: Marks) -> dict[str, dict[str, str]]:
    """Program and extensions -> what `inspect` still finds of metadata and manifest."""
    stamp = Stamp(CONVERTED, {"model": "four-voices", "target": "kathleen"}, marks)
    rows = {}
    for start in (".wav", ".flac", ".mp3"):
        made = folder / f"made{start}"
        stamp.write(made, wave, RATE)
        for program, command in PROGRAMS.items():
            if shutil.which(command.split()[0]) is None:
                continue
            same = program in ("cp", "ffmpeg -c copy")
            for end in [start] if same else [".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"]:
                copy = folder / f"copy{end}"
                copy.unlink(missing_ok=True)
                words = [word.format(i=made, o=copy) for word in command.split()]
                if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                    rows[f"{program}: {start} to {end}"] = _kept(copy)
        for end in (".wav", ".flac", ".ogg"):  # librosa reads, too, by soundfile, and no text
            copy = folder / f"again{end}"
            audio.write(copy, *audio.read(made))
            rows[f"soundfile, samples alone: {start} to {end}"] = _kept(copy)
    return rows


def _kept(path: Path) -> dict[str, str]:
    found = inspect(path)
    manifest = found["c2pa"]
    return {
        "metadata": "no" if found["metadata"] == "none" else "yes",
        "c2pa": manifest if isinstance(manifest, str) else manifest["state"],
        "watermark": "yes" if found["watermark"]["found"] else "no",
    }


def costs(folder: Path, wave: Tensor, marks: Marks) -> dict[str, float]:
    """CPU seconds per minute of audio at RATE; a wave of a minute."""
    minute = wave.repeat(1 + 60 * RATE // len(wave))[: 60 * RATE]
    plain, signed = (Stamp(CONVERTED, {}, one) for one in (Marks(), marks))
    watermark, path = Watermark(), folder / "minute.wav"
    ways: dict[str, Callable[[], object]] = {
        "WAV without anything": lambda: audio.write(path, minute, RATE),
        "with metadata": lambda: plain.write(path, minute, RATE),
        "with metadata, sidecar and manifest": lambda: signed.write(path, minute, RATE),
        "watermark put in": lambda: watermark.mark(minute, RATE),
        "watermark looked for": lambda: watermark.confidence(minute, RATE),
    }
    return {name: round(min(_cpu(way) for _ in range(3)), 3) for name, way in ways.items()}


def tones() -> list[Wave]:
    """Eight seconds each of harmonics of a steady pitch, and of three of these at once."""
    time = torch.arange(8 * RATE) / RATE
    held = [
        sum(torch.sin(2 * torch.pi * f0 * k * time) / k for k in range(1, 20)) / 5
        for f0 in (80, 110, 160, 220, 320, 440)
    ]
    return [(one, RATE) for one in held + [sum(held[n : n + 3]) / 3 for n in range(4)]]


def noises() -> list[Wave]:
    """Eight seconds each of white noise at several levels."""
    rng = torch.Generator().manual_seed(0)
    return [(torch.randn(8 * RATE, generator=rng) * 10 ** (-n / 4), RATE) for n in range(2, 12)]


def _cpu(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


def certificates(folder: Path) -> Marks:
    """A chain that nobody vouches for, and all marks by it but the one in the sound."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from certificate_chain import write_chain

    return Marks(False, True, *write_chain(folder))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=4, help="of each speaker")
    parser.add_argument(
        "--more", type=Path, nargs="*", default=[], help="recordings without a mark"
    )
    args = parser.parse_args()
    logging.getLogger("voiceconv").setLevel(logging.ERROR)
    args.out.mkdir(parents=True, exist_ok=True)
    converter, watermark = open_model(), Watermark()
    assert isinstance(converter, Converter)
    made = list(conversions(args.data, args.sentences, converter))
    plain = [wave for _, _, wave in made]
    marked = [watermark.mark(wave, RATE) for wave in plain]
    figures: dict[str, Any] = {"n": len(made), "seconds": round(sum(map(len, plain)) / RATE, 1)}
    ways = attacks(converter, made[0][0])
    figures["marked"] = detection(watermark, [(one, RATE) for one in marked], ways)
    for rate in (16_000, 48_000):
        there = [audio.resample(one, RATE, rate) for one in plain]
        waves = [(watermark.mark(one, rate), rate) for one in there]
        few = {f"marked at {rate // 1000} kHz, {name}": ways[name] for name in list(ways)[:2]}
        figures["marked"] |= detection(watermark, waves, few)
    unmarked = {
        "conversions": [(one, RATE) for one in plain],
        "their sources": [(one, RATE) for _, one, _ in made],
    }
    for folder in args.more:
        paths = [one for one in sorted(folder.rglob("*")) if one.suffix in audio.EXTENSIONS]
        unmarked[folder.name] = [
            (audio.read(one, RATE).samples, RATE) for one in paths[:: 1 + len(paths) // 40]
        ]
    for name, waves in unmarked.items():
        some = {f"{name}, {one}": ways[one] for one in ("none", "MP3, 64 kbit/s", "1 s of it")}
        figures.setdefault("unmarked", {}).update(detection(watermark, waves, some))
    figures["unmarked"] |= detection(watermark, tones(), {"tones and chords": ways["none"]})
    figures["unmarked"] |= detection(watermark, noises(), {"noise": ways["none"]})
    figures["quality"] = quality(plain, marked)
    marks = certificates(args.out)
    figures["survival"] = survival(args.out, marked[0], marks)
    figures["cpu_seconds_per_minute"] = costs(args.out, plain[0], marks)
    for part in ("quality", "survival", "cpu_seconds_per_minute"):
        print(part)
        for name, value in figures[part].items():
            print(f"    {name:40} {value}")
    (args.out / "origin.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
