"""pyproject.toml names what voiceconv imports, and requirements.lock has all that it names."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKED = dict(
    re.findall(r"^([\w.-]+)==([\w.+]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
)

# Run-time dependencies that no module imports: pyworld imports what this one has.
OF_OTHERS = {"setuptools"}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def imported(source: str) -> Iterator[str]:
    """Yield the top module of every import, at any depth, and of what `optional.load` imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [node.module or ""] if not node.level else []
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "load":
            found = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
        else:
            continue
        yield from (str(name).split(".")[0] for name in found)


@pytest.fixture(scope="module")
def packages() -> dict[str, set[str]]:
    """Distribution -> the files of voiceconv that import it."""
    distributions = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "voiceconv").rglob("*.py")):
        for module in imported(path.read_text(encoding="utf-8")):
            if module not in sys.stdlib_module_names | {"voiceconv"}:
                for package in distributions.get(module, [module]):
                    where = str(path.relative_to(ROOT))
                    found.setdefault(canonicalize_name(package), set()).add(where)
    return found


def test_what_is_imported_is_declared(packages):
    declared = names(PROJECT["dependencies"])
    for extra, requirements in EXTRAS.items():
        if extra != "dev":
            declared |= names(requirements)
    assert {"torch", "pesq", "fastapi"} <= packages.keys()
    assert {name: where for name, where in packages.items() if name not in declared} == {}


def test_what_everybody_installs_is_imported(packages):
    assert names(PROJECT["dependencies"]) - packages.keys() == OF_OTHERS


def test_what_tests_alone_import_is_for_developers(packages):
    assert "kaldiio" in names(EXTRAS["dev"])
    assert names(EXTRAS["dev"]) & packages.keys() == set()


def test_the_lock_has_all_that_is_declared():
    asked = [Requirement(one) for one in PROJECT["dependencies"]]
    asked += [Requirement(one) for extra, all_of in EXTRAS.items() if extra != "pesq"
              for one in all_of]  # fmt: skip
    assert len(LOCKED) > len(asked) > 30
    wrong = [
        str(one)
        for one in asked
        if canonicalize_name(one.name) not in LOCKED
        or not one.specifier.contains(LOCKED[canonicalize_name(one.name)])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a.b, c", ["a", "c"]),
        ("def f():\n    from a.b import c", ["a"]),
        ("from . import a", []),
        ("x = load('a.b', 'a thing')", ["a"]),
        ("x = yaml.load(a)", []),
    ],
)
def test_what_counts_as_an_import(source, found):
    assert list(imported(source)) == found
