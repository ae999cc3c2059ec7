"""The whole examination: measure every recording in worker processes, then apply the rules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from voiceconv import audio
from voiceconv.build import build, compose_config
from voiceconv.check.corpus import Item, read_corpus
from voiceconv.check.evidence import Evidence, Finding, Needs
from voiceconv.check.fingerprint import find_matches
from voiceconv.check.measure import F0_FLOOR, Embed, Measurements, measure
from voiceconv.check.rules import apply_rules
from voiceconv.data.content import read_wave
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor
from voiceconv.metrics.speaker_similarity import SpeakerEncoder
from voiceconv.progress import Progress
from voiceconv.workers import Executor, run_tasks


@dataclass(frozen=True)
class Speaker:
    """Medians over a speaker's utterances; F0 in Hz, nan if there is none."""

    name: str
    n_utterances: int
    minutes: float
    sample_rates: tuple[int, ...]  # Hz, ascending
    loudness: float  # LUFS
    snr: float  # dB
    f0_median: float
    f0_floor: float  # the recommended search range
    f0_ceil: float


@dataclass(frozen=True)
class Report:
    """The result of a check; `not_run` maps a rule to the reason."""

    items: list[Item]
    evidence: Evidence
    findings: list[Finding]
    speakers: list[Speaker]
    not_run: dict[str, str]


def examine(
    data: Path | str,
    experiment: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Report:
    """Examine DATA (see `corpus.py`) in `jobs` processes (all cores). Raises InputError.

    experiment: experiment to check against: its crop length and sample rate. executor: other
    machines in place of the processes.
    """
    needs = experiment_needs(experiment)
    items = read_corpus(data)
    not_run = {}
    if reason := _why_no_voices(items):
        not_run["mislabelled"] = reason
    measured, unreadable = _measure_all(items, jobs, not reason, progress, executor)
    readable = list(measured)
    matches = [
        (readable[match.first], readable[match.second], match.bit_error)
        for match in find_matches([m.fingerprint for m in measured.values()])
    ]
    evidence = Evidence(measured, unreadable, matches, needs)
    speakers = [_speaker(name, list(own.values())) for name, own in evidence.by_speaker().items()]
    return Report(items, evidence, apply_rules(evidence), speakers, not_run)


def experiment_needs(experiment: str | None) -> Needs:
    """The requirements of an experiment on the data."""
    if experiment is None:
        return Needs()
    config = compose_config(
        [f"experiment={experiment}", "name=check", "run_dir=check", "data.dump=none"]
    )
    extractor = build(config.features, FeatureExtractor)
    crop = config.data.n_frames / extractor.frames_per_second
    return Needs(float(crop), extractor.sample_rate)


def search_range(f0: np.ndarray) -> tuple[float, float]:
    """F0 (T,) of a speaker -> the range in Hz to search in, in steps of 5 Hz.

    De Looze and Hirst 2008, Speech Prosody: 0.83 times the 15th percentile to 1.92 times the 65th,
    of a first pass over a wide range; octave errors of this pass do not move these percentiles.
    """
    if f0.size == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(f0, [15, 65])
    return max(F0_FLOOR, 5 * float(np.floor(0.83 * low / 5))), 5 * float(np.ceil(1.92 * high / 5))


def _speaker(name: str, own: Sequence[Measurements]) -> Speaker:
    f0 = np.concatenate([m.f0 for m in own])
    floor, ceil = search_range(f0)
    return Speaker(
        name,
        len(own),
        sum(m.seconds for m in own) / 60,
        tuple(sorted({m.sample_rate for m in own})),
        float(np.median([m.loudness for m in own])),
        float(np.median([m.snr for m in own])),
        float(np.median(f0)) if f0.size else float("nan"),
        floor,
        ceil,
    )


def _why_no_voices(items: Sequence[Item]) -> str | None:
    """The reason why voices cannot be compared, or None."""
    if len({item.utterance.domain for item in items}) < 2:
        return "there is one speaker only, and nobody to compare with"
    try:
        SpeakerEncoder()
    except InputError as error:
        return str(error)
    return None


def _measure_all(
    items: Sequence[Item],
    jobs: int | None,
    voices: bool,
    progress: Progress | None,
    executor: Executor | None,
) -> tuple[dict[Item, Measurements], dict[Item, str]]:
    """Measurements of readable files and errors of the others, each in the order of `items`."""
    measured: dict[Item, Measurements] = {}
    unreadable: dict[Item, str] = {}
    run = executor or run_tasks
    outcomes = run(items, _setup, lambda worker: (voices,), jobs, retries=0)
    with closing(outcomes):
        for number, (item, _, error, result) in enumerate(outcomes, 1):
            if error is None:
                measured[item] = result
            else:
                unreadable[item] = error
            if progress:
                progress(number, len(items))
    return (
        {item: measured[item] for item in items if item in measured},
        {item: unreadable[item] for item in items if item in unreadable},
    )


@contextmanager
def _setup(worker: int, voices: bool) -> Iterator[Callable[[Item], Measurements]]:
    """In a worker: give the function that measures an utterance."""
    torch.set_num_threads(1)  # the processes share the cores
    embed: Embed | None = SpeakerEncoder().embed if voices else None

    def handle(item: Item) -> Measurements:
        u = item.utterance
        wave, sample_rate = read_wave(u)
        measured = measure(wave, sample_rate, embed)
        return replace(measured, mixing=audio.mixing(u.path, u.channel).remark)

    yield handle
