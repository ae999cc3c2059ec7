"""Pictures that follow the page: its colours, its fonts, names that nothing else has."""

import base64
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

from voiceconv.report.plots import Cloud, curve_chart, scatter, utterance_picture
from voiceconv.report.scalars import Curve

HOSTILE = '<script>alert("$x$")</script>'


def curve(*values: float) -> Curve:
    return Curve(np.arange(1, len(values) + 1) * 100, np.array(values))


def picture(label: str = "source") -> str:
    noise = np.random.default_rng(0).normal(-40, 20, (80, 50)).astype(np.float32)
    contour = (np.arange(100) * 0.005, np.where(np.arange(100) < 50, 110.0, 0.0))
    mels = np.linspace(50, 8000, 80)
    return str(utterance_picture({label: noise}, {label: contour}, 0.01, mels, HOSTILE))


PICTURES = {
    "curve": lambda: str(curve_chart({HOSTILE: curve(1, 2), "b": curve(2, 1)}, HOSTILE, mark=150)),
    "scatter": lambda: str(
        scatter(
            [Cloud(HOSTILE, np.array([[0.1, 0.2], [0.3, 0.4]]), "#050505")],
            (HOSTILE, "y"),
            HOSTILE,
            named={HOSTILE: (0.1, 0.2)},
        )
    ),
    "picture": lambda: picture(HOSTILE),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_needs_nothing(kind):
    text = PICTURES[kind]()
    assert "http" not in text and "<script" not in text and "<metadata" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"#0[1-7]0", text)  # stand-in colours have all become the page's
    assert "var(--" in text and "DejaVu" not in text
    assert PICTURES[kind]() == text


def test_pictures_share_no_name():
    names = {kind: set(re.findall(r'\bid="([^"]*)"', draw())) for kind, draw in PICTURES.items()}
    assert sum(map(len, names.values())) == len(set.union(*names.values()))
    for kind, draw in PICTURES.items():
        assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', draw())) <= names[kind]


def test_text_stays_text_in_the_font_of_the_page():
    text = PICTURES["curve"]()
    assert ">150<" in text  # the step that is marked
    assert "font-size: 10.5px" in text and "font-family" not in text


def test_a_logarithmic_axis_has_plain_numbers():
    text = str(curve_chart({"": curve(0.5, 50.0)}, "norm", log=True))
    assert "mathdefault" not in text
    assert ">50<" in text or ">20<" in text


def test_curves_that_reach_zero_are_drawn_on_a_plain_axis():
    labels = re.findall(">([^<>]+)</text>", str(curve_chart({"": curve(0.0, 2.0)}, "", log=True)))
    assert {"0.0", "1.0", "2.0"} <= set(labels)


def test_the_pixels_of_a_spectrogram_are_kept_as_they_are():
    content = re.search(r"data:image/png;base64,([\w+/=\s]+)", picture())
    assert content is not None
    header = base64.b64decode(content.group(1))[16:24]
    assert struct.unpack(">II", header) == (50, 80)  # frames, channels


def test_a_step_is_written_where_there_is_room():
    def anchor(step: int) -> str:
        text = str(curve_chart({"": curve(1, 2, 3, 4)}, "", mark=step))
        found = re.search(rf"<text style=\"([^\"]*)\"[^>]*>{step}</text>", text)
        return found.group(1) if found else ""

    assert "text-anchor: end" in anchor(395)
    assert "text-anchor: start" in anchor(105)


def test_no_state_of_matplotlib_is_touched_at_import_or_after():
    code = (
        "import sys, matplotlib\n"
        "def all(): return {k: dict.__getitem__(matplotlib.rcParams, k) for k in settings}\n"
        "settings = list(dict.keys(matplotlib.rcParams)); before = all()\n"
        "from voiceconv.report.plots import Curve, curve_chart\n"
        "curve_chart({'': Curve([1, 2], [1.0, 2.0])}, '')\n"
        "print(len(before) > 100, all() == before, 'matplotlib.pyplot' in sys.modules)"
    )  # to ask for a setting the usual way would choose a backend, and import pyplot
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True", "False"]
