"""Data directories to feature archives: `voiceconv extract DATA DUMP`.

DUMP/<split> gets `feats.scp` and one file for each track of the features, such as `f0.scp`; on
request `waves.scp`, the analysed waves, (N,) at the features' rate; the archives of these; a copy
of the data directory with the extracted utterances; `features.yaml` (the features' node) and
`processing.yaml` (trim and loudness, for waves). After an interruption the same call continues.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor

from voiceconv import audio
from voiceconv.build import build
from voiceconv.data.archive import (
    ArchiveWriter,
    Location,
    intact_utterances,
    read_scp,
    write_scp,
)
from voiceconv.data.content import read_wave
from voiceconv.data.dump import read_yaml
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, write_data_dir
from voiceconv.data.splits import SPLITS
from voiceconv.errors import InputError, RunError
from voiceconv.features.base import (
    FeatureExtractor,
    FileRepresentation,
    Representation,
    differences,
)
from voiceconv.files import locked, replace_text
from voiceconv.progress import Progress
from voiceconv.workers import GiveUp, Outcome, run_tasks


@dataclass
class SplitResult:
    """The result of a split; `failed` maps an utterance to its error."""

    folder: Path
    n_utterances: int
    n_done_before: int
    failed: dict[str, str] = field(default_factory=dict)


class LeftOutError(RunError):
    """Some utterances could not be extracted; all others are complete."""


class _Task(NamedTuple):
    folder: Path
    utterance: Utterance


_Done = dict[Path, dict[int, set[str]]]  # dump folder -> worker -> utterances in its archives


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
) -> list[SplitResult]:
    """Extract the features of DATA, a split or a folder of splits, in `jobs` processes (all cores).

    features: a node for `build`. trim: dB below the loudest at which silence at both ends is cut;
    None: not. loudness: LUFS to which each utterance is brought; None: not. waves: keep the
    waves, too, for a vocoder to learn from. What is no audio has none of these. strict: stop at
    the first file that fails; else LeftOutError names them when all others are done.
    """
    representation = build(features, Representation)
    kinds = _kinds(representation)
    processing = _processing(representation, trim, loudness, waves)
    splits = _read_splits(Path(data_dir), Path(dump_dir))
    for folder in splits:
        _check_folder(folder, features, representation.definition, processing)
    with locked(Path(dump_dir), "extracting to"):
        done = {folder: _done_before(folder, kinds) for folder in splits}
        results = {
            folder: SplitResult(folder, len(utterances), 0) for folder, utterances in splits.items()
        }
        outcomes = run_tasks(
            _todo(splits, done, results),
            _setup,
            lambda worker: (dict(features), processing, _kept(done, worker)),
            jobs or os.cpu_count() or 1,
            retries,
        )
        with closing(outcomes):
            _collect(outcomes, done, results, strict, progress or (lambda done, total: None))
        for folder, utterances in splits.items():
            _finish(folder, kinds, utterances, done[folder], results[folder].failed)
    _report(list(results.values()))
    return list(results.values())


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


def _kinds(representation: Representation) -> tuple[str, ...]:
    """Kinds of archive in the order of writing: an utterance in feats is also in the others."""
    return ("waves", *representation.tracks, "feats")


def _todo(
    splits: Mapping[Path, list[Utterance]], done: _Done, results: Mapping[Path, SplitResult]
) -> list[_Task]:
    """Return the utterances that earlier runs have not extracted, and count the others."""
    tasks = []
    for folder, utterances in splits.items():
        ids = set().union(*done[folder].values())
        tasks += [_Task(folder, u) for u in utterances if u.id not in ids]
        results[folder].n_done_before = sum(u.id in ids for u in utterances)
    return tasks


def _collect(
    outcomes: Iterable[Outcome[_Task]],
    done: _Done,
    results: Mapping[Path, SplitResult],
    strict: bool,
    progress: Progress,
) -> None:
    """Record each extracted and each failed utterance."""
    total = sum(result.n_utterances for result in results.values())
    n_before = sum(result.n_done_before for result in results.values())
    progress(n_before, total)
    for number, (task, worker, error, _) in enumerate(outcomes, n_before + 1):
        if error is None:
            done[task.folder].setdefault(worker, set()).add(task.utterance.id)
        elif strict:
            raise RunError(f"utterance {task.utterance.id}: {error}")
        else:
            results[task.folder].failed[task.utterance.id] = error
        progress(number, total)


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
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another DUMP") from None


def _done_before(folder: Path, kinds: Sequence[str]) -> dict[int, set[str]]:
    """Return the complete utterances of earlier runs, by worker."""
    done: dict[int, set[str]] = {}
    for scp in folder.glob("feats.*.scp"):
        worker = scp.name.split(".")[1]
        if worker.isdecimal():
            whole = [
                set(intact_utterances(path))
                for kind in kinds
                if (path := folder / f"{kind}.{worker}.scp").exists()
            ]
            done[int(worker)] = set.intersection(*whole)
    return done


def _kept(done: _Done, worker: int) -> dict[Path, set[str]]:
    return {folder: set(by_worker.get(worker, ())) for folder, by_worker in done.items()}


@contextmanager
def _setup(
    worker: int,
    node: dict[str, Any],
    processing: dict[str, Any],
    kept: Mapping[Path, Collection[str]],
) -> Iterator[Callable[[_Task], None]]:
    """In a worker: give the function that analyses an utterance and writes its archives."""
    torch.set_num_threads(1)  # the processes share the cores
    representation = build(node, Representation)
    writers: dict[tuple[Path, str], ArchiveWriter] = {}
    with ExitStack() as stack:

        def handle(task: _Task) -> None:
            tracks = _analyse(
                task.utterance, representation, processing["trim"], processing["loudness"]
            )
            if not processing.get("waves"):
                tracks.pop("waves", None)
            try:
                for kind, track in tracks.items():
                    key = (task.folder, kind)
                    if key not in writers:
                        writer = ArchiveWriter(task.folder, kind, worker, kept[task.folder])
                        writers[key] = stack.enter_context(writer)
                    writers[key].write(task.utterance.id, track.numpy())
            except OSError as error:
                # What is half-written is cut off when the archive is opened again, not before.
                raise GiveUp(f"cannot write to {task.folder}: {error.strerror}") from None

        yield handle


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
    folder: Path,
    kinds: Sequence[str],
    utterances: list[Utterance],
    done: dict[int, set[str]],
    failed: dict[str, str],
) -> None:
    """Write the scps of the whole split, its data directory, and the failures."""
    wanted = {u.id: u for u in utterances}
    for kind in kinds:
        locations: dict[str, Location] = {}
        for worker, ids in done.items():
            path = folder / f"{kind}.{worker}.scp"
            if path.exists():
                there = read_scp(path)
                locations |= {i: there[i] for i in ids if i in wanted}
        if locations or kind == "feats":
            write_scp(folder / f"{kind}.scp", locations)
    write_data_dir(folder, [u for u in utterances if u.id not in failed])
    path = folder / "failed.txt"
    if failed:
        replace_text(path, "".join(f"{name} {why}\n" for name, why in sorted(failed.items())))
    else:
        with suppress(FileNotFoundError):
            path.unlink()


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
