"""A family as somebody would add it: its files beside the package's own, in a tree of links.

A family is a folder that lies as `voiceconv/` does (`models/x.py`, `conf/experiment/x.yaml`): all
that adding it takes. What runs on the tree runs in a process of its own, which imports it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny import differing

PACKAGE = Path(__file__).parents[2] / "voiceconv"


def overlay(tmp_path: Path, family_folder: Path) -> Path:
    """Make PLACE/voiceconv of the package's files and the family's; PLACE.

    Raises FileExistsError where a family would change a file of the package.
    """
    place = tmp_path / "place"
    for root in (PACKAGE, family_folder):
        for name in _files(root):
            link = place / "voiceconv" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root / name)
    return place


def added(place: Path, family_folder: Path) -> list[str]:
    """What PLACE/voiceconv has beside the package's own files, sorted."""
    links = {name: (place / "voiceconv" / name).resolve() for name in _files(place / "voiceconv")}
    package = {name: (PACKAGE / name).resolve() for name in _files(PACKAGE)}
    assert package.items() <= links.items(), "a file of the package was changed"
    assert all(family_folder in links[name].parents for name in links.keys() - package)
    return sorted(links.keys() - package)


def run_python(place: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run Python source in PLACE, with the family to import."""
    return _run(place, "-c", script)


def cli(place: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `voiceconv ARGUMENT...` in PLACE."""
    return _run(place, "-m", "voiceconv", *map(str, arguments))


def _run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=600
    )


def _files(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        if not path.is_dir() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()


# What the scripts of families share: commands in one process, what they said and how they ended.
DRIVER = """
import contextlib, io, json, os, signal, sys
from voiceconv.cli import main
from voiceconv.training.trainer import Trainer

said = []

def voiceconv(*words):
    sys.argv = ["voiceconv", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code or 0
    said.append([" ".join(words), code, out.getvalue(), err.getvalue()])

def interrupted(at, *words):
    step = Trainer.train_step
    def train_step(self):
        losses = step(self)
        if self.step == at:
            os.kill(os.getpid(), signal.SIGINT)
        return losses
    Trainer.train_step = train_step
    voiceconv(*words)
    Trainer.train_step = step
"""
END = 'json.dump(said, open("said.json", "w"))\n'


def told(place: Path) -> dict[str, tuple[int, str, str]]:
    """Command -> exit code, stdout and stderr; of the same command, the first's."""
    said = json.loads((place / "said.json").read_text())
    return {command: (code, out, err) for command, code, out, err in reversed(said)}


def require_equal_runs(place: Path, one: str, other: str, step: int) -> int:
    """Two runs' checkpoints are equal to the bit, and so are the models; how many tensors."""
    states = [
        torch.load(place / run / "checkpoints" / "last.pt", weights_only=True)
        for run in (one, other)
    ]
    assert [state["step"] for state in states] == [step, step]
    assert differing(*states) == []
    models = [load_file(place / run / "model" / "translator.safetensors") for run in (one, other)]
    assert differing(*models) == []
    return len(states[0]["objective"])
