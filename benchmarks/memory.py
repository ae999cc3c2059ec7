"""Memory that converting an hour takes beyond converting ten seconds.

python benchmarks/memory.py --input FILE [--model MODEL] [--minutes 60] [--f0-method dio]

Each conversion is `voiceconv convert` in a process of its own; its peak resident set is what the
kernel reports of it when it has ended. The input is the recording, repeated.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import soundfile
import yaml
from common import report

from voiceconv.converter.directory import CONFIG, find_model
from voiceconv.features.f0 import METHODS

MIB = 1 << 20
UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, KiB elsewhere
SHORT = 10.0  # seconds


def repeated(path: Path, seconds: float, out: Path) -> Path:
    """A WAV of that length, of the file again and again, never held as a whole.

    A child's peak begins at its parent's (Linux carries it over exec): this process stays small.
    """
    samples, rate = soundfile.read(path, dtype="int16")
    n_left = int(seconds * rate)
    with soundfile.SoundFile(out, "w", rate, 1, "PCM_16") as file:
        while n_left > 0:
            file.write(samples[:n_left])
            n_left -= len(samples)
    return out


def with_f0_method(model: Path, f0_method: str, folder: Path) -> Path:
    """The model, by links, with another search for F0."""
    folder.mkdir()
    for file in model.iterdir():
        if file.name != CONFIG:
            (folder / file.name).symlink_to(file.resolve())
    config = yaml.safe_load((model / CONFIG).read_text(encoding="utf-8"))
    config["features"]["f0_method"] = f0_method
    (folder / CONFIG).write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def peak_of(command: list[str], limit: float) -> tuple[float, float]:
    """Run a command: its peak resident set in MiB, and its seconds."""
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, *command], dict(os.environ))
    while True:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        took = time.perf_counter() - start
        if ended:
            break
        if took > limit:
            os.kill(process, 9)
            os.wait4(process, 0)
            raise SystemExit(f"stopped after {took:.0f} s; allow more by --limit")
        time.sleep(0.2)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss * UNIT / MIB, took


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--input", type=Path, required=True, help="a recording to repeat")
    options.add_argument("--model", help="directory, run or name; the bundled one if not given")
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--f0-method", choices=METHODS, help="[the model's]")
    options.add_argument("--limit", type=float, default=3600.0, help="seconds for a conversion")
    options.add_argument("--json", type=Path, help="write the figures here too")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = find_model(chosen.model)
        if chosen.f0_method:
            model = with_f0_method(model, chosen.f0_method, folder / "model")
        config = yaml.safe_load((model / CONFIG).read_text(encoding="utf-8"))
        figures, rows = {}, []
        for label, seconds in (("short", SHORT), ("long", 60 * chosen.minutes)):
            path = repeated(chosen.input, seconds, folder / f"{label}.wav")
            command = ["-m", "voiceconv.cli", "convert", str(path), "--model", str(model)]
            command += ["--target", config["domains"][0], "-o", str(folder / "out.wav")]
            peak, took = peak_of(command, chosen.limit)
            figures[label] = {"seconds_of_sound": seconds, "peak_mib": peak, "seconds": took}
            rows.append((f"{seconds:g}", f"{peak:.0f}", f"{took:.1f}"))
    figures["benchmark_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / MIB
    figures["difference_mib"] = figures["long"]["peak_mib"] - figures["short"]["peak_mib"]
    rows.append(("difference", f"{figures['difference_mib']:.0f}", ""))
    header = ("seconds of sound", "peak MiB", "seconds")
    report("Peak resident set of `voiceconv convert`", header, rows, figures, chosen.json)


if __name__ == "__main__":
    main()
