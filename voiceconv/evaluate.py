"""Scores of a folder of converted files: means with bootstrap intervals, and their table.

What needs a missing input or package is left out and listed under `not_run` with the reason.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from voiceconv import __version__, audio
from voiceconv.data.manifest import Utterance, is_data_dir, read_data_dir
from voiceconv.errors import InputError
from voiceconv.files import replace_text
from voiceconv.metrics import mel_cepstral_distortion, naturalness, speaker_similarity, waves

UNITS = {"mel_cepstral_distortion": "dB", "speaker_similarity": "cosine", "dnsmos": "1 to 5"}
TITLES = {
    "mel_cepstral_distortion": "MCD dB",
    "speaker_similarity": "similarity",
    "dnsmos": "DNSMOS",
}
PROTOCOL = (
    f"16 kHz, all recordings scaled to a peak of {waves.PEAK}; MCD: WORLD mel-cepstra 1 to 24, "
    "frames within 40 dB of the loudest, DTW; similarity: cosine of Resemblyzer embeddings to the "
    "target's mean training embedding; DNSMOS: overall score; [95% bootstrap interval of the mean]"
)
_T = TypeVar("_T")
Wave = NDArray[np.float32]
Scorer = Callable[[Wave, str], dict[str, float]]  # a converted wave (N,) and its stem
Location = Path | str | Sequence[Path | str]


def evaluate_folder(
    converted: Location,
    reference: Location | None = None,
    target_train: Location | None = None,
    target: str | None = None,
    metrics: Sequence[str] = tuple(UNITS),
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score converted files against the target's recordings; returns what `scores.json` holds.

    Each location is a folder of sound files, a list of them, or a Kaldi data directory, of which
    `target` names the domain to take. A converted file goes with the reference whose stem its name
    is or ends in: `nathalie-nl_0005.wav` with `nl_0005` and with `flemishguy-nl_0005`. Raises
    InputError where nothing can be paired, and for a file that cannot be scored.
    """
    unknown = sorted(set(metrics) - set(UNITS))
    if unknown:
        raise InputError(f"no metric {unknown[0]!r}; choose from {', '.join(UNITS)}")
    references = None if reference is None else _by_stem(_recordings(reference, target), reference)
    pairs = _pairs(_recordings(converted, None), references, converted, reference)
    train = None if target_train is None else _recordings(target_train, target)
    scorers, not_run = _scorers(metrics, references, train)
    utterances: dict[str, dict[str, float]] = {}
    for number, (stem, utterance) in enumerate(pairs.items(), 1):
        utterances[stem] = _score(utterance, stem, scorers)
        if on_progress:
            on_progress(number, len(pairs))
    return {
        "voiceconv": __version__,
        "protocol": PROTOCOL,
        "seed": seed,
        "metrics": {
            name: {"unit": UNITS[name], **summary([row[name] for row in utterances.values()], seed)}
            for name in scorers
        },
        "not_run": not_run,
        "utterances": utterances,
    }


def summary(values: Sequence[float], seed: int = 0, n_resamples: int = 2000) -> dict[str, float]:
    """Mean, 95% percentile bootstrap interval of the mean (Efron 1979) and number of values."""
    sample = np.asarray(values, np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(sample), (n_resamples, len(sample)))
    low, high = np.percentile(sample[chosen].mean(1), [2.5, 97.5])
    return {"mean": float(sample.mean()), "low": float(low), "high": float(high), "n": len(sample)}


def write_scores(path: Path | str, scores: dict[str, Any]) -> None:
    """Write scores as JSON, whole or not at all."""
    replace_text(path, json.dumps(scores, indent=2) + "\n")


def write_results(
    path: Path | str,
    title: str,
    rows: dict[str, Sequence[Path | str]],
    command: str,
    commit: str,
    steps: int | None = None,
) -> None:
    """Write a table of scores.json files as markdown: a row's name -> its file for each direction.

    A cell holds mean [low, high], directions parted by " / " in the order of the files.
    """
    scores = {name: [_read_scores(file) for file in files] for name, files in rows.items()}
    ran = {metric for files in scores.values() for file in files for metric in file["metrics"]}
    columns = [metric for metric in UNITS if metric in ran]
    lines = [f"# {title}", "", f"    {command}", "", f"- commit: {commit}"]
    lines += [] if steps is None else [f"- steps: {steps:,}"]
    lines += [f"- protocol: {PROTOCOL}", ""]
    lines += [f"| | {' | '.join(TITLES[column] for column in columns)} |"]
    lines += [f"| --- |{' --- |' * len(columns)}"]
    for name, files in scores.items():
        cells = [" / ".join(_cell(file, column) for file in files) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    missing = {f"- {TITLES[metric]} not run: {reason}"
               for files in scores.values()
               for file in files
               for metric, reason in file["not_run"].items()}  # fmt: skip
    replace_text(path, "\n".join([*lines, *([""] if missing else []), *sorted(missing)]) + "\n")


def _cell(scores: dict[str, Any], metric: str) -> str:
    found = scores["metrics"].get(metric)
    return f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]" if found else "-"


