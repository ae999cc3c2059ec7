"""Data directories from folders and from Kaldi's own, split by seed and by lists."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voiceconv.data import content
from voiceconv.data.kaldi import Utterance, read_data_dir, write_data_dir
from voiceconv.data.prepare import SplitSummary, prepare
from voiceconv.errors import InputError

RATE = 16_000


def record(path: Path, seconds: float = 0.1, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate), np.float32), rate)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Domains `anna` (30) and `ben` (24) share 20 stems; `carl` (12) shares none."""
    for domain, numbers, prefix in (
        ("anna", range(30), "s"), ("ben", range(10, 34), "s"), ("carl", range(12), "c")
    ):  # fmt: skip
        for n in numbers:
            record(tmp_path / "src" / domain / f"{prefix}{n:02d}.wav")
    return tmp_path / "src"


def stems(data: Path, split: str, domain: str) -> set[str]:
    return {
        u.id.removeprefix(f"{domain}-") for u in read_data_dir(data / split) if u.domain == domain
    }


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*")) if p.is_file()
    }  # fmt: skip


def test_by_seed_held_out_is_parallel_and_train_is_disjoint(corpus: Path, tmp_path: Path) -> None:
    before = snapshot(corpus)
    summary = prepare(corpus, tmp_path / "data", n_val=3, n_test=5, seed=1)
    data = tmp_path / "data"
    for split, count in (("val", 3), ("test", 5)):
        assert stems(data, split, "anna") == stems(data, split, "ben")
        assert len(stems(data, split, "anna")) == len(stems(data, split, "carl")) == count
    train = {domain: stems(data, "train", domain) for domain in ("anna", "ben", "carl")}
    assert train["anna"].isdisjoint(train["ben"])
    # 34 stems of anna or ben, 8 held out in common: each of the other 26 is in one train part.
    assert len(train["anna"] | train["ben"]) == 26
    assert len(train["anna"]) == len(train["ben"]) == 13  # the poorer one gets the next
    assert len(train["carl"]) == 12 - 8
    assert summary.rows[:3] == [
        SplitSummary("train", "anna", 13, pytest.approx(13 * 0.1 / 60), (RATE,)),
        SplitSummary("train", "ben", 13, pytest.approx(13 * 0.1 / 60), (RATE,)),
        SplitSummary("train", "carl", 4, pytest.approx(4 * 0.1 / 60), (RATE,)),
    ]
    assert [n.split(" names")[0] for n in summary.notes] == ["20"]
    assert snapshot(corpus) == before
    utterance = read_data_dir(data / "test")[0]
    assert utterance.id.startswith("anna-s") and utterance.path.is_absolute()
    assert sorted(p.name for p in data.iterdir()) == ["test", "train", "val"]


def test_keep_shared_trains_on_all(corpus: Path, tmp_path: Path) -> None:
    prepare(corpus, tmp_path / "data", n_val=3, n_test=5, keep_shared=True)
    anna, ben = (stems(tmp_path / "data", "train", d) for d in ("anna", "ben"))
    assert len(anna) == 22 and len(ben) == 16 and len(anna & ben) == 12
    assert anna.isdisjoint(stems(tmp_path / "data", "test", "ben"))


def test_the_seed_decides_and_other_domains_do_not(corpus: Path, tmp_path: Path) -> None:
    for name, options in {
        "a": {"seed": 1}, "b": {"seed": 1}, "c": {"seed": 2},
        "d": {"seed": 1, "domains": ["ben", "anna"]},
    }.items():  # fmt: skip
        prepare(corpus, tmp_path / name, **options)  # type: ignore[arg-type]
    a, b, c, d = (stems(tmp_path / name, "train", "anna") for name in "abcd")
    assert a == b == d != c
    assert {u.domain for u in read_data_dir(tmp_path / "d/train")} == {"anna", "ben"}


