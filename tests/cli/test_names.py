"""Names of data that become files: none leads out of the output, and any bytes can be shown."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import MEL_CONFIG, RATE, Cli, make_cli, make_converter, record, speech

from voiceconv.cli.terminal import OneLine, escaped
from voiceconv.converter import Converter


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of one utterance, `a-1`, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "in.wav", speech("low", 0.3), RATE)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/wav.scp").write_text("a-1 in.wav\n")
    (tmp_path / "data/utt2spk").write_text("a-1 a\n")
    return tmp_path / "data"


@pytest.mark.parametrize(
    "command",
    [
        ["convert", "data", "--model", "baseline:copy", "--target", "nathalie", "-o", "out/x"],
        ["resynth", "data", "--features", "world", "-o", "out/x"],
        ["check", "data", "--fix", "out"],
        ["extract", "data", "out"],
    ],
)
def test_an_utterance_that_leads_out_is_refused(data, voiceconv, command):
    (data / "wav.scp").write_text("../a in.wav\n")
    (data / "utt2spk").write_text("../a a\n")
    before = tree(data.parent)
    done = voiceconv(*command)
    assert (done.code, done.err) == (
        2,
        "voiceconv: error: data/utt2spk:1: no file can be called '../a', which leads out of its "
        "folder; rename it\n",
    )
    assert tree(data.parent) == before


def test_a_slash_in_a_name_is_a_folder_of_the_output(data, voiceconv):
    (data / "wav.scp").write_text("one/a-1 in.wav\n")
    (data / "utt2spk").write_text("one/a-1 a\n")
    command = ["--model", "baseline:copy", "--target", "nathalie", "-o", "out"]
    assert voiceconv("convert", "data", *command).code == 0
    assert "one/a-1.wav" in tree(data.parent / "out")


def test_a_models_domain_leads_nowhere_either(data, voiceconv):
    tiny = make_converter(MEL_CONFIG)
    stats = {"../../x": tiny.stats["high"], "low": tiny.stats["low"]}
    Converter(MEL_CONFIG, stats).save_pretrained(data.parent / "model", {})
    before = tree(data.parent)
    done = voiceconv("convert", "in.wav", "--model", "model", "--target", "../../x")
    assert done.code == 2 and "no file can be called 'in-../../x.wav'" in done.err
    assert tree(data.parent) == before


def test_what_a_terminal_cannot_show_is_escaped(monkeypatch):
    name = "a\n\x1b[31m\udce4 é\u2028.wav"
    assert escaped(name) == r"a\n\x1b[31m\udce4 é\u2028.wav"
    record = logging.LogRecord("voiceconv", logging.WARNING, "", 1, "no %s", (name,), None)
    assert OneLine("voiceconv: %(message)s").format(record) == f"voiceconv: no {escaped(name)}"


def test_ascii_output_shows_umlauts_escaped(tmp_path, monkeypatch, voiceconv):
    for domain in ("Jürgen", "Zoë"):
        for number in range(3):
            record(tmp_path / f"src/{domain}/{domain}{number}.wav", speech("low", 0.1), RATE)
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    assert voiceconv("prepare", tmp_path / "src", tmp_path / "data").code == 0
    shown.seek(0)
    assert "J\\xfcrgen" in shown.read() and "ü" in (tmp_path / "data/val/utt2spk").read_text()


def test_python_m_voiceconv_is_the_program():
    command = [sys.executable, "-m", "voiceconv", "convert"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: voiceconv convert [OPTIONS]")
