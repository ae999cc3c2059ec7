"""What ships: a directory of YAML, safetensors and a card. Nothing in it can run code."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from voiceconv.card import card_text
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, load_stats, save_stats
from voiceconv.files import read_mapping, replace_text, replacing
from voiceconv.vocoders import directory

FORMAT = 1
BUNDLED = Path(__file__).parent / "pretrained"
DEFAULT = "nathalie-flemishguy"
CONFIG, WEIGHTS, STATS, CARD = (
    "config.yaml",
    "translator.safetensors",
    "stats.safetensors",
    "README.md",
)
VOCODER = "vocoder"  # a neural vocoder's own directory in it
EXPORT = "export.json"  # where graphs for onnxruntime are in place of the weights

_KINDS: dict[str, type | UnionType] = {
    "features": dict,
    "translator": dict,
    "vocoder": dict,
    "domains": list,
    "loudness": float | int | None,
    "card": dict | None,
}


def find_model(model: Path | str | None) -> Path:
    """The directory of a model: given itself, by its run directory, or a bundled one by its name.

    None is the bundled default. Raises InputError where there is none.
    """
    name = DEFAULT if model is None else str(model)
    places = [BUNDLED / name]
    if model is not None:
        places = [Path(name), Path(name) / "model", *places]
    for folder in places:
        if (folder / CONFIG).is_file() and _has_model_config(folder / CONFIG):
            return folder
    bundled = ", ".join(path.name for path in bundled_models()) or "none"
    raise InputError(
        f"no model {name!r}: it is neither a model's directory, nor a run with a model/ in it, nor "
        f"bundled ({bundled})"
    )


def engine_of(folder: Path, wanted: str | None = None) -> str:
    """What a model's directory is for: `onnx` where `voiceconv export` has made it, else `torch`.

    Raises InputError where something else is wanted.
    """
    engine = "onnx" if (folder / EXPORT).is_file() else "torch"
    if wanted not in (None, "torch", "onnx"):
        raise InputError(f"no engine {wanted!r}; choose torch or onnx")
    if wanted == "onnx" != engine:
        raise InputError(
            f"{folder} holds no graphs for onnx; make them by `voiceconv export {folder} -o DIR` "
            "and convert with --model DIR"
        )
    if wanted == "torch" != engine:
        raise InputError(
            f"{folder} is an export, without weights for torch; leave --engine out, or name the "
            "model that it was made of"
        )
    return engine


def digest(folder: Path) -> str:
    """The SHA-256 of all that a model's directory computes with: settings, statistics, networks."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".yaml", ".safetensors", ".onnx"):
            continue
        whole.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        with open(path, "rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def bundled_models() -> list[Path]:
    """The directories of the models that come with the package."""
    return sorted(path.parent for path in BUNDLED.glob(f"*/{WEIGHTS}"))


def read_config(folder: Path) -> dict[str, Any]:
    """config.yaml, checked: nodes, domains, loudness, card.

    Raises InputError where it is unreadable, incomplete, or of another format.
    """
    path = folder / CONFIG
    config = read_mapping(path, "fetch the model again")
    missing = {"format", *_KINDS} - {"card"} - set(config)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; fetch the model again")
    if config["format"] != FORMAT:
        raise InputError(
            f"{path} is of format {config['format']}, this version reads {FORMAT}; use the version "
            "of voiceconv that wrote it"
        )
    for key, kind in _KINDS.items():
        if not isinstance(config.get(key), kind):
            raise InputError(f"{path}: {key} is {config[key]!r}; fetch the model again")
    if len({str(name) for name in config["domains"]}) < 2:
        raise InputError(f"{path}: domains are {config['domains']}; a conversion needs two")
    return config


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, DomainStats], dict[str, Tensor]]:
    """Configuration, statistics by domain, and the translator's weights as float32.

    No weights where `engine_of` is onnx.
    """
    config = read_config(folder)
    path = folder / WEIGHTS
    try:
        loaded = {} if engine_of(folder) == "onnx" else load_file(path)
        weights = {name: weight.float() for name, weight in loaded.items()}
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} is not readable as safetensors ({error}); fetch the model again"
        ) from error
    stats = load_stats(folder / STATS)
    if sorted(stats) != sorted(map(str, config["domains"])):
        raise InputError(
            f"{folder}: statistics of {sorted(stats)}, configuration of {config['domains']}; fetch "
            "the model again"
        )
    if "model" in config["vocoder"]:
        config["vocoder"]["model"] = _own_vocoder(folder, config["vocoder"]["model"])
    return config, stats, weights


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    stats: Mapping[str, DomainStats],
    weights: Mapping[str, Tensor],
    vocoder: Path | None = None,
) -> None:
    """Write each file whole or not at all, the configuration, which makes it a model, last.

    vocoder: the directory of a neural one, which is copied: a model needs nothing beside itself.
    One that comes with the package is named, where the model is to come with it, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if vocoder is not None:
        if {folder.resolve().parent, vocoder.resolve().parent} == {BUNDLED.resolve()}:
            name = vocoder.name
        else:
            name = VOCODER
            directory.copy_vocoder(vocoder, folder / VOCODER)
        config = {**config, "vocoder": {**config["vocoder"], "model": name}}
    with replacing(folder / WEIGHTS) as temporary:
        save_file(
            {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
            temporary,
        )
    with replacing(folder / STATS) as temporary:
        save_stats(temporary, stats)
    replace_text(folder / CARD, card_text(config, sum(w.numel() for w in weights.values())))
    replace_text(folder / CONFIG, yaml.safe_dump({"format": FORMAT, **config}, sort_keys=False))


def _own_vocoder(folder: Path, name: object) -> str:
    """In the model's directory, or one that comes with the package, by its name; nowhere else."""
    bundled = {place.name: place for place in directory.bundled_vocoders()}
    own = folder / VOCODER  # an export of a bundled model has its graph there
    return str(own if own.is_dir() else bundled.get(str(name), own))


def _has_model_config(path: Path) -> bool:
    """A run directory has a config.yaml too, of another kind, and so has a vocoder's."""
    others = [path.parent / name for name in ("model", "provenance.json", directory.WEIGHTS)]
    return (path.parent / WEIGHTS).exists() or not any(sign.exists() for sign in others)