def test_by_lists(corpus: Path, tmp_path: Path) -> None:
    lists = corpus / "splits"  # beside the domains, where it is no domain
    lists.mkdir()
    for domain, prefix in (("anna", "s"), ("ben", "s")):
        for split, numbers in (("train", (10, 11)), ("val", (12,)), ("test", (13, 14))):
            (lists / f"{domain}.{split}").write_text("".join(f"{prefix}{n}\n" for n in numbers))
    data = tmp_path / "data"
    prepare(corpus, data, domains=["anna", "ben"], lists=lists)
    assert stems(data, "train", "ben") == {"s10", "s11"}
    assert stems(data, "test", "anna") == {"s13", "s14"}
    assert not (data / "paired").exists()
    for domain in ("anna", "ben"):
        (lists / f"{domain}.paired").write_text("s15\n")
    prepare(corpus, data, domains=["anna", "ben"], lists=lists)
    assert stems(data, "paired", "anna") == stems(data, "paired", "ben") == {"s15"}
    with pytest.raises(InputError, match=r"there is no list .*carl\.train"):
        prepare(corpus, data, lists=lists)
    (lists / "ben.val").write_text("s12\n\ns99\n")
    with pytest.raises(InputError, match=r"ben\.val:3: domain 'ben' has no utterance 's99'"):
        prepare(corpus, data, domains=["ben"], lists=lists)
    (lists / "ben.val").write_text("s12\ns10\n")
    with pytest.raises(InputError, match=r"ben\.val:2: 's10' is in train already; keep one"):
        prepare(corpus, data, domains=["ben"], lists=lists)
    assert stems(data, "train", "ben") == {"s10", "s11"}  # a refusal leaves what was there


def test_a_domain_of_one_utterance_may_be_listed(corpus: Path, tmp_path: Path) -> None:
    """A source only, in train alone: nobody splits it."""
    record(corpus / "dora/only.wav")
    (tmp_path / "lists").mkdir()
    for split, stems_of in (("train", "only\n"), ("val", ""), ("test", "")):
        (tmp_path / f"lists/dora.{split}").write_text(stems_of)
    prepare(corpus, tmp_path / "data", domains=["dora"], lists=tmp_path / "lists")
    assert stems(tmp_path / "data", "train", "dora") == {"only"}
    with pytest.raises(InputError, match="domain 'dora' has only 1 utterance"):
        prepare(corpus, tmp_path / "split", domains=["dora"])


def test_lists_may_name_files_and_be_of_windows(tmp_path: Path) -> None:
    """Suffixes, spaces, CRLF, a byte order mark, UTF-16, and names as macOS writes them."""
    for n in range(4):
        record(tmp_path / f"src/Ju\u0308rgen/sa\u0308tze {n}.v2.wav")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "Jürgen.train").write_bytes(b"\xef\xbb\xbfs\xc3\xa4tze 0.v2.wav\r\n\r\n")
    (lists / "Ju\u0308rgen.val").write_bytes("sätze_1.v2\r\n".encode("utf-16"))
    (lists / "Jürgen.test").write_text("sa\u0308tze 2.v2\r\nsätze 3.v2.flac", encoding="utf-8")
    prepare(tmp_path / "src", tmp_path / "data", domains=["Ju\u0308rgen"], lists=lists)
    found = [stems(tmp_path / "data", split, "Jürgen") for split in ("train", "val", "test")]
    assert found == [{"sätze_0.v2"}, {"sätze_1.v2"}, {"sätze_2.v2", "sätze_3.v2"}]


def test_bytes_that_are_no_utf_8_are_written_out_in_names(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"src", b"J\xfcrgen")
    os.makedirs(folder)
    for n in range(3):
        with open(os.path.join(folder, b"s\xe4tze%d.wav" % n), "wb") as file:
            soundfile.write(file, np.zeros(1600, np.float32), RATE, format="WAV")
    summary = prepare(tmp_path / "src", tmp_path / "data")
    assert {row.domain for row in summary.rows} == {"J%FCrgen"}
    assert "the folder 'J\\udcfcrgen' is domain 'J%FCrgen'" in summary.notes[0]
    (utterance,) = read_data_dir(tmp_path / "data/train")
    assert utterance.id.startswith("J%FCrgen-s%E4tze")
    assert utterance.path.is_file() and b"/s\xe4tze" in os.fsencode(utterance.path)


def test_sentences_are_the_same_in_either_unicode_form(tmp_path: Path) -> None:
    for domain, stem in (("anna", "sätze"), ("ben", "sa\u0308tze")):
        for n in range(6):
            record(tmp_path / f"src/{domain}/{stem}{n}.wav")
    prepare(tmp_path / "src", tmp_path / "data", n_val=1, n_test=1)
    assert stems(tmp_path / "data", "test", "anna") == stems(tmp_path / "data", "test", "ben")


