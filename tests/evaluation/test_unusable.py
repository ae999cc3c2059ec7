"""An unusable recording costs its own values, is named and profits nobody; unlike sound is told."""

import json

import numpy as np
import pytest
import torch
from test_evaluate import LEVEL, MCD, write
from tiny_model import make_cli

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.evaluation.compare import compare, table
from voiceconv.evaluation.evaluate import Given, evaluate_folder
from voiceconv.evaluation.results import Header, write_results
from voiceconv.evaluation.scores import as_lines, gaps, remarks, write_scores
from voiceconv.metrics import MEASURES

SILENT = "the recording is silent; silence has no value in any measure"


@pytest.fixture
def folder(tmp_path):
    """Converted recordings 1 to 5, of which only 1 and 5 are sound, and their references."""
    for stem in "12345":
        write(tmp_path / f"reference/{stem}.wav")
    write(tmp_path / "converted/1.wav", 130)
    audio.write(tmp_path / "converted/2.wav", torch.zeros(8000), 16000)
    (tmp_path / "converted/3.wav").write_text("no sound")
    write(tmp_path / "converted/4.wav", seconds=0.01)
    write(tmp_path / "converted/5.wav", 140)
    return tmp_path


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_bad_recording_costs_its_own_values(folder, caplog, jobs):
    given = Given(folder / "converted", folder / "reference")
    scores = evaluate_folder(given, [*MCD, *LEVEL], jobs=jobs)
    assert {one["n"] for one in scores["metrics"].values()} == {2}
    rows = scores["utterances"]
    assert rows["2"] == {"file": "2.wav", "missing": dict.fromkeys([*MCD, *LEVEL], SILENT)}
    assert "3.wav is no sound file" in rows["3"]["missing"]["peak"]
    assert "the recording has 160 samples" in rows["4"]["missing"]["loudness"]
    mean = np.mean([rows[stem]["peak"] for stem in "15"])
    assert scores["metrics"]["peak"]["mean"] == pytest.approx(mean)
    assert f"peak: {mean:.3f} dBFS" in as_lines(scores) and "n=2 of 5\n" in as_lines(scores)
    # All of them are named at once, each with its reason.
    said = [line for line in caplog.messages if "without value" in line]
    assert said == gaps(scores) and len(said) == 3
    assert said[0] == f"1 of 5 utterances without value in any measure ({SILENT}): 2"


def test_a_bad_reference_costs_what_needs_it(folder):
    audio.write(folder / "reference/1.wav", torch.zeros(8000), 16000)
    (folder / "reference/5.wav").write_text("no sound")
    (folder / "converted/2.wav").unlink()
    write(folder / "converted/2.wav")
    rows = evaluate_folder(Given(folder / "converted", folder / "reference"), [*MCD, "peak"])[
        "utterances"
    ]
    assert rows["1"]["missing"] == {
        MCD[0]: "the reference is silent; silence has no value in any measure"
    }
    assert "5.wav is no sound file" in rows["5"]["missing"][MCD[0]]
    assert rows["1"]["peak"] < 0 and rows["5"]["peak"] < 0 and MCD[0] in rows["2"]


def test_a_transcript_or_a_recogniser_that_fails_costs_one_value(tmp_path):
    for stem, seconds in (("1", 0.3), ("2", 0.3), ("3", 0.3), ("4", 0.5)):
        write(tmp_path / f"converted/{stem}.wav", seconds=seconds)
    (tmp_path / "text").write_text("1 one\n2\n3 ...\n4 one\n")
    heard = tmp_path / "heard"  # it fails on the long one
    heard.write_text('#!/bin/sh\n[ $(wc -c < "$1") -lt 12000 ] && echo one || exit 3\n')
    heard.chmod(0o755)
    given = Given(tmp_path / "converted", text=tmp_path / "text")
    scores = evaluate_folder(given, ["word_error", "peak"], recogniser=f"{heard} {{}}")
    assert scores["metrics"]["word_error"]["n"] == 1 and scores["metrics"]["peak"]["n"] == 4
    why = {
        stem: row.get("missing", {}).get("word_error") for stem, row in scores["utterances"].items()
    }
    assert why["1"] is None and why["2"] == "it has no transcript"
    assert why["3"] == "the text '...' holds no word to recognise" and "ended with 3" in why["4"]
    with pytest.raises(InputError, match="'/no/such' cannot be run: there is no such program"):
        evaluate_folder(given, ["word_error"], recogniser="/no/such {}")


