"""A run directory, as a recipe leaves it, small enough for tests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from tiny import vowel
from torch.utils.tensorboard import SummaryWriter

from voiceconv import audio
from voiceconv.evaluation.bootstrap import summary
from voiceconv.evaluation.scores import write_scores
from voiceconv.metrics import MEASURES
from voiceconv.report.run import Direction

RATE = 16000
PITCHES = {"ada": 220.0, "bert": 110.0}
STEMS = [f"u{number}" for number in range(1, 6)]
PROTOCOL = {
    "common": {"sample_rate": 16000, "utterances": "1f2e", "commit": "abc"},
    "inputs": {"reference": "3d", "target_train": "4c", "source_train": "5b"},
    "mel_cepstral_distortion": {"order": 24},
    "speaker_similarity": {"encoder": "Resemblyzer"},
    "source_similarity": {"encoder": "Resemblyzer"},
    "loudness": {"gate": -70.0},
}
LOG = (
    "[2026-11-21 13:50:02,261][voiceconv.training.tracker][INFO] - step 100: cycle 1.015\n"
    "[2026-11-21 13:50:22,539][voiceconv.training.tracker][INFO] - step 200: health: the "
    "generator hands its input on\n"
    "[2026-11-21 13:50:43,409][voiceconv.runs.validation][WARNING] - no validation audio of u9\n"
    "[2026-11-21 13:51:43,409][voiceconv.runs.validation][WARNING] - no validation audio of u9\n"
)


def scores(
    rows: Mapping[str, Mapping[str, Any]],
    protocol: Mapping[str, Any] = PROTOCOL,
    not_run: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What a scores.json of these utterances holds."""
    names = [name for name in MEASURES if any(name in row for row in rows.values())]
    metrics = {
        name: {
            "unit": MEASURES[name].unit,
            "better": MEASURES[name].better,
            **summary([row[name] for row in rows.values() if name in row]),
        }
        for name in names
    }
    return {
        "format": 3,
        "date": "2026-11-21T15:00:00+00:00",
        "voiceconv": "0.1.0",
        "protocol": dict(protocol),
        "metrics": metrics,
        "not_run": dict(not_run or {}),
        "inputs": {},
        "utterances": {stem: dict(row) for stem, row in rows.items()},
        **more,
    }


def direction(**systems: Mapping[str, Mapping[str, Any]]) -> Direction:
    """ada to bert, of each system's rows."""
    return Direction("ada", "bert", {name: scores(rows) for name, rows in systems.items()})


def rows(measure: str, values: Iterable[float]) -> dict[str, dict[str, float]]:
    """One measure of the utterances a, b, c, ..."""
    return {chr(ord("a") + place): {measure: value} for place, value in enumerate(values)}


def write_curves(
    folder: Path, curves: Mapping[str, Sequence[tuple[int, float]]], purge_step: int | None = None
) -> None:
    """TensorBoard files of `group/name` -> (step, value)."""
    with SummaryWriter(str(folder), purge_step=purge_step) as writer:
        for name, points in curves.items():
            for step, value in points:
                writer.add_scalar(name, value, step)


def write_run(folder: Path, stems: Sequence[str] = STEMS, name: str = "toy") -> Path:
    """Both directions between ada and bert: the model, a baseline, the source, the target."""
    card = {"experiment": name, "steps": 200, "data": "two vowels", "licence": "CC0-1.0"}
    put_yaml(folder / "config.yaml", {"name": name})
    put_yaml(folder / "model/config.yaml", {"domains": list(PITCHES), "card": card})
    start = {
        "commit": "0123456789abcdef",
        "command": "voiceconv train",
        "started": "2026-11-20T08:09",
    }
    (folder / "provenance.json").write_text(json.dumps([start]))
    (folder / "train.log").write_text(LOG)
    history = [
        {"step": step, "rule": "least score", "measures": {"score": 1.0}} for step in (100, 200)
    ]
    (folder / "validation.json").write_text(json.dumps(history))
    for domain, pitch in PITCHES.items():
        for number, stem in enumerate(stems):
            put_wave(
                folder / f"unconverted/{domain}/{domain}-{stem}.flac", pitch, 0.4 + 0.05 * number
            )
    for source, target in (("ada", "bert"), ("bert", "ada")):
        write_direction(folder, source, target, stems)
    write_curves(
        folder / "tensorboard",
        {
            "generator/cycle": [(step, 2 - step / 200) for step in range(10, 201, 10)],
            "generator/adversarial_converted": [(step, 1.0) for step in range(10, 201, 10)],
            "discriminator/adversarial_converted": [(step, 0.5) for step in range(10, 201, 10)],
            "gradient_norm/generator": [(10, 1.0), (200, 10.0)],
            "learning_rate/generator": [(10, 2e-4), (200, 0.0)],
            "validation/score": [(100, 7.5), (200, 7.25)],
            "validation/seconds": [(100, 3.0), (200, 3.0)],
            "health/change": [(100, 0.5), (200, 0.75)],
        },
    )  # fmt: skip
    return folder


def write_direction(folder: Path, source: str, target: str, stems: Sequence[str]) -> None:
    name = f"{source}-{target}"
    figures = {  # similarity to the target and to the source, MCD, of the first utterance
        "": (0.8, 0.6, 7.0),
        ".statistics": (0.6, 0.7, 8.0),
        ".unconverted": (0.5, 0.9, 9.0),
        ".target": (0.9, 0.5, 0.0),
    }
    for number, stem in enumerate(stems):
        put_wave(
            folder / f"converted/{name}/{source}-{stem}.wav", PITCHES[target], 0.4 + 0.05 * number
        )
    for system, (near, far, distortion) in figures.items():
        found = {
            stem: {
                "file": f"{source}-{stem}.wav",
                "speaker_similarity": near - 0.01 * number,
                "source_similarity": far,
                "mel_cepstral_distortion": distortion,
                "loudness": -23.0,
            }
            for number, stem in enumerate(stems)
        }
        missing = {"pesq": "no originals (--copy-of)", "stoi": "no originals (--copy-of)"}
        write_scores(folder / f"scores/{name}{system}.json", scores(found, not_run=missing))


def put_yaml(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def put_wave(path: Path, pitch: float, seconds: float, rate: int = RATE) -> torch.Tensor:
    """A vowel as a file, and its wave (N,)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = vowel(pitch, seconds, rate)
    audio.write(path, wave, rate)
    return wave
