"""MIDI files to sound: what is played, when, how loud, and what is refused."""

import shutil
from pathlib import Path

import fake_synth
import mido
import numpy as np
import pytest
import soundfile
from mido import Message, MetaMessage
from tiny_model import Cli, make_cli

from voiceconv.commands import render
from voiceconv.commands.render import FADE, LEAD, PEAK, SOUNDFONTS, TAIL
from voiceconv.features.midi import Song

RATE = 24_000


def song(path: Path, *tracks: list[Message]) -> Path:
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    for messages in tracks:
        file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def note(pitch: int, ticks: int = 480, channel: int = 0, velocity: int = 80) -> list[Message]:
    told = {"note": pitch, "channel": channel}
    return [
        Message("note_on", velocity=velocity, **told), Message("note_off", time=ticks, **told)
    ]  # fmt: skip


@pytest.fixture
def played(tmp_path) -> Path:
    """A rest, a high part and a low one, drums; the second half at half the tempo."""
    rest = Message("control_change", control=7, value=100, time=480)
    slow = MetaMessage("set_tempo", tempo=1_000_000, time=480)
    reset = Message("sysex", data=(0x7E, 0x7F, 0x09, 0x01))  # General MIDI System On
    high = [Message("program_change", program=6), reset, rest, *note(81), slow, *note(84)]
    low = [Message("program_change", program=7, channel=1), rest.copy(channel=1), *note(45, 960, 1)]
    return song(tmp_path / "a.mid", high, low, [rest.copy(channel=9), *note(38, 480, 9)])


@pytest.fixture
def voiceconv(tmp_path, monkeypatch, capsys) -> Cli:
    fake_synth.install(tmp_path / "bin", monkeypatch)
    monkeypatch.chdir(tmp_path)
    return make_cli(monkeypatch, capsys)


def notes(path: Path, **keywords) -> list[tuple[float, int, int]]:
    """What is played: seconds, pitch, channel of each note that begins."""
    given = {"program": None, "melody": False, "seconds": None} | keywords
    piece, _ = render._piece(Song.read(path), *given.values())
    now, found = 0.0, []
    for message in piece:
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((round(now, 3), message.note, message.channel))
    return found


