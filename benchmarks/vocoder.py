"""How fast a neural vocoder and a conversion by it are, by torch and by onnxruntime.

python benchmarks/vocoder.py --model MODEL --input FILE [--seconds 10] [--export DIR]

MODEL is a mel model that speaks by a neural vocoder; it is exported first, unless DIR is what
`voiceconv export` has made of it. Times are real-time factors, seconds of work for a second of
sound, medians of the rounds in which the engines take turns; Markdown. A conversion is what
`voiceconv convert` does with a file, but for starting Python, of a source that it has to recognise.
"""

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from common import machine, parser
from convert import STAGES, convert_file, lengthened

from voiceconv import audio
from voiceconv.commands.export import export
from voiceconv.converter import Converter
from voiceconv.vocoders.neural import NeuralVocoder

THREADS = (1, 2)
Run = Callable[[], dict[str, float]]  # one round: seconds by stage


def medians(contestants: dict[str, Run], rounds: int) -> dict[str, dict[str, float]]:
    """Of each one's stages, over rounds in which all take turns; the first round warms up."""
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            took = run()
            if number:
                seconds[name].append(took)
    return {
        name: {stage: median(one[stage] for one in all_rounds) for stage in all_rounds[0]}
        for name, all_rounds in seconds.items()
    }


def speaking(made: Converter, path: Path) -> Run:
    """The vocoder alone, on the frames of a recording."""
    features = made.extractor.extract(audio.read(path, made.sample_rate).samples)

    def run() -> dict[str, float]:
        start = time.perf_counter()
        made.vocoder.synthesize(features)
        return {"total": time.perf_counter() - start}

    return run


def measure(models: dict[str, Path], path: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """Real-time factors: of the vocoder and of a conversion, by threads and engine, by stage."""
    figures: dict[str, Any] = {"vocoder": {}, "convert": {}}
    for threads in THREADS:
        torch.set_num_threads(threads)  # before opening: a graph keeps the number
        made = {engine: Converter.from_pretrained(folder) for engine, folder in models.items()}
        out = path.with_name("out.wav")
        runs: dict[str, dict[str, Run]] = {
            "vocoder": {engine: speaking(one, path) for engine, one in made.items()},
            "convert": {
                engine: partial(convert_file, one, path, out) for engine, one in made.items()
            },
        }
        for what, contestants in runs.items():
            for engine, stages in medians(contestants, rounds).items():
                name = f"{engine}, {threads} thread{'s' * (threads - 1)}"
                figures[what][name] = {stage: took / seconds for stage, took in stages.items()}
    return figures


def markdown(title: str, columns: dict[str, dict[str, float]], stages: tuple[str, ...]) -> str:
    """A table of stages, a column for each engine and number of threads."""
    kept = [stage for stage in stages if any(column[stage] for column in columns.values())]
    rows = [[stage, *(f"{column[stage]:.4f}" for column in columns.values())] for stage in kept]
    header = [title, *columns]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def main() -> None:
    """Time, print, write."""
    options = parser(__doc__)
    options.add_argument("--model", help="directory, run or name; the bundled one if not given")
    options.add_argument("--input", type=Path, required=True, help="a recording to convert")
    options.add_argument("--seconds", type=float, default=10.0, help="repeated to this length")
    options.add_argument("--export", type=Path, help="the model's export")
    chosen = options.parse_args()
    model = Converter.from_pretrained(chosen.model)
    if not isinstance(model.vocoder, NeuralVocoder):
        raise SystemExit("this model does not speak by a neural vocoder; give one with --model")
    with tempfile.TemporaryDirectory() as folder:
        path = lengthened(chosen.input, chosen.seconds, Path(folder))
        if chosen.export is None:
            chosen.export = Path(folder) / "export"
            export(chosen.model, chosen.export)
        models = {"torch": chosen.model, "onnx": chosen.export}
        figures = measure(models, path, chosen.seconds, chosen.rounds)
    print(markdown("vocoder alone", figures["vocoder"], ("total",)), end="\n\n")
    print(markdown("convert", figures["convert"], (*STAGES, "rest", "total")))
    if chosen.json:
        text = json.dumps(figures | {"machine": machine()}, indent=2)
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
