"""Score a folder of converted recordings: the contents of `scores.json`."""

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from voiceconv import __version__
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError
from voiceconv.evaluation import inputs
from voiceconv.evaluation.bootstrap import summary
from voiceconv.evaluation.inputs import Case, Location, contents, digest
from voiceconv.evaluation.measuring import (
    ERRORS,
    POCKETSPHINX,
    Job,
    Measured,
    Progress,
    measure_all,
    recogniser_of,
    tools,
)
from voiceconv.evaluation.protocol import Protocol, Stamp, stamp
from voiceconv.evaluation.scores import FORMAT, NOT_ASKED, gaps, remarks
from voiceconv.evaluation.voices import Voice, VoiceCache, nearness, voice_of
from voiceconv.metrics import MEASURES, WEIGHTS
from voiceconv.workers import Executor

UNREADABLE = "unreadable"  # in place of a digest
UNDEFINED = "undefined for this recording"
log = logging.getLogger(__name__)
_OPTIONS = {
    "reference": "no reference recordings (--reference)",
    "target_train": "no training recordings of the target (--target-train)",
    "source_train": "no training recordings of the source (--source-train)",
    "text": "no transcripts (--text)",
    "copy_of": "no originals that they are copies of (--copy-of)",
}


class Given(NamedTuple):
    """The inputs of an evaluation; a location is a folder, a list of files or a data directory."""

    converted: Location
    reference: Location | None = None
    target_train: Location | None = None
    source_train: Location | None = None
    text: Path | str | None = None  # a data directory with transcripts, or a file of `id text`
    copy_of: Location | None = None
    target: str | None = None  # domain of reference and target_train
    source: str | None = None  # domain of all other locations
    domain: str | None = None  # domain of converted, if it is not the source


def evaluate_folder(
    given: Given,
    names: Sequence[str] = (),
    protocol: Protocol | None = None,
    recogniser: str | None = None,
    jobs: int | None = 1,
    voices: Path | str | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
    executor: Executor | None = None,
) -> dict[str, Any]:
    """Score converted recordings by the measures `names`; returns `scores.json`.

    Without names, by all but those of music.

    recogniser: a command with {} for the file; default: PocketSphinx, for English. jobs: processes
    (None: one per core); executor: other machines; neither changes scores. voices: a cache folder
    for the training recordings' embeddings and F0. A measure without its input or package is listed
    under `not_run` with the reason. What a recording has no value in is listed in its row under
    `missing`, and logged. Raises InputError if nothing can be paired.
    """
    protocol = protocol or Protocol()
    of_speech = [name for name, measure in MEASURES.items() if not measure.of_music]
    run, not_run = _runnable(given, names or of_speech, recogniser)
    choice = "--domain" if given.copy_of is None else None  # copies may be of all domains
    converted = inputs.recordings(given.converted, given.domain or given.source, choice)
    cases = inputs.cases(
        converted, given.reference, given.copy_of, given.text, given.source, given.target
    )
    trains = _trains(given, run)
    spoken = recogniser_of(recogniser) if set(ERRORS) & set(run) else None
    digests = _digests(cases, trains, run)
    made = stamp(protocol, run, [case.stem for case in cases], digests, spoken, seed)
    job = Job(tuple(run), protocol, recogniser)
    rows = _measured(job, cases, trains, made, VoiceCache(voices), jobs, on_progress, executor)
    scores = _scores(given, made, _means(run, rows, seed), not_run, cases, rows)
    for line in (*gaps(scores), *remarks(scores)):
        log.warning("%s", line)
    return scores


