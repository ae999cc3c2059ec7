"""How long `convert` takes for each second of sound, and where that time goes.

python benchmarks/convert.py [--model MODEL] --input FILE [--d4c-step 4] [--seconds 30]

Each stage is timed as it runs within the whole: reading with its resampling, loudness, pauses, the
listening to a stranger's statistics, analysis (of WORLD's, F0, CheapTrick, D4C and the encoding of
both by themselves), the network, decoding, synthesis, writing. What is left is called the rest. Of
one thread it is CPU time, which other jobs hardly disturb. Start-up is the CPU time of `voiceconv
convert` in a process of its own for a file of a tenth of a second.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from common import parser, report
from torch import Tensor

from voiceconv import audio
from voiceconv.converter import Converter, converter
from voiceconv.features import world
from voiceconv.features.f0 import METHODS

STAGES = (
    "read", "loudness", "pauses", "stranger", "analysis", "F0", "CheapTrick", "D4C", "encoding",
    "network", "decoding", "synthesis", "write",
)  # fmt: skip


class Stopwatch:
    """Seconds by stage; a stage within another counts for the inner one alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inner = [0.0]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted for the stage."""

        def run(*arguments: Any, **keywords: Any) -> Any:
            start = self.clock()
            self._inner.append(0.0)
            try:
                return function(*arguments, **keywords)
            finally:
                took = self.clock() - start
                self.seconds[stage] += took - self._inner.pop()
                self._inner[-1] += took

        return run


@contextmanager
def watched(made: Converter) -> Iterator[Stopwatch]:
    """Time what goes on inside of a conversion."""
    watch = Stopwatch(time.process_time if torch.get_num_threads() == 1 else time.perf_counter)
    with ExitStack() as stack:
        for owner, name, stage in (
            (converter, "loudness_gain", "loudness"),
            (converter, "level", "loudness"),
            (converter, "cut_pauses", "pauses"),
            (converter, "hush", "pauses"),
            (converter, "restore_pauses", "pauses"),
            (converter, "own_stats", "stranger"),
            (world.searches, "search", "F0"),
            (world.pyworld, "cheaptrick", "CheapTrick"),
            (world.pyworld, "d4c", "D4C"),
            (world.pyworld, "code_aperiodicity", "encoding"),
            (made.extractor.mel_cepstrum, "encode", "encoding"),  # type: ignore[attr-defined]
            (world.pyworld, "decode_aperiodicity", "decoding"),
            (made.extractor.mel_cepstrum, "decode", "decoding"),  # type: ignore[attr-defined]
            (made.extractor, "extract", "analysis"),
            (made.translator, "forward", "network"),
            (made.vocoder, "synthesize", "synthesis"),
        ):
            stack.enter_context(patch.object(owner, name, watch.timed(stage, getattr(owner, name))))
        yield watch


def convert_file(made: Converter, path: Path, out: Path) -> dict[str, float]:
    """What `voiceconv convert` does with a file, but for starting Python; seconds by stage.

    As most people call it: without a source, which is recognised or a stranger.
    """
    with watched(made) as watch:
        start = watch.clock()
        wave: Tensor = watch.timed("read", audio.read)(path, made.sample_rate).samples
        converted = made.convert(wave, made.domains[0])
        watch.timed("write", audio.write)(out, converted, made.sample_rate)
        total = watch.clock() - start
    return watch.seconds | {"rest": total - sum(watch.seconds.values()), "total": total}


def lengthened(path: Path, seconds: float, folder: Path) -> Path:
    """A WAV of that length, of the file again and again."""
    wave, rate = audio.read(path)
    n_samples = int(seconds * rate)
    audio.write(folder / "in.wav", wave.repeat(n_samples // len(wave) + 1)[:n_samples], rate)
    return folder / "in.wav"


def start_up(model: str | None, target: str, path: Path, folder: Path) -> float:
    """CPU seconds of the command for hardly any sound."""
    short = lengthened(path, 0.1, folder)
    chosen = [] if model is None else ["--model", model]
    arguments = [str(short), "--target", target, *chosen, "-o", str(folder / "out.wav")]
    command = [sys.executable, "-m", "voiceconv", "convert", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Time, print, write."""
    options = parser(__doc__)
    options.add_argument("--model", help="directory, run or name; the bundled one if not given")
    options.add_argument("--input", type=Path, required=True, help="a recording to convert")
    options.add_argument("--d4c-step", type=int, help="frames between D4C's [the model's]")
    options.add_argument("--seconds", type=float, default=30.0, help="repeated to this length")
    chosen = options.parse_args()
    made = Converter.from_pretrained(chosen.model)
    if chosen.d4c_step:
        made.extractor.d4c_step = chosen.d4c_step  # type: ignore[attr-defined]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        started = start_up(chosen.model, made.domains[0], chosen.input, Path(folder))
        path = lengthened(chosen.input, chosen.seconds, Path(folder))
        for f0_method in METHODS:
            made.extractor.f0_method = f0_method  # type: ignore[attr-defined]
            for threads in (1, 2):
                torch.set_num_threads(threads)
                rounds = [
                    convert_file(made, path, Path(folder) / "out.wav") for _ in range(chosen.rounds)
                ]
                best = min(rounds, key=lambda seconds: seconds["total"])
                name = f"{f0_method}, {threads} thread{'s' * (threads - 1)}"
                figures[name] = {stage: took / chosen.seconds for stage, took in best.items()}
    rows = [
        (stage, *(f"{shares[stage]:.4f}" for shares in figures.values()))
        for stage in (*STAGES, "rest", "total")
    ]
    header = ("stage", *figures)
    title = f"Seconds for a second of sound, {chosen.seconds:g} s; start-up {started:.1f} s"
    report(title, header, rows, figures | {"start_up_seconds": started}, chosen.json)


if __name__ == "__main__":
    main()
