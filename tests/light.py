"""Run `voiceconv ARGUMENT...` as in an installation of requirements-light.txt alone.

No other package that is installed here is found by an import.
"""

import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from importlib.resources import files
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LIGHT = Path(__file__).parents[1] / "requirements-light.txt"


def listed() -> list[str]:
    """The lines of requirements-light.txt that are requirements."""
    return [line for line in LIGHT.read_text().splitlines() if line and line[0] != "#"]


def installed_with(requirements: Iterable[str]) -> set[str]:
    """The packages that pip would install for them."""
    found: set[str] = set()
    waiting = [(Requirement(one), frozenset([""])) for one in requirements]
    while waiting:
        asked, extras = waiting.pop()
        name = canonicalize_name(asked.name)
        if asked.marker and not any(asked.marker.evaluate({"extra": one}) for one in extras):
            continue
        if name in found:
            continue
        found.add(name)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [(Requirement(one), frozenset(["", *asked.extras])) for one in needs]
    return found


def absent(allowed: set[str]) -> set[str]:
    """The top modules of packages that are installed here and not allowed."""
    brought = {path.stem for path in files("setuptools").joinpath("_vendor").iterdir()}
    return {
        module
        for module, packages in packages_distributions().items()
        if not {canonicalize_name(one) for one in packages} & (allowed | {"voiceconv"})
    } - brought


class Without:
    """Finds modules as another finder does, but for the absent ones."""

    def __init__(self, finder: MetaPathFinder, modules: set[str]) -> None:
        self._finder, self._modules = finder, modules

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)  # importlib.metadata asks for more

    def find_spec(self, name: str, *others: Any) -> ModuleSpec | None:
        """See MetaPathFinder."""
        return None if name in self._modules else self._finder.find_spec(name, *others)


if __name__ == "__main__":
    modules = absent(installed_with(listed()))
    sys.meta_path[:] = [Without(finder, modules) for finder in sys.meta_path]
    from voiceconv.cli import main

    sys.argv[0] = "voiceconv"
    main()
