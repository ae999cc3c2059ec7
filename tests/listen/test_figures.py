"""Pictures: what stands where, in the page's colours or a paper's, and nothing cut off."""

import itertools
import re
import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from listened import listened
from made import contrast, estimate, hand_made
from tiny_test import tiny_test

pytest.importorskip("matplotlib", reason="the extra `listen` is not installed")

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from voiceconv.listen.analysis.analyse import Analysis, analyse
from voiceconv.listen.answers import read_store
from voiceconv.listen.methods import METHODS
from voiceconv.listen.reporting.figures import (
    FONTS,
    PAPER,
    page_picture,
    panels,
    paper_figure,
    paper_style,
    save,
)

HOSTILE = '<script>alert("$x$")</script>'
LONG = "a name that is much longer than anybody should ever give to a system"
MEANS = {
    "alpha": estimate(2.5, 2.3, 2.7),
    "beta": estimate(3.5, 3.25, 3.75),
    "reference": estimate(4.75, 4.5, 5.0),
}


def texts(picture: str) -> list[str]:
    """What is written in it, in the order that it was drawn."""
    return re.findall(r">([^<>]+)</text>", picture)


@pytest.fixture(scope="module")
def analyses(tmp_path_factory) -> dict[str, Analysis]:
    """Of answers to a test of three systems by each method, by six listeners."""
    found = {}
    for method in METHODS:
        folder = tmp_path_factory.mktemp(method) / "test"
        test = listened(folder, method, 6, ("alpha", HOSTILE, LONG))
        found[method] = analyse(test, *read_store(folder))
    return found


def test_systems_come_by_their_means_and_the_reference_apart():
    higher = contrast("mos", "alpha", "beta", estimate(1.0, 0.75, 1.25), 0.01)
    boxes, forest = panels(hand_made("mos", MEANS, [higher]))
    assert texts(page_picture(boxes)) == [
        "1", "bad", "2", "poor", "3", "fair", "4", "good", "5", "excellent",
        "beta", "3.50 [3.25, 3.75]", "alpha", "2.50 [2.30, 2.70]",
        "reference", "4.75 [4.50, 5.00]",
    ]  # fmt: skip
    assert texts(page_picture(forest))[-2:] == ["beta − alpha", "1.00 [0.75, 1.25]"]


@pytest.mark.parametrize("method", METHODS)
def test_pictures_are_the_pages_own_and_say_what_they_show(analyses, method):
    for panel in panels(analyses[method]):
        text = str(page_picture(panel))
        assert "http" not in text and "<script" not in text and "<metadata" not in text
        assert not re.search(r"#0[1-7]0", text) and "var(--ink)" in text
        (label,) = re.findall(r'^<svg role="img" aria-label="([^"]*)"', text)
        assert "&lt;script&gt;" in label and LONG in label
        assert str(page_picture(panel)) == text


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_cut_off_or_written_over(analyses, method):
    figure = paper_figure(analyses[method])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = figure.bbox
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [one for one in axes.get_xticklabels() if low <= one.get_position()[0] <= high]
        assert len(ticks) >= 3
        boxes = [one.get_window_extent() for one in [*axes.texts, *ticks]]
        assert all(whole.x0 <= one.x0 and one.x1 <= whole.x1 for one in boxes)
        assert all(whole.y0 <= one.y0 and one.y1 <= whole.y1 for one in boxes)
        rows = zip(axes.texts[::2], axes.texts[1::2], strict=True)
        for left, right in rows:
            assert left.get_position()[1] == right.get_position()[1]
            assert left.get_window_extent().x1 < right.get_window_extent().x0


def marks(figure: Figure, place: int) -> list[tuple[float, str]]:
    """(x, face) of the diamonds of a panel."""
    found = [line for line in figure.axes[place].lines if line.get_marker() == "D"]
    return [(line.get_xdata()[0], line.get_markerfacecolor()) for line in found]


def test_marks_stand_at_the_estimates_and_are_filled_where_significant():
    contrasts = [
        contrast("mos", "alpha", "beta", estimate(1.0, 0.75, 1.25), 0.049),
        contrast("mos", "alpha", "gamma", estimate(-0.5, -1.25, 0.25), 0.051),
    ]
    figure = paper_figure(hand_made("mos", MEANS, contrasts))
    assert [x for x, _ in marks(figure, 0)] == [3.5, 2.5, 4.75]
    assert marks(figure, 1) == [(1.0, PAPER.first), (-0.5, PAPER.paper)]
    ends = [line.get_xdata() for line in figure.axes[1].lines if line.get_linewidth() == 2]
    assert [list(one) for one in ends] == [[0.75, 1.25], [-1.25, 0.25]]


def test_the_box_has_the_quartiles_of_the_ratings():
    analysis = hand_made("mushra", {"alpha": estimate(50, 40, 60)}, [])
    analysis.values["alpha"] = [float(value) for value in [0, 40, 50, 55, 60, 70]]
    analysis.listener_means["alpha"] = [45.0, 55.0]
    (axes,) = paper_figure(analysis).axes
    q1, median, q3 = np.percentile(analysis.values["alpha"], [25, 50, 75])
    assert (q1, median, q3) == (42.5, 52.5, 58.75)
    (bar, _) = axes.patches
    assert (bar.get_x(), bar.get_width()) == (q1, q3 - q1)
    lines = [
        segment for one in axes.collections for segment in getattr(one, "get_segments", list)()
    ]
    # 1.5 times the box's length below the box is 18.125: the rating of 0 lies outside
    assert [list(line[:, 0]) for line in lines] == [
        [40, q1], [q3, 70], [40, 40], [70, 70], [median, median],
    ]  # fmt: skip
    dots = next(one for one in axes.collections if len(one.get_offsets()) == 2)
    assert dots.get_offsets()[:, 0].tolist() == [45.0, 55.0]


