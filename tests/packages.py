"""The package's own imports, read from its source: the table that they follow, and its picture.

`python tests/packages.py` draws the picture in docs/architecture.md anew.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "voiceconv"
TEXT = PACKAGE.parent / "docs" / "architecture.md"
BLOCK = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)

# Top-level files that anyone may use: they import each other and nothing else of ours.
LEAVES = {
    "device",
    "errors",
    "files",
    "model_folder",
    "optional",
    "progress",
    "schema",
    "signals",
    "workers",
}

# What each other part, a folder or a file, may import of the rest.
ALLOWED: dict[str, set[str]] = {
    "build": set(),
    "hub": set(),
    "audio": set(),
    "provenance": {"audio"},
    "executors": set(),
    "features": set(),
    "models": set(),
    "pages": set(),
    "web": set(),
    "losses": {"models"},
    "data": {"audio", "build", "features"},  # extract builds the extractor in each worker
    "objectives": {"data.batches", "losses", "models"},
    "training": {"data.batches", "objectives", "models.base"},  # the type of what ships
    "vocoders": {"build", "features", "models"},
    "metrics": {"audio.bs1770", "data.alignment", "features"},
    "check": {"audio", "build", "data", "features", "metrics"},
    "converter": {"audio", "build", "features", "hub", "models", "vocoders"},
    "baselines": {"build", "converter", "data", "features", "models", "vocoders"},
    "evaluation": {"audio", "data", "metrics", "provenance"},
    "report": {"audio", "evaluation", "features", "metrics", "pages"},
    "listen": {"audio", "data", "evaluation", "pages", "provenance", "web"},
    "serve": {"audio", "converter", "features", "hub", "provenance", "web"},
}
ALLOWED["genre"] = {"build", "converter", "data", "evaluation", "features", "models", "pages"}
ALLOWED["runs"] = {"audio", "build", "converter", "data", "features", "metrics", "models"}
ALLOWED["runs"] |= {"objectives", "provenance", "training", "vocoders"}
ALLOWED["commands"] = {part for part in ALLOWED if part not in ("pages", "web", "serve")}
ALLOWED["cli"] = {*ALLOWED}


def module_name(path: Path, package: Path) -> str:
    """'data/archive.py' -> 'data.archive'; 'data/__init__.py' -> 'data'.

    The package's own doors, '__init__.py' and '__main__.py', are ''.
    """
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)


def part_of(module: str) -> str:
    """'data.archive' -> 'data': its folder, or its file at the top."""
    return module.split(".")[0]


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


def edges(package: Path) -> Iterator[tuple[Path, int, str, str]]:
    """Yield (file, line, part, imported module) for every import of another part."""
    for path in sorted(package.rglob("*.py")):
        part = part_of(module_name(path, package))
        for line, target in imported(path, package):
            if part_of(target) != part:
                yield path, line, part, target


def graph(package: Path) -> dict[str, set[str]]:
    """Part -> the parts that it imports, without the leaves and the package's own door."""
    found: dict[str, set[str]] = {}
    for _, _, part, target in edges(package):
        if part and part not in LEAVES and part_of(target) not in LEAVES:
            found.setdefault(part, set()).add(part_of(target))
    return found


def reachable(part: str, imports: Mapping[str, set[str]]) -> set[str]:
    """All that a part imports, by way of others, too."""
    found: set[str] = set()
    new = set(imports.get(part, ()))
    while new:
        found |= new
        new = {other for one in new for other in imports.get(one, ())} - found
    return found


def mermaid(package: Path) -> str:
    """The graph as Mermaid draws it; an arrow that others imply is left out."""
    imports = graph(package)
    lines = ["flowchart TD"]
    for part, others in sorted(imports.items()):
        for other in sorted(others):
            if not any(other in reachable(between, imports) for between in others - {other}):
                lines.append(f"    {part} --> {other}")
    return "\n".join(lines) + "\n"


def draw() -> None:
    """Put the picture into the text."""
    text = TEXT.read_text(encoding="utf-8")
    TEXT.write_text(BLOCK.sub(lambda _: mermaid(PACKAGE), text), encoding="utf-8")


if __name__ == "__main__":
    draw()
