"""What a command finds around it: closed streams, no home, no working directory, a full disk."""

import os
import subprocess
import sys

import pytest
import torch
from tiny_model import Cli, make_cli

from voiceconv import audio
from voiceconv.cli import app
from voiceconv.errors import InputError

CLOSED = """
import os, sys
from voiceconv.cli import app
app._open_streams()
print("lost", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    file.write(str(file.fileno()))
os.write(2, b"what a library prints")
"""


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_of_closed_streams_no_file_gets_the_number(tmp_path):
    program = [sys.executable, "-c", CLOSED, str(tmp_path / "file")]
    closing = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *program]
    assert subprocess.run(closing).returncode == 0
    assert int((tmp_path / "file").read_text()) > 2


def test_closed_streams_are_named(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="^standard input is closed; name a file$"):
        audio.read("-")
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match="^standard output is closed; name a file with -o$"):
        audio.write("-", torch.zeros(9), 8000)


@pytest.mark.skipif(sys.platform == "win32", reason="such a directory cannot be removed there")
def test_a_removed_working_directory_is_named(voiceconv, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    said = voiceconv("info")
    monkeypatch.chdir(tmp_path)
    sentence = "voiceconv: error: the working directory was removed; cd into one that is there\n"
    assert said == (2, "", sentence)


def test_a_user_without_home_and_name_gets_both(monkeypatch):
    for name in ("HOME", "USER"):
        monkeypatch.setenv(name, "given")
    app._name_user()
    assert (os.environ["HOME"], os.environ["USER"]) == ("given", "given")
    monkeypatch.delenv("USER")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # no entry in passwd either
    app._name_user()
    assert (os.environ["HOME"], os.environ["USER"]) == ("/nonexistent", "nobody")


def test_a_full_disk_is_one_sentence(voiceconv, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device", "dump/feats.ark")

    monkeypatch.setattr("voiceconv.data.statistics.write_stats", fail)
    sentence = "voiceconv: error: dump/feats.ark: No space left on device; make room\n"
    assert voiceconv("stats", "dump") == (1, "", sentence)
