"""What a shell is offered, asked as bash, zsh and fish ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import Cli, make_cli, make_converter

from voiceconv.baselines import BASELINES
from voiceconv.cli import completion
from voiceconv.converter import Converter
from voiceconv.converter.directory import bundled_models

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def offered(monkeypatch, voiceconv):
    """offered("voiceconv con", "bash") -> what the shell is told at the end of the line."""

    def call(line: str, shell: str = "bash") -> str:
        monkeypatch.setenv("_VOICECONV_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        return voiceconv().out

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_commands_and_models(offered, folder, shell):
    assert "convert" in offered("voiceconv con", shell)
    for path in bundled_models():
        assert path.name in offered("voiceconv convert in.wav --model ", shell)
    assert "resynth" not in offered("voiceconv con", shell)


def test_the_bundled_models_domains_are_offered(offered, folder):
    domains = Converter.from_pretrained().domains
    assert offered("voiceconv convert in.wav --target ").split() == domains
    assert offered(f"voiceconv convert in.wav --source {domains[0][:3]}").split() == domains[:1]
    line = "voiceconv convert in.wav --model baseline:statistics --target "
    assert offered(line).split() == domains


@pytest.mark.parametrize("place", ["mine", "run/model"])
def test_a_model_of_ones_own_has_its_own_domains(offered, folder, place):
    make_converter().save_pretrained(place, {})
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "config.yaml").write_text("features: of a run")
    model = place.removesuffix("/model")
    line = f"voiceconv convert in.wav --model {model} --target "
    assert offered(line).split() == ["high", "low"]
    assert offered(line + "l").split() == ["low"]


@pytest.mark.parametrize("text", [None, "domains: 3", "- a", "domains: [", "\udcff"])
def test_what_is_no_model_has_none(offered, folder, text):
    (folder / "odd").mkdir()
    if text is not None:
        (folder / "odd/config.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert offered("voiceconv convert in.wav --model odd --target ").split() == []


def test_models_are_bundled_ones_baselines_and_folders(offered, folder):
    for name in ("nat", "exp/one", "exp/two", ".hidden"):
        (folder / name).mkdir(parents=True)
    (folder / "exp/file").touch()
    assert completion.complete_model("nat") == ["nathalie-flemishguy", "nat/"]
    assert completion.complete_model("exp/") == ["exp/one/", "exp/two/"]
    assert completion.complete_model("gone/") == []
    assert completion.complete_model_or_baseline("base") == [f"baseline:{n}" for n in BASELINES]
    assert "baseline" not in offered("voiceconv resynth in.wav --model ")
    assert ".hidden" not in offered("voiceconv resynth in.wav --model ")


def test_a_shell_does_not_wait_for_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['voiceconv']\n"
        "from voiceconv.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'hydra', 'numpy', 'rich') if m in sys.modules])"
    )
    words = "voiceconv convert in.wav --target "
    asked = {"_VOICECONV_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | asked
    )
    assert done.stdout.splitlines() == ["flemishguy", "kathleen", "kerstin", "nathalie", "[]"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_a_shell_is_shown(voiceconv, monkeypatch, shell):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    said = voiceconv("--show-completion", shell)
    assert said.code == 0 and "_VOICECONV_COMPLETE" in said.out