def _scores(
    given: Given,
    made: Stamp,
    means: Mapping[str, dict[str, Any]],
    not_run: Mapping[str, str],
    cases: Sequence[Case],
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The contents of `scores.json`; what has no value at all is not run, for the first reason."""
    without = {
        name: f"no utterance has a value: {reason}"
        for name, reason in rows[0].get("missing", {}).items()
        if name not in means
    }
    reasons = {**not_run, **without}
    return {
        "format": FORMAT,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "voiceconv": __version__,
        "protocol": made,
        "metrics": means,
        "not_run": {name: reasons[name] for name in MEASURES if name in reasons},
        "inputs": {key: _as_given(value) for key, value in given._asdict().items() if value},
        "utterances": {
            case.stem: {"file": _relative(case.converted.path, given.converted), **row}
            for case, row in zip(cases, rows, strict=True)
        },
    }


def _runnable(
    given: Given, names: Sequence[str], recogniser: str | None
) -> tuple[list[str], dict[str, str]]:
    """The measures that can run, in the table's order, and the reasons of the others."""
    unknown = sorted(set(names) - set(MEASURES))
    if unknown:
        raise InputError(f"no metric {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    run, not_run = [], {}
    for name, measure in MEASURES.items():
        missing = [need for need in measure.needs if getattr(given, need) is None]
        if name not in names:
            not_run[name] = NOT_ASKED
        elif missing:
            not_run[name] = _OPTIONS[missing[0]]
        else:
            if name in ERRORS and recogniser not in (None, POCKETSPHINX):
                recogniser_of(recogniser)  # a wrong command is no missing package
            try:
                tools([name], recogniser)
                run.append(name)
            except InputError as error:
                not_run[name] = str(error)
    return run, not_run


def _trains(given: Given, run: Sequence[str]) -> dict[str, list[Utterance]]:
    """The training recordings that the measures need, sorted, by the name of the input."""
    trains = {}
    for need, domain in (("target_train", given.target), ("source_train", given.source)):
        if any(need in MEASURES[name].needs for name in run):
            found = inputs.recordings(getattr(given, need), domain, f"--{need[:6]}")
            trains[need] = sorted(found, key=lambda one: (one.id, str(one.path)))
    return trains


def _digests(
    cases: Sequence[Case], trains: Mapping[str, Sequence[Utterance]], run: Sequence[str]
) -> dict[str, str | dict[str, str]]:
    """Digests of the reference inputs: one per utterance, one per voice."""
    used = {need for name in run for need in MEASURES[name].needs}
    parallel = {
        "reference": {case.stem: case.reference for case in cases if case.reference},
        "copy_of": {case.stem: case.original for case in cases if case.original},
    }
    found = {need: contents(of.values(), UNREADABLE) for need, of in parallel.items()}
    words = {need: dict(zip(of, found[need], strict=True)) for need, of in parallel.items()}
    words["text"] = {case.stem: case.text for case in cases if case.text}
    return {
        **{need: digest(contents(utterances, UNREADABLE)) for need, utterances in trains.items()},
        **{
            need: {stem: digest([word])[:16] for stem, word in of.items()}
            for need, of in words.items()
            if need in used
        },
    }


def _measured(
    job: Job,
    cases: Sequence[Case],
    trains: Mapping[str, Sequence[Utterance]],
    made: Stamp,
    shelf: VoiceCache,
    jobs: int | None,
    on_progress: Progress | None,
    executor: Executor | None,
) -> list[dict[str, Any]]:
    """The row of each case, in their order."""
    voices: dict[str, Voice | None] = {need: shelf.find(made, need) for need in trains}
    lacking = [need for need, voice in voices.items() if voice is None]
    tasks: list[Case | Utterance] = [one for need in lacking for one in trains[need]]
    found = measure_all([*tasks, *cases], job, jobs, on_progress, executor)
    start = 0
    for need in lacking:
        end = start + len(trains[need])
        heard = _usable(found[start:end], need)
        voices[need] = voice = voice_of(heard)
        if len(heard) == end - start:
            shelf.keep(made, need, voice)
        start = end
    target, source = voices.get("target_train"), voices.get("source_train")
    return [_row(one, nearness(one, target, source), job.names) for one in found[start:]]


def _usable(recordings: Sequence[Measured], need: str) -> list[Measured]:
    """The training recordings that tell of the voice; warns of the others."""
    for reason in sorted({reason for one in recordings for reason in one.missing.values()}):
        log.warning("left out of --%s: %s", need.replace("_", "-"), reason)
    return [one for one in recordings if not one.missing]


def _row(measured: Measured, near: Mapping[str, float], names: Sequence[str]) -> dict[str, Any]:
    """Sample rates and bandwidths, the requested values in the table's order, then weights; without
    NaN and infinity; then the reasons of missing values, and remarks.
    """
    values = {**measured.scores, **near}
    kept = [name for name in names if math.isfinite(values.get(name, math.nan))]
    weights = [WEIGHTS[name] for name in kept if name in WEIGHTS]
    missing = {n: measured.missing.get(n, UNDEFINED) for n in names if n not in kept}
    return {
        **measured.sound,
        **{name: values[name] for name in (*kept, *weights)},
        **({"missing": missing} if missing else {}),
        **({"remarks": measured.remarks} if measured.remarks else {}),
    }


def _means(
    run: Sequence[str], rows: Sequence[Mapping[str, Any]], seed: int
) -> dict[str, dict[str, Any]]:
    """Mean and interval of each measure over the utterances that have a value."""
    means: dict[str, dict[str, Any]] = {}
    for name in run:
        having = [row for row in rows if name in row]
        if having:
            weights = [row[WEIGHTS[name]] for row in having] if name in WEIGHTS else None
            measure = MEASURES[name]
            means[name] = {
                "unit": measure.unit,
                "better": measure.better,
                **summary([row[name] for row in having], seed, weights),
            }
    return means


def _as_given(value: Location) -> str | list[str]:
    return str(value) if isinstance(value, (str, Path)) else [str(one) for one in value]


def _relative(path: Path, folder: Location) -> str:
    """A file's path relative to the given folder; outside of it, the path as given."""
    if isinstance(folder, (str, Path)) and path.is_relative_to(folder):
        return str(path.relative_to(folder))
    return str(path)
