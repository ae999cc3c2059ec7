"""Extraction: equal to the extractor's own features, whatever is killed on the way."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from voiceconv import audio
from voiceconv.data.archive import Archive
from voiceconv.data.extract import extract
from voiceconv.data.kaldi import Utterance, read_data_dir, read_table, write_data_dir
from voiceconv.errors import InputError, RunError
from voiceconv.features.mel import MelSpectrogram
from voiceconv.features.world import World

RATE = 16_000
WORLD = {
    "_target_": "voiceconv.features.world.World",
    "sample_rate": RATE,
    "n_coefficients": 24,
    "f0_method": "dio",
}
MEL = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": RATE, "n_mels": 40}
N = 12


def voice(number: int) -> np.ndarray:
    """A buzz with a pitch of its own, and noise."""
    time_ = np.arange(int(RATE * (0.8 + 0.05 * number))) / RATE
    buzz = sum(np.sin(2 * np.pi * k * (110 + 5 * number) * time_) / k for k in range(1, 20))
    noise = np.random.default_rng(number).standard_normal(time_.size)
    return (0.1 * buzz + 0.003 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of `data` that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    extract(make_data(folder), folder / "dump", WORLD, 1)
    return folder / "dump"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def make_data(tmp_path: Path) -> Path:
    """Write a train split of 12 utterances of two domains, and a test split of one each."""
    utterances = []
    for number in range(N):
        domain = "ab"[number % 2]
        path = tmp_path / "wav" / f"{number:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, voice(number), RATE, "FLOAT")
        utterances.append(Utterance(f"{domain}-{number:02d}", domain, path))
    write_data_dir(tmp_path / "data/train", utterances)
    write_data_dir(tmp_path / "data/test", utterances[:2])
    return tmp_path / "data"


def contents(split: Path) -> dict[str, dict[str, bytes]]:
    """kind -> utterance -> bytes."""
    return {
        kind: {name: array.tobytes() for name, array in Archive(split / f"{kind}.scp").items()}
        for kind in ("ap", "f0", "feats")
        if (split / f"{kind}.scp").exists()
    }


def test_archives_hold_the_extractors_features(data: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    results = extract(data, tmp_path / "dump", WORLD, 2, progress=lambda *c: calls.append(c))
    assert [(r.folder.name, r.n_utterances, r.n_done_before) for r in results] == [
        ("train", N, 0), ("test", 2, 0)
    ]  # fmt: skip
    assert calls == [(n, N + 2) for n in range(N + 3)]
    world = World(sample_rate=RATE, n_coefficients=24, f0_method="dio")
    archives = {k: Archive(tmp_path / f"dump/train/{k}.scp") for k in ("feats", "f0", "ap")}
    for utterance in read_data_dir(data / "train"):
        features = world.extract(audio.read(utterance.path).samples)
        assert features.f0 is not None and features.aperiodicity is not None
        np.testing.assert_array_equal(archives["feats"][utterance.id], features.frames.T)
        np.testing.assert_array_equal(archives["f0"][utterance.id], features.f0)
        np.testing.assert_array_equal(archives["ap"][utterance.id], features.aperiodicity.T)
    folder = tmp_path / "dump/train"
    assert list(archives["feats"]) == sorted(archives["feats"]) and len(archives["feats"]) == N
    assert yaml.safe_load((folder / "features.yaml").read_text()) == WORLD
    assert yaml.safe_load((folder / "processing.yaml").read_text()) == {
        "trim": None, "loudness": None
    }  # fmt: skip
    assert read_table(folder / "utt2spk")["b-03"] == "b" and not (folder / "failed.txt").exists()
    # Again: nothing is left to do, and nothing changes; another definition is refused.
    before = contents(folder)
    results = extract(data, tmp_path / "dump", WORLD | {"frame_period": 5.0}, 2)
    assert [r.n_done_before for r in results] == [N, 2] and contents(folder) == before
    with pytest.raises(
        InputError, match=r"train/features\.yaml says .*\(n_channels 24, not 30\); c"
    ):
        extract(data, tmp_path / "dump", WORLD | {"n_coefficients": 30})
    with pytest.raises(InputError, match=r"processing\.yaml says .*\(loudness None, not -23\.0\)"):
        extract(data, tmp_path / "dump", WORLD, loudness=-23.0)


def test_trim_loudness_and_segments(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "wav/00.wav"
    padded = np.concatenate([np.zeros(RATE), voice(9), np.zeros(RATE)]).astype(np.float32)
    soundfile.write(path, padded, RATE, "FLOAT")
    split = tmp_path / "one"
    write_data_dir(split, [Utterance("a-1", "a", path), Utterance("a-2", "a", path, 1.25, 1.75)])
    extract(split, tmp_path / "dump", MEL, 1, trim=40.0, loudness=-20.0)
    frames = Archive(tmp_path / "dump/feats.scp")
    assert len(frames["a-2"]) == RATE // 2 // 256 + 1
    assert frames["a-1"].shape == (len(audio.trim(torch.from_numpy(padded), RATE)) // 256 + 1, 40)
    wave = torch.from_numpy(padded)[round(1.25 * RATE) : round(1.75 * RATE)]
    wave = wave * audio.loudness_gain(wave, RATE, -20.0)
    assert audio.loudness(wave, RATE) == pytest.approx(-20.0, abs=1e-3)
    expected = MelSpectrogram(sample_rate=RATE, n_mels=40).extract(wave).frames.T
    np.testing.assert_allclose(frames["a-2"], expected, atol=1e-5)
    assert not (tmp_path / "dump/f0.scp").exists()


def test_killed_worker_and_bad_files(data: Path, tmp_path: Path, uninterrupted: Path) -> None:
    bad, late = tmp_path / "wav/03.wav", tmp_path / "wav/00.wav"
    bytes_bad, bytes_late = bad.read_bytes(), late.read_bytes()
    bad.write_bytes(bytes_bad[:5000])
    late.write_bytes(b"not yet")
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        late.write_bytes(bytes_late)  # a failure that passes: the retry finds the file whole
        if done == 4:
            worker = multiprocessing.active_children()[0]
            os.kill(worker.pid or 0, signal.SIGKILL)
            killed.append(worker.pid or 0)

    with pytest.raises(RunError, match=r"^1 of 12 utterances failed, the others are done \(b-03: "
                       r".*03\.wav is cut or damaged: only 0\.\d\d of 0\.95 seconds"):  # fmt: skip
        # The first callback comes before any worker works: mend `late` only after that one.
        late_progress = iter([lambda *_: None])
        extract(data / "train", tmp_path / "dump", WORLD, 1,
                progress=lambda *c: next(late_progress, progress)(*c))  # fmt: skip
    assert len(killed) == 1
    expected = contents(uninterrupted / "train")
    for kind in expected:
        del expected[kind]["b-03"]
    assert contents(tmp_path / "dump") == expected
    assert (tmp_path / "dump/failed.txt").read_text().startswith("b-03 ")
    assert "b-03" not in read_table(tmp_path / "dump/utt2spk")
    bad.write_bytes(bytes_bad)
    assert extract(data / "train", tmp_path / "dump", WORLD, 1)[0].n_done_before == N - 1
    assert contents(tmp_path / "dump") == contents(uninterrupted / "train")
    assert not (tmp_path / "dump/failed.txt").exists()


def test_strict_stops_at_the_first(data: Path, tmp_path: Path) -> None:
    (tmp_path / "wav/00.wav").write_text("no sound")
    with pytest.raises(RunError, match=r"^utterance a-00: .*00\.wav is no sound file"):
        extract(data / "train", tmp_path / "dump", MEL, 1, retries=0, strict=True)
    assert not (tmp_path / "dump/feats.scp").exists()


SCRIPT = """
import sys
from voiceconv.data.extract import extract
if __name__ == "__main__":
    extract(sys.argv[1], sys.argv[2], eval(sys.argv[3]), 2)
"""


@pytest.mark.slow
def test_killed_master_goes_on_where_it_stopped(
    data: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    dump = tmp_path / "dump"
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "run.py"), str(data), str(dump), repr(WORLD)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while n_done(dump) < 4 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    n_before = n_done(dump)
    assert 4 <= n_before < N + 2
    # As if it had been killed in the middle of a line.
    torn = next(iter(sorted((dump / "train").glob("feats.*.scp"))))
    torn.write_bytes(torn.read_bytes()[:-2])
    results = extract(data, dump, WORLD, 2)
    assert sum(r.n_done_before for r in results) >= n_before - 1
    for split in ("train", "test"):
        assert contents(dump / split) == contents(uninterrupted / split)


def n_done(dump: Path) -> int:
    return sum(scp.read_bytes().count(b"\n") for scp in dump.glob("*/feats.*.scp"))


def test_data_without_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no wav.scp, nor do train, val or test in it"):
        extract(tmp_path, tmp_path / "dump", MEL)
    assert not (tmp_path / "dump").exists()
