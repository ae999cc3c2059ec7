"""What nobody expected: exit code 3, one sentence, and a file with all that mending it takes."""

from importlib.metadata import version
from pathlib import Path

import pytest
from tiny_model import Cli, Said, make_cli

from voiceconv.cli import unexpected

END = "send it with what `voiceconv info --environment` says\n"


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv(unexpected.TRACEBACK, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(unexpected.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    return tmp_path / "state" / "voiceconv"


def divide(*arguments, **keywords):
    return 1 / 0


def log_of(said: Said, folder: Path) -> str:
    """The file that the one sentence names."""
    assert said.code == 3 and said.out == ""
    (path,) = folder.iterdir()
    assert said.err == (
        "voiceconv: error: unexpected ZeroDivisionError: division by zero; the traceback is in "
        f"{path}: {END}"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


def test_a_bug_is_one_sentence_and_a_file(voiceconv, state, monkeypatch):
    monkeypatch.setattr("voiceconv.commands.info.list_models", divide)
    log = log_of(voiceconv("models", "--json"), state)
    assert log.startswith("voiceconv models --json\n\nvoiceconv: ")
    assert f"\n  numpy: {version('numpy')}\n" in log
    assert "in divide\n    return 1 / 0\n" in log
    assert log.endswith("ZeroDivisionError: division by zero\n\n")


def test_a_bug_in_training_is_one_sentence_too(voiceconv, state, monkeypatch, tmp_path):
    def prepare(*arguments):
        try:
            divide()
        except ZeroDivisionError as error:
            raise LookupError("no step") from error

    monkeypatch.setattr("voiceconv.commands.train.prepare_trainer", prepare)
    arguments = ("experiment=cyclegan_vc2_small", "data.dump=none", f"run_dir={tmp_path / 'run'}")
    said = voiceconv("train", *arguments)
    (path,) = state.iterdir()
    assert said == (
        3,
        "",
        f"voiceconv: error: unexpected LookupError: no step; the traceback is in {path}: {END}",
    )
    log = path.read_text()
    assert log.startswith("voiceconv train experiment=cyclegan_vc2_small data.dump=none run_dir=")
    assert "ZeroDivisionError: division by zero\n\nThe above exception was the direct" in log
    assert "_Stopped" not in log


def test_the_traceback_itself_on_request(voiceconv, state, monkeypatch):
    monkeypatch.setenv(unexpected.TRACEBACK, "1")
    monkeypatch.setattr("voiceconv.commands.info.list_models", divide)
    said = voiceconv("models")
    assert said.code == 3
    assert said.err.startswith("Traceback (most recent call last):\n")
    assert said.err.splitlines()[-1] == (
        "voiceconv: error: unexpected ZeroDivisionError: division by zero; send the traceback "
        "with what `voiceconv info --environment` says"
    )
    assert not state.exists()


def test_where_the_file_cannot_be_it_is_elsewhere_or_shown(voiceconv, state, monkeypatch, tmp_path):
    monkeypatch.setattr("voiceconv.commands.info.list_models", divide)
    (tmp_path / "state").write_text("no folder")
    log_of(voiceconv("models"), tmp_path / "temporary")
    (next((tmp_path / "temporary").iterdir())).unlink()
    (tmp_path / "temporary").rmdir()
    (tmp_path / "temporary").write_text("no folder")
    said = voiceconv("models")
    assert said.code == 3 and said.err.startswith("Traceback (most recent call last):\n")


def test_versions_that_cannot_be_had_cost_no_traceback(voiceconv, state, monkeypatch):
    monkeypatch.setattr("voiceconv.commands.info.list_models", divide)
    monkeypatch.setattr("voiceconv.commands.environment.environment", divide)
    log = log_of(voiceconv("models"), state)
    assert "\n\nno environment: ZeroDivisionError: division by zero\n\nTraceback" in log


def test_the_file_does_not_name_the_home_folder(voiceconv, state, monkeypatch):
    monkeypatch.setenv("HOME", str(Path(__file__).parents[1]))
    monkeypatch.setattr("voiceconv.commands.info.list_models", divide)
    log = log_of(voiceconv("models"), state)
    assert 'File "~/cli/test_unexpected.py"' in log
    assert str(Path(__file__).parents[1]) not in log


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("two\nlines"), "ValueError: two lines"),
        (AssertionError(), "AssertionError"),
        (KeyError("key"), "KeyError: 'key'"),
        (RuntimeError("x" * 400), "RuntimeError: " + "x" * 300 + "..."),
        (ValueError("\udcff"), "ValueError: \\udcff"),
    ],
)
def test_an_exception_in_one_line(error, sentence):
    assert unexpected._sentence(error) == sentence
