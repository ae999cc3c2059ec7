"""Data directories to feature archives: `voiceconv extract DATA DUMP`.

DUMP/<split> gets `feats.scp` and one file for each track of the features, such as `f0.scp`; on
request `waves.scp`, the analysed waves, (N,) at the features' rate; the archives of these, in
shards (`shards.py`); a copy of the data directory with the extracted utterances; `features.yaml`
(the features' node) and `processing.yaml` (trim and loudness, for waves). A task is a shard. After
an interruption the same call continues, and the files are those of a call without one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from voiceconv import audio
from voiceconv.build import build
from voiceconv.data.archive import FloatArray, write_scp
from voiceconv.data.content import read_wave
from voiceconv.data.dump import read_yaml
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, write_data_dir
from voiceconv.data.shards import (
    Known,
    Shard,
    Task,
    Written,
    forget_changed,
    locations,
    plan,
    remove_others,
    remove_scratch,
    write_shard,
)
from voiceconv.data.splits import SPLITS
from voiceconv.errors import InputError, RunError
from voiceconv.features.base import (
    FeatureExtractor,
    FileRepresentation,
    Representation,
    differences,
)
from voiceconv.files import locked, replace_text, unwritable
from voiceconv.progress import Progress
from voiceconv.workers import Executor, GiveUp, Outcome, describe, run_tasks

_Run = Callable[[Sequence[Task]], Iterator[Outcome[Task]]]


@dataclass
class SplitResult:
    """The result of a split; `failed` maps an utterance to its error."""

    folder: Path
    n_utterances: int
    n_done_before: int
    failed: dict[str, str] = field(default_factory=dict)


class LeftOutError(RunError):
    """Some utterances could not be extracted; all others are complete."""


def extract(
    data_dir: Path | str,
    dump_dir: Path | str,
    features: Mapping[str, Any],
    jobs: int | None = None,
    trim: float | None = None,
    loudness: float | None = None,
    waves: bool = False,
    retries: int = 2,
    strict: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> list[SplitResult]:
    """Extract the features of DATA, a split or a folder of splits, in `jobs` processes (all cores).

    features: a node for `build`. trim: dB below the loudest at which silence at both ends is cut;
    None: not. loudness: LUFS to which each utterance is brought; None: not. waves: keep the
    waves, too, for a vocoder to learn from. What is no audio has none of these. strict: stop at
    the first file that fails; else LeftOutError names them when all others are done. executor:
    other machines in place of the processes.
    """
    representation = build(features, Representation)
    processing = _processing(representation, trim, loudness, waves)
    kinds = _kinds(representation, processing)
    splits = _read_splits(Path(data_dir), Path(dump_dir))
    with ExitStack() as stack:
        for folder in dict.fromkeys([Path(dump_dir), *splits]):  # a split alone may be another's
            stack.enter_context(locked(folder, "extracting to"))
        for folder, utterances in splits.items():
            _check_folder(folder, features, representation.definition, processing)
            remove_scratch(folder)
            forget_changed(folder, utterances)
        shards = {folder: plan(folder, utts, kinds) for folder, utts in splits.items()}
        results = [
            SplitResult(folder, len(splits[folder]), sum(len(one.known) for one in own))
            for folder, own in shards.items()
        ]
        run = partial(
            executor or run_tasks,
            setup=_setup,
            arguments=lambda worker: (dict(features), processing, kinds, strict),
            jobs=jobs,
            retries=retries,
        )
        every = [shard for own in shards.values() for shard in own]
        _complete(every, run, retries, strict, progress or (lambda done, total: None))
        for result in results:
            own = shards[result.folder]
            result.failed = {one: why for shard in own for one, why in shard.failed.items()}
            _finish(result, kinds, splits[result.folder], own)
    _report(results)
    return results


def _processing(
    representation: Representation, trim: float | None, loudness: float | None, waves: bool
) -> dict[str, Any]:
    """What processing.yaml says: what is done to waves before their analysis."""
    if not isinstance(representation, FeatureExtractor):
        if waves:
            kind = type(representation).__name__
            raise InputError(f"{kind} features are of files without a wave; leave --waves out")
        trim = loudness = None
    return {"trim": trim, "loudness": loudness} | ({"waves": True} if waves else {})


def _kinds(representation: Representation, processing: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds of archive in the order of writing."""
    waves = ("waves",) if processing.get("waves") else ()
    return (*waves, *representation.tracks, "feats")


