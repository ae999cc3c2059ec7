"""The page: what it holds, that it needs nothing else, and that no name in it is taken for HTML."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from page_reader import Read
from tiny_model import make_cli
from tiny_run import write_curves, write_run

from voiceconv import report
from voiceconv.errors import InputError
from voiceconv.report import page, write_report
from voiceconv.report.run import read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "toy")


@pytest.fixture(scope="module")
def text(run, tmp_path_factory) -> str:
    output = tmp_path_factory.mktemp("pages") / "report.html"
    write_report(run, output, n_utterances=2)
    return output.read_text(encoding="utf-8")


def test_the_page_reaches_for_nothing(text):
    found = Read(text)
    assert "http" not in text.lower().replace("http-equiv", "")
    for _, attributes in found.elements:
        for name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert not found.all("script") and "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    (policy,) = [one["content"] for one in found.all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")


def test_the_head_says_what_was_trained(text):
    found = Read(text)
    facts = found.facts()
    assert facts["experiment"] == "toy"
    assert facts["domains"] == "ada, bert"
    assert facts["steps"] == "200"
    assert facts["data"] == "two vowels"
    assert facts["licence"] == "CC0-1.0"
    assert facts["commit"] == "0123456789ab"
    assert facts["trained"] == "20 November 2026, 08:09"
    assert facts["scored"] == "21 November 2026, 15:00"


def test_headings_go_down_by_one_and_there_is_one_first(text):
    levels = [int(tag[1]) for tag, _ in Read(text).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:], strict=False))


def test_what_is_seen_or_heard_is_also_said(text):
    found = Read(text)
    pictures = [one for one in found.all("svg")]
    # per direction a scatter and 2 utterances; 2 losses, norm, rate, validation, doctor
    assert len(pictures) == 2 * (1 + 2) + 6
    assert all(one["role"] == "img" and one["aria-label"] for one in pictures)
    players = found.all("audio")
    assert len(players) == 2 * 2 * 3
    assert all(one["aria-label"] and "controls" in one for one in players)
    regions = [one for one in found.all("div") if one.get("role") == "region"]
    assert len(regions) == 4 and all(
        one["tabindex"] == "0" and one["aria-label"] for one in regions
    )


def test_the_table_has_means_intervals_and_the_best(text):
    said = " ".join(Read(text).said())
    assert "7.00 (best) 7.00 to 7.00" in said
    assert "0.780 (best)" in said  # of 0.80, 0.79, ..., 0.76
    assert "5 utterances." in said
    assert "Not run: PESQ, STOI (no originals (--copy-of))" in said
    assert (
        "Against statistics, the model is better in MCD, similarity, similarity to source" in said
    )


def test_findings_and_the_shipped_step_are_told(text):
    said = " ".join(Read(text).said())
    assert "Step 200 : the generator hands its input on" in said
    assert "no validation audio of u9 (2 times)" in said
    assert (
        "that of step 200, the dashed line in the charts of validation. The rule: least score."
        in said
    )
    assert "validation/seconds" not in said and "seconds over" not in text


def test_links_within_the_page_lead_somewhere(text):
    found = Read(text)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {one["href"][1:] for one in found.all("a")}
    assert targets and targets <= set(ids)


HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def test_names_are_never_html(tmp_path):
    run = write_run(tmp_path / "run", stems=[HOSTILE, "u2"], name=f"{HOSTILE}name")
    log = run / "train.log"
    log.write_text(f"[t][l][WARNING] - {HOSTILE}warned\n")
    output = tmp_path / "page.html"
    write_report(run, output, n_utterances=2)
    text = output.read_text()
    found = Read(text)
    assert not found.all("img") and "<img" not in text
    said = found.said()
    assert f"{HOSTILE}name" in said and f"{HOSTILE}warned" in said
    assert said.count(HOSTILE) == 2 * 2  # in each direction's list and over its card
    assert len(found.all("audio")) == 2 * 2 * 3
    ids = {attributes.get("id") for _, attributes in found.elements}
    assert f"ada-bert.{HOSTILE}" in ids


def test_names_may_be_any_bytes(tmp_path):
    stem = b"\xe9t\xe9".decode("utf-8", "surrogateescape")
    run = write_run(tmp_path / "run", stems=[stem, "u2"])
    output = tmp_path / "page.html"
    write_report(run, output, n_utterances=2)
    text = output.read_bytes()
    assert text.count(b"<h4>\xe9t\xe9</h4>") == 2
    found = Read(text.decode(errors="surrogateescape"))
    ids = {attributes.get("id") for _, attributes in found.elements}
    assert {unquote(a["href"][1:]) for a in found.all("a")} <= ids


def test_a_history_without_a_rule_is_no_obstacle(tmp_path):
    run = write_run(tmp_path / "run", stems=["u1"])
    (run / "validation.json").write_text('[{"step": 200}]')
    write_report(run, tmp_path / "page.html", n_utterances=0)
    said = " ".join(Read((tmp_path / "page.html").read_text()).said())
    assert "ships is that of step 200" in said and "The rule" not in said


def test_a_run_without_scores_still_shows_its_curves(tmp_path):
    write_curves(tmp_path / "run/tensorboard", {"generator/cycle": [(1, 1.0), (2, 0.5)]})
    write_report(tmp_path / "run", tmp_path / "page.html")
    found = Read((tmp_path / "page.html").read_text())
    (picture,) = found.all("svg")
    label = "cycle over 2 steps: generator from 1 to 0.5, lowest 0.5, highest 1"
    assert picture["aria-label"] == label
    missing = [text for text in found.said("li") if ";" in text]
    assert len(missing) == 6 and "no scores" in missing[-1]
    facts = found.facts()
    assert facts["licence"] == "not stated"


def test_a_translator_without_generators_is_named_itself(run):
    shown = read_run(run)
    for node, name in (
        ({"_target_": "voiceconv.models.a.Whole"}, "Whole"),
        ({"_target_": "voiceconv.models.a.Pairs", "generator": {"_target_": "b.One"}}, "One"),
        ({}, "not stated"),
    ):
        assert page.facts(replace(shown, model={"translator": node}))["network"] == name


def test_scores_alone_make_a_page_too(run, tmp_path):
    alone = tmp_path / "run"
    (alone / "scores").mkdir(parents=True)
    for file in (run / "scores").iterdir():
        (alone / "scores" / file.name).write_bytes(file.read_bytes())
    write_report(alone, tmp_path / "page.html", n_utterances=1)
    said = " ".join(Read((tmp_path / "page.html").read_text()).said())
    assert "No curves:" in said
    for kind in ("source", "converted", "target"):
        assert f"there is no recording of the {kind}" in said


def test_many_lines_of_one_name_get_charts_of_their_own(tmp_path):
    tags = [f"validation/distortion/a_to_{name}" for name in "bcde"]
    write_curves(tmp_path / "tensorboard", {tag: [(1, 1.0), (2, 2.0)] for tag in tags})
    titles = [chart["title"] for chart in page.charts(read_run(tmp_path))]
    assert titles == [f"distortion a to {name}" for name in "bcde"]
    write_curves(tmp_path / "two/tensorboard", {tag: [(1, 1.0)] for tag in tags[:2]})
    (chart,) = page.charts(read_run(tmp_path / "two"))
    assert chart["title"] == "distortion" and ">a to c<" in chart["picture"]


def test_the_command_writes_beside_the_run_or_where_it_is_told(run, tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    said = voiceconv("report", run, "--n-utterances", "0")
    assert (said.code, said.out.strip()) == (0, str(run / "report.html"))
    assert not Read((run / "report.html").read_text()).all("audio")
    assert voiceconv("report", run, "-o", tmp_path / "x.html", "--n-utterances", "0").code == 0
    assert (tmp_path / "x.html").read_text() == (run / "report.html").read_text()


def test_the_command_refuses_what_is_no_run(tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    said = voiceconv("report", tmp_path)
    assert said.code == 2
    assert said.err.startswith(f"voiceconv: error: {tmp_path} holds no run")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_is_one_sentence(run, tmp_path, monkeypatch, capsys):
    output = tmp_path / "none" / "x.html"
    said = make_cli(monkeypatch, capsys)("report", run, "-o", output, "--n-utterances", "0")
    assert said.code == 2
    reason = "No such file or directory; choose another output"
    assert said.err == f"voiceconv: error: cannot write {output}: {reason}\n"


def test_without_the_extra_the_remedy_is_named(monkeypatch, tmp_path):
    for name in ("page", "cards", "utterances", "plots"):
        monkeypatch.delitem(sys.modules, f"voiceconv.report.{name}", raising=False)
        monkeypatch.delattr(report, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        InputError, match=r"needs matplotlib, .*: pip install 'voiceconv\[report\]'"
    ):
        report.write_report(tmp_path, tmp_path / "x.html")
