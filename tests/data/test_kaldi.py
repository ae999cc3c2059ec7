"""Kaldi data directories: what is read, what is refused and where, and the way back."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

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


def test_channels_are_read_and_written(data: Path, tmp_path: Path) -> None:
    """Of segments, from 0 as extract-segments has it; of reco2file_and_channel, A or B."""
    soundfile.write(tmp_path / "1.wav", np.zeros((800, 2)), 8000)
    soundfile.write(tmp_path / "2.wav", np.zeros(800), 8000)  # a side, a file of its own
    fill(data, "segments", "x a-1 0 -1 1", "y a-1 0 -1", "z a-2 0 -1")
    fill(data, "utt2spk", "x a", "y a", "z b")
    fill(data, "reco2file_and_channel", "a-1 call A", "a-2 call B", "b-1 call ?", "gone call A")
    utterances = read_data_dir(data)
    assert [u.channel for u in utterances] == [1, 0, None]
    write_data_dir(tmp_path / "out", utterances)
    lines = ["x x 0.0 -1 1", "y x 0.0 -1 0", "z z 0.0 -1"]
    assert (tmp_path / "out/segments").read_text().splitlines() == lines
    assert read_data_dir(tmp_path / "out") == utterances
    fill(data, "reco2file_and_channel", "a-1 call left")
    with pytest.raises(InputError, match="channel:1: 'LEFT' is no channel; write A"):
        read_data_dir(data)


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


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../a", "leads out of its folder"),
        ("b/../../a", "leads out of its folder"),
        ("..", "leads out of its folder"),
        ("/tmp/a", "leads out of its folder"),
        ("é" * 128, "has more than 255 bytes"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(data: Path, name: str, why: str) -> None:
    wav = data.parent / "1.wav"
    for utterance, domain in ((name, "a"), ("a-1", name)):
        fill(data, "wav.scp", f"{utterance} {wav}")
        fill(data, "utt2spk", f"{utterance} {domain}")
        with pytest.raises(InputError) as caught:
            read_data_dir(data)
        assert str(caught.value) == (
            f"{data}/utt2spk:1: no file can be called {name!r}, which {why}; rename it"
        )


def test_a_name_may_have_slashes_and_dots(data: Path) -> None:
    fill(data, "wav.scp", f"s1/a..1 {data.parent}/1.wav")
    fill(data, "utt2spk", "s1/a..1 s1/x")
    assert [(u.id, u.domain) for u in read_data_dir(data)] == [("s1/a..1", "s1/x")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_tables_may_be_of_windows(data: Path, tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    tables = {
        "wav.scp": f"ä-1 {tmp_path}/1.wav\r\n",
        "utt2spk": "ä-1 ä\r\n\r\n",
        "spk2utt": "ä ä-1\r\n",
        "text": "ä-1 größer als\r\n",
    }
    for name, text in tables.items():
        (data / name).write_bytes(f"{mark}{text}".encode(encoding))
    assert read_data_dir(data) == [Utterance("ä-1", "ä", tmp_path / "1.wav", text="größer als")]


@pytest.mark.parametrize("name", ["text", "utt2spk", "spk2utt", "segments"])
def test_latin_1_is_refused_where_it_is_no_path(data: Path, name: str) -> None:
    (data / name).write_bytes("a-1 a\na-2 größer\n".encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_data_dir(data)
    assert str(caught.value) == (
        f"{data}/{name}:2 has the byte 0xf6, which is not UTF-8; save the file as UTF-8"
    )


def test_names_are_composed_and_their_odd_bytes_written_out(data: Path, tmp_path: Path) -> None:
    """`ü` as macOS writes it, and as a byte of Latin-1: the path keeps what it is."""
    odd = tmp_path / os.fsdecode(b"\xfc.wav")
    odd.touch()
    (data / "wav.scp").write_bytes(b"u\xcc\x88-1 1.wav\n\xfc-2 " + os.fsencode(odd) + b"\n")
    (tmp_path / "data/1.wav").touch()
    fill(data, "utt2spk", "ü-1 u\u0308", "%FC-2 ü")
    fill(data, "spk2utt", "u\u0308 ü-1 %FC-2")
    fill(data, "text", "u\u0308-1 ja")
    assert read_data_dir(data) == [
        Utterance("%FC-2", "ü", odd),
        Utterance("ü-1", "ü", data / "1.wav", text="ja"),
    ]


@pytest.mark.parametrize("place", ["dump/wav.ark:123", "dump/wav.ark", "wav.ark:7[0:99]"])
def test_a_place_in_an_archive_is_named_for_what_it_is(data: Path, place: str) -> None:
    fill(data, "wav.scp", f"a-1 {place}")
    with pytest.raises(InputError) as caught:
        read_data_dir(data)
    assert str(caught.value) == (
        f"{data}/wav.scp:1: {place!r} is a place in a Kaldi archive, as ESPnet's dump has it, not "
        "a sound file; name the files that it was made of, or write some with "
        "`format_wav_scp.sh --audio-format wav`"
    )


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
        (Utterance("a", "d", Path("a\rb.wav")), r"'a\\rb\.wav' can't stand in a wav\.scp"),
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
