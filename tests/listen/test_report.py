"""The report: what the page holds, that it reaches for nothing, and what stands in the table."""

import csv
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from listened import listened
from made import contrast, estimate, hand_made
from page_reader import Read
from tiny_test import tiny_test

pytest.importorskip("matplotlib", reason="the extra `listen` is not installed")
pytest.importorskip("jinja2", reason="the extra `listen` is not installed")

from voiceconv.errors import InputError
from voiceconv.listen.analysis.analyse import Analysis
from voiceconv.listen.manifest import write_test
from voiceconv.listen.methods import METHODS
from voiceconv.listen.reporting.page import render, short_names
from voiceconv.listen.reporting.paragraph import paragraph
from voiceconv.listen.reporting.report import COLUMNS, write_report
from voiceconv.listen.reporting.report import rows as table_rows

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, tuple[Path, Analysis]]:
    """Method -> folder with report.html, .csv and .png, and their analysis."""
    found = {}
    for method in METHODS:
        folder = tmp_path_factory.mktemp("tests") / method
        listened(folder, method, 7, ("alpha", HOSTILE, "gamma"), careless=1)
        outputs = [folder / f"report.{ending}" for ending in ("html", "csv", "png")]
        found[method] = folder, write_report(folder, outputs)
    return found


def page(made, method: str) -> str:
    return (made[method][0] / "report.html").read_text(encoding="utf-8")


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "report.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", METHODS)
def test_the_page_reaches_for_nothing_and_no_name_is_html(made, method):
    text = page(made, method)
    found = Read(text)
    assert "http" not in text.lower().replace("http-equiv", "")
    for _, attributes in found.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert not found.all("script") and not found.all("img")
    assert "<img" not in text and "<script" not in text
    said = found.said()
    assert "<b>Thank you</b> & goodbye" in said
    assert any(HOSTILE in one for one in said)


@pytest.mark.parametrize("method", METHODS)
def test_the_page_is_well_ordered_and_every_picture_is_told(made, method):
    found = Read(page(made, method))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:], strict=False))
    pictures = found.all("svg")
    assert len(pictures) == (1 if method == "abx" else 2)
    assert all(one["role"] == "img" and one["aria-label"] for one in pictures)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {one["href"][1:] for one in found.all("a")} <= set(ids)


def test_the_head_says_what_was_asked_and_who_counts(made):
    facts = Read(page(made, "mos")).facts()
    assert facts["method"] == "mean opinion score"
    assert facts["listeners"] == "6 of 7"
    assert facts["ratings"] == str(6 * 6 * 4)  # listeners, items, systems with the reference
    assert facts["items"] == "6"
    assert facts["directions"] == "F-M, M-F"
    assert facts["level"] == "−26 LUFS"
    said = " ".join(Read(page(made, "mos")).said())
    assert "ITU-T P.800 annex B" in said
    assert Read(page(made, "abx")).facts()["choices"] == str(6 * 6 * 3)  # pairs


@pytest.mark.parametrize("method", METHODS)
def test_page_and_table_have_the_figures_of_the_analysis(made, method):
    folder, analysis = made[method]
    rows = table(folder)
    assert list(rows[0]) == list(COLUMNS)
    for direction, systems in [("", analysis.systems), *analysis.directions.items()]:
        found = {one["system"]: one for one in rows if one["direction"] == direction}
        for name, figure in systems.items():
            for column, value in zip(("estimate", "low", "high"), figure, strict=False):
                said = float(found[name][column] or "nan")
                assert said == pytest.approx(value, rel=1e-5, nan_ok=True)
            counts = [int(found[name][key]) for key in ("n", "n_listeners", "n_items")]
            assert counts == list(figure[3:])
    contrasts = [one for one in rows if one["first"]]
    assert len(contrasts) == len(analysis.contrasts) == 3
    for row, one in zip(contrasts, analysis.contrasts, strict=True):
        assert (row["first"], row["second"], row["test"]) == (one.first, one.second, one.test)
        assert float(row["estimate"]) == pytest.approx(one.difference.mean, rel=1e-5)
        assert float(row["p_holm"]) == pytest.approx(one.p_holm, rel=1e-5)
    assert paragraph(analysis) in Read(page(made, method)).said("p")


