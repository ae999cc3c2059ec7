"""`voiceconv compare`: what it refuses and why, and the differences that it shows."""

import json
from io import StringIO

import pytest
import torch
from rich.console import Console

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.evaluation.compare import _labels, compare, paired, table
from voiceconv.evaluation.evaluate import Given, evaluate_folder
from voiceconv.evaluation.protocol import parse
from voiceconv.evaluation.scores import write_scores

NAMES = ["mel_cepstral_distortion", "peak", "clipped"]
STEMS = ("1", "2", "3")


def tone(path, pitch, level=0.3, rate=24000):
    """0.3 s with two harmonics, at a rate that has to be changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = torch.arange(int(0.3 * rate)) / rate
    wave = torch.cos(2 * torch.pi * pitch * t) + 0.5 * torch.cos(4 * torch.pi * pitch * t)
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    audio.write(path, level * (wave + 0.03 * noise), rate)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """References, and conversions of two systems, whose second is 6 dB louder."""
    monkeypatch.chdir(tmp_path)
    for number, stem in enumerate(STEMS):
        tone(tmp_path / f"reference/{stem}.wav", 120 + 10 * number)
        tone(tmp_path / f"first/{stem}.wav", 170 + 10 * number)
        tone(tmp_path / f"second/{stem}.wav", 120 + 10 * number, level=0.6)
    return tmp_path


def evaluated(name, folder="first", names=NAMES, settings=(), reference="reference"):
    scores = evaluate_folder(Given(folder, reference), names, parse(settings))
    write_scores(f"{name}.json", scores)
    return f"{name}.json"


def refusal(*files):
    with pytest.raises(InputError) as raised:
        compare(files)
    return str(raised.value)


def test_the_same_evaluation_twice_is_the_same_file_but_for_the_date(work, monkeypatch):
    monkeypatch.setattr("voiceconv.evaluation.protocol.commit", lambda: "abc")
    texts = [(work / evaluated(name)).read_text().splitlines() for name in ("a", "b")]
    differing = [pair for pair in zip(*texts, strict=True) if pair[0] != pair[1]]
    assert all(line.startswith('  "date": ') for pair in differing for line in pair)
    compared = compare(["a.json", "b.json"])
    change = compared["measures"]["peak"]["systems"][1]["difference"]
    assert change == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 3, "verdict": None}
    assert compared["notes"] == []


def test_differences_of_two_systems(work):
    compared = compare([evaluated("a"), evaluated("b", "second")])
    distortion, level = (compared["measures"][name] for name in NAMES[:2])
    assert distortion["systems"][0]["mean"] > 1
    change = distortion["systems"][1]["difference"]
    a, b = (json.loads((work / f"{name}.json").read_text())["utterances"] for name in "ab")
    by_hand = [b[stem][NAMES[0]] - a[stem][NAMES[0]] for stem in STEMS]
    assert change["mean"] == pytest.approx(sum(by_hand) / 3, rel=1e-9)
    assert change["high"] < 0 and change["verdict"] == "better"
    louder = level["systems"][1]["difference"]
    assert louder["mean"] == pytest.approx(6.0, abs=0.2) and louder["verdict"] == "differs"
    worse = compare(["b.json", "a.json"])["measures"][NAMES[0]]["systems"][1]["difference"]
    assert worse["verdict"] == "worse" and worse["mean"] == -change["mean"]


def test_the_table(work):
    compared = compare([evaluated("a"), evaluated("b", "second")])
    console = Console(file=StringIO(), width=80)
    console.print(table(compared))
    text = console.file.getvalue()
    assert "less the first" in text and "better" in text and "MCD, dB" in text
    row = next(line for line in text.splitlines() if " b " in line)
    mean = compared["measures"][NAMES[0]]["systems"][1]["mean"]
    assert f"{mean:.2f} [" in row


def test_another_order_is_refused(work):
    said = refusal(evaluated("a"), evaluated("b", settings=["mcd.order=34"]))
    assert said == (
        "b.json was not made as a.json was: mel_cepstral_distortion: order is 34, not 24; "
        "evaluate both alike"
    )
    assert "with_c0 is True, not False" in refusal(
        "a.json", evaluated("c", settings=["mcd.with_c0=true"])
    )
    # What does not depend on it compares.
    assert list(compare(["a.json", "b.json"], ["peak"])["measures"]) == ["peak"]


def test_another_resampler_is_refused(work):
    said = refusal(evaluated("a"), evaluated("b", settings=["resampler=soxr_mq"]))
    assert said == (
        "b.json was not made as a.json was: resampler is soxr_mq, not soxr_vhq; evaluate both alike"
    )


def test_an_utterance_changed_is_refused(work):
    """A reference of the same name with other sound in it; then one more, then one less."""
    evaluated("a")
    tone(work / "reference/2.wav", 131)
    assert "the reference recordings differ (that of '2')" in refusal("a.json", evaluated("b"))
    tone(work / "reference/4.wav", 100)
    tone(work / "first/4.wav", 100)
    assert "it also has the utterance '4'" in refusal("a.json", evaluated("b"))
    assert "it lacks the utterance '4'" in refusal("b.json", "a.json")
    for stem in ("1", "4"):
        (work / f"first/{stem}.wav").unlink()
    assert "it lacks the utterance '1'" in refusal("a.json", evaluated("c"))


def test_a_moved_reference_is_the_same(work):
    evaluated("a")
    (work / "reference").rename(work / "elsewhere")
    assert len(compare(["a.json", evaluated("b", reference="elsewhere")])["measures"]) == 3


def test_another_version_of_a_library_is_refused_and_another_commit_noted(work):
    scores = json.loads((work / evaluated("a")).read_text())
    scores["protocol"]["common"]["commit"] = "def"
    write_scores("b.json", scores)
    notes = compare(["a.json", "b.json"])["notes"]
    assert len(notes) == 1 and notes[0].startswith("b.json: commit is def, not ")
    scores["protocol"]["mel_cepstral_distortion"]["pyworld"] = "0.3.9"
    write_scores("b.json", scores)
    assert "mel_cepstral_distortion: pyworld is 0.3.9, not 0.3.5" in refusal("a.json", "b.json")


def test_what_holds_no_scores_is_refused(work):
    evaluated("a", names=["peak"])
    (work / "old.json").write_text(
        '{"protocol": "16 kHz", "metrics": {}, "not_run": {}, "utterances": {}}'
    )
    assert "old.json has scores of format 1" in refusal("a.json", "old.json")
    (work / "list.json").write_text("[1]")
    assert "list.json holds no scores" in refusal("a.json", "list.json")
    assert "there is no nowhere.json" in refusal("a.json", "nowhere.json")
    assert "two files or more" in refusal("a.json")
    assert "no measure in common" in refusal("a.json", evaluated("b", names=["clipped"]))
    with pytest.raises(InputError, match=r"b\.json has no peak \(not asked for\); leave it out"):
        compare(["a.json", "b.json"], ["peak"])
    with pytest.raises(InputError, match="no metric 'mos'"):
        compare(["a.json", "b.json"], ["mos"])


def test_a_protocol_with_a_part_missing_is_refused(work):
    path = work / evaluated("a")
    for part in ("common", "peak"):
        scores = json.loads(path.read_text())
        del scores["protocol"][part]
        (work / "cut.json").write_text(json.dumps(scores))
        assert refusal("a.json", "cut.json").startswith("cut.json holds no scores")


def test_one_utterance_in_common_proves_nothing(work):
    first = json.loads((work / evaluated("a")).read_text())
    second = json.loads((work / evaluated("b", "second")).read_text())
    for scores in (first, second):
        for stem in ("2", "3"):
            del scores["utterances"][stem]["peak"]
    found = paired("peak", first, second)
    assert (found["n"], found["verdict"], found["mean"]) == (
        1,
        None,
        pytest.approx(6.0206, abs=0.01),
    )


def test_names_are_what_tells_files_apart():
    files = ["x/anna-ben.gmm.json", "x/anna-ben.knn.json", "x/anna-ben.json"]
    assert _labels(files) == ["gmm", "knn", "anna-ben"]
    assert _labels(["a.json", "b.json"]) == ["a", "b"]
    assert _labels(["x/a.json", "y/a.json"]) == ["x/a.json", "y/a.json"]
