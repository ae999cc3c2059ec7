"""How long `convert` takes for each second of sound, and where that time goes.

python benchmarks/convert.py [--model MODEL] [--input FILE] [--seconds 30]

Each stage is timed as it runs within the whole: reading, loudness, the listening to a stranger's
statistics, analysis (of WORLD's, F0, CheapTrick and D4C by themselves), the network, synthesis,
writing. What is left is called the rest.
"""

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

from voiceconv import audio, converter
from voiceconv.converter import Converter
from voiceconv.features import world

STAGES = (
    "read", "loudness", "stranger", "analysis", "F0", "CheapTrick", "D4C", "network", "synthesis",
    "write",
)  # fmt: skip


class Stopwatch:
    """Seconds by stage; a stage within another counts for the inner one alone."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inner = [0.0]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted for the stage."""

        def run(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **keywords)
            finally:
                took = time.perf_counter() - start
                self.seconds[stage] += took - self._inner.pop()
                self._inner[-1] += took

        return run


@contextmanager
def watched(made: Converter) -> Iterator[Stopwatch]:
    """Time what goes on inside of a conversion."""
    watch = Stopwatch()
    with ExitStack() as stack:
        for owner, name, stage in (
            (converter, "loudness", "loudness"),
            (converter, "loudness_gain", "loudness"),
            (converter, "own_stats", "stranger"),
            (world.pyworld, "harvest", "F0"),
            (world.pyworld, "dio", "F0"),
            (world.pyworld, "stonemask", "F0"),
            (world.pyworld, "cheaptrick", "CheapTrick"),
            (world.pyworld, "d4c", "D4C"),
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
        start = time.perf_counter()
        wave: Tensor = watch.timed("read", audio.read)(path, made.sample_rate).samples
        converted = made.convert(wave, made.domains[0])
        watch.timed("write", audio.write)(out, converted, made.sample_rate)
        total = time.perf_counter() - start
    return watch.seconds | {"rest": total - sum(watch.seconds.values()), "total": total}


def lengthened(path: Path, seconds: float, folder: Path) -> Path:
    """A WAV of that length, of the file again and again."""
    wave, rate = audio.read(path)
    n_samples = int(seconds * rate)
    audio.write(folder / "in.wav", wave.repeat(n_samples // len(wave) + 1)[:n_samples], rate)
    return folder / "in.wav"


def main() -> None:
    """Time, print, write."""
    options = parser(__doc__)
    options.add_argument("--model", help="directory, run or name; the bundled one if not given")
    options.add_argument("--input", type=Path, required=True, help="a recording to convert")
    options.add_argument("--seconds", type=float, default=30.0, help="repeated to this length")
    chosen = options.parse_args()
    made = Converter.from_pretrained(chosen.model)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = lengthened(chosen.input, chosen.seconds, Path(folder))
        for f0_method in ("harvest", "dio"):
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
    title = f"Seconds for a second of sound, {chosen.seconds:g} s converted"
    report(title, header, rows, figures, chosen.json)


if __name__ == "__main__":
    main()
