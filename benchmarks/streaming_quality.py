"""A streaming student beside its offline teacher: known voices and strangers, by look-ahead.

python benchmarks/streaming_quality.py DATA STRANGERS OUT [--student MODEL] [--teacher MODEL]

DATA: Kaldi directories with test/ and train/ of the targets; STRANGERS: folders SPEAKER/*.flac with
SPEAKER/text. Converts nathalie to flemishguy and back (the sentences of both, for distortion), and
each stranger to kathleen and to nathalie, by both; scores all by `voiceconv evaluate`; prints the
tables. What OUT has already is not made again.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from streaming import streamed
from torch import Tensor

from voiceconv import audio
from voiceconv.converter import open_model
from voiceconv.data.kaldi import read_data_dir

PAIRS = (("nathalie", "flemishguy"), ("flemishguy", "nathalie"))
N_EACH = 20  # sentences of a known voice
TARGETS = ("kathleen", "nathalie")  # of strangers
SHOWN = (
    "speaker_similarity",
    "nearer_target",
    "dnsmos",
    "character_error",
    "mel_cepstral_distortion",
)
Convert = Callable[[Tensor, str], Tensor]


def systems(teacher: str | None, student: str) -> dict[str, tuple[int, Convert]]:
    """Name -> sample rate and conversion of a wave at it."""
    offline, live = open_model(teacher), open_model(student)

    def by(look_ahead: float) -> Convert:
        def convert(wave: Tensor, target: str) -> Tensor:
            return streamed(live.stream(target, look_ahead=look_ahead), wave, [480])

        return convert

    found: dict[str, tuple[int, Convert]] = {
        "source": (24000, lambda wave, target: wave),
        "teacher": (offline.sample_rate, offline.convert),
    }
    for look_ahead in live.look_aheads:
        found[f"live-{1000 * look_ahead:.0f}"] = (live.sample_rate, by(look_ahead))
    return found


def evaluate(folder: Path, output: Path, *options: str | Path) -> dict[str, dict[str, float]]:
    """The metrics of a folder of conversions."""
    if not output.exists():
        command = [sys.executable, "-m", "voiceconv", "evaluate", folder, *options, "-o", output]
        subprocess.run([str(part) for part in command], check=True)
    return json.loads(output.read_text(encoding="utf-8"))["metrics"]


def main() -> None:
    """Convert, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--student", default="four-voices-live")
    parser.add_argument("--teacher", default=None)
    given = parser.parse_args()
    torch.set_num_threads(1)
    people = sorted(path.name for path in given.strangers.iterdir() if path.is_dir())
    recordings: dict[str, list[tuple[str, Path]]] = {
        person: [(path.stem, path) for path in sorted((given.strangers / person).glob("*.flac"))]
        for person in people
    }
    for one in read_data_dir(given.data / "test"):
        some = recordings.setdefault(one.domain, [])
        if len(some) < N_EACH:
            some.append((one.id.removeprefix(f"{one.domain}-"), one.path))
    directions = [*PAIRS, *((person, target) for target in TARGETS for person in people)]
    made = systems(given.teacher, given.student)
    for name, (rate, convert) in made.items():
        for source, target in directions:
            folder = given.out / name / f"{source}-{target}"
            folder.mkdir(parents=True, exist_ok=True)
            for stem, path in recordings[source]:
                place = folder / f"{source}-{stem}.wav"
                if not place.exists():
                    audio.write(place, convert(audio.read(path, rate).samples, target), rate)
    text = given.out / "text"
    text.mkdir(exist_ok=True)
    lines = [
        f"{person}-{line}"
        for person in people
        for line in (given.strangers / person / "text").read_text(encoding="utf-8").splitlines()
    ]
    (text / "text").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for source, target in directions:
        shared = ["--source", source, "--target", target, "--target-train", given.data / "train"]
        shared += ["--voices", given.out / "voices"]
        if source in people:
            shared += ["--text", text / "text", "--recogniser", "pocketsphinx"]
        else:
            shared += ["--reference", given.data / "test", "--source-train", given.data / "train"]
        print(f"\n{source} to {target}\n")
        print(f"| system | {' | '.join(SHOWN)} |\n| --- |{' --- |' * len(SHOWN)}")
        for name in made:
            folder = given.out / name / f"{source}-{target}"
            scores = given.out / f"{name}.{source}-{target}.json"
            metrics = evaluate(folder, scores, *shared)
            cells = [_cell(metrics.get(metric)) for metric in SHOWN]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _cell(metric: dict[str, float] | None) -> str:
    if metric is None or metric.get("mean") is None:
        return ""
    return f"{metric['mean']:.2f} [{metric['low']:.2f}, {metric['high']:.2f}]"


if __name__ == "__main__":
    main()
