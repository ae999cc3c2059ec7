"""Which recording is scored against which: by names, in any Unicode form, and by our own names."""

import json
import os
from pathlib import Path

import pytest

from voiceconv.errors import InputError
from voiceconv.evaluation.inputs import Case, cases, recordings
from voiceconv.evaluation.scores import FORMAT, read_scores

DECOMPOSED, COMPOSED = "sa\u0308tze", "sätze"


def folder_of(root: Path, *names: str) -> Path:
    """Empty files: only their names count."""
    for name in names:
        path = root / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def paired(converted: Path, reference: Path | None = None, **given: object) -> list[Case]:
    options = {"copy_of": None, "text": None, "source": None, "target": None} | given
    return cases(recordings(converted, None, None), reference, **options)


def references(found: list[Case]) -> dict[str, str]:
    """Converted file -> the reference's file."""
    return {one.converted.path.stem: one.reference.path.stem for one in found if one.reference}


def test_names_pair_in_either_unicode_form(tmp_path):
    converted = folder_of(tmp_path / "converted", DECOMPOSED, f"a-{COMPOSED}2")
    reference = folder_of(tmp_path / "reference", COMPOSED, f"{DECOMPOSED}2")
    text = tmp_path / "text"
    text.write_text(f"{DECOMPOSED} ja\n{COMPOSED}2 nein\n", encoding="utf-8")
    found = paired(converted, reference, text=text)
    assert [(one.stem, one.text) for one in found] == [(COMPOSED, "ja"), (f"{COMPOSED}2", "nein")]
    assert references(found) == {DECOMPOSED: COMPOSED, f"a-{COMPOSED}2": f"{DECOMPOSED}2"}


def test_domains_are_found_in_either_unicode_form(tmp_path):
    folder_of(tmp_path, "1")
    (tmp_path / "wav.scp").write_text(f"Zoe\u0308-1 {tmp_path}/1.wav\n", encoding="utf-8")
    (tmp_path / "utt2spk").write_text("Zoë-1 Zoe\u0308\n", encoding="utf-8")
    for domain in ("Zoë", "Zoe\u0308"):
        assert [one.id for one in recordings(tmp_path, domain, "--target")] == ["Zoë-1"]


def test_names_with_bytes_that_are_no_utf_8_pair_and_can_be_written(tmp_path):
    name = os.fsdecode(b"s\xe4tze")
    found = paired(folder_of(tmp_path / "a", name), folder_of(tmp_path / "b", name))
    assert [one.stem for one in found] == ["s%E4tze"] and references(found) == {name: name}
    assert json.dumps(found[0].stem) == '"s%E4tze"'


def test_our_own_output_pairs_with_its_input(tmp_path):
    """`convert in.wav --target T` writes in-T.wav, and `resynth` in-resynth.wav."""
    converted = folder_of(tmp_path / "converted", "one-anna-b", "x-two-anna-b", "three")
    reference = folder_of(tmp_path / "reference", "one", "two", "three")
    assert references(paired(converted, reference, target="anna-b")) == {
        "one-anna-b": "one", "x-two-anna-b": "two", "three": "three",
    }  # fmt: skip
    copies = folder_of(tmp_path / "copies", "one-resynth", "two")
    found = paired(copies, copy_of=reference)
    assert [one.original.path.stem for one in found if one.original] == ["one", "two"]


def test_of_one_name_in_several_formats_each_is_scored(tmp_path):
    """`convert` makes a.wav and a.flac.wav of a.wav and a.flac."""
    converted = folder_of(tmp_path / "converted", "a", "a.flac", "b")
    reference = folder_of(tmp_path / "reference", "a", "b")
    (reference / "a.flac").touch()
    (reference / "b.wav").rename(reference / "b.ogg")
    found = paired(converted, reference)
    assert [(one.stem, one.reference.path.name) for one in found if one.reference] == [
        ("a", "a.wav"), ("a.flac", "a.flac"), ("b", "b.ogg"),
    ]  # fmt: skip
    files = [reference / "a.flac", reference / "a.wav"]
    assert [one.id for one in recordings(files, None, None)] == ["a.flac", "a"]


def test_the_target_is_known_of_a_data_directory(tmp_path):
    folder_of(tmp_path / "data", "one")
    (tmp_path / "data/wav.scp").write_text(f"anna-one {tmp_path}/data/one.wav\n")
    (tmp_path / "data/utt2spk").write_text("anna-one anna\n")
    converted = folder_of(tmp_path / "converted", "one-anna")
    assert references(paired(converted, tmp_path / "data")) == {"one-anna": "one"}


def test_a_name_as_it_is_goes_before_one_without_its_end(tmp_path):
    converted = folder_of(tmp_path / "converted", "one-anna")
    reference = folder_of(tmp_path / "reference", "one-anna", "one", "two")
    assert references(paired(converted, reference, target="anna")) == {"one-anna": "one-anna"}


@pytest.mark.parametrize(
    ("names", "known", "target", "sentence"),
    [
        (["one-anna"], ["one"], None,
         "one-anna.wav has no counterpart in {reference}; add the target's recording of it under "
         "the same name, say --target anna if it is a conversion to that, or leave the file out"),
        (["one-anna"], ["one"], "ben",
         "one-anna.wav has no counterpart in {reference}; add the target's recording of it under "
         "the same name, say --target anna if it is a conversion to that, or leave the file out"),
        (["one-anna"], ["one", "anna"], "anna",
         "one-anna.wav may be of 'anna' or of 'one'; rename it"),
        (["one", "one-anna"], ["one"], "anna",
         "one-anna.wav and {converted}/one.wav are both of 'one'; keep one"),
    ],
)  # fmt: skip
def test_nothing_pairs_by_guessing(tmp_path, names, known, target, sentence):
    converted = folder_of(tmp_path / "converted", *names)
    reference = folder_of(tmp_path / "reference", *known)
    with pytest.raises(InputError) as caught:
        paired(converted, reference, target=target)
    expected = sentence.format(reference=reference, converted=converted)
    assert str(caught.value) == f"{converted}/{expected}"


def test_transcripts_in_latin_1_are_no_wrong_words(tmp_path):
    text = tmp_path / "text"
    text.write_bytes("1 ja\n2 größer\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"text:2 has the byte 0xf6, which is not UTF-8; save"):
        paired(folder_of(tmp_path / "converted", "1", "2"), text=text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_scores_may_come_from_an_editor_of_windows(tmp_path, encoding):
    scores = {
        "format": FORMAT,
        "protocol": {"common": {}, "inputs": {}},
        "metrics": {},
        "not_run": {},
        "utterances": {"ä": {"peak": -1.0}},
    }
    (tmp_path / "scores.json").write_text(json.dumps(scores, ensure_ascii=False), encoding=encoding)
    assert read_scores(tmp_path / "scores.json") == scores
