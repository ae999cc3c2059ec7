"""Read a complete or partial run directory: scores, card, provenance, validation, log."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from voiceconv.errors import InputError
from voiceconv.evaluation.scores import read_scores
from voiceconv.files import plain_name, read_text
from voiceconv.report.scalars import Curve, read_curves

MODEL = "model"  # the system whose scores have no system name
Scores = dict[str, Any]  # the content of a scores.json
_LINE = re.compile(r"\[[^]]*\]\[[^]]*\]\[(?P<level>\w+)\] - (step (?P<step>\d+): )?(?P<text>.+)")


@dataclass(frozen=True)
class Direction:
    """Scores of one direction, source to target, by system."""

    source: str
    target: str
    systems: dict[str, Scores]

    @property
    def name(self) -> str:
        """The name in folders and files."""
        return f"{self.source}-{self.target}"

    @property
    def utterances(self) -> dict[str, dict[str, Any]]:
        """The model's scores by stem; empty if it has none."""
        found: dict[str, dict[str, Any]] = self.systems.get(MODEL, {}).get("utterances", {})
        return found


@dataclass(frozen=True)
class Warned:
    """A warning about health, or another one; its first step, and its count."""

    text: str
    step: int | None
    n_times: int


@dataclass(frozen=True)
class Run:
    """The parts of a run directory; `missing` has a sentence for each missing part."""

    folder: Path
    config: dict[str, Any]
    model: dict[str, Any]
    provenance: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    curves: dict[str, Curve]
    warned: list[Warned] | None  # None: there is no log
    directions: list[Direction]
    missing: list[str]

    @property
    def shipped_step(self) -> int | None:
        """The step of the model in `model/`."""
        steps = mapping_in(self.model, "card").get("steps")
        return steps if isinstance(steps, int) else None


def read_run(folder: Path) -> Run:
    """Read the existing parts. Raises InputError for a folder without any part of a run."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; give the directory of a run")
    missing: list[str] = []

    def part(name: str, read: Callable[[Path], Any], kind: type, writer: str) -> Any:
        try:
            found = read(folder / name)
            if not isinstance(found, kind):
                raise ValueError(f"holds a {type(found).__name__}")
        except FileNotFoundError:
            missing.append(f"no {name}; {writer} writes it")
        except (OSError, InputError, ValueError, RecursionError, yaml.YAMLError) as error:
            missing.append(f"{name} cannot be read and is left out ({error}); write it again")
        else:
            return found
        return None

    trained = "voiceconv train"
    model = part("model/config.yaml", _yaml, dict, trained) or {}
    scores, unread = read_all_scores(folder / "scores")
    run = Run(
        folder=folder,
        config=part("config.yaml", _yaml, dict, trained) or {},
        model=model,
        provenance=_dicts(part("provenance.json", _json, list, trained)),
        validation=_dicts(part("validation.json", _json, list, f"{trained} with a val split")),
        curves=part("tensorboard", _curves, dict, trained) or {},
        warned=part("train.log", read_log, list, trained),
        directions=directions(scores, domains_of(model)),
        missing=missing,
    )
    if not scores:
        missing.append("no scores; voiceconv evaluate, stage evaluate of a recipe, writes them")
    missing += unread
    if not (run.config or run.model or run.directions or run.curves):
        raise InputError(
            f"{folder} holds no run: no configuration, curves, model or scores; give the folder "
            "that voiceconv train or a recipe has written"
        )
    return run


def read_all_scores(folder: Path) -> tuple[dict[str, Scores], list[str]]:
    """`scores/*.json` by file name, and a sentence for each unreadable one."""
    found, unread = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            scores = read_scores(path)
        except InputError as error:
            unread.append(str(error))
            continue
        if _is_sound(scores):
            found[plain_name(path.name)] = scores
        else:
            unread.append(f"{path} lacks figures that scores have; evaluate again")
    return found, unread


def directions(scores: dict[str, Scores], domains: list[str]) -> list[Direction]:
    """Group `SOURCE-TARGET.json` and `SOURCE-TARGET.NAME.json`; the model's directions first."""
    own = {f"{source}-{target}": (source, target) for source, target in permutations(domains, 2)}
    found: dict[tuple[str, str], dict[str, Scores]] = {}
    for file, content in scores.items():
        stem = file.removesuffix(".json")
        name = next((name for name in own if f"{stem}.".startswith(f"{name}.")), stem.split(".")[0])
        pair = own.get(name) or _strangers(name, domains)
        found.setdefault(pair, {})[stem[len(name) + 1 :] or MODEL] = content
    ranked = sorted(found, key=lambda pair: (f"{pair[0]}-{pair[1]}" not in own, pair))
    return [Direction(*pair, found[pair]) for pair in ranked]


def _strangers(name: str, domains: list[str]) -> tuple[str, str]:
    """Split SOURCE-TARGET if the model does not know the source, or neither of them."""
    target = next((domain for domain in domains if name.endswith(f"-{domain}")), None)
    if target is not None:
        return name.removesuffix(f"-{target}"), target
    source, _, target = name.partition("-")
    return source, target


def read_log(path: Path) -> list[Warned]:
    """Warnings of `train.log`, about health and others, each text once, in order."""
    found: dict[str, Warned] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if not match or not _is_warning(match["level"], match["text"]):
            continue
        text = match["text"].removeprefix("health: ")
        first = found.get(text, Warned(text, int(match["step"]) if match["step"] else None, 0))
        found[text] = Warned(text, first.step, first.n_times + 1)
    return list(found.values())


def _is_warning(level: str, text: str) -> bool:
    return level in ("WARNING", "ERROR", "CRITICAL") or text.startswith("health: ")


def _curves(folder: Path) -> dict[str, Curve] | None:
    if not folder.is_dir():
        raise FileNotFoundError
    return read_curves(folder)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(read_text(path))


def _json(path: Path) -> Any:
    return json.loads(read_text(path))


def mapping_in(tree: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping of a key; empty where there is none, as in a damaged file."""
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def domains_of(model: dict[str, Any]) -> list[str]:
    """The names in a model's config.yaml; empty where there is no list."""
    names = model.get("domains")
    return [str(name) for name in names] if isinstance(names, list) else []


def _dicts(entries: list[Any] | None) -> list[dict[str, Any]]:
    return [entry for entry in entries or [] if isinstance(entry, dict)]


def _is_sound(scores: Scores) -> bool:
    """Whether every mean has its interval, and every utterance its values."""
    return all(isinstance(row, dict) for row in scores["utterances"].values()) and all(
        isinstance(row, dict) and all(is_number(row.get(key)) for key in ("mean", "low", "high"))
        for row in scores["metrics"].values()
    )


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)