def test_shares_part_where_they_meet():
    prefers = contrast("ab", "alpha", "beta", estimate(0.7, 0.6, 0.8), 0.01)
    (axes,) = paper_figure(hand_made("ab", {}, [prefers])).axes
    assert [one.get_text() for one in axes.texts] == ["alpha 30%", "70% beta"]
    widths = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert np.allclose(widths, [(0, 0.3), (0.3, 0.7)])
    (line,) = [line for line in axes.lines if line.get_linewidth() == 2]
    assert np.allclose(line.get_xdata(), [0.2, 0.4])


def test_strengths_without_intervals_are_marks_without_lines():
    means = {"alpha": estimate(-2.5), "beta": estimate(0), "gamma": estimate(2.5)}
    prefers = contrast("ab", "alpha", "beta", estimate(0.7, 0.6, 0.8), 0.01)
    made = hand_made("ab", means, [prefers], test=tiny_test("ab", systems=list(means)))
    strengths = panels(made)[1]
    assert "Bradley-Terry strengths without intervals" in strengths.caption
    said = ["gamma", "2.50", "beta", "0.00", "alpha", "−2.50"]
    assert texts(page_picture(strengths))[-6:] == said
    assert "nan" not in str(page_picture(strengths))
    figure = paper_figure(made)
    assert [x for x, _ in marks(figure, 1)] == [2.5, 0, -2.5]
    assert [line for line in figure.axes[1].lines if line.get_linewidth() == 2] == []
    with_intervals = {name: estimate(0, -1, 1) for name in means}
    (_, shown) = panels(replace(made, systems=with_intervals))
    assert "Bradley-Terry strengths with 95% intervals" in shown.caption


def test_shares_of_a_pair_make_a_whole():
    half = contrast("ab", "alpha", "beta", estimate(0.335, 0.3, 0.4), 0.01)
    (axes,) = paper_figure(hand_made("ab", {}, [half])).axes
    shares = [re.findall(r"(\d+)%", one.get_text()) for one in axes.texts]
    assert sum(int(share) for (share,) in shares) == 100


def test_a_paper_gets_one_column_for_few_comparisons_and_two_for_many():
    names = [f"system {number}" for number in range(9)]
    means = {"alpha": estimate(3, 2, 4)}
    pairs = [
        contrast("mos", one, two, estimate(0, -1, 1), 0.5)
        for one, two in itertools.combinations(names, 2)
    ]
    widths = {
        n: paper_figure(hand_made("mos", means, pairs[:n])).get_size_inches()[0]
        for n in (0, 1, 3, 4, 28, 36)
    }
    assert widths == {0: 3.5, 1: 3.5, 3: 3.5, 4: 7.0, 28: 7.0, 36: 3.5}  # 36: the means alone


def test_files_for_a_paper(tmp_path):
    analysis = hand_made("mos", MEANS, [])
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        first, second = (tmp_path / f"{name}{ending}" for name in "ab")
        save(analysis, first)
        save(analysis, second)
        assert first.read_bytes().startswith(start)
        assert first.read_bytes() == second.read_bytes()
    width, _ = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert width == 3.5 * 200


@pytest.mark.filterwarnings("error")
def test_names_in_any_script_warn_of_nothing(tmp_path, capfd):
    """Where no font is installed for them, too."""
    names = ["日本語モデル", "한국어", "हिन्दी", "नमूना العربية", "emoji 🎧"]
    means = {name: estimate(2.5 + n / 2, 2, 4.75) for n, name in enumerate(names)}
    pairs = [contrast("mos", *pair, estimate(1, 0, 2), 0.5) for pair in itertools.pairwise(names)]
    made = hand_made("mos", means, pairs, test=tiny_test("mos", systems=names))
    for ending in ("png", "pdf", "svg"):
        save(made, tmp_path / f"figure.{ending}")
    assert texts(page_picture(panels(made)[0]))[-10::2] == names[::-1]
    assert capfd.readouterr().err == ""
    installed = {font.name for font in fontManager.ttflist}
    family = paper_style()["font.family"]
    assert family == ["sans-serif", *(name for name in FONTS if name in installed)]


def test_no_state_of_matplotlib_is_touched():
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/listen']\n"
        "import matplotlib\n"
        "def all(): return {k: dict.__getitem__(matplotlib.rcParams, k) for k in settings}\n"
        "settings = list(dict.keys(matplotlib.rcParams)); before = all()\n"
        "from made import estimate, hand_made\n"
        "from voiceconv.listen.reporting.figures import PAPER, page_picture, panels\n"
        "made = hand_made('mos', {'alpha': estimate(3, 2, 4)}, [])\n"
        "made.values['alpha'] = [1.0, 2.0, 5.0]\n"
        "page_picture(panels(made)[0])\n"
        "print(all() == before, 'matplotlib.pyplot' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]
