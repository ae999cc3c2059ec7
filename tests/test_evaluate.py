"""Pairing, intervals and the table of `voiceconv evaluate`."""

import json
import re

import numpy as np
import pytest
import torch

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.evaluate import evaluate_folder, summary, write_results, write_scores

MCD = ["mel_cepstral_distortion"]


def write(path, pitch=120.0, seconds=0.3):
    """A buzz of six harmonics over noise, at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = torch.arange(int(16000 * seconds)) / 16000
    wave = sum(0.7**k * torch.cos(2 * torch.pi * k * pitch * t) for k in range(1, 7))
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    audio.write(path, 0.2 * wave + 0.01 * noise, 16000)


def test_identical_folders_score_zero(tmp_path):
    for stem in ("1", "2"):
        write(tmp_path / f"converted/{stem}.wav", 100 + 20 * int(stem))
        write(tmp_path / f"reference/{stem}.flac", 100 + 20 * int(stem))
    scores = evaluate_folder(tmp_path / "converted", tmp_path / "reference", metrics=MCD)
    assert scores["utterances"] == {
        stem: {"mel_cepstral_distortion": pytest.approx(0, abs=0.05)} for stem in ("1", "2")
    }
    assert scores["metrics"]["mel_cepstral_distortion"]["n"] == 2
    assert scores["not_run"] == {
        "speaker_similarity": "not asked for",
        "dnsmos": "not asked for",
    }


def test_data_directory_of_two_domains(tmp_path):
    """A conversion named by its source finds the target's recording of the same stem."""
    write(tmp_path / "converted/a-x_1.wav", 150)
    write(tmp_path / "wav/a.wav", 100)
    write(tmp_path / "wav/b.wav", 150)
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"a-x_1 {tmp_path}/wav/a.wav\nb-x_1 {tmp_path}/wav/b.wav\n")
    (data / "utt2spk").write_text("a-x_1 a\nb-x_1 b\n")
    scores = evaluate_folder(tmp_path / "converted", data, target="b", metrics=MCD)
    assert scores["utterances"]["x_1"]["mel_cepstral_distortion"] == pytest.approx(0, abs=0.05)
    other = evaluate_folder(tmp_path / "converted", data, target="a", metrics=MCD)
    assert other["utterances"]["x_1"]["mel_cepstral_distortion"] > 1
    with pytest.raises(InputError, match="holds a, b; choose one with --target"):
        evaluate_folder(tmp_path / "converted", data)
    with pytest.raises(InputError, match="no 'c' in .*, which holds a, b"):
        evaluate_folder(tmp_path / "converted", data, target="c")


def test_what_lacks_its_input_is_not_run(tmp_path):
    write(tmp_path / "converted/1.wav")
    asked = [*MCD, "speaker_similarity"]
    scores = evaluate_folder([tmp_path / "converted/1.wav"], metrics=asked)
    assert scores["metrics"] == {} and scores["utterances"] == {"1": {}}
    assert "--reference" in scores["not_run"]["mel_cepstral_distortion"]
    assert "--target-train" in scores["not_run"]["speaker_similarity"]


def test_a_missing_package_is_a_reason_not_an_end(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resemblyzer", None)
    write(tmp_path / "1.wav")
    files = [tmp_path / "1.wav"]
    asked = [*MCD, "speaker_similarity"]
    scores = evaluate_folder(files, files, target_train=files, metrics=asked)
    assert list(scores["metrics"]) == MCD
    assert "pip install" in scores["not_run"]["speaker_similarity"]


def test_refusals(tmp_path):
    write(tmp_path / "converted/9.wav")
    write(tmp_path / "reference/1.wav")
    with pytest.raises(InputError, match=r"9\.wav has no counterpart in .*reference"):
        evaluate_folder(tmp_path / "converted", tmp_path / "reference")
    with pytest.raises(InputError, match="there is no folder"):
        evaluate_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no sound file in"):
        evaluate_folder(tmp_path / "empty")
    with pytest.raises(InputError, match="no metric 'pesq'; choose from mel_cepstral_distortion"):
        evaluate_folder(tmp_path / "converted", metrics=["pesq"])
    write(tmp_path / "short/1.wav", seconds=0.01)
    with pytest.raises(InputError, match=r"1\.wav cannot be scored: the estimate has 160 samples"):
        evaluate_folder(tmp_path / "short", tmp_path / "reference", metrics=MCD)
    with pytest.raises(InputError, match="1.* cannot be scored"):
        evaluate_folder(tmp_path / "reference", tmp_path / "short", metrics=MCD)
    write(tmp_path / "reference/a/1.wav")
    with pytest.raises(InputError, match="two recordings of '1'"):
        evaluate_folder(tmp_path / "converted", tmp_path / "reference")


def test_interval_of_the_mean():
    assert summary([2.0, 2.0, 2.0]) == {"mean": 2.0, "low": 2.0, "high": 2.0, "n": 3}
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found = summary(list(values))
    # Student's interval of a large normal sample: mean +- 1.96 s / sqrt(n).
    half = 1.96 * values.std(ddof=1) / 20
    assert found["low"] == pytest.approx(values.mean() - half, abs=0.03)
    assert found["high"] == pytest.approx(values.mean() + half, abs=0.03)
    assert found == summary(list(values)) and found != summary(list(values), seed=1)


def test_results_table(tmp_path):
    def scores(mean):
        row = {"unit": "dB", "mean": mean, "low": mean - 0.1, "high": mean + 0.125, "n": 2}
        return {
            "metrics": {"mel_cepstral_distortion": row},
            "not_run": {"dnsmos": "no speechmos"},
        }

    for name, mean in {"ab": 8.8, "ba": 7.0}.items():
        write_scores(tmp_path / f"{name}.json", scores(mean))
    files = [tmp_path / "ab.json", tmp_path / "ba.json"]
    path = tmp_path / "RESULTS.md"
    write_results(path, "A and B", {"source": files}, "./run.sh --stage 6", "abc123", steps=15000)
    text = path.read_text()
    assert text.startswith("# A and B\n\n    ./run.sh --stage 6\n\n- commit: abc123\n")
    assert "- steps: 15,000\n" in text
    assert "| | MCD dB |\n| --- | --- |\n" in text
    assert "| source | 8.80 [8.70, 8.93] / 7.00 [6.90, 7.12] |\n" in text
    assert text.count("- DNSMOS not run: no speechmos") == 1
    (tmp_path / "bad.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match=re.escape("bad.json holds no scores")):
        write_results(path, "A", {"source": [tmp_path / "bad.json"]}, "x", "y")
    assert path.read_text() == text