def test_times_in_milliseconds_are_named_and_no_duration_is_negative(tmp_path: Path) -> None:
    data = tmp_path / "src"
    record(data / "r.wav", 3.0)
    (data / "wav.scp").write_text(f"r {data}/r.wav\n")
    (data / "utt2spk").write_text("".join(f"a-{n} a\n" for n in range(4)))
    times = ["0 1", "1 2", "2 -1", "1000 2500"]
    (data / "segments").write_text("".join(f"a-{n} r {one}\n" for n, one in enumerate(times)))
    summary = prepare(data, tmp_path / "data", n_val=1, n_test=1)
    assert sum(row.minutes for row in summary.rows) == pytest.approx(3 / 60)
    assert summary.notes == [
        f"left out: a-3: {data}/r.wav lasts 3.00 seconds; there is no part from 1000 to 2500 in "
        "it; these look like milliseconds"
    ]


def test_folders_formats_names_and_texts(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "Anna de Vries"
    for name in ("a.wav", "sub/b.FLAC", "it's é.ogg", ".hidden.wav"):
        record(folder / name)
    (folder / "notes.txt").write_text("no sound")
    (folder / "text").write_text("a hallo daar\nAnna_de_Vries-sub_b tot ziens\n")
    (folder / "loop").symlink_to(folder)
    summary = prepare(tmp_path / "src", tmp_path / "data")
    found = {
        u.id: (u.path.name, u.text)
        for split in ("train", "val", "test")
        for u in read_data_dir(tmp_path / "data" / split)
    }
    assert found == {
        "Anna_de_Vries-a": ("a.wav", "hallo daar"),
        "Anna_de_Vries-sub_b": ("b.FLAC", "tot ziens"),
        "Anna_de_Vries-it's_é": ("it's é.ogg", None),
    }
    assert summary.notes == [
        "the folder 'Anna de Vries' is domain 'Anna_de_Vries': names are UTF-8 without spaces"
    ]


def test_mixed_rates_and_unreadable_files_are_noted(corpus: Path, tmp_path: Path) -> None:
    record(corpus / "carl" / "c99.wav", rate=24_000)
    (corpus / "carl" / "bad.wav").write_text("words")
    summary = prepare(corpus, tmp_path / "data", domains=["carl"])
    assert len(summary.notes) == 2
    assert "left out: " in summary.notes[0] and "bad.wav is no sound file" in summary.notes[0]
    assert summary.notes[1].startswith("sample rates differ (carl 16000/24000 Hz)")
    assert sum(row.n_utterances for row in summary.rows) == 13


def test_kaldi_directory_is_split(corpus: Path, tmp_path: Path) -> None:
    utterances = [
        Utterance(f"{d}_{n}", d, corpus / "carl/c00.wav", 0.01 * n, 0.01 * n + 0.02, f"text {n}")
        for d in ("p1", "p2") for n in range(8)
    ]  # fmt: skip
    write_data_dir(tmp_path / "kaldi", utterances)
    summary = prepare(tmp_path / "kaldi", tmp_path / "data", n_val=1, n_test=1)
    test = read_data_dir(tmp_path / "data/test")
    assert [u.id.split("_")[1] for u in test[:1]] == [u.id.split("_")[1] for u in test[1:]]
    assert test[0] in utterances
    assert [row.n_utterances for row in summary.rows] == [3, 3, 1, 1, 1, 1]
    assert summary.rows[0].minutes == pytest.approx(3 * 0.02 / 60)


def test_kaldi_splits_are_kept(corpus: Path, tmp_path: Path) -> None:
    source = tmp_path / "kaldi"
    for split, n in (("train", 4), ("dev", 2), ("test", 1)):
        write_data_dir(
            source / split,
            [
                Utterance(f"{d}-{split}{i}", d, corpus / "carl/c00.wav")
                for d in "xy"
                for i in range(n)
            ],
        )
    summary = prepare(source, tmp_path / "data")
    assert [(r.split, r.domain, r.n_utterances) for r in summary.rows] == [
        ("train", "x", 4), ("train", "y", 4), ("val", "x", 2), ("val", "y", 2),
        ("test", "x", 1), ("test", "y", 1),
    ]  # fmt: skip
    assert stems(tmp_path / "data", "val", "x") == {"dev0", "dev1"}
    write_data_dir(source / "test", [Utterance("x-dev0", "x", corpus / "carl/c00.wav")])
    with pytest.raises(InputError, match=r"kaldi/test: utterance 'x-dev0' is in val, too"):
        prepare(source, tmp_path / "data")


@pytest.mark.parametrize(("n", "sentence"), [
    (1, r"domain 'dora' has only 1 utterance in .*src; train, val and test need at least one each"),
    (2, r"domain 'dora' has only 2 utterances in"),
])  # fmt: skip
def test_a_domain_with_too_little(corpus: Path, tmp_path: Path, n: int, sentence: str) -> None:
    (corpus / "dora").mkdir()
    for i in range(n):
        record(corpus / "dora" / f"{i}.wav")
    with pytest.raises(InputError, match=sentence):
        prepare(corpus, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_refusals_write_nothing(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    record(tmp_path / "twice" / "a" / "y" / "x.wav")
    record(tmp_path / "twice" / "a" / "y_x.wav")
    record(tmp_path / "new\nline" / "a" / "x.wav")
    for n in range(3):
        record(tmp_path / "line" / "a" / f"x\n{n}.wav")
        record(tmp_path / "same" / "a" / f"{n}.wav")
        record(tmp_path / "same" / "b" / f"{n}.wav")
    data = tmp_path / "data"
    cases: list[tuple[Path, dict[str, object], str]] = [
        (tmp_path / "gone", {}, "gone is not there; give a folder with"),
        (tmp_path / "flat", {}, "flat has no folder per domain in it"),
        (corpus / "anna/s00.wav", {}, "is a file, not a folder"),
        (corpus, {"domains": ["zoe"]}, r"src has no domain 'zoe'; it has: none"),
        (corpus, {"lists": tmp_path / "no"}, "there is no folder .*no of lists"),
        (
            tmp_path / "twice",
            {},
            r"y/x\.wav and .*y_x\.wav would both be utterance 'y_x' of domain",
        ),
        (tmp_path / "line", {}, r"'.*x\\n\d\.wav' can't stand in a wav\.scp"),
        (tmp_path / "same", {}, "domain 'b' has no sentence left to train on: of its 3 utter"),
    ]
    for source, options, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            prepare(source, data, **options)  # type: ignore[arg-type]
    assert not data.exists()
    with pytest.raises(InputError, match="lies in the source"):
        prepare(corpus, corpus / "data")
    assert not (corpus / "data").exists()


def test_again_replaces_the_splits_and_nothing_else(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "local").mkdir(parents=True)
    prepare(corpus, data, n_val=3, n_test=5)
    first = snapshot(data)
    prepare(corpus, data, n_val=3, n_test=5)
    assert {k: v[0] for k, v in snapshot(data).items()} == {k: v[0] for k, v in first.items()}
    prepare(corpus, data, n_val=3, n_test=0)
    assert sorted(p.name for p in data.iterdir()) == ["local", "train", "val"]


def test_unwritable_output(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*file/data: Not a directory"):
        prepare(corpus, tmp_path / "file" / "data")
    assert os.listdir(tmp_path / "src") and (tmp_path / "file").read_bytes() == b""


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_folders_of_no_domain_stop_nothing(corpus: Path, tmp_path: Path, caplog) -> None:
    """What unpacking, synchronising and file systems leave beside the speakers, and lists."""
    for name in ("__MACOSX/anna/._s00.wav", "@eaDir/x.wav@SynoEAStream", "splits/anna.train"):
        (corpus / name).parent.mkdir(parents=True)
        (corpus / name).write_bytes(b"no sound")
    (corpus / "lost+found").mkdir()
    record(corpus / ".Trash-1000" / "files" / "old.wav")
    record(corpus / "$RECYCLE.BIN" / "old.wav")
    summary = prepare(corpus, tmp_path / "data")
    assert {row.domain for row in summary.rows} == {"anna", "ben", "carl"}
    assert said(caplog) == [
        f"folders of {corpus} are passed over, since they hold no file to read (5): "
        "$RECYCLE.BIN, @eaDir, __MACOSX, lost+found, splits"
    ]
    with pytest.raises(InputError, match="has no domain 'splits'"):
        prepare(corpus, tmp_path / "none", domains=["splits"])


def test_files_that_are_passed_over_are_named(
    corpus: Path, tmp_path: Path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(content, "find_spec", lambda name: None)  # as without PyAV
    record(corpus / "loose.wav")
    for name in ("memo.m4a", "anna/a.AMR", *(f"ben/{n:02d}.mp4" for n in range(10))):
        (corpus / name).write_bytes(b"")
    prepare(corpus, tmp_path / "data")
    undecoded, loose = said(caplog)
    mp4 = ", ".join(f"{corpus}/ben/{n:02d}.mp4" for n in range(8))
    assert undecoded == (
        f"files are passed over, since their formats are not read (12): {corpus}/memo.m4a, "
        f"{corpus}/anna/a.AMR, {mp4} and 2 more; pip install 'voiceconv[media]' "
        "to read them, or convert each: ffmpeg -i FILE FILE.wav"
    )
    assert loose == (
        f"files beside the folders of {corpus} are passed over, since they are of no domain (1): "
        "loose.wav; move each into the folder of its domain"
    )
    caplog.clear()
    prepare(corpus, tmp_path / "carl", domains=["carl"])
    assert "ben/00.mp4" not in "".join(said(caplog))


def test_of_a_recording_in_two_formats_one_is_taken(corpus: Path, tmp_path: Path) -> None:
    """Both would be one sentence in train and in test."""
    for name in ("c00.ogg", "c01.mp3", "c12.ogg"):
        record(corpus / "carl" / name)
    summary = prepare(corpus, tmp_path / "data", domains=["carl"])
    assert sum(row.n_utterances for row in summary.rows) == 13
    assert {u.path.suffix for u in read_data_dir(tmp_path / "data/train")} <= {".wav", ".ogg"}
    (note,) = summary.notes
    assert "left out, since each has the name of one in another format (2): " in note
    assert "c00.ogg" in note and "c01.mp3" in note and "c12" not in note


def test_segments_beyond_the_recording_are_left_out_and_all_named(tmp_path: Path, caplog) -> None:
    """The rule of `audio.read`: half a second over is its end, more is no part of it."""
    record(tmp_path / "long.wav", 4.0)
    utterances = [
        Utterance(f"x-{n}", "x", tmp_path / "long.wav", start, end)
        for n, (start, end) in enumerate([(0, 1), (1, 2), (2, 3), (3, 4.5), (3, 4.6), (5, None)])
    ]
    write_data_dir(tmp_path / "kaldi", utterances)
    summary = prepare(tmp_path / "kaldi", tmp_path / "data")
    assert sum(row.n_utterances for row in summary.rows) == 4
    assert sum(row.minutes for row in summary.rows) == pytest.approx(4 / 60)
    assert [note.partition(";")[2] for note in summary.notes] == [
        " there is no part from 3 to 4.6 in it", " there is no part from 5 to 4 in it"
    ]  # fmt: skip
    write_data_dir(tmp_path / "ms", [replace(u, start=500.0, end=900.0) for u in utterances])
    with pytest.raises(InputError, match="domain 'x' has no sound file that can be read"):
        prepare(tmp_path / "ms", tmp_path / "none")
    assert len(said(caplog)) == 6 and "no part from 500 to 900" in said(caplog)[5]


def test_a_call_has_two_sides(tmp_path: Path) -> None:
    """Left and right of one file, as utterances of two domains, through prepare and back."""
    sides = np.stack([np.full(RATE, 0.5, np.float32), np.full(RATE, -0.25, np.float32)], axis=1)
    soundfile.write(tmp_path / "call.wav", sides, RATE)
    data = tmp_path / "kaldi"
    data.mkdir()
    (data / "wav.scp").write_text(f"c-A {tmp_path}/call.wav\nc-B {tmp_path}/call.wav\n")
    (data / "reco2file_and_channel").write_text("c-A c A\nc-B c B\n")
    names = {f"{side}-{n}": side for side in "AB" for n in range(6)}
    lines = [
        f"{name} c-{side} 0.{name[-1]} 0.{int(name[-1]) + 2}\n" for name, side in names.items()
    ]
    (data / "segments").write_text("".join(lines))
    (data / "utt2spk").write_text("".join(f"{name} {side}\n" for name, side in names.items()))
    prepare(data, tmp_path / "data", keep_shared=True)
    utterances = [u for split in ("train", "val", "test") for u in
                  read_data_dir(tmp_path / "data" / split)]  # fmt: skip
    heard = {u.id: float(content.read_wave(u).samples.mean()) for u in utterances}
    assert heard == {name: 0.5 if side == "A" else -0.25 for name, side in names.items()}
