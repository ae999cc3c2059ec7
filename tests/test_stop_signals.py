"""SIGHUP ends a command as SIGTERM does, unless nohup has it ignored, and lost output ends none."""

import os
import signal
import subprocess
import sys

import pytest
from tiny_model import make_cli

from voiceconv.signals import ending_signals, note_hang_up

LOSE = """
import os, sys
from voiceconv.signals import drop_lost_output
controller, terminal = os.openpty()
os.dup2(terminal, 2)
drop_lost_output()  # nothing is lost yet
os.write(2, b"seen")
assert os.read(controller, 4) == b"seen"
os.close(controller)
os.close(terminal)
try:
    os.write(2, b"lost")
except OSError as error:
    print(error.errno)
drop_lost_output()
print(os.write(2, b"lost"))
"""


@pytest.fixture
def hang_up():
    """The process's own handler of SIGHUP stays."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_up")
def test_nohup_is_honoured():
    assert ending_signals() == [signal.SIGTERM, signal.SIGHUP]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ending_signals() == [signal.SIGTERM]


@pytest.mark.usefixtures("hang_up")
def test_a_second_hang_up_does_nothing():
    note_hang_up(signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    note_hang_up(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)  # would end this process


def test_what_a_closed_terminal_would_get_is_dropped():
    done = subprocess.run(
        [sys.executable, "-c", LOSE], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["5", "4"], "")  # EIO, then four bytes


@pytest.mark.usefixtures("hang_up")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_cleans_up_and_ends(monkeypatch, capsys, number):
    cleaned = []

    def work():
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)

    monkeypatch.setattr("voiceconv.commands.environment.environment", work)
    said = make_cli(monkeypatch, capsys)("info", "--environment")
    assert (said.code, said.err, cleaned) == (128 + number, "", [True])
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