def test_systems_stand_by_their_means_and_what_measures_them_below(made):
    _, analysis = made["mushra"]
    rows = re.findall(r'<tr class="(\w+)"><th scope="row"><span class="name">(.*?)</span>',
                      page(made, "mushra"))  # fmt: skip
    own = sorted(("alpha", HOSTILE, "gamma"), key=lambda name: -analysis.systems[name].mean)
    assert [kind for kind, _ in rows] == ["model"] * 3 + ["anchor"] * 3
    assert [name[:5] for _, name in rows[:3]] == [
        name.replace("<", "&lt;")[:5] for name in own
    ]  # fmt: skip
    assert [name for _, name in rows[3:]] == ["reference", "anchor70", "anchor35"]


def test_who_was_left_out_is_told_by_a_short_name(made):
    for method, why in [
        ("mos", "1 of 1 attention checks failed"),
        ("mushra", "hidden reference below 90 in 6 of 6 trials"),
    ]:
        said = Read(page(made, method)).said("p", "code", "li")
        assert "6 of 7 listeners count." in said
        assert said[said.index("000000") + 1].startswith(f": {why}")
        assert "000000abcdef" not in page(made, method)


def test_listeners_still_needed_are_those_of_the_analysis(made):
    _, analysis = made["mos"]
    text = page(made, "mos")
    assert "To find a difference of 0.3 with a probability of 80%" in text
    cells = re.findall(r'<td>6</td><td class="words">(.*?)</td><td class="words">(.*?)</td>', text)
    assert len(cells) == len(analysis.needed) == 3
    for (in_all, more), one in zip(cells, analysis.needed, strict=True):
        if one.n_listeners is not None:
            assert in_all == f"{one.n_listeners:,}"
            assert more == (f"{one.n_listeners - 6:,}" if one.n_listeners > 6 else "none")
        else:
            assert in_all == "no number is enough with these items"
    assert "To find a share of 60% in place of 50%" in page(made, "ab")


def test_the_wanted_difference_and_keeping_all_are_passed_on(tmp_path):
    listened(tmp_path / "test", "mos", 6, careless=2)
    output = tmp_path / "report.html"
    analysis = write_report(tmp_path / "test", [output], wanted=1.5, screen=False)
    said = " ".join(Read(output.read_text()).said())
    assert analysis.n_kept == 6
    assert "To find a difference of 1.5" in said
    assert "Kept, with a remark" in said and "Left out" not in said
    assert "no screening was done, which would have left out two." in said


def test_a_single_listener_gets_a_report_without_intervals(tmp_path):
    for method in METHODS:
        folder = tmp_path / method
        listened(folder, method, 1)
        write_report(folder, [folder / "report.html", folder / "report.csv", folder / "x.png"])
        rows = table(folder)
        assert {(one["low"], one["high"]) for one in rows} == {("", "")}
        assert all(one["estimate"] for one in rows)
        tested = [one for one in rows if one["p"]]
        assert len(tested) == (method == "abx")
        assert "Of a single listener there are no intervals." in page({method: (folder,)}, method)
        assert "nan" not in (folder / "report.html").read_text().lower()


def test_strengths_without_intervals_are_told_without_them():
    means = {"alpha": estimate(-2.5), "beta": estimate(0.0), "gamma": estimate(2.5)}
    prefers = contrast("ab", "alpha", "beta", estimate(1.0, 0.9, 1.0), 0.01)
    analysis = hand_made("ab", means, [prefers], test=tiny_test("ab", systems=list(means)))
    cells = [[one[key] for key in ("estimate", "low", "high", "n")] for one in table_rows(analysis)]
    assert cells == [
        ["-2.5", "", "", "240"], ["0", "", "", "240"], ["2.5", "", "", "240"],
        ["1", "0.9", "1", "240"],
    ]  # fmt: skip
    text = render(analysis, {})
    assert "nan" not in text.lower()
    strengths = text[text.index("Table of systems") : text.index("Table of comparisons")]
    assert re.findall('<span class="mean">(.*?)</span>(<span class="interval">)?', strengths) == [
        ("2.50", ""), ("0.00", ""), ("−2.50", "")
    ]  # fmt: skip
    assert re.findall("<b style=.left:(.*?)%", strengths) == ["100.0", "50.0", "0.0"]
    assert "they have no intervals, for half a choice" in text