def frequencies(wave: np.ndarray) -> set[int]:
    """In Hz, of partials that are not much softer than the loudest."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), RATE))
    peaks = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])
    return set(np.flatnonzero(peaks & (spectrum[1:-1] > 0.2 * spectrum.max())) + 1)


def test_a_song_begins_with_its_first_note_in_its_tempos(played):
    assert notes(played) == [
        (LEAD, 81, 0), (LEAD, 45, 1), (LEAD, 38, 9), (LEAD + 1.0, 84, 0)
    ]  # fmt: skip
    assert notes(played, seconds=0.9) == [(LEAD, 81, 0), (LEAD, 45, 1), (LEAD, 38, 9)]


def test_one_program_plays_all_but_drums_and_a_melody_is_the_highest_part(played):
    assert [pitch for _, pitch, _ in notes(played, program=40)] == [81, 45, 84]
    assert [pitch for _, pitch, _ in notes(played, melody=True)] == [81, 84]
    for program, wanted in ((40, {40}), (None, {6, 7})):
        piece, _ = render._piece(Song.read(played), program, False, None)
        told = [m for m in piece.tracks[0] if m.type == "program_change"]
        assert {message.program for message in told} == wanted
        resets = [message for message in piece.tracks[0] if message.type == "sysex"]
        assert len(resets) == (program is None)  # it would take the program away


def test_a_wave_has_its_level_its_length_and_its_notes(voiceconv, played, tmp_path):
    assert voiceconv("render", played, "-o", tmp_path / "a.wav", "--program", "0").code == 0
    wave, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE and np.abs(wave).max() == pytest.approx(PEAK, rel=0.01)
    assert len(wave) / rate == pytest.approx(LEAD + 0.5 + 0.5 + 1.0 + TAIL, abs=0.01)
    assert frequencies(wave[int(0.1 * RATE) : int(0.5 * RATE)]) == {110, 880}
    assert frequencies(wave[int(1.2 * RATE) : int(1.9 * RATE)]) <= {1046, 1047}
    cut = ("--melody", "--seconds", "0.4", "--sample-rate", "16000")
    assert voiceconv("render", played, "-o", tmp_path / "b.wav", *cut).code == 0
    short, rate = soundfile.read(tmp_path / "b.wav")
    assert (len(short), rate) == (6400, 16000)
    assert abs(short[-1]) < 1e-3 < np.abs(short[-int(2 * FADE * rate) :]).max()


def test_many_songs_go_to_a_folder(voiceconv, played, tmp_path):
    song(tmp_path / "b.mid", note(60))
    (tmp_path / "c.mid").write_text("no song")
    said = voiceconv("render", played, tmp_path / "b.mid", tmp_path / "c.mid", "-o", "out/")
    assert said.code == 1 and "c.mid is not readable as a MIDI file" in said.err
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.wav", "b.wav"]


def test_nothing_to_play_is_said(voiceconv, tmp_path):
    drums = song(tmp_path / "a.mid", note(38, channel=9))
    said = voiceconv("render", drums, "-o", tmp_path / "a.wav", "--program", "40")
    assert said.code == 2 and "a.mid has nothing to play" in said.err
    assert not (tmp_path / "a.wav").exists()
    assert voiceconv("render", drums, "-o", tmp_path / "a.wav").code == 0


def test_what_is_missing_is_named(voiceconv, played, tmp_path, monkeypatch):
    said = voiceconv("render", played, "--soundfont", tmp_path / "x.sf2")
    assert said.code == 2 and "x.sf2: no such SoundFont" in said.err
    (tmp_path / "text.sf2").write_text("no font at all")
    said = voiceconv("render", played, "--soundfont", tmp_path / "text.sf2")
    assert said.code == 2 and "text.sf2 is no SoundFont" in said.err
    monkeypatch.delenv("SOUNDFONT")
    monkeypatch.setattr(render, "SOUNDFONTS", (str(tmp_path / "y.sf2"),))
    assert "apt-get install fluidsynth fluid-soundfont-gm" in voiceconv("render", played).err
    monkeypatch.setenv("PATH", str(tmp_path))
    said = voiceconv("render", played)
    assert said.code == 2 and "played by fluidsynth and a SoundFont, not found" in said.err


def test_a_player_that_fails_is_quoted(voiceconv, played, tmp_path, monkeypatch):
    (tmp_path / "bin/fluidsynth").write_text("#!/bin/sh\necho no such font >&2\nexit 3\n")
    said = voiceconv("render", played, "-o", tmp_path / "a.wav")
    assert said.code == 1 and "(no such font)" in said.err and not (tmp_path / "a.wav").exists()


def test_a_song_of_hours_is_refused_and_more_than_a_song_is_the_song(voiceconv, tmp_path):
    slow = [MetaMessage("set_tempo", tempo=16_000_000), *note(69, 480 * 2000)]
    said = voiceconv("render", song(tmp_path / "a.mid", slow), "-o", tmp_path / "a.wav")
    assert said.code == 2 and "lasts 8.9 hours" in said.err and not (tmp_path / "a.wav").exists()
    short = song(tmp_path / "b.mid", note(69))
    assert voiceconv("render", short, "-o", tmp_path / "b.wav", "--seconds", "60").code == 0
    assert soundfile.info(tmp_path / "b.wav").duration == pytest.approx(LEAD + 0.5 + TAIL, abs=0.01)
    assert voiceconv("render", short, "--seconds", "inf").code == 2


def test_fluidsynth_itself_ends_a_note_that_never_ends(tmp_path, monkeypatch):
    fonts = [path for path in SOUNDFONTS if Path(path).exists()]
    if shutil.which("fluidsynth") is None or not fonts:
        pytest.skip("needs fluidsynth and a SoundFont (apt-get install fluid-soundfont-gm)")
    held = song(tmp_path / "a.mid", note(69, 480), note(69)[:1])
    wave = render.play(Song.read(held), Path(fonts[0]), RATE, 40, seconds=1.0).numpy()
    assert wave.shape == (RATE,) and np.abs(wave).max() == pytest.approx(PEAK, rel=0.01)
    assert any(abs(440 - one) <= 4 for one in frequencies(wave[6000:18000]))
