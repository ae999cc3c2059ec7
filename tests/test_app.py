"""docs/app.py: its function converts, and its page is made of what gradio has; gradio by a stub."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_model import make_converter, record, speech

from voiceconv.audio import read
from voiceconv.converter import Converter

APP = Path(__file__).parents[1] / "docs" / "app.py"


class Error(Exception):
    pass


def kept(*arguments, **keywords):
    return SimpleNamespace(arguments=arguments, keywords=keywords)


@pytest.fixture
def app(tmp_path, monkeypatch):
    make_converter().save_pretrained(tmp_path / "model", {})
    stub = SimpleNamespace(Error=Error, Interface=kept, Audio=kept, Dropdown=kept)
    monkeypatch.setitem(sys.modules, "gradio", stub)
    monkeypatch.setattr(sys, "argv", ["app.py", str(tmp_path / "model")])
    return runpy.run_path(str(APP))


def test_the_page_offers_the_targets_and_its_function_converts(app, tmp_path):
    function, (_, dropdown), _ = app["page"].arguments
    assert dropdown.arguments == (["high", "low"],)
    path = record(tmp_path / "in.wav", speech("low", 0.4))
    rate, samples = function(str(path), "high")
    wave = Converter.from_pretrained(tmp_path / "model").convert(read(path).samples, "high")
    assert (rate, samples.dtype, len(samples)) == (16000, np.int16, 6400)
    assert np.abs(samples / 32767 - wave.numpy()).max() < 1 / 32767


@pytest.mark.parametrize("seconds", [None, 61.0])
def test_what_it_does_not_take_is_said(app, tmp_path, seconds):
    path = None
    if seconds is not None:
        path = str(record(tmp_path / "in.wav", speech("low", seconds)))
    with pytest.raises(Error, match="choose a recording|more than the 60 seconds"):
        app["convert"](path, "high")
