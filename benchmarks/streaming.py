"""A streaming model, measured: equal to offline, latency, real-time factor, an hour.

python benchmarks/streaming.py same FILE...         # streamed against offline, in all chunk sizes
python benchmarks/streaming.py latency FILE         # computed, and measured by a click
python benchmarks/streaming.py speed FILE [--export DIR]   # one core, chunks of 20 ms
python benchmarks/streaming.py hour FILE            # memory over an hour of sound

--model MODEL (bundled: four-voices-live), --target DOMAIN.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv import audio
from voiceconv.commands.stream import LIVE
from voiceconv.converter import open_model
from voiceconv.converter.streaming import Stream, StreamingConverter

SIZES = (1, 7, 160, 480, 4800)
CHUNK = 0.02  # seconds
LATE = 10  # samples that the click may be late by its chunk


def streamed(stream: Stream, wave: Tensor, sizes: Sequence[int]) -> Tensor:
    """All that comes out in chunks of these sizes, in turns."""
    parts, start, turn = [], 0, 0
    while start < len(wave):
        size = sizes[turn % len(sizes)]
        parts.append(stream.push(wave[start : start + size]))
        start, turn = start + size, turn + 1
    return torch.cat([*parts, stream.flush()])


def same(converter: StreamingConverter, target: str, files: Sequence[Path], seconds: float) -> None:
    """The largest difference from offline conversion over all files, by chunk size."""
    rng = random.Random(0)
    sizes = {str(size): [size] for size in SIZES}
    sizes["random 1 to 2000"] = [rng.randint(1, 2000) for _ in range(997)]
    worst, lost = dict.fromkeys(sizes, 0.0), dict.fromkeys(sizes, 0)
    later = 0.0
    for path in files:
        wave = audio.read(path, converter.sample_rate).samples[: int(seconds * 24000)]
        whole = converter.convert(wave, target)
        for name, some in sizes.items():
            found = streamed(converter.stream(target), wave, some)
            lost[name] += abs(len(found) - len(wave))
            worst[name] = max(worst[name], float((found - whole).abs().max()))
        at = int(rng.uniform(0.2, 0.8) * len(wave))
        other = torch.cat([wave[:at], torch.randn(len(wave) - at) * 0.1])
        n_late = round(converter.stream(target).latency * converter.sample_rate)
        changed = converter.convert(other, target)
        later = max(later, float((changed - whole)[: at - n_late].abs().max()))
    print(f"{len(files)} files of up to {seconds:g} s into {target}")
    print("| samples a chunk | largest difference | samples lost or added |\n| --- | --- | --- |")
    for name in sizes:
        print(f"| {name} | {worst[name]:.1e} | {lost[name]} |")
    print(f"output before t, if what comes after t + latency is another: differs by {later:.1e}")


def latency(converter: StreamingConverter, target: str, path: Path) -> None:
    """Computed, and measured: how long after its place in the input a click is heard."""
    print("| look-ahead ms | rate Hz | computed ms | measured ms |\n| --- | --- | --- | --- |")
    for look_ahead in converter.look_aheads:
        for rate in (24000, 48000, 16000):
            wave = audio.read(path, rate).samples[: 2 * rate]
            worst = 0.0
            for at in range(rate, rate + rate // 50, rate // 400 + 1):
                clicked = wave.clone()
                clicked[at] += 0.5
                streams = [converter.stream(target, rate, look_ahead) for _ in range(2)]
                worst = max(worst, _late(streams, (wave, clicked)))
            computed = converter.stream(target, rate, look_ahead).latency
            print(
                f"| {1000 * look_ahead:g} | {rate} | {1000 * computed:.1f} | {1000 * worst:.1f} |"
            )


def _late(streams: Sequence[Stream], waves: Sequence[Tensor]) -> float:
    """Seconds from the first output sample that differs to the input with which it came out."""
    n_out = 0
    for start in range(0, len(waves[0]), LATE):
        pushed = [
            stream.push(wave[start : start + LATE])
            for stream, wave in zip(streams, waves, strict=True)
        ]
        differs = pushed[0] != pushed[1]
        if differs.any():
            place = (n_out + int(differs.int().argmax())) / streams[0].output_rate
            return (start + LATE) / streams[0].sample_rate - place
        n_out += len(pushed[0])
    raise SystemExit("the click changes nothing")


def speed(models: dict[str, Path | str], target: str, path: Path, seconds: float) -> None:
    """Real-time factor by chunk, on one thread, and the start."""
    print("| engine | open s | first chunk ms | median | 99th | most | all in all |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    wave = audio.read(path, 24000).samples
    wave = wave.repeat(int(seconds * 24000) // len(wave) + 1)[: int(seconds * 24000)]
    for name, model in models.items():
        began = time.perf_counter()
        converter = open_model(model)
        stream = converter.stream(target)
        opened = time.perf_counter() - began
        took = []
        for chunk in _chunks(wave, 24000):
            began = time.perf_counter()
            stream.push(chunk)
            took.append(time.perf_counter() - began)
        shares = [one / CHUNK for one in took[5:]]
        high = float(np.quantile(shares, 0.99))
        print(
            f"| {name} | {opened:.2f} | {1000 * took[0]:.0f} | {statistics.median(shares):.3f} | "
            f"{high:.3f} | {max(shares):.2f} | {sum(took) / seconds:.3f} |"
        )


def hour(converter: StreamingConverter, target: str, path: Path, seconds: float) -> None:
    """Resident memory every five minutes of sound."""
    wave = audio.read(path, 48000).samples
    stream, done, shown = converter.stream(target, 48000), 0.0, 0.0
    n_in = n_out = 0
    print("| minutes of sound | resident MiB |\n| --- | --- |")
    while done < seconds:
        for chunk in _chunks(wave, 48000):
            n_in, n_out = n_in + len(chunk), n_out + len(stream.push(chunk))
        done += len(wave) / 48000
        if done >= shown:
            print(f"| {done / 60:.0f} | {_resident():.1f} |", flush=True)
            shown += 300
    n_out += len(stream.flush())
    print(f"{n_in} samples at 48 kHz in, {n_out} at 24 kHz out")


def _chunks(wave: Tensor, rate: int) -> Iterator[Tensor]:
    n = int(CHUNK * rate)
    return (wave[start : start + n] for start in range(0, len(wave), n))


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["same", "latency", "speed", "hour"])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", default=LIVE)
    parser.add_argument("--target", default="kathleen")
    parser.add_argument("--export", type=Path, help="the model's export, for onnxruntime")
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "speed":
        models: dict[str, Path | str] = {"torch": given.model}
        if given.export:
            models["onnxruntime"] = given.export
        speed(models, given.target, given.files[0], given.seconds or 60)
        return
    converter = open_model(given.model)
    if not isinstance(converter, StreamingConverter):
        raise SystemExit(f"{given.model} does not stream")
    if given.what == "same":
        same(converter, given.target, given.files, given.seconds or 3)
    elif given.what == "latency":
        latency(converter, given.target, given.files[0])
    else:
        hour(converter, given.target, given.files[0], given.seconds or 3600)


if __name__ == "__main__":
    main()