def _complete(
    shards: Sequence[Shard], run: _Run, retries: int, strict: bool, progress: Progress
) -> None:
    """Have each utterance analysed or failed, and each shard made one archive.

    What failed is tried again when all else is done: a file server may be back by then.
    """
    by_number = {(shard.folder, shard.number): shard for shard in shards}
    total = sum(len(shard.utterances) for shard in shards)
    n_known = sum(len(shard.known) for shard in shards)
    progress(n_known, total)
    while tasks := [task for shard in shards for task in shard.tasks(retries)]:
        with closing(run(tasks)) as outcomes:  # type: ignore[type-var]
            for task, _, error, written in outcomes:
                shard = by_number[task.folder, task.number]
                n_known -= len(shard.known)
                if error is None:
                    shard.note(task, written)
                elif strict:
                    raise RunError(error)
                else:
                    shard.note_loss(task, error, retries)
                n_known += len(shard.known)
                progress(n_known, total)
    with closing(run([task for s in shards for task in s.joining()])) as outcomes:  # type: ignore[type-var]
        for task, _, error, written in outcomes:
            if error is not None:
                raise RunError(f"{task.folder}: shard {task.number} could not be joined: {error}")
            by_number[task.folder, task.number].note(task, written)
    if n_known < total:
        progress(total, total)


def _read_splits(data_dir: Path, dump_dir: Path) -> dict[Path, list[Utterance]]:
    """Dump folder -> utterances."""
    if is_data_dir(data_dir):
        return {dump_dir: read_data_dir(data_dir)}
    names = [split for split in SPLITS if is_data_dir(data_dir / split)]
    if not names:
        raise InputError(
            f"{data_dir} holds no wav.scp, nor do train, val or test in it; "
            "make them by `voiceconv prepare SRC DATA`"
        )
    return {dump_dir / name: read_data_dir(data_dir / name) for name in names}


def _check_folder(
    folder: Path, node: Mapping[str, Any], definition: dict[str, object], processing: dict[str, Any]
) -> None:
    """Write the settings of a dump folder; refuse a folder with other settings."""
    nodes = {"features.yaml": dict(node), "processing.yaml": processing}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in nodes.items():
            path = folder / name
            if not path.exists():
                replace_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
                continue
            there = read_yaml(path)
            if name == "features.yaml":
                there, content = build(there, Representation).definition, definition
            if there != content:
                raise InputError(
                    f"{path} says that other features are there "
                    f"({'; '.join(differences(content, there))}); "
                    "choose another DUMP or delete this one"
                )
    except OSError as error:
        raise unwritable(folder, error) from None


@contextmanager
def _setup(
    worker: int,
    node: dict[str, Any],
    processing: dict[str, Any],
    kinds: tuple[str, ...],
    strict: bool,
) -> Iterator[Callable[[Task], Written]]:
    """In a worker: give the function that analyses a shard's utterances and writes its archives."""
    torch.set_num_threads(1)  # the processes share the cores
    representation = build(node, Representation)

    def arrays(task: Task, failed: dict[str, str]) -> Iterator[tuple[str, dict[str, FloatArray]]]:
        known = Known(task, kinds)
        for utterance in task.utterances:
            if utterance.id in task.known:
                yield utterance.id, known.read(utterance.id)
                continue
            try:
                tracks = _analyse(
                    utterance, representation, processing["trim"], processing["loudness"]
                )
            except Exception as raised:
                failed[utterance.id] = describe(raised)
                if strict:
                    raise RunError(f"utterance {utterance.id}: {describe(raised)}") from None
            else:
                yield utterance.id, {kind: tracks[kind].numpy() for kind in kinds}

    def handle(task: Task) -> Written:
        failed: dict[str, str] = {}
        with _giving_up(task.folder):
            name = write_shard(task.folder, task.number, kinds, arrays(task, failed))
        return Written(name, failed)

    yield handle


