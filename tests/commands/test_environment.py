"""`voiceconv info --environment`: versions from the package's own requirements, nothing private."""

import getpass
import json
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch
from tiny_model import Cli, make_cli

from voiceconv.commands import environment as module
from voiceconv.commands.environment import environment

REQUIRED = [
    "torch==2.11.0",
    "numpy~=2.4",
    "no_such.package>=1; python_version < '4'",
    "matplotlib~=3.11; extra == 'report'",
    'absent-part~=1.0 ; extra == "listen"',
    "ruff~=0.17.6; extra == 'dev'",
]


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_all_that_is_required_is_there_with_its_version_or_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "requires", lambda package: REQUIRED)
    found = environment()
    assert found["packages"] == {
        "no_such.package": "missing; install it with: pip install 'voiceconv'",
        "numpy": version("numpy"),
        "torch": version("torch"),
    }
    assert found["extras"] == {
        "listen": {"absent-part": "missing; install it with: pip install 'voiceconv[listen]'"},
        "report": {"matplotlib": version("matplotlib")},
    }


def test_the_packages_own_requirements_are_read():
    found = environment()
    assert {"torch", "torchaudio", "numpy", "pyworld", "typer"} <= found["packages"].keys()
    assert list(found["extras"]) == [
        *("c2pa", "cluster", "eval", "export", "hub", "lhotse", "listen", "live", "media"),
        *("pesq", "remote", "report", "serve", "watermark"),
    ]
    assert found["voiceconv"] == version("voiceconv")
    assert found["python"].split()[1] == platform.python_version()
    assert found["devices"]["threads"] == torch.get_num_threads()


def test_a_tree_that_was_never_installed(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(module, "requires", missing)
    found = environment()
    assert (found["packages"], found["extras"]) == ({}, {})


def test_cuda_devices_have_names(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"Card {number}")
    assert environment()["devices"]["cuda"] == ["Card 0", "Card 1"]


def test_as_lines_and_as_json(voiceconv, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    said = voiceconv("info", "--environment")
    lines = said.out.splitlines()
    assert said.code == 0 and lines[0] == f"voiceconv: {version('voiceconv')}"
    assert {f"  numpy: {version('numpy')}", "extras:", "  eval:", "  cuda: none"} < set(lines)
    shown = json.loads(voiceconv("info", "--environment", "--json").out)
    assert shown == environment() and shown["devices"]["cuda"] == []
    said = voiceconv("info", "a-model", "--environment")
    assert (said.code, said.err) == (
        2,
        "voiceconv: error: --environment is about this machine, not about a-model; name one of "
        "the two\n",
    )


def test_nothing_says_whose_machine_it_is(voiceconv):
    out = voiceconv("info", "--environment").out
    assert str(Path.home()) not in out and str(Path(module.__file__).parents[2]) not in out
    words = out.replace("/", " ").split()
    assert {socket.gethostname(), getpass.getuser()}.isdisjoint(words)
    assert not any(word.startswith("/") for word in out.split())
