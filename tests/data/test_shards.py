"""Shards: the files of a dump depend on its data alone, whoever wrote what and whatever failed."""

import hashlib
import os
import resource
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tiny_model import make_cli

from voiceconv.data.archive import Archive, ArchiveWriter
from voiceconv.data.extract import LeftOutError, extract
from voiceconv.data.kaldi import Utterance, write_data_dir
from voiceconv.data.shards import name_of, shard_size, write_shard
from voiceconv.errors import InputError, RunError
from voiceconv.files import locked
from voiceconv.workers import Outcome, Setup

RATE = 8000
MEL = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": RATE, "n_mels": 20}
N = 18  # nine shards of two


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Noise of several lengths, of one speaker."""
    utterances = []
    (tmp_path / "wav").mkdir()
    for number in range(N):
        path = tmp_path / "wav" / f"{number:02d}.wav"
        noise = np.random.default_rng(number).standard_normal(2000 + 100 * number)
        soundfile.write(path, 0.1 * noise, RATE, "FLOAT")
        utterances.append(Utterance(f"a-{number:02d}", "a", path))
    write_data_dir(tmp_path / "data", utterances)
    return tmp_path / "data"


def here(
    tasks: Iterable[Any], setup: Setup, arguments: Any, jobs: int | None, retries: int
) -> Generator[Outcome[Any], None, None]:
    """An executor in this process, in which the utterance a-05 kills its worker."""
    with setup(0, *arguments(0)) as handle:
        for task in tasks:
            if any(u.id == "a-05" for u in task.utterances):
                (task.folder / ".shard-left").mkdir(exist_ok=True)
                yield Outcome(task, 0, "the worker process was killed by signal 9")
            else:
                yield Outcome(task, 0, None, handle(task))


def files(dump: Path) -> dict[str, str]:
    """Name -> digest of all that is in a folder."""
    return {
        str(path.relative_to(dump)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dump.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def whole(data: Path, tmp_path: Path) -> dict[str, str]:
    """The files of one process that nothing disturbed."""
    extract(data, tmp_path / "whole", MEL, 1)
    return files(tmp_path / "whole")


def test_shards_grow_with_the_corpus_to_half_an_hour():
    sizes = {1: 1, 15: 1, 16: 2, 2500: 25, 10_000: 50, 1_000_000: 500, 9_000_000: 512}
    assert {n: shard_size(n) for n in sizes} == sizes


def test_the_files_do_not_depend_on_the_number_of_processes(data, tmp_path, whole):
    extract(data, tmp_path / "dump", MEL, 2)
    assert files(tmp_path / "dump") == whole
    assert sum(name.endswith(".ark") for name in whole) == N // 2
    assert f"feats.{name_of(1, ['a-02', 'a-03'])}.ark" in whole
    assert not list((tmp_path / "dump").glob(".shard-*"))


def test_what_kills_its_worker_fails_alone(data, tmp_path, whole):
    dump = tmp_path / "dump"
    with pytest.raises(LeftOutError, match=r"^1 of 18 .*\(a-05: the worker process was killed by"):
        extract(data, dump, MEL, executor=here)
    assert not list(dump.glob(".shard-*"))  # what the killed one left
    frames = Archive(dump / "feats.scp")
    assert sorted(frames) == [f"a-{n:02d}" for n in range(N) if n != 5]
    assert [path.name for path in dump.glob("feats.2-*.ark")] == [
        f"feats.{name_of(2, ['a-04'])}.ark"
    ]
    # The next call, where nothing dies, gives the files of an undisturbed one.
    [result] = extract(data, dump, MEL, 1)
    assert (result.n_done_before, files(dump)) == (N - 1, whole)


def test_a_failure_is_tried_again_after_all_else_and_joins_its_shard(data, tmp_path, whole):
    """The file server gives a-04 only when everything else is done."""
    path = tmp_path / "wav/04.wav"
    content = path.read_bytes()
    path.write_bytes(b"not yet")

    def progress(done: int, total: int) -> None:
        if done == N - 1:
            path.write_bytes(content)

    extract(data, tmp_path / "dump", MEL, 1, progress=progress)
    assert files(tmp_path / "dump") == whole


def test_a_dump_of_an_earlier_version_goes_on(data, tmp_path, whole):
    """It had one archive for each worker, here cut in the middle; nothing is analysed twice."""
    dump, there = tmp_path / "dump", Archive(tmp_path / "whole/feats.scp")
    dump.mkdir()
    for worker in (0, 1):
        with ArchiveWriter(dump, "feats", worker) as writer:
            for utterance in sorted(there)[worker::2]:
                writer.write(utterance, there[utterance])
    cut = dump / "feats.1.ark"
    cut.write_bytes(cut.read_bytes()[:-100])
    for number in range(N - 1):  # of which a-17 alone is left
        (tmp_path / "wav" / f"{number:02d}.wav").write_bytes(b"not read again")
    [result] = extract(data, dump, MEL, 1)
    assert (result.n_done_before, files(dump)) == (N - 1, whole)


def test_data_that_has_changed_takes_what_is_there(data, tmp_path, whole):
    dump = tmp_path / "dump"
    utterances = [
        Utterance(f"a-{number:02d}", "a", tmp_path / "wav" / f"{number:02d}.wav")
        for number in range(3, N)
    ]
    write_data_dir(tmp_path / "fewer", utterances)
    extract(tmp_path / "fewer", dump, MEL, 1)
    assert sum(name.endswith(".ark") for name in files(dump)) == N - 3  # shards of one
    for number in range(3, N):
        (tmp_path / "wav" / f"{number:02d}.wav").write_bytes(b"not read again")
    [result] = extract(data, dump, MEL, 1)
    assert (result.n_done_before, files(dump)) == (N - 3, whole)


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_utterance_of_another_recording_now_is_analysed_again(data, tmp_path, is_killed):
    """Of a-06 the recording is another one, of a-09 a part, and nothing else is read."""
    dump, wav = tmp_path / "dump", tmp_path / "wav"
    extract(data, dump, MEL, 1)
    soundfile.write(tmp_path / "other.wav", np.full(3000, 0.1), RATE, "FLOAT")
    utterances = [Utterance(f"a-{n:02d}", "a", wav / f"{n:02d}.wav") for n in range(N)]
    utterances[6] = Utterance("a-06", "a", tmp_path / "other.wav")
    utterances[9] = Utterance("a-09", "a", wav / "09.wav", 0.125, 0.25)
    write_data_dir(tmp_path / "changed", utterances)
    extract(tmp_path / "changed", tmp_path / "fresh", MEL, 1)
    for number in set(range(N)) - {9}:
        (wav / f"{number:02d}.wav").write_bytes(b"not read again")
    n_before = N - 2
    if is_killed:
        n_before = N - 1

        def killed(*arguments: Any, **named: Any) -> Iterator[Outcome[Any]]:
            yield next(here(*arguments, **named))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            extract(tmp_path / "changed", dump, MEL, executor=killed)
    [result] = extract(tmp_path / "changed", dump, MEL, 1)
    assert (result.n_done_before, files(dump)) == (n_before, files(tmp_path / "fresh"))
    assert Archive(dump / "feats.scp")["a-06"].shape == (3000 // 256 + 1, 20)
    # Back to whole recordings: no `segments` of before is left.
    (wav / "09.wav").write_bytes((tmp_path / "other.wav").read_bytes())
    utterances[9] = Utterance("a-09", "a", wav / "09.wav")
    write_data_dir(tmp_path / "whole", utterances)
    [result] = extract(tmp_path / "whole", dump, MEL, 1)
    assert (result.n_done_before, (dump / "segments").exists()) == (N - 1, False)


def written(folder: Path, frames: dict[str, float]) -> str | None:
    """Write a shard of two kinds, with arrays of that length and value."""
    arrays = (
        (name, dict.fromkeys(("f0", "feats"), np.full(int(value), value, np.float32)))
        for name, value in frames.items()
    )
    return write_shard(folder, 3, ("f0", "feats"), arrays)


def test_a_shard_with_the_same_bytes_is_left_as_it_is(tmp_path):
    name = written(tmp_path, {"a": 5, "b": 7})
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(before) == 4 and written(tmp_path, {"a": 5, "b": 7}) == name
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("n_done", range(5))
def test_a_shard_that_is_replaced_never_has_offsets_of_another(tmp_path, monkeypatch, n_done):
    """The worker is killed after none to four of the four files."""
    written(tmp_path, {"a": 5, "b": 7})
    replace, done = os.replace, []

    def killed(old: Path, new: Path) -> None:
        if new.parent == tmp_path:
            if len(done) == n_done:
                raise KeyboardInterrupt
            done.append(new)
        replace(old, new)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        written(tmp_path, {"a": 6, "b": 4})
    scps = list(tmp_path.glob("*.scp"))
    assert len(list(tmp_path.glob("*.ark"))) == 2 and len(scps) == max(n_done - 2, 0)
    for scp in scps:
        assert {u: (len(a), a[0]) for u, a in Archive(scp).items()} == {"a": (6, 6), "b": (4, 4)}
    name = written(tmp_path, {"a": 6, "b": 4})
    assert Archive(tmp_path / f"feats.{name}.scp")["b"].tolist() == [4, 4, 4, 4]


def test_a_shard_that_did_not_come_here_is_missed(data, tmp_path):
    """A worker wrote it into a folder of its own machine."""

    def elsewhere(*arguments: Any, **named: Any) -> Iterator[Outcome[Any]]:
        for outcome in here(*arguments, **named):
            if outcome.error is None:
                (tmp_path / "dump" / f"feats.{outcome.result.name}.ark").unlink()
            yield outcome

    sentence = r"feats\.0-[0-9a-f]{8}\.ark was written by a worker and is not here; all machines"
    with pytest.raises(RunError, match=sentence):
        extract(data, tmp_path / "dump", MEL, executor=elsewhere)


def test_an_archive_may_be_more_files_than_a_process_has_open(tmp_path):
    """A process may usually have 1024, and may allow itself many more."""
    arrays = {f"u{number:03d}": np.full((2, 3), number, np.float32) for number in range(60)}
    lines = []
    for number, (name, array) in enumerate(arrays.items()):
        with ArchiveWriter(tmp_path, "feats", number) as writer:
            writer.write(name, array)
        lines.append((tmp_path / f"feats.{number}.scp").read_text())
    (tmp_path / "feats.scp").write_text("".join(lines))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 20, before[1]))
    try:
        archive = Archive(tmp_path / "feats.scp")
        found = {name: archive[name] for name in archive}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_a_store_is_no_place_for_archives(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = make_cli(monkeypatch, capsys)("extract", "data", "s3://bucket/dump")
    assert said.code == 2
    assert "s3://bucket/dump: stores are only read; extract to a folder" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_split_that_another_run_extracts_is_left_to_it(data, tmp_path):
    (tmp_path / "splits").mkdir()
    data.rename(tmp_path / "splits" / "train")
    with locked(tmp_path / "dump" / "train", "extracting to"):
        with pytest.raises(InputError, match="another process is extracting to .*train"):
            extract(tmp_path / "splits", tmp_path / "dump", MEL, jobs=1)
        assert not (tmp_path / "dump" / "train" / "features.yaml").exists()
