"""Utterances to see and to hear."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from tiny_run import direction, put_wave, write_run

from voiceconv.report import cards
from voiceconv.report.cards import Sounds, draw, encode, find_files, load, make_cards
from voiceconv.report.run import read_run
from voiceconv.report.utterances import Chosen


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(write_run(tmp_path_factory.mktemp("runs") / "toy"))


def test_an_utterance_is_found_under_the_name_of_its_source(run):
    files = find_files(run.folder, run.directions[0], "u2")
    assert {kind: str(path.relative_to(run.folder)) for kind, path in files.items()} == {
        "source": "unconverted/ada/ada-u2.flac",
        "converted": "converted/ada-bert/ada-u2.wav",
        "target": "unconverted/bert/bert-u2.flac",
    }


def test_recordings_elsewhere_are_found_as_the_scores_name_them(tmp_path):
    put_wave(tmp_path / "elsewhere/sub/x.wav", 110.0, 0.1)
    put_wave(tmp_path / "corpus/ada_x.wav", 110.0, 0.1)
    one = direction(
        model={"x": {"file": "sub/x.wav"}, "y": {}},
        unconverted={"x": {"file": str(tmp_path / "corpus/ada_x.wav")}},
    )
    one.systems["model"]["inputs"] = {"converted": str(tmp_path / "elsewhere")}
    one.systems["unconverted"]["inputs"] = {"converted": str(tmp_path / "data")}
    found = find_files(tmp_path, one, "x")
    assert found == {
        "source": tmp_path / "corpus/ada_x.wav",
        "converted": tmp_path / "elsewhere/sub/x.wav",
        "target": None,
    }
    assert set(find_files(tmp_path, one, "y").values()) == {None}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/segments").touch()  # the file holds more than the utterance
    assert find_files(tmp_path, one, "x")["source"] is None


def test_what_lacks_or_is_damaged_is_said(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    sounds = load({"source": None, "converted": tmp_path / "bad.wav"})
    assert sounds.waves == {}
    assert sounds.notes[0] == "there is no recording of the source"
    assert sounds.notes[1].startswith(f"{tmp_path}/bad.wav is no sound file")


def test_recordings_come_to_the_lowest_rate_and_at_most_24_khz(tmp_path):
    put_wave(tmp_path / "a.wav", 110.0, 0.5, 48000)
    put_wave(tmp_path / "b.wav", 110.0, 0.25, 32000)
    sounds = load({"source": tmp_path / "a.wav", "converted": tmp_path / "b.wav"})
    assert sounds.sample_rate == 24000
    assert {kind: len(wave) for kind, wave in sounds.waves.items()} == {
        "source": 12000,
        "converted": 6000,
    }


def test_long_recordings_are_cut_and_this_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "LONGEST", 0.25)
    put_wave(tmp_path / "a.wav", 110.0, 0.5, 16000)
    sounds = load({"source": tmp_path / "a.wav"})
    assert len(sounds.waves["source"]) == 4000
    assert sounds.notes == ["the first 0.25 seconds are shown"]


def decoded(uri: str) -> tuple[np.ndarray, int]:
    kind, content = uri.split(",")
    assert kind in ("data:audio/flac;base64", "data:audio/mpeg;base64")
    return soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")


def test_flac_is_the_wave_to_16_bits():
    wave = torch.linspace(-0.9, 0.9, 1600)
    samples, rate = decoded(encode(Sounds({"source": wave}, 16000, []), ".flac")["source"])
    assert rate == 16000
    np.testing.assert_allclose(samples, wave.numpy(), atol=1 / 32768)


def test_what_does_not_fit_as_flac_is_mp3_and_what_does_not_fit_then_is_left_out(run, monkeypatch):
    def made(budget: int):
        monkeypatch.setattr(cards, "BUDGET", budget)
        found, n_left_out = make_cards(run, 2)
        kinds = {
            uri[5:15] for one in found.values() for card in one for _, uri, _ in card["players"]
        }
        return kinds, {name: len(one) for name, one in found.items()}, n_left_out

    monkeypatch.setattr(cards, "draw", lambda chosen, sounds: None)
    assert made(10_000_000) == ({"audio/flac"}, {"ada-bert": 2, "bert-ada": 2}, 0)
    sizes = {
        extension: [
            sum(map(len, encode(load(find_files(run.folder, one, stem)), extension).values()))
            for stem in ("u1", "u3") for one in run.directions
        ]
        for extension in (".flac", ".mp3")
    }  # fmt: skip
    assert sum(sizes[".mp3"]) < sum(sizes[".flac"])
    assert made(sum(sizes[".flac"]) - 1) == ({"audio/mpeg"}, {"ada-bert": 2, "bert-ada": 2}, 0)
    kinds, shown, n_left_out = made(sum(sizes[".mp3"]) - 1)  # the last one, of bert-ada, goes
    assert (kinds, shown, n_left_out) == ({"audio/mpeg"}, {"ada-bert": 2, "bert-ada": 1}, 1)


def test_the_picture_says_the_median_f0_and_silence_has_none():
    one = direction(model={"u": {}})
    chosen = Chosen(one, "u", "fixed")
    from tiny import vowel

    sounds = Sounds({"source": vowel(110.0, 0.5, 16000), "target": torch.zeros(800)}, 16000, [])
    picture = str(draw(chosen, sounds))
    label = re.search('aria-label="([^"]*)"', picture)
    assert label and label.group(1) == (
        "Log-mel spectrograms and F0 of u, ada to bert; median F0: source 110 Hz"
    )
    assert draw(chosen, Sounds({"source": torch.zeros(800)}, 16000, [])) is None


def test_a_card_has_the_figures_of_its_utterance(run):
    card = make_cards(run, 1)[0]["ada-bert"][0]
    assert (card["stem"], card["reason"]) == ("u5", "no. 1 of the worst")
    assert [(measure.title, text) for measure, text in card["figures"]] == [
        ("similarity", "0.760"),
        ("similarity to source", "0.600"),
        ("MCD", "7.00"),
    ]
    assert [(kind, seconds) for kind, _, seconds in card["players"]] == [
        ("source", "0.6"),
        ("converted", "0.6"),
        ("target", "0.6"),
    ]
