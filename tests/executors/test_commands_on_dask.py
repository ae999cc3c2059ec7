"""extract, check, convert and evaluate on a cluster: byte for byte what one process writes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from dask_places import Place

from voiceconv.check import doctor
from voiceconv.check.doctor import examine
from voiceconv.check.fix import mend
from voiceconv.commands.convert import Choice, convert
from voiceconv.data.extract import extract
from voiceconv.data.kaldi import Utterance, read_data_dir, write_data_dir
from voiceconv.evaluation.evaluate import Given, evaluate_folder
from voiceconv.executors import open_executor

RATE = 24000
MEL = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": RATE, "n_mels": 20}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen buzzes of one speaker."""
    folder = tmp_path_factory.mktemp("corpus")
    utterances = []
    for number in range(18):
        axis = np.arange(RATE * 6 // 5) / RATE
        buzz = sum(np.sin(2 * np.pi * k * (110 + number) * axis) / k for k in range(1, 20))
        path = folder / f"{number:02d}.wav"
        soundfile.write(path, 0.1 * buzz, RATE, "PCM_16")
        utterances.append(Utterance(f"a-{number:02d}", "a", path))
    write_data_dir(folder / "data", utterances)
    return folder / "data"


def files(folder: Path) -> dict[str, str]:
    """Name -> digest of all that is in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_extraction(place: Place, data: Path, tmp_path: Path) -> None:
    extract(data, tmp_path / "here", MEL, 1, waves=True)
    for n_tasks in (1, 4):
        dump = tmp_path / f"dask{n_tasks}"
        with open_executor("dask", place.address, n_tasks, places=[data, dump]) as executor:
            calls: list[tuple[int, int]] = []
            extract(data, dump, MEL, waves=True, progress=lambda *c: calls.append(c),  # noqa: B023
                    executor=executor)  # fmt: skip
        assert files(dump) == files(tmp_path / "here")
        assert calls == [(2 * n, 18) for n in range(10)]


@pytest.mark.slow
def test_conversion_and_its_evaluation(place: Place, data: Path, tmp_path: Path) -> None:
    choice = Choice("nathalie", source="flemishguy", model="baseline:statistics", device="cpu")
    inputs = [str(data.parent / f"{number:02d}.wav") for number in range(3)]
    scores = []
    for name in ("here", "dask"):
        kind = ("local", None) if name == "here" else ("dask", place.address)
        with open_executor(*kind) as executor:
            convert(inputs, choice, f"{tmp_path / name}/", executor=executor)
            given = Given(tmp_path / name, copy_of=data.parent)
            scored = evaluate_folder(
                given, ["f0_mean_difference", "stft_distance", "peak"], executor=executor
            )
        scores.append(json.dumps(scored["utterances"]))
    there = [files(tmp_path / name) for name in ("here", "dask")]
    for found in there:
        del found["conversion.json"]  # it has the time of day
    assert len(there[0]) == 3 and there[0] == there[1]
    assert len(json.loads(scores[0])) == 3 and scores[0] == scores[1]


@pytest.mark.slow
def test_a_check_and_its_mended_copy(
    place: Place, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_why_no_voices", lambda items: "not in tests")
    few = tmp_path / "few"
    write_data_dir(few, read_data_dir(data)[:3])
    reports = []
    for name in ("here", "dask"):
        kind = ("local", None) if name == "here" else ("dask", place.address)
        with open_executor(*kind) as executor:
            report = examine(few, jobs=1, executor=executor)
            mend(report, few, tmp_path / name, jobs=1, executor=executor)
        reports.append(report)
    assert reports[0].findings and reports[0].findings == reports[1].findings
    assert reports[0].speakers == reports[1].speakers
    there = [{k: v for k, v in files(tmp_path / name).items() if k.endswith(".flac")}
             for name in ("here", "dask")]  # fmt: skip
    assert len(there[0]) == 3 and there[0] == there[1]