def test_a_bad_training_recording_is_left_out(tmp_path, caplog):
    for stem, pitch in (("1", 120), ("2", 130)):
        write(tmp_path / f"train/{stem}.wav", pitch)
    write(tmp_path / "1.wav", 125)

    def difference():
        given = Given([tmp_path / "1.wav"], target_train=tmp_path / "train")
        scores = evaluate_folder(given, ["f0_mean_difference"], voices=tmp_path / "voices")
        return scores["utterances"]["1"].get("f0_mean_difference")

    sound = difference()
    (tmp_path / "train/3.wav").write_text("no sound")
    assert difference() == sound  # of the same two
    assert difference() == sound  # not kept: the file may be mended meanwhile
    said = [line for line in caplog.messages if line.startswith("left out of --target-train: ")]
    assert len(said) == 2 and "3.wav is no sound file" in said[0]
    for stem in "12":
        (tmp_path / f"train/{stem}.wav").write_text("no sound")
    assert difference() is None


def test_where_nothing_has_a_value_the_command_fails_and_says_why(tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    for stem in "12":
        write(tmp_path / f"converted/{stem}.wav", level=0.0, seconds=0.01)
    output = tmp_path / "scores.json"
    said = voiceconv("evaluate", tmp_path / "converted", "--metric", "peak", "-o", output)
    assert said.code == 1 and "no recording has a value in any measure" in said.err
    assert "160 samples" in json.loads(output.read_text())["not_run"]["peak"]


def test_silence_has_no_value_in_any_measure_of_the_table(tmp_path, monkeypatch):
    """Whatever a measure needs; the protocol states the version of PESQ, so it has to be there."""
    pytest.importorskip("pesq")
    for tools in ("evaluate.tools", "measuring.tools"):
        monkeypatch.setattr(f"voiceconv.evaluation.{tools}", lambda *_: {})
    audio.write(tmp_path / "1.wav", torch.zeros(8000), 16000)
    write(tmp_path / "other/1.wav")
    (tmp_path / "text").write_text("1 one\n")
    other = tmp_path / "other"
    given = Given([tmp_path / "1.wav"], other, other, other, tmp_path / "text", other)
    scores = evaluate_folder(given, list(MEASURES), recogniser="echo {}")
    assert scores["metrics"] == {}
    assert scores["utterances"]["1"]["missing"] == dict.fromkeys(MEASURES, SILENT)
    assert scores["not_run"] == dict.fromkeys(MEASURES, f"no utterance has a value: {SILENT}")


def test_silence_profits_nobody(folder, monkeypatch):
    """The second system is silent where it would be bad: both are compared where both speak."""
    monkeypatch.chdir(folder)
    for stem, pitches in (("1", (121, 121)), ("2", (200, 0)), ("5", (122, 122))):
        for name, pitch in zip("ab", pitches, strict=True):
            if pitch:
                write(folder / f"{name}/{stem}.wav", pitch)
            else:
                audio.write(folder / f"{name}/{stem}.wav", torch.zeros(8000), 16000)
    for name in "ab":
        write_scores(
            f"{name}.json", evaluate_folder(Given(folder / name, folder / "reference"), MCD)
        )
    compared = compare(["a.json", "b.json"])
    first, second = compared["measures"][MCD[0]]["systems"]
    assert second["mean"] < first["mean"]  # this is why
    assert second["difference"] == {
        "mean": 0.0, "low": 0.0, "high": 0.0, "n": 2, "verdict": None
    }  # fmt: skip
    assert compared["notes"] == [
        f"b.json: 1 of 3 utterances without value in any measure ({SILENT}): 2"
    ]
    assert [cell for cell in table(compared).columns[-1].cells] == ["3", "2 of 3"]
    header = Header("t", "c", {})
    write_results(folder / "RESULTS.md", header, {"a to b": {"copy": "a.json", "knn": "b.json"}})
    text = (folder / "RESULTS.md").read_text()
    assert f"- kNN: 1 of 3 utterances without value in any measure ({SILENT}): 2." in text
    assert ", n=2 |" in text


def noise(path, limit, rate, factor=1.0):
    """A second of noise up to `limit` Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(rate))
    spectrum[[0, *range(limit, len(spectrum))]] = 0
    wave = np.fft.irfft(spectrum)
    audio.write(path, torch.from_numpy(factor * 0.1 * wave / wave.std()).float(), rate)


def test_unlike_bandwidth_is_recorded_and_said(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    noise(tmp_path / "reference/1.wav", 11000, 24000)
    for name, limit, rate in (
        ("wide", 11000, 24000),
        ("narrow", 3700, 24000),
        ("low", 7900, 16000),
    ):
        noise(tmp_path / f"{name}/1.wav", limit, rate)
        scores = evaluate_folder(Given(tmp_path / name, tmp_path / "reference"), [*MCD, "peak"])
        write_scores(f"{name}.json", scores)

    def read(name):
        return json.loads((tmp_path / f"{name}.json").read_text())["utterances"]["1"]

    row = read("narrow")
    assert (row["sample_rate"], row["reference_sample_rate"]) == (24000, 24000)
    assert 3700 <= row["bandwidth"] <= 3888 and 11000 <= row["reference_bandwidth"] <= 11188
    assert row[MCD[0]] > 5  # of one noise
    said = [line for line in caplog.messages if "bandwidth" in line]
    assert said == remarks({"utterances": {"1": row}}) and "the reference up to 11" in said[0]
    assert [set(row.get("remarks", {})) for row in (read("wide"), read("narrow"), read("low"))] == [
        set(), {"bandwidth"}, {"sample rate"}
    ]  # fmt: skip
    notes = compare(["wide.json", "narrow.json"])["notes"]
    assert len(notes) == 1 and "narrow.json: its files have sound up to 3" in notes[0]
    (note,) = compare(["wide.json", "low.json"])["notes"]
    assert note == "low.json: its files are at 16000 Hz, not 24000 Hz, which alone moves distances"


def test_below_the_rate_of_analysis_there_is_nothing_to_compare(tmp_path):
    noise(tmp_path / "converted/1.wav", 3700, 8000)
    noise(tmp_path / "reference/1.wav", 11000, 24000)
    scores = evaluate_folder(
        Given(tmp_path / "converted", tmp_path / "reference"), [*MCD, "peak", "silence"]
    )
    assert list(scores["metrics"]) == ["peak", "silence"]  # of the file at its own rate
    assert scores["not_run"][MCD[0]].startswith(
        "no utterance has a value: the recording is at 8000 Hz, and the measures analyse 16000 Hz"
    )


def test_offset_and_click_are_said(tmp_path, caplog):
    noise(tmp_path / "1.wav", 7000, 16000)
    wave = audio.read(tmp_path / "1.wav").samples
    audio.write(tmp_path / "2.wav", wave + 0.01, 16000)
    quiet = 0.1 * wave
    quiet[99] = 0.9
    audio.write(tmp_path / "3.wav", quiet, 16000)
    scores = evaluate_folder(Given([tmp_path / f"{n}.wav" for n in "123"]), ["peak"])
    assert caplog.messages == [
        "offset of 1 of 3 utterances, the first 2: an offset of +1.00% of full scale was removed",
        "click of 1 of 3 utterances, the first 3: 1 of 16000 samples, far above the "
        "others, were limited",
    ]
    assert [set(row.get("remarks", {})) for row in scores["utterances"].values()] == [
        set(), {"offset"}, {"click"}
    ]  # fmt: skip


def test_old_scores_do_not_compare(tmp_path):
    noise(tmp_path / "1.wav", 7000, 16000)
    scores = evaluate_folder(Given([tmp_path / "1.wav"]), ["peak"])
    write_scores(tmp_path / "new.json", scores)
    write_scores(tmp_path / "old.json", scores | {"format": 2})
    with pytest.raises(InputError) as raised:
        compare([tmp_path / "new.json", tmp_path / "old.json"])
    assert str(raised.value) == (
        f"{tmp_path / 'old.json'} has scores of format 2, not 3: this voiceconv treats offset, "
        "level, silence, lag, bandwidth and text in another way; evaluate again"
    )
