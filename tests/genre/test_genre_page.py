"""The page of genres: notes as drawn and as played, players, and what is said without them."""

import base64
import re
from pathlib import Path

import fake_synth
import pytest
import soundfile
import torch
from tiny_model import Cli, make_cli

from voiceconv.commands import render
from voiceconv.commands.genre_page import STEP, piece_of
from voiceconv.commands.render import TAIL

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from test_genre import MODEL, classifier, dump  # noqa: F401  (fixtures)

from voiceconv.converter import FileConverter
from voiceconv.features import DomainStats
from voiceconv.genre.page import notes_of


@pytest.fixture
def given(dump, classifier, tmp_path) -> tuple:  # noqa: F811
    """Arguments of `genre page` for a model that copies."""
    stats = dict.fromkeys(("high", "low"), DomainStats.neutral(84))
    FileConverter(MODEL, stats).save_pretrained(tmp_path / "same", {})
    classifier.write(tmp_path / "c")
    return ("genre", "page", dump, "--classifier", tmp_path / "c", "--model", tmp_path / "same")


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_notes_are_runs_of_a_row():
    roll = torch.zeros(84, 64)
    roll[10, 4:8] = roll[10, 9] = roll[12, 0:64] = 1
    assert notes_of(roll) == [(12, 0, 64), (10, 4, 4), (10, 9, 1)]
    piece, seconds = piece_of(roll)
    played, now = [], 0.0
    for message in piece:
        now += message.time
        if message.type in ("note_on", "note_off"):
            played.append((round(1000 * now / STEP, 6), message.type, message.note))
    assert played == [
        (0, "note_on", 36), (4, "note_on", 34), (8, "note_off", 34), (9, "note_on", 34),
        (10, "note_off", 34), (64, "note_off", 36),
    ]  # fmt: skip
    assert seconds == 64 * STEP / 1000 + TAIL


def test_a_page_has_scores_pictures_and_players(voiceconv, given, tmp_path, monkeypatch):
    fake_synth.install(tmp_path / "bin", monkeypatch)
    said = voiceconv(*given, "-o", tmp_path / "out/page.html", "--n", "1")
    assert said.code == 0 and said.out == f"page: {tmp_path}/out/page.html\n"
    page = (tmp_path / "out/page.html").read_text()
    assert page.count("<svg ") == 2 and page.count("<audio ") == 2 * 3
    assert "Piano rolls of 00, low to high; notes: source 12, converted 12, cycled 12" in page
    assert page.count('<tr><th scope="row">nearest phrase</th>') == 2 * 2
    assert "http://" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page) and "<script" not in page
    sound = re.search(r"data:audio/flac;base64,([^\"]*)", page)
    (tmp_path / "a.flac").write_bytes(base64.b64decode(sound.group(1)))
    assert soundfile.info(tmp_path / "a.flac").duration == pytest.approx(64 * STEP / 1000 + TAIL)


def test_without_a_player_it_says_so(voiceconv, given, tmp_path, monkeypatch):
    monkeypatch.delenv("SOUNDFONT", raising=False)
    monkeypatch.setattr(render, "SOUNDFONTS", ())
    monkeypatch.setattr(render, "has_player", lambda: True)
    said = voiceconv(*given, "-o", tmp_path / "page.html", "--n", "1")
    assert said.code == 0 and said.out.startswith(
        "no players: FluidSynth or a SoundFont is missing"
    )
    page = (tmp_path / "page.html").read_text()
    assert "<audio" not in page and "There are no players" in page
    monkeypatch.setattr("voiceconv.commands.genre_page.has_player", lambda: True)
    refused = voiceconv(*given, "-o", tmp_path / "b.html", "--soundfont", tmp_path / "no.sf2")
    assert refused.code == 2 and not Path(tmp_path / "b.html").exists()
