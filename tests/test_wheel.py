"""What is published: the wheel has the package with its models, and nothing of the project else."""

import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as `python -m build` builds it."""
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling isn't installed")
    builder = builders.WheelBuilder(str(ROOT))
    (path,) = builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_is_the_package_without_tests(wheel):
    names = wheel.namelist()
    information = f"voiceconv-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"voiceconv", information}
    assert [name for name in names if "test" in name.lower() and "listen/" not in name] == []
    assert [name for name in names if name.endswith((".pyc", ".pt", ".pkl"))] == []
    assert {f"{information}/licenses/LICENSE", f"{information}/entry_points.txt"} < set(names)


def test_what_is_no_code_is_in_the_wheel_too(wheel):
    inside = {name for name in wheel.namelist() if name.startswith("voiceconv/")}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "voiceconv").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert inside == there
    assert {"voiceconv/conf/config.yaml", "voiceconv/pretrained/sample.wav"} < inside
    assert sum(one.compress_size for one in wheel.infolist()) < 40e6


def test_what_a_registry_shows_is_stated(wheel):
    (name,) = (one for one in wheel.namelist() if one.endswith("/METADATA"))
    said = Parser().parsestr(wheel.read(name).decode())
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload().startswith("#")
    extras = said.get_all("Provides-Extra")
    assert sorted(extras) == sorted(PROJECT["optional-dependencies"])