@contextmanager
def _giving_up(folder: Path) -> Iterator[None]:
    """End the run where an archive cannot be written."""
    try:
        yield
    except OSError as error:
        raise GiveUp(f"cannot write to {folder}: {error.strerror}") from None


def _analyse(
    utterance: Utterance, representation: Representation, trim: float | None, loudness: float | None
) -> dict[str, Tensor]:
    """Kind of archive -> (T, channels) or (T,), in the order of writing."""
    if isinstance(representation, FileRepresentation):
        features = representation.read(utterance.path, utterance.start or 0.0, utterance.end)
        tracks: dict[str, Tensor] = {}
    else:
        assert isinstance(representation, FeatureExtractor)
        wave = _read_wave(utterance, representation, trim, loudness)
        features, tracks = representation.extract(wave), {"waves": wave}
    if features.tracks.keys() != set(representation.tracks):
        raise ValueError(
            f"tracks are {sorted(features.tracks)}, {type(representation).__name__} names "
            f"{sorted(representation.tracks)}; name all that it gives"
        )
    tracks |= {name: features.tracks[name] for name in representation.tracks}
    tracks["feats"] = features.frames
    # (C, T) -> (T, C), Kaldi's order; (T,) stays
    written = {kind: track.movedim(0, -1) for kind, track in tracks.items()}
    for kind, track in written.items():
        if not bool(torch.isfinite(track).all()):
            raise RunError(f"{utterance.path} gives {kind} that are not finite; look into it")
    return written


def _read_wave(
    utterance: Utterance, extractor: FeatureExtractor, trim: float | None, loudness: float | None
) -> Tensor:
    """(N,) at the extractor's rate, trimmed, at that loudness."""
    wave = read_wave(utterance, extractor.sample_rate).samples
    if trim is not None:
        wave = audio.trim(wave, extractor.sample_rate, trim)
    if loudness is not None:
        wave = wave * audio.loudness_gain(wave, extractor.sample_rate, loudness)
    return wave


def _finish(
    result: SplitResult,
    kinds: Sequence[str],
    utterances: Iterable[Utterance],
    shards: Sequence[Shard],
) -> None:
    """Write the scps of the whole split, its data directory, and the failures."""
    folder, failed = result.folder, result.failed
    for kind, there in locations(folder, kinds, shards).items():
        write_scp(folder / f"{kind}.scp", there)
    write_data_dir(folder, [u for u in utterances if u.id not in failed])
    path = folder / "failed.txt"
    if failed:
        replace_text(path, "".join(f"{name} {why}\n" for name, why in sorted(failed.items())))
    else:
        with suppress(FileNotFoundError):
            path.unlink()
    remove_others(folder, shards)
    remove_scratch(folder)


def _report(results: list[SplitResult]) -> None:
    """Raise LeftOutError with the names of a few failed utterances and the number of all."""
    failed = [(r.folder, name, why) for r in results for name, why in sorted(r.failed.items())]
    if not failed:
        return
    named = "; ".join(f"{name}: {why}" for _, name, why in failed[:5])
    more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
    total = sum(r.n_utterances for r in results)
    lists = " ".join(str(r.folder / "failed.txt") for r in results if r.failed)
    raise LeftOutError(
        f"{len(failed)} of {total} utterances failed, the others are done ({named}{more}); "
        f"all are in {lists}"
    )