def _read_scores(path: Path | str) -> dict[str, Any]:
    try:
        scores = json.loads(Path(path).read_text(encoding="utf-8"))
        scores["metrics"], scores["not_run"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} holds no scores; make it with `voiceconv evaluate`") from None
    return scores


def _recordings(location: Location, domain: str | None) -> list[Utterance]:
    """Utterances of a folder, a list of files or a Kaldi data directory (there: of one domain)."""
    if not isinstance(location, (str, Path)):
        return [Utterance(Path(file).stem, domain or "", Path(file)) for file in location]
    folder = Path(location)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; check the path")
    if is_data_dir(folder):
        utterances = read_data_dir(folder)
        domains = sorted({utterance.domain for utterance in utterances})
        if domain is None and len(domains) > 1:
            raise InputError(f"{folder} holds {', '.join(domains)}; choose one with --target")
        utterances = [u for u in utterances if domain in (None, u.domain)]
        if not utterances:
            raise InputError(f"no {domain!r} in {folder}, which holds {', '.join(domains)}")
        return utterances
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in audio.EXTENSIONS)
    if not files:
        raise InputError(f"no sound file in {folder}; give a folder that holds some")
    return [Utterance(file.stem, domain or "", file) for file in files]


def _by_stem(utterances: Sequence[Utterance], place: object) -> dict[str, Utterance]:
    """Utterances by id less the domain's prefix."""
    table: dict[str, Utterance] = {}
    for utterance in utterances:
        stem = utterance.id.removeprefix(f"{utterance.domain}-") or utterance.id
        if stem in table:
            raise InputError(f"two recordings of {stem!r} in {place}; keep one")
        table[stem] = utterance
    return table


def _pairs(
    converted: Sequence[Utterance],
    references: dict[str, Utterance] | None,
    place: object,
    reference_place: object,
) -> dict[str, Utterance]:
    """Converted files by the stem of their reference; by their own name where there is none."""
    if references is None:
        return _by_stem(converted, place)
    pairs: dict[str, Utterance] = {}
    for utterance in converted:
        parts = utterance.id.split("-")
        ends = ("-".join(parts[first:]) for first in range(len(parts)))  # the longest first
        stem = next((end for end in ends if end in references), None)
        if stem is None:
            raise InputError(
                f"{utterance.path} has no counterpart in {reference_place}; add the target's "
                "recording of it under the same name, or leave the file out"
            )
        if stem in pairs:
            raise InputError(f"two conversions of {stem!r} in {place}; keep one")
        pairs[stem] = utterance
    return pairs


def _scorers(
    metrics: Sequence[str], references: dict[str, Utterance] | None, train: list[Utterance] | None
) -> tuple[dict[str, Scorer], dict[str, str]]:
    """What can be run, in order, and why the rest cannot."""
    makers: dict[str, Callable[[], Scorer]] = {
        "mel_cepstral_distortion": lambda: _distortion_scorer(references),
        "speaker_similarity": lambda: _similarity_scorer(train),
        "dnsmos": _dnsmos_scorer,
    }
    scorers: dict[str, Scorer] = {}
    not_run = {name: "not asked for" for name in UNITS if name not in metrics}
    for name in (name for name in UNITS if name in metrics):
        try:
            scorers[name] = makers[name]()
        except _NotRunError as reason:
            not_run[name] = str(reason)
    return scorers, not_run


class _NotRunError(Exception):
    """Why a metric is left out."""


def _distortion_scorer(references: dict[str, Utterance] | None) -> Scorer:
    if references is None:
        raise _NotRunError("no reference recordings (--reference)")
    return lambda wave, stem: mel_cepstral_distortion.evaluate(_load(references[stem]), wave)


def _similarity_scorer(train: list[Utterance] | None) -> Scorer:
    if train is None:
        raise _NotRunError("no training recordings of the target (--target-train)")
    encoder = _available(speaker_similarity.SpeakerEncoder)
    target = speaker_similarity.mean_embedding([encoder.embed(_load(u)) for u in train])
    return lambda wave, _: speaker_similarity.evaluate(target, encoder.embed(wave))


def _dnsmos_scorer() -> Scorer:
    scorer = _available(naturalness.Dnsmos)
    return lambda wave, _: naturalness.evaluate(scorer, wave)


def _available(make: Callable[[], _T]) -> _T:
    """Build what needs an optional package."""
    try:
        return make()
    except InputError as error:
        raise _NotRunError(str(error)) from error


def _score(utterance: Utterance, stem: str, scorers: dict[str, Scorer]) -> dict[str, float]:
    """Run every metric on one converted file."""
    wave = _load(utterance)
    scores: dict[str, float] = {}
    try:
        for scorer in scorers.values():
            scores |= scorer(wave, stem)
    except ValueError as error:
        raise InputError(f"{utterance.path} cannot be scored: {error}") from error
    return scores


def _load(utterance: Utterance) -> Wave:
    """Read an utterance, (N,) at 16 kHz."""
    start = utterance.start or 0.0
    return audio.read(utterance.path, waves.SAMPLE_RATE, start, utterance.end).samples.numpy()
