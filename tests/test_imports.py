"""Imports run one way: tests/packages.py has the table, docs/architecture.md its picture."""

import ast
from pathlib import Path

import pytest
from packages import ALLOWED, BLOCK, LEAVES, PACKAGE, TEXT, edges, mermaid, module_name, part_of

HOMES = {"soundfile": {"audio"}, "soxr": {"audio"}, "hydra": {"build", "commands", "runs"}}


def offences(package: Path) -> list[str]:
    """A sentence for each import that the table forbids."""
    found = []
    for path, line, part, target in edges(package):
        if part_of(target) in LEAVES and part_of(target) != part:
            continue
        allowed = ALLOWED.get(part, set())
        if not part or any(f"{target}.".startswith(f"{other}.") for other in allowed):
            continue  # the package's door imports what it hands on
        where = path.relative_to(package.parent)
        found.append(f"{where}:{line}: '{part}' must not import voiceconv.{target}")
    return found


def test_imports_follow_the_table():
    assert len(list(edges(PACKAGE))) > 100, "does this test still read the package?"
    assert offences(PACKAGE) == []


def test_the_table_is_of_what_is_there():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    without_code = {"__init__", "__main__", "__pycache__", "conf", "pretrained"}
    assert parts - without_code == {*ALLOWED, *LEAVES}


def test_no_part_imports_in_a_circle():
    order = list(ALLOWED)
    for part, allowed in ALLOWED.items():
        assert all(order.index(part_of(other)) < order.index(part) for other in allowed), part


def test_the_picture_is_of_the_code():
    (drawn,) = BLOCK.findall(TEXT.read_text(encoding="utf-8"))
    assert drawn == mermaid(PACKAGE), "draw it anew: python tests/packages.py"


def test_sound_files_and_hydra_each_have_one_home():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        part = part_of(module_name(path, PACKAGE))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} & HOMES.keys():
                found.append((part, top))
    assert {top for _, top in found} == HOMES.keys()
    assert [(part, top) for part, top in found if part not in HOMES[top]] == []


@pytest.mark.parametrize(
    ("path", "source", "offence"),
    [
        ("models/a.py", "import voiceconv.features.mel", "'models' ... voiceconv.features.mel"),
        ("models/a.py", "from voiceconv import audio", "'models' ... voiceconv.audio"),
        ("models/a.py", "from ..data import archive", "'models' ... voiceconv.data"),
        ("models/__init__.py", "from ..data import x", "'models' ... voiceconv.data"),
        ("features/a.py", "def f():\n    from voiceconv.models import X", "'features' ... models"),
        ("metrics/a.py", "from voiceconv.data.archive import X", "'metrics' ... voiceconv.data"),
        ("metrics/a.py", "from voiceconv.audio import read", "'metrics' ... voiceconv.audio"),
        ("audio/header.py", "from voiceconv.features import X", "'audio' ... voiceconv.features"),
        ("errors.py", "import voiceconv.audio", "'errors' ... voiceconv.audio"),
        ("build.py", "from voiceconv.models import X", "'build' ... voiceconv.models"),
        ("commands/train.py", "import voiceconv.cli", "'commands' ... voiceconv.cli"),
        ("new/a.py", "import voiceconv.audio", "'new' ... voiceconv.audio"),
        ("metrics/a.py", "from voiceconv.data.alignment import X", None),
        ("models/a.py", "from .base import X\nfrom voiceconv.errors import InputError", None),
        ("data/a.py", "from voiceconv.audio.waves import X", None),
        ("model_folder.py", "from voiceconv.files import X", None),
        ("cli/a.py", "def f():\n    from voiceconv.training import trainer", None),
    ],
)
def test_the_rule_itself(tmp_path, path, source, offence):
    file = tmp_path / "voiceconv" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    found = offences(tmp_path / "voiceconv")
    assert len(found) == (offence is not None)
    if offence is not None:
        part, target = offence.split(" ... ")
        assert found[0].startswith(f"voiceconv/{path}:")
        assert f"{part} must not import" in found[0] and target in found[0]
