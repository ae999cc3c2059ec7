"""What converted files say of themselves, as another program reads it."""

import json

import mutagen
import pytest
import soundfile
import torch
from tiny_model import RATE, Cli, make_cli, make_converter, record, speech

from voiceconv import audio
from voiceconv.converter.directory import digest
from voiceconv.errors import InputError
from voiceconv.provenance.note import CONVERTED, as_tags, note, read_note
from voiceconv.provenance.sidecar import read_sidecar, write_sidecar
from voiceconv.provenance.stamp import Marks, Stamp

FACTS = {"model": "four-voices", "sha256": "ab" * 32, "target": "Žofie"}
WAVE = 0.1 * torch.sin(torch.arange(2400.0))


@pytest.fixture
def voiceconv(monkeypatch, capsys, tmp_path) -> Cli:
    monkeypatch.chdir(tmp_path)
    make_converter().save_pretrained("secret/tiny", {"consent": "All four said\nyes."})
    record(tmp_path / "in.wav", speech("low", 0.2), RATE)
    return make_cli(monkeypatch, capsys)


def comment(path) -> str:
    """By mutagen, and of WAV, whose INFO mutagen does not read, from the chunk itself."""
    if path.suffix == ".wav":
        data = path.read_bytes()
        place = data.index(b"ICMT")
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        return data[place + 8 : place + 8 + size].rstrip(b"\0").decode()
    tags = mutagen.File(path).tags
    if path.suffix == ".mp3":
        return next(frame for frame in tags.values() if frame.FrameID == "COMM").text[0]
    return tags["comment"][0]


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_another_reader_finds_the_note(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    Stamp(CONVERTED, FACTS).write(path, WAVE, 24_000)
    said = json.loads(comment(path))
    assert said.pop("voiceconv") and said.pop("says").startswith("Output of a voice conversion")
    assert said == {"kind": "conversion", **FACTS}
    assert audio.read_comments(path) == [comment(path)]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", [".wav", ".flac", ".mp3"])
def test_the_same_conversion_is_the_same_bytes_and_the_note_changes_no_sample(tmp_path, extension):
    paths = [tmp_path / f"{number}{extension}" for number in range(3)]
    for path in paths[:2]:
        Stamp(CONVERTED, FACTS).write(path, WAVE, 24_000)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    audio.write(paths[2], WAVE, 24_000)
    assert (soundfile.read(paths[0])[0] == soundfile.read(paths[2])[0]).all()
    assert audio.read_comments(paths[2]) == []


def test_a_format_without_text_has_the_note_beside_it_unless_the_folder_has_it(tmp_path):
    path = tmp_path / "a.au"
    Stamp(CONVERTED, FACTS, noted=True).write(path, WAVE, 24_000)
    assert read_sidecar(path) is None
    Stamp(CONVERTED, FACTS).write(path, WAVE, 24_000)
    found = read_sidecar(path)
    assert found.fits and found.note == note(CONVERTED, FACTS)


def test_a_foreign_file_in_a_sidecars_place_stays_and_nothing_is_written(tmp_path):
    foreign = tmp_path / "a.au.json"
    foreign.write_text('{"mine": 1}')
    with pytest.raises(InputError, match="a.au.json is a file of another kind"):
        Stamp(CONVERTED, FACTS).write(tmp_path / "a.au", WAVE, 24_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.au.json"]
    assert foreign.read_text() == '{"mine": 1}'


def test_a_sidecar_is_of_the_bytes_that_it_was_written_for(tmp_path):
    path = tmp_path / "a.wav"
    Stamp(CONVERTED, FACTS, Marks(sidecar=True)).write(path, WAVE, 24_000)
    assert read_sidecar(path).fits
    audio.write(path, WAVE, 24_000)
    assert not read_sidecar(path).fits
    write_sidecar(path, note(CONVERTED, FACTS))
    assert read_sidecar(path).fits


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": 1}', "[" * 100_000, "Processed by SoX"])
def test_other_comments_and_files_say_nothing(tmp_path, text):
    assert read_note(text) is None
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "a.wav.json").write_text(text)
    assert read_sidecar(tmp_path / "a.wav") is None
    assert audio.read_comments(tmp_path / "a.wav") == []


def test_a_note_is_read_as_it_was_written():
    said = note(CONVERTED, {**FACTS, "source": None})
    assert "source" not in said
    assert read_note(as_tags(said).comment) == said
    assert as_tags(said).comment.isascii()


def test_what_cannot_have_marks_is_refused_before_any_work():
    with pytest.raises(InputError, match="belong together"):
        Marks(certificates="a").check("a.wav")
    with pytest.raises(InputError, match="name one with -o"):
        Marks(sidecar=True).check("-")
    with pytest.raises(InputError, match="no C2PA manifest fits into a.ogg"):
        Marks(certificates="a", key="b").check("a.ogg")


def test_convert_says_the_consent_once_and_notes_no_place(voiceconv, tmp_path):
    record(tmp_path / "in2.wav", speech("low", 0.2), RATE)
    said = voiceconv("convert", "in.wav", "in2.wav", "-o", "out", "--target", "high",
                     "--model", "secret/tiny", "--source", "low", "--sidecar")  # fmt: skip
    assert (said.code, said.err) == (0, "voiceconv: consent: All four said\\nyes.\n")
    shown = json.loads(voiceconv("inspect", "out/in.wav", "out/in2.wav", "--json").out)
    assert [one["file"] for one in shown] == ["out/in.wav", "out/in2.wav"]
    model = {"model": "tiny", "sha256": digest(tmp_path / "secret/tiny")}
    for one in shown:
        said = {"kind": "conversion", "source": "low", "target": "high", **model}
        assert one["metadata"].items() >= said.items()
        assert one["sidecar"].items() >= {"of": "this file", **said}.items()
        assert "sha256" in one["conversion.json"]["1"] and one["c2pa"] == "none"
    assert b"secret" not in (tmp_path / "out/in.wav").read_bytes()
    assert "secret" not in (tmp_path / "out/in.wav.json").read_text()


def test_inspect_shows_lines_that_no_file_can_forge(voiceconv, tmp_path):
    audio.write("a.flac", WAVE, 24_000, tags=as_tags({"voiceconv": "1\nwatermark: none"}))
    said = voiceconv("inspect", "a.flac", "in.wav")
    assert "  voiceconv: 1\\nwatermark: none\n" in said.out
    assert said.out.count("\nmetadata: none\n") == 1
    missing = voiceconv("inspect", "gone.wav")
    assert (missing.code, missing.err.count("no file 'gone.wav'")) == (2, 1)


def test_a_resynthesis_says_so(voiceconv):
    assert voiceconv("resynth", "in.wav", "-o", "out.wav", "--features", "world").code == 0
    (text,) = audio.read_comments("out.wav")
    said = read_note(text)
    assert (said["kind"], said["vocoder"]) == ("resynthesis", "WorldSynthesis")
