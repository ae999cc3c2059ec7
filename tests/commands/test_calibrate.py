"""`voiceconv calibrate` lets a model warn; `voiceconv convert --json` says what it found."""

import io
import json
from dataclasses import replace

import pytest
import torch
from tiny_model import make_cli, make_converter, record, speech

from voiceconv.converter import Converter
from voiceconv.converter.novelty import Novelty
from voiceconv.errors import InputError


@pytest.fixture
def voiceconv(monkeypatch, capsys):
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def model(tmp_path):
    make_converter().save_pretrained(tmp_path / "tiny", {})
    return tmp_path / "tiny"


def test_a_model_is_calibrated_and_its_conversions_have_percentiles(voiceconv, model, tmp_path):
    pitches = {"ann": 120.0, "bob": 150.0, "cy": 180.0}
    for speaker, pitch in pitches.items():
        for number in range(17):
            wave = speech(pitch + number, 1.0, seed=number)
            record(tmp_path / "data" / speaker / f"{number}.wav", wave)
    said = voiceconv("calibrate", tmp_path / "data", "--model", model)
    assert said.code == 0
    assert said.out == "calibrated by 51 recordings of 3 speakers\n"
    novelty = Converter.from_pretrained(model).novelty
    assert novelty is not None
    assert novelty.held_out.shape == (51, 3)
    known = record(tmp_path / "known.wav", speech(150.0, 1.0, seed=30))
    high = record(tmp_path / "high.wav", speech(400.0, 1.0, seed=30))
    said = voiceconv(
        "convert", known, high, "--target", "high", "--model", model, "--json", "-o", tmp_path / "o"
    )
    assert said.code == 0
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["input"] for line in lines] == [str(known), str(high)]
    assert [line["output"] for line in lines] == [
        str(tmp_path / "o" / "known.wav"),
        str(tmp_path / "o" / "high.wav"),
    ]
    assert [line["is_out_of_domain"] for line in lines] == [False, True]
    assert lines[1]["percentile"] == 100.0
    assert lines[1]["reason"] is not None
    assert lines[1]["reason"] in said.err
    assert set(lines[0]) == {
        *("input", "output", "source", "known", "f0_move", "semitones"),
        *("percentile", "is_out_of_domain", "reason"),
    }


def test_too_few_speakers_and_json_beside_a_stream_are_refused(voiceconv, model, tmp_path):
    record(tmp_path / "data" / "ann" / "1.wav", speech(120.0, 1.0))
    said = voiceconv("calibrate", tmp_path / "data", "--model", model)
    assert said.code == 2
    assert "1 recordings of 1 speakers do not tell" in said.err
    known = tmp_path / "data" / "ann" / "1.wav"
    said = voiceconv("convert", known, "--target", "high", "--model", model, "--json", "-o", "-")
    assert said.code == 2
    assert "--json and -o - both write to stdout" in said.err


def test_only_a_model_of_ones_own_is_calibrated(voiceconv, tmp_path, monkeypatch):
    said = voiceconv("calibrate", tmp_path, "--model", "four-voices")
    assert said.code == 2
    assert "four-voices comes with the package; copy " in said.err
    said = voiceconv("calibrate", tmp_path, "--model", "org/name")
    assert said.code == 2
    assert "org/name is in the hub's cache, which must stay as it is" in said.err


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_calibration_without_numbers_is_refused(number, tmp_path):
    novelty = Converter.from_pretrained("four-voices").novelty
    assert novelty is not None
    for damaged in (novelty.held_out[:0], torch.full_like(novelty.held_out, number)):
        replace(novelty, held_out=damaged).save(tmp_path)
        with pytest.raises(InputError, match="voiceconv calibrate` again"):
            Novelty.load(tmp_path)


def test_json_that_nobody_reads_ends_in_a_sentence(voiceconv, model, tmp_path, monkeypatch):
    known = record(tmp_path / "known.wav", speech(150.0, 1.0))

    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Closed())
    said = voiceconv(
        "convert", known, "--target", "high", "--model", model, "--json", "-o", tmp_path / "o.wav"
    )
    monkeypatch.undo()
    assert said.code == 1
    assert said.err.splitlines()[-1].endswith("--json: standard output takes no more (Broken pipe)")
