"""Imports run one way: docs/architecture.md has the same table in words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "voiceconv"

# Leaves that anything may use: they know nothing of voice conversion.
LEAVES = {"errors", "files", "optional"}

# Modules that are one unit with another, which is their front.
PARTS = {"riff": "audio", "waves": "audio", "loudness": "audio"}
PARTS |= dict.fromkeys(["cli_listen", "cli_options", "cli_scores", "cli_vocoder"], "cli")
PARTS |= dict.fromkeys(["card", "model_directory", "pieces", "stranger"], "converter")

# A unit is a sub-package, or a module at the top. What each may import, besides leaves and itself:
ALLOWED = {
    "audio": set(),
    "features": set(),
    "models": set(),
    "losses": {"models"},
    "data": {"features", "audio", "build"},  # extract builds the extractor in each worker
    "vocoders": {"build", "features", "models"},
    "objectives": {"data", "models", "losses"},
    "training": {"objectives", "models.base"},  # the type of what ships, and no network
    "metrics": {"features", "data.alignment", "loudness"},
    "check": {"audio", "build", "data", "features", "metrics"},
    "build": set(),
    "converter": {"audio", "build", "features", "models", "vocoders"},
    "evaluation": {"audio", "data", "metrics", "provenance"},
    "report": {"audio", "evaluation", "features", "metrics"},
    "listen": {"audio", "data", "evaluation", "provenance", "report"},
    "baselines": {"build", "converter", "data", "features", "models", "vocoders"},
}


def module_name(path: Path, package: Path) -> str:
    """'data/archive.py' -> 'data.archive'; 'data/__init__.py' -> 'data'; '__init__.py' -> ''."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    """'data.archive' -> 'data'; 'riff' -> 'audio'."""
    top = module.split(".")[0]
    return PARTS.get(top, top)


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module below voiceconv) for every import of voiceconv's own, at any depth."""
    name, is_package = module_name(path, package), path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # one dot is the module's own package, each further one its parent
                here = ["voiceconv", *filter(None, name.split("."))]
                here = here[: len(here) - node.level + is_package]
                base = ".".join([*here, *filter(None, [node.module])])
            # "from voiceconv import audio" names a module, "from voiceconv.audio import" does not.
            top = base == "voiceconv"
            targets = [f"{base}.{alias.name}" if top else base for alias in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            if target.startswith("voiceconv.") and not target.startswith("voiceconv.__"):
                yield node.lineno, target.removeprefix("voiceconv.")


def is_below(module: str, other: str) -> bool:
    """'waves' is below 'audio', its unit; 'data.alignment' below 'data' and below itself."""
    return unit_of(module) == other or f"{module}.".startswith(f"{other}.")


def check_edges(package: Path) -> tuple[int, list[str]]:
    """Return the number of edges between units, and a sentence for each that the table forbids."""
    count, offences = 0, []
    for path in sorted(package.rglob("*.py")):
        unit = unit_of(module_name(path, package))
        for line, target in imported(path, package):
            if unit_of(target) in {unit, *LEAVES}:
                continue
            count += 1
            if unit in ALLOWED:
                permitted = any(is_below(target, other) for other in ALLOWED[unit])
            else:  # what is above the table (cli, train, fit ...): anything but the cli
                permitted = unit_of(target) != "cli" and unit not in LEAVES
            if not permitted:
                where = path.relative_to(package.parent)
                offences.append(f"{where}:{line}: '{unit}' must not import voiceconv.{target}")
    return count, offences


def test_imports_follow_the_table():
    count, offences = check_edges(PACKAGE)
    assert count > 20, "hardly any import was found: does this test still read the package?"
    assert not offences, "\n".join(offences)


def test_every_unit_of_the_table_exists():
    units = {path.stem for path in PACKAGE.iterdir()}
    assert {*ALLOWED, *LEAVES, *PARTS} <= units


def test_sound_files_and_hydra_each_have_one_home():
    homes = {"soundfile": {"audio"}, "soxr": {"audio"}}
    homes["hydra"] = {"build", "train", "train_vocoder"}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        unit = unit_of(module_name(path, PACKAGE))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} & homes.keys():
                found.append((unit, top))
    assert found
    assert [(unit, top) for unit, top in found if unit not in homes[top]] == []


@pytest.mark.parametrize(
    ("path", "source", "offence"),
    [
        ("models/a.py", "import voiceconv.features.mel", "'models' ... voiceconv.features.mel"),
        ("models/a.py", "from voiceconv import audio", "'models' ... voiceconv.audio"),
        ("models/a.py", "from ..data import archive", "'models' ... voiceconv.data"),
        ("models/__init__.py", "from ..data import x", "'models' ... voiceconv.data"),
        ("features/a.py", "def f():\n    from voiceconv.models import X", "'features' ... models"),
        ("metrics/a.py", "from voiceconv.data.archive import X", "'metrics' ... voiceconv.data"),
        ("riff.py", "from voiceconv.features import X", "'audio' ... voiceconv.features"),
        ("errors.py", "import voiceconv.audio", "'errors' ... voiceconv.audio"),
        ("train.py", "import voiceconv.cli", "'train' ... voiceconv.cli"),
        ("metrics/a.py", "from voiceconv.data.alignment import X", None),
        ("models/a.py", "from .base import X\nfrom voiceconv.errors import InputError", None),
        ("data/a.py", "from voiceconv.waves import X", None),
        ("cli.py", "def f():\n    from voiceconv.training import trainer", None),
    ],
)
def test_the_rule_itself(tmp_path, path, source, offence):
    file = tmp_path / "voiceconv" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    offences = check_edges(tmp_path / "voiceconv")[1]
    assert len(offences) == (offence is not None)
    if offence is not None:
        unit, target = offence.split(" ... ")
        assert offences[0].startswith(f"voiceconv/{path}:")
        assert f"{unit} must not import" in offences[0] and target in offences[0]
