"""requirements-light.txt is enough for a conversion and for a stream, and holds no more."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import light
import soundfile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tiny_model import record, speech

from voiceconv.cli.app import NOT_LIGHT

ROOT = Path(__file__).parents[1]
WHOLE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
RUN = """
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def run(arguments: list[str | Path], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", RUN, ROOT / "tests" / "light.py", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, input=given, capture_output=True, env=environment)


def loaded(arguments: list[str | Path], given: bytes = b"") -> tuple[bytes, set[str]]:
    """What a light `voiceconv ARGUMENT...` says, and the packages that it has imported."""
    done = run(arguments, given)
    assert done.returncode == 0, done.stderr.decode()
    owners = packages_distributions()
    modules = json.loads(done.stderr.splitlines()[-1])
    packages = {one for name in modules for one in owners.get(name, ())}
    return done.stdout, {canonicalize_name(one) for one in packages}


def test_each_line_is_one_of_the_whole_toolkit():
    assert set(light.listed()) <= set(WHOLE)
    left_out = names(WHOLE) - names(light.listed())
    assert left_out == {"scipy", "scikit-learn", "librosa", "mido", "tensorboard"}


def test_what_is_left_out_comes_by_no_other_way():
    whole = light.installed_with(light.listed())
    assert not whole & {"scipy", "scikit-learn", "librosa", "numba", "tensorboard", "matplotlib"}


def test_a_conversion_imports_every_line_and_needs_no_other(tmp_path):
    wave = record(tmp_path / "in.wav", speech("low", 0.4))
    out = tmp_path / "out.wav"
    _, packages = loaded(["convert", wave, "--target", "kathleen", "-o", out])
    assert soundfile.info(out).frames == 9600  # at 24 kHz
    assert names(light.listed()) - packages == set()
    assert packages & {"scipy", "librosa", "scikit-learn"} == set()


def test_a_stream_needs_no_other(tmp_path):
    wave = record(tmp_path / "in.wav", speech("low", 0.4))
    out, _ = loaded(["stream", "--target", "kathleen"], wave.read_bytes())
    assert out[:4] == b"RIFF" and len(out) > 9600


def test_what_needs_the_whole_says_so():
    done = run(["fit", "nowhere", "-o", "x"])
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "leaves out; install the whole: pip install voiceconv" in said or (
        "install it with: pip install voiceconv\n" in said
    )


def test_the_sentence_knows_what_is_left_out():
    left_out = names(WHOLE) - names(light.listed())
    owners = packages_distributions()
    modules = {name for name, of in owners.items() if canonicalize_name(of[0]) in left_out}
    assert NOT_LIGHT <= modules
    assert {canonicalize_name(owners[name][0]) for name in NOT_LIGHT} == left_out