def test_the_same_answers_give_the_same_files(made, tmp_path):
    folder, _ = made["mos"]
    again = [tmp_path / name for name in ("report.html", "report.csv", "report.png")]
    write_report(folder, again)
    assert all(one.read_bytes() == (folder / one.name).read_bytes() for one in again)


def test_other_endings_are_refused_before_anything_is_written(made, tmp_path):
    folder, _ = made["mos"]
    outputs = [tmp_path / "report.html", tmp_path / "report.docx"]
    with pytest.raises(
        InputError, match=r"report\.docx ends in none of \.html, \.csv, \.png, \.svg and \.pdf"
    ):
        write_report(folder, outputs)
    assert list(tmp_path.iterdir()) == []


def test_a_test_without_answers_is_one_sentence(tmp_path):
    test = listened(tmp_path / "old", "mos", 1)
    folder = tmp_path / "new"
    folder.mkdir()
    with pytest.raises(InputError, match="holds no listening test"):
        write_report(folder, [tmp_path / "x.html"])
    write_test(folder, test)
    with pytest.raises(InputError, match="nobody has answered yet"):
        write_report(folder, [tmp_path / "x.html"])
    assert not (tmp_path / "x.html").exists()


def test_an_output_that_cannot_be_is_one_sentence(made, tmp_path):
    for name in ("x.html", "x.csv", "x.png"):
        output = tmp_path / "none" / name
        with pytest.raises(InputError, match=f"cannot write {output}: No such file or directory"):
            write_report(made["abx"][0], [output])


def test_answers_are_only_read(made):
    folder, _ = made["ab"]
    with sqlite3.connect(f"file:{folder / 'answers.sqlite'}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (7 * (6 * 3 + 2),)


def test_where_systems_come_from_is_told_whole(tmp_path):
    test = listened(tmp_path / "test", "mos", 2)
    made = {"folders": ["out/"], "conversions": {"out": [{"model": "deadbeef", "seed": 7}]}}
    systems = {**test.systems, "alpha": replace(test.systems["alpha"], made=made)}
    write_test(tmp_path / "test", replace(test, systems=systems, notes=("one was left out",)))
    write_report(tmp_path / "test", [tmp_path / "x.html"])
    said = Read((tmp_path / "x.html").read_text()).said("h3", "dt", "dd", "li")
    place = said.index("Where the systems come from")
    assert said[place + 1 :] == [
        "alpha", "folders", "out/", "conversions", "out", "model", "deadbeef", "seed", "7",
    ]  # fmt: skip
    assert "one was left out" in said


def test_short_names_tell_listeners_apart():
    assert short_names(["abcdef123", "abcdee456"]) == {
        "abcdef123": "abcdef", "abcdee456": "abcdee"
    }  # fmt: skip
    assert short_names(["participant-1", "participant-2"]) == {
        "participant-1": "participant-1", "participant-2": "participant-2"
    }  # fmt: skip
    assert short_names(["a", "b"]) == {"a": "a", "b": "b"}


def test_without_the_extra_the_remedy_is_named(made, monkeypatch, tmp_path):
    for name in ("page", "figures", "marks"):
        monkeypatch.delitem(sys.modules, f"voiceconv.listen.reporting.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"needs matplotlib, .*pip install 'voiceconv\[listen\]'"):
        write_report(made["mos"][0], [tmp_path / "x.html"])
    write_report(made["mos"][0], [tmp_path / "x.csv"])  # a table needs none


def test_torch_is_not_imported(made, tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from voiceconv.listen.reporting.report import write_report\n"
        f"write_report(Path({str(made['mos'][0])!r}), [Path({str(tmp_path / 'x.html')!r})])\n"
        "heavy = {'torch', 'tensorboard', 'voiceconv.audio', 'matplotlib.pyplot'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
