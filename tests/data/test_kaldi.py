"""Kaldi data directories: what is read, what is refused and where, and the way back."""

import os
from pathlib import Path

import pytest

from voiceconv.data.kaldi import (
    Utterance,
    is_data_dir,
    read_data_dir,
    read_table,
    write_data_dir,
)
from voiceconv.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two utterances of `a`, one of `b`, unsorted; the sound files hold nothing."""
    directory = tmp_path / "data"
    directory.mkdir()
    for name in ("1.wav", "2.wav", "3 three's.wav"):
        (tmp_path / name).touch()
    fill(directory, "wav.scp", f"b-1 {tmp_path}/3 three's.wav", f"a-2\t{tmp_path}/2.wav",
         f"a-1  {tmp_path}/1.wav")  # fmt: skip
    fill(directory, "utt2spk", "a-1 a", "b-1 b", "a-2 a")
    return directory


def fill(directory: Path, name: str, *lines: str) -> None:
    (directory / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_reads_sorted_utterances(data: Path, tmp_path: Path) -> None:
    fill(data, "text", "a-1 één twee\u00a0drie", "b-1")
    assert read_data_dir(data) == [
        Utterance("a-1", "a", tmp_path / "1.wav", text="één twee\u00a0drie"),
        Utterance("a-2", "a", tmp_path / "2.wav"),
        Utterance("b-1", "b", tmp_path / "3 three's.wav", text=""),
    ]
    assert is_data_dir(data) and not is_data_dir(tmp_path)


def test_segments_are_parts_of_recordings(data: Path, tmp_path: Path) -> None:
    fill(data, "segments", "x a-1 0.5 2.25", "y a-1 3 -1", "z b-1 0 1")
    fill(data, "utt2spk", "x a", "y a", "z b")
    assert read_data_dir(data) == [
        Utterance("x", "a", tmp_path / "1.wav", 0.5, 2.25),
        Utterance("y", "a", tmp_path / "1.wav", 3.0, None),
        Utterance("z", "b", tmp_path / "3 three's.wav", 0.0, 1.0),
    ]


def test_relative_paths(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(data, "wav.scp", "a-1 1.wav", "a-2 sub/2.wav", "b-1 ../2.wav")
    (data / "sub").mkdir()
    (data / "sub" / "2.wav").touch()
    monkeypatch.chdir(tmp_path)
    paths = [u.path for u in read_data_dir(Path("data"))]
    # From the current directory where it is there, as Kaldi has it; else from the data directory.
    assert paths == [Path("1.wav"), Path("data/sub/2.wav"), Path("data/../2.wav")]


@pytest.mark.parametrize(
    ("name", "lines", "sentence"),
    [
        ("wav.scp", ["a-1 1.wav", "a-1 1.wav"],
         r"wav\.scp:2: 'a-1' occurs a second time, first in line 1; keep one$"),
        ("wav.scp", ["a-1 1.wav", "", "a-2"],
         r"wav\.scp:3: found only 'a-2'; a line of wav\.scp has two fields$"),
        ("wav.scp", ["a-1 sox x.sph -t wav - |"],
         r"wav\.scp:1: 'sox x\.sph -t wav - \|' is a command, and commands are not run;"),
        ("wav.scp", ["a-1 1.wav", "a-2 gone away.wav"],
         r"wav\.scp:2: there is no file 'gone away\.wav'; mend the path$"),
        ("wav.scp", [], r"wav\.scp names no recording"),
        ("wav.scp", ["a-1 1.wav", "a-2 1.wav", "b-1 1.wav", "c 1.wav"],
         r"wav\.scp:4: utterance 'c' has no line in utt2spk; add `c DOMAIN`$"),
        ("utt2spk", ["a-1 a", "a-2 a", "q a", "b-1 b"],
         r"utt2spk:3: utterance 'q' is not in wav\.scp; take the line out$"),
        ("utt2spk", ["a-1 a b"], r"utt2spk:1: 'a b' is not one word"),
        ("text", ["a-1 hello", "q hello"], r"text:2: utterance 'q' is not in wav\.scp"),
        ("spk2utt", ["a a-1 a-2 b-1", "b b-1"], r"spk2utt:1: 'b-1' is not of domain 'a' in utt2"),
        ("spk2utt", ["b b-1", "a a-1"], r"utt2spk:3: 'a-2' is missing in spk2utt; delete spk2utt"),
        ("segments", ["a-1 a-1 0 x"], r"segments:1: expected `utterance recording start end \[cha"),
        ("segments", ["a-1 a-9 0 1"], r"segments:1: recording 'a-9' has no line in wav\.scp"),
        ("segments", ["a-1 a-1 2 1"], r"segments:1: 2 to 1 seconds is no part of a recording"),
        ("segments", ["a-1 a-1 nan 1"], r"segments:1: nan to 1 seconds is no part"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(
    data: Path, name: str, lines: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    fill(data, name, *lines)
    with pytest.raises(InputError, match=sentence) as caught:
        read_data_dir(data)
    assert "\n" not in str(caught.value)


def test_a_command_is_not_run(data: Path, tmp_path: Path) -> None:
    fill(data, "wav.scp", f"a-1 touch {tmp_path}/ran |")
    with pytest.raises(InputError, match="is a command"):
        read_data_dir(data)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk"])
def test_required_files(data: Path, name: str) -> None:
    (data / name).unlink()
    with pytest.raises(InputError, match=rf"there is no .*{name}; make it by `voiceconv prepare"):
        read_data_dir(data)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    names = ["a b.wav", 'it\'s "x".wav', "声 é.wav", os.fsdecode(b"latin-\xe9.wav"), "c\u2028d.wav"]
    utterances = []
    for number, name in enumerate(names):
        (tmp_path / name).touch()
        text = f"tekst {number}" if number else None
        utterances.append(Utterance(f"ü-{number}", "ü", tmp_path / name, text=text))
    write_data_dir(tmp_path / "data", reversed(utterances))
    assert read_data_dir(tmp_path / "data") == utterances
    assert read_table(tmp_path / "data/spk2utt") == {"ü": "ü-0 ü-1 ü-2 ü-3 ü-4"}
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [
        "spk2utt", "text", "utt2spk", "wav.scp"
    ]  # fmt: skip


def test_segments_are_written_and_read_back(data: Path, tmp_path: Path) -> None:
    utterances = [
        Utterance("a-1", "a", tmp_path / "1.wav", 0.0, 1.5),
        Utterance("a-2", "a", tmp_path / "1.wav", 1.5, None),
        Utterance("b-1", "b", tmp_path / "2.wav", 0.0, None),
    ]
    write_data_dir(tmp_path / "out", utterances)
    assert (
        tmp_path / "out/segments"
    ).read_text() == "a-1 a-1 0.0 1.5\na-2 a-1 1.5 -1\nb-1 b-1 0.0 -1\n"
    assert read_data_dir(tmp_path / "out") == utterances


@pytest.mark.parametrize(
    ("utterance", "sentence"),
    [
        (
            Utterance("a", "d", Path("new\nline.wav")),
            r"'new\\nline\.wav' can't stand in a wav\.scp",
        ),
        (Utterance("a", "d", Path("x.wav ")), r"'x\.wav ' can't stand in a wav\.scp"),
        (Utterance("a", "d", Path("rm|")), r"'rm\|' can't stand in a wav\.scp"),
        (Utterance("a b", "d", Path("x.wav")), r"'a b' can't be an utterance's"),
        (Utterance("a", "", Path("x.wav")), r"'' can't be an utterance's or a domain's name"),
        (Utterance("a", "d", Path("x.wav"), text="a\nb"), "the transcript of a holds a line end"),
    ],
)
def test_what_a_line_cannot_hold_is_refused(
    tmp_path: Path, utterance: Utterance, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        write_data_dir(tmp_path / "data", [utterance])
    assert not list((tmp_path / "data").iterdir())
