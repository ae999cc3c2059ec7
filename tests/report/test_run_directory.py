"""A run directory, whole and in part."""

import json
import shutil
from dataclasses import replace

import pytest
from tiny_run import scores, write_curves, write_run

from voiceconv.errors import InputError
from voiceconv.report.page import facts
from voiceconv.report.run import Warned, directions, read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "toy")


def test_a_whole_run_lacks_nothing(run):
    found = read_run(run)
    assert found.missing == []
    assert [one.name for one in found.directions] == ["ada-bert", "bert-ada"]
    assert set(found.directions[0].systems) == {"model", "statistics", "unconverted", "target"}
    assert found.directions[0].utterances["u2"]["speaker_similarity"] == pytest.approx(0.79)
    assert found.shipped_step == 200
    assert len(found.curves) == 8


def test_the_log_gives_findings_and_warnings_once_each(run):
    assert read_run(run).warned == [
        Warned("the generator hands its input on", 200, 1),
        Warned("no validation audio of u9", None, 2),
    ]


def test_files_may_come_from_an_editor_of_windows(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    for path in (tmp_path / "run").rglob("*"):
        if path.suffix in (".json", ".yaml"):
            path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig", newline="\r\n")
    assert replace(read_run(tmp_path / "run"), folder=run, curves={}) == replace(
        read_run(run), curves={}
    )


def test_what_is_missing_is_named(tmp_path):
    write_curves(tmp_path / "tensorboard", {"generator/cycle": [(1, 1.0)]})
    found = read_run(tmp_path)
    assert [sentence.split(";")[0] for sentence in found.missing] == [
        "no model/config.yaml",
        "no config.yaml",
        "no provenance.json",
        "no validation.json",
        "no train.log",
        "no scores",
    ]
    assert (found.directions, found.warned, found.shipped_step) == ([], None, None)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "a: [1"),
        ("provenance.json", "{"),
        ("validation.json", '"text"'),
        ("scores/ada-bert.json", "{}"),
        ("scores/ada-bert.json", json.dumps({"metrics": {}, "not_run": {}, "utterances": {}})),
        ("scores/ada-bert.json", json.dumps(scores({}) | {"metrics": {"pesq": {"mean": 1.0}}})),
        ("scores/ada-bert.json", json.dumps(scores({}) | {"utterances": {"a": 1}})),
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_shown(tmp_path, file, content):
    write_curves(tmp_path / "tensorboard", {"generator/cycle": [(1, 1.0)]})
    (tmp_path / "scores").mkdir()
    (tmp_path / file).write_text(content)
    found = read_run(tmp_path)
    assert sum(sentence.split()[0].endswith(file) for sentence in found.missing) == 1
    assert list(found.curves) == ["generator/cycle"]


@pytest.mark.parametrize(
    ("name", "sentence"), [("", "holds no run: no configuration"), ("none", "there is no folder")]
)
def test_a_folder_without_any_part_of_a_run_is_refused(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence):
        read_run(tmp_path / name)


def test_domains_may_hold_hyphens_and_dots_where_the_model_names_them():
    names = ["a-b-c.d.json", "a-b-c.d.knn.json", "c.d-a-b.target.json"]
    found = directions({name: {"file": name} for name in names}, ["a-b", "c.d"])
    assert [(one.source, one.target, sorted(one.systems)) for one in found] == [
        ("a-b", "c.d", ["knn", "model"]),
        ("c.d", "a-b", ["target"]),
    ]


def test_a_stranger_comes_after_the_models_own_domains():
    names = ["a-x-b.json", "c-b.json", "b-c.json"]
    found = directions({name: {} for name in names}, ["b", "c"])
    assert [(one.source, one.target) for one in found] == [("b", "c"), ("c", "b"), ("a-x", "b")]


def test_unknown_domains_part_at_the_first_hyphen():
    (found,) = directions({"a-b.json": {}, "a-b.gmm.json": {}}, [])
    assert (found.source, found.target, list(found.systems)) == ("a", "b", ["model", "gmm"])


@pytest.mark.parametrize("wrong", [3, "x", [None], {}])
def test_parts_of_a_damaged_model_configuration_are_not_stated(tmp_path, wrong):
    model = {"card": wrong, "domains": wrong if wrong != [None] else 1.5, "translator": wrong}
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.yaml").write_text(json.dumps(model), encoding="utf-8-sig")
    found = facts(read_run(tmp_path))
    assert {found[name] for name in ("domains", "network", "steps", "data")} == {"not stated"}
