"""What a shell offers for --model, --source and --target: from names and YAML, without torch."""

from collections.abc import Iterator
from pathlib import Path

import typer
import yaml

from voiceconv.errors import InputError
from voiceconv.files import read_text

BUNDLED = Path(__file__).parents[1] / "pretrained"
BASELINES = [f"baseline:{name}" for name in ("copy", "statistics", "f0shift", "gmm", "knn")]


def complete_model(incomplete: str) -> list[str]:
    """Bundled models and folders, which are what models are, too."""
    names = [path.name for path in _bundled()]
    return [name for name in [*names, *_folders(incomplete)] if name.startswith(incomplete)]


def complete_model_or_baseline(incomplete: str) -> list[str]:
    """The same, and what a model has to beat."""
    baselines = [name for name in BASELINES if name.startswith(incomplete)]
    return complete_model(incomplete) + baselines


def complete_domain(context: typer.Context, incomplete: str) -> list[str]:
    """Domains of the model that is named on the line, else of the bundled ones."""
    model = context.params.get("model")
    places = _bundled()
    if model and not model.startswith("baseline:"):
        places = [Path(model), Path(model) / "model", BUNDLED / model]
    domains = next((found for place in places if (found := _domains(place))), [])
    return [name for name in domains if name.startswith(incomplete)]


def _bundled() -> list[Path]:
    return sorted(path.parent for path in BUNDLED.glob("*/translator.safetensors"))


def _domains(folder: Path) -> list[str]:
    """Empty where it is no model's: a run's own configuration is another."""
    try:
        config = yaml.safe_load(read_text(folder / "config.yaml"))
        return [str(name) for name in config["domains"]]
    except (OSError, InputError, yaml.YAMLError, KeyError, TypeError):
        return []


def _folders(incomplete: str) -> Iterator[str]:
    """Those that begin like it, with the slash after which a shell goes on."""
    parent, slash, start = incomplete.rpartition("/")
    try:
        for path in sorted(Path(parent + slash or ".").iterdir()):
            if path.name.startswith(start) and path.is_dir() and path.name[0] != ".":
                yield f"{parent}{slash}{path.name}/"
    except OSError:
        return
