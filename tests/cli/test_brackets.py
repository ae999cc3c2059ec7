"""What stands in [brackets] is printed: rich takes it for a tag of its markup, and swallows it."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from rich.console import Console
from tiny_model import make_cli

from voiceconv.check.doctor import Report, Speaker
from voiceconv.check.show import print_report
from voiceconv.cli.app import app
from voiceconv.cli.terminal import show_summary
from voiceconv.data.prepare import SplitSummary, Summary
from voiceconv.evaluation.compare import table
from voiceconv.training.tracker import Tracker

BRACKETS = re.compile(r"\[.*?\]")


def texts(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The words of each command that has a help of ours, and all texts of that help."""
    if command.add_help_option:
        yield words, [command.help or "", *(getattr(p, "help", "") or "" for p in command.params)]
    for name, one in getattr(command, "commands", {}).items():
        yield from texts(one, (*words, name))


TEXTS = dict(texts(typer.main.get_command(app)))


@pytest.mark.parametrize("words", TEXTS, ids=" ".join)
def test_help_shows_what_its_source_has_in_brackets(words, monkeypatch, capsys):
    said = make_cli(monkeypatch, capsys)(*words, "--help")
    shown = " ".join(said.out.split())
    assert [
        one for text in TEXTS[words] for one in BRACKETS.findall(text) if one not in shown
    ] == []


def test_the_source_has_defaults_in_brackets():
    assert sum(len(BRACKETS.findall(one)) for help in TEXTS.values() for one in help) >= 25
    convert = BRACKETS.findall(" ".join(TEXTS[("convert",)]))
    assert {"[recognised, or an unseen speaker]", "[bundled]", "[the model's]"} <= set(convert)


def test_tables_and_warnings_show_names_in_brackets(capsys, tmp_path):
    show_summary(Summary([SplitSummary("train", "[low]", 2, 1.0, [16000])], []))
    assert "[low]" in capsys.readouterr().out

    speaker = Speaker("[low]", 2, 1.0, (16000,), -23.0, 30.0, 105.0, 60.0, 200.0)
    evidence = SimpleNamespace(measured={})
    print_report(Report([], evidence, [], [speaker], {}))
    assert "[low]" in capsys.readouterr().out

    system = {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 2}
    measures = {"peak": {"unit": "dB", "better": "none", "systems": [system, system]}}
    Console().print(
        table({"files": ["[a].json", "[b].json"], "n_utterances": 2, "measures": measures})
    )
    shown = capsys.readouterr().out
    assert "[a]" in shown and "[b]" in shown

    with Tracker(tmp_path, 0, 1) as tracker:
        tracker.warn(1, "domains [low] and [high]")
    assert "step 1: domains [low] and [high]" in capsys.readouterr().err


def test_without_a_terminal_training_has_its_steps_and_no_bar(tmp_path, capfd):
    with Tracker(tmp_path, 0, 2) as tracker:
        tracker.scalars(1, {"generator/cycle": 0.5})
        tracker.advance(1)
        tracker.advance(2)
    assert capfd.readouterr().err == "step 1/2: cycle 0.500\n"
