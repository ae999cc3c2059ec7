"""The examination of a corpus whose features read files of their own: what needs no sound."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from voiceconv.build import build, class_of, compose_config
from voiceconv.check.corpus import Item, read_corpus
from voiceconv.check.evidence import Case, Evidence, Finding
from voiceconv.check.rules import same_recording, unreadable
from voiceconv.errors import InputError
from voiceconv.features import Features, FileRepresentation, Representation
from voiceconv.progress import Progress

OF_SOUND = (
    "channels", "mixed rates", "rate too low", "clipping", "DC", "low level", "noise", "silence",
    "too long", "octave errors", "mislabelled", "too little data",
)  # fmt: skip
WHY_NOT = "these features are of files without a wave"
_REMEDIES = {
    "unreadable": "write it again, or take it out",
    "leak": "take it out of training, or results are of what was learnt",
    "duplicate": "keep one",
}


class FrameNeeds(NamedTuple):
    """What an experiment asks of such files: that they can be read, and frames for a crop."""

    representation: FileRepresentation
    n_frames: int


@dataclass(frozen=True)
class FrameReport:
    """What there is to say; `n_frames` is of what could be read, `not_run` a rule -> why."""

    items: list[Item]
    n_frames: dict[Item, int]
    frames_per_second: float
    findings: list[Finding]
    not_run: dict[str, str]


def frame_needs(experiment: str | None) -> FrameNeeds | None:
    """None where an experiment is of sound. Raises InputError."""
    if experiment is None:
        return None
    config = compose_config(
        [f"experiment={experiment}", "name=check", "run_dir=check", "data.dump=none"]
    )
    if not issubclass(class_of(config.features, Representation), FileRepresentation):
        return None
    return FrameNeeds(build(config.features, FileRepresentation), config.data.n_frames)


def examine_files(
    data: Path | str, needs: FrameNeeds, progress: Progress | None = None
) -> FrameReport:
    """Examine DATA (see `corpus.py`). Raises InputError."""
    representation = needs.representation
    items = read_corpus(data, representation.extensions)
    n_frames: dict[Item, int] = {}
    failed: dict[Item, str] = {}
    same: dict[str, list[Item]] = {}
    for number, item in enumerate(items, 1):
        u = item.utterance
        try:
            features = representation.read(u.path, u.start or 0.0, u.end)
        except InputError as error:
            failed[item] = str(error)
        else:
            n_frames[item] = features.frames.shape[1]
            same.setdefault(_digest(features), []).append(item)
        if progress:
            progress(number, len(items))
    matches = [(*pair, 0.0) for group in same.values() for pair in combinations(group, 2)]
    evidence = Evidence({}, failed, matches)
    findings = [
        *_reworded(unreadable(evidence)),
        *_too_short(n_frames, needs.n_frames),
        *_reworded(same_recording(evidence)),
    ]
    not_run = dict.fromkeys(OF_SOUND, WHY_NOT)
    return FrameReport(items, n_frames, representation.frames_per_second, findings, not_run)


def _reworded(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The rules of sound have remedies that mend it."""
    for finding in findings:
        unit = finding.unit if finding.rule == "unreadable" else "% of frames differ"
        remedy = _REMEDIES[finding.rule]
        yield replace(finding, unit=unit, limit=0.0, remedy=remedy, is_mendable=False)


def _too_short(n_frames: Mapping[Item, int], least: int) -> Iterator[Finding]:
    """Utterances that training passes over."""
    domains: dict[str, list[Case]] = {}
    for item, n in sorted(n_frames.items(), key=lambda pair: pair[1]):
        if n < least:
            domains.setdefault(item.utterance.domain, []).append(Case(item, n))
    remedy = "join it with its neighbour, or lower data.n_frames; training passes it over"
    for domain, cases in sorted(domains.items()):
        worst = cases[0].figure
        yield Finding("too short", domain, worst, "frames", least, remedy, False, tuple(cases))


def _digest(features: Features) -> str:
    """Of all that networks and files get of an utterance."""
    whole = hashlib.sha256()
    for name, track in {"": features.frames, **features.tracks}.items():
        whole.update(f"{name} {tuple(track.shape)}\0".encode())
        whole.update(track.contiguous().numpy().tobytes())
    return whole.hexdigest()
