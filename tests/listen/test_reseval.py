import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_test import stimulus_of, tiny_folder, tiny_test

from voiceconv.listen.exchange.reseval import write_reseval

# examples/audio/mos.yaml of ReSEval; its own listening test may be left out
# (reseval/assets/client/src/pages/QualificationPage.js).
KEYS = (
    "name test datatype storage database server crowdsource participants samples_per_participant "
    "random_seed welcome_text prescreen_questions survey_instructions followup_questions"
).split()
CROWDSOURCE = {
    "platform": str,
    "title": str,
    "description": str,
    "keywords": str,
    "filter": {"countries": list, "approved_tasks": int, "approval_rating": int},
    "payment": {"base": float, "completion": float},
    "duration": {"total": int, "assignment": int, "autoapprove": int},
}


def written(tmp_path: Path, method: str, **changes) -> Path:
    test = tiny_test(method, **changes)
    folder = tiny_folder(tmp_path / "test", test)
    write_reseval(folder, test)
    return folder / "reseval"


def names_in(folder: Path) -> dict[str, list[str]]:
    return {
        one.name: sorted(file.name for file in one.iterdir()) for one in sorted(folder.iterdir())
    }


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "files.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("method", "conditions"),
    [
        ("mos", ["alpha", "beta", "reference"]),
        ("ab", ["alpha", "beta"]),
        ("abx", ["alpha", "beta", "reference"]),
        ("mushra", ["alpha", "anchor35", "anchor70", "beta", "reference"]),
    ],
)
def test_every_condition_has_a_folder_with_the_same_names_and_nothing_else(
    tmp_path, method, conditions
):
    root = written(tmp_path, method)

    # Training and checks are not among them: two sentences, two files.
    assert names_in(root / method) == {name: ["0.wav", "1.wav"] for name in conditions}
    assert sorted(one.name for one in root.iterdir()) == sorted(
        ["files.csv", method, f"{method}.yaml"]
    )


@pytest.mark.parametrize("method", ["mos", "ab", "abx", "mushra"])
def test_the_table_tells_each_file_its_stimulus(tmp_path, method):
    test = tiny_test(method)
    root = written(tmp_path, method)

    rows = rows_of(root)

    assert len(rows) == len(list(root.rglob("*.wav")))
    for row in rows:
        content = (root / row["evaluation"] / row["condition"] / row["file"]).read_bytes()
        original = tmp_path / "test" / "page" / "stimuli" / f"{row['stimulus']}.wav"
        assert original.read_bytes() == content
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        known = test.stimuli[row["stimulus"]]
        assert (known.system, known.item) == (row["system"], row["item"])
        assert row["item"].startswith(f"{row['direction']}/") and row["direction"]
    by_file = {(row["file"], row["item"]) for row in rows}
    assert len(by_file) == 2  # one sentence under one name, whoever speaks


def test_abx_has_x_as_reference_beside_both(tmp_path):
    test = tiny_test("abx")
    rows = rows_of(written(tmp_path, "abx"))
    of_x = {trial.x for trial in test.trials.values() if trial.kind == "trial"}

    assert {row["stimulus"] for row in rows if row["condition"] == "reference"} == of_x


def test_a_system_named_like_the_folder_of_x_gets_another(tmp_path):
    test = tiny_test("abx", systems=("reference.", "beta"))
    folder = tiny_folder(tmp_path / "test", test)
    write_reseval(folder, test)

    assert sorted(names_in(folder / "reseval" / "abx")) == ["beta", "reference", "reference_"]


def test_three_systems_make_an_evaluation_for_each_pair(tmp_path):
    root = written(tmp_path, "ab", systems=("alpha", "be/ta", "be ta"))

    pairs = {one.name: sorted(names_in(one)) for one in root.iterdir() if one.is_dir()}
    assert pairs == {
        "ab-alpha-be_ta": ["alpha", "be_ta"],
        "ab-alpha-be_ta_": ["alpha", "be_ta_"],
        "ab-be_ta-be_ta_": ["be_ta", "be_ta_"],
    }
    content = yaml.safe_load((root / "ab-alpha-be_ta.yaml").read_text(encoding="utf-8"))
    assert content["samples_per_participant"] == 2  # its two sentences, not all six trials
    assert {row["condition"]: row["system"] for row in rows_of(root)} == {
        "alpha": "alpha",
        "be_ta": "be/ta",
        "be_ta_": "be ta",
    }


def test_a_sentence_that_a_system_lacks_is_left_out_for_all(tmp_path):
    test = tiny_test("mos")
    lacking = stimulus_of(test, "beta", "F-M/one")
    trials = {name: one for name, one in test.trials.items() if one.shown != (lacking,)}
    lists = tuple(tuple(t for t in turns if t.trial in trials) for turns in test.lists)
    test = replace(test, trials=trials, lists=lists)
    folder = tiny_folder(tmp_path / "test", test)
    write_reseval(folder, test)

    assert names_in(folder / "reseval" / "mos") == {
        name: ["0.wav"] for name in ("alpha", "beta", "reference")
    }
    assert {row["item"] for row in rows_of(folder / "reseval")} == {"M-F/two"}


@pytest.mark.parametrize("method", ["mos", "ab", "abx", "mushra"])
def test_the_configuration_has_all_keys_of_resevals_examples(tmp_path, method):
    text = (written(tmp_path, method) / f"{method}.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)

    assert list(content) == KEYS
    assert content["test"] == method and content["datatype"] == "audio"
    assert content["participants"] == 2  # the lists
    # Of two sentences; one rating of MOS is one sentence of one of three conditions.
    assert content["samples_per_participant"] == (6 if method == "mos" else 2)
    assert content["random_seed"] == 1
    assert content["crowdsource"]["payment"] == {"base": 0.0, "completion": 0.0}
    for question in content["prescreen_questions"] + content["followup_questions"]:
        assert question["type"] in ("free-response", "multiple-choice")
        assert {"name", "type", "text"} < question.keys()

    def check(part, documented):
        assert part.keys() == documented.keys()
        for key, kind in documented.items():
            if isinstance(kind, dict):
                check(part[key], kind)
            else:
                assert isinstance(part[key], kind)

    check(content["crowdsource"], CROWDSOURCE)


def test_similarity_is_left_out_with_a_reason(tmp_path):
    root = written(tmp_path, "similarity")

    assert [one.name for one in root.iterdir()] == ["NOTE.txt"]
    assert "no test that shows a reference beside a scale" in (root / "NOTE.txt").read_text()
