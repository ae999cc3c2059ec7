"""A model on disk: a directory of YAML, safetensors and a card. Nothing in it can run code."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from torch import Tensor

from voiceconv.converter.novelty import NOVELTY
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, load_stats, save_stats
from voiceconv.files import read_mapping, replace_text, replacing, sha256
from voiceconv.hub import USUAL, Access, fetch, hub_name
from voiceconv.model_folder import (
    BUNDLED,
    CARD,
    CONFIG,
    as_words,
    card_text,
    network_name,
    read_settings,
    read_weights,
    write_settings,
    write_weights,
)
from voiceconv.models.exported import EXPORT
from voiceconv.vocoders import directory

DEFAULT = "four-voices"
WEIGHTS, STATS = "translator.safetensors", "stats.safetensors"
VOCODER = "vocoder"  # a neural vocoder's own directory in it

_KINDS: dict[str, type | UnionType] = {
    "features": dict,
    "translator": dict,
    "vocoder": dict | None,  # of what is no audio
    "domains": list,
    "loudness": float | int | None,
    "card": dict | None,
}


def find_model(model: Path | str | None, access: Access = USUAL) -> Path:
    """The directory of a model: given itself, by its run directory, a bundled one by its name.

    `org/name` or `org/name@revision`, where no folder is called that, is fetched from the hub as
    `access` says (`hub.fetch`). None is the bundled default. Raises InputError where there is none.
    """
    on_hub = hub_name(model, access.revision)
    if on_hub is not None:
        return fetch(on_hub, access)
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
    """The SHA-256 of all that a model's directory converts with: settings, statistics, networks.

    The card is none of it. Raises InputError for a configuration that is not readable.
    """
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".yaml", ".safetensors", ".onnx") and path.name != EXPORT:
            continue
        if path.name == NOVELTY:  # it only warns
            continue
        whole.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        if path.name == CONFIG:
            settings = read_mapping(path, "fetch the model again")
            settings.pop("card", None)
            whole.update(hashlib.sha256(repr(settings).encode()).digest())
            continue
        whole.update(bytes.fromhex(sha256(path)))
    return whole.hexdigest()


def called(folder: Path) -> str:
    """A model's name: its directory's, or its run's."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def bundled_models() -> list[Path]:
    """The directories of the models that come with the package."""
    return sorted(path.parent for path in BUNDLED.glob(f"*/{WEIGHTS}"))


def read_config(folder: Path) -> dict[str, Any]:
    """config.yaml, checked: nodes, domains, loudness, card.

    Raises InputError where it is unreadable, incomplete, or of another format.
    """
    path = folder / CONFIG
    config = read_settings(path, _KINDS, "model")
    if not config["domains"]:
        raise InputError(f"{path}: domains are []; a conversion needs a target")
    return config


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, DomainStats], dict[str, Tensor]]:
    """Configuration, statistics by domain, and the translator's weights as float32.

    No weights where `engine_of` is onnx.
    """
    config = read_config(folder)
    is_export = engine_of(folder) == "onnx"
    weights = {} if is_export else read_weights(folder / WEIGHTS, "model")
    stats = load_stats(folder / STATS)
    if sorted(stats) != sorted(map(str, config["domains"])):
        raise InputError(
            f"{folder}: statistics of {sorted(stats)}, configuration of {config['domains']}; fetch "
            "the model again"
        )
    if "model" in (config["vocoder"] or {}):
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
    write_weights(folder / WEIGHTS, weights)
    with replacing(folder / STATS) as temporary:
        save_stats(temporary, stats)
    replace_text(folder / CARD, _card(config, sum(w.numel() for w in weights.values())))
    write_settings(folder / CONFIG, config)


def _card(config: Mapping[str, Any], n_parameters: int) -> str:
    """README.md; the configuration's `card` holds data, licence, steps and scores."""
    card = config.get("card", {})
    domains = ", ".join(config["domains"])
    rows = {
        "domains": domains,
        "network": network_name(config["translator"]),
        "parameters": f"{n_parameters:,}",
        "features": as_words(config["features"]),
        **{key: card.get(key) for key in ("experiment", "steps", "data", "licence", "consent")},
        **{f"voice {one['domain']}": _origin(one) for one in card.get("adapted") or []},
    }
    return card_text(
        domains,
        "A voiceconv model: converts between these domains.",
        rows,
        card.get("scores") or {},
        f"voiceconv convert {'in.wav' if config['vocoder'] else 'IN'} --target "
        f"{config['domains'][0]} --model DIR",
    )


def _origin(adapted: Mapping[str, Any]) -> str:
    """How a domain was added, by an entry of the card's `adapted`."""
    return (
        f"added to {adapted['from']} (sha256 {adapted['digest'][:16]}) from "
        f"{adapted['minutes']} minutes of speech, {adapted['steps']} steps"
    )


def _own_vocoder(folder: Path, name: object) -> str:
    """In the model's directory, or one that comes with the package, by its name; nowhere else."""
    bundled = {place.name: place for place in directory.bundled_vocoders()}
    own = folder / VOCODER  # an export of a bundled model has its graph there
    return str(own if own.is_dir() else bundled.get(str(name), own))


def _has_model_config(path: Path) -> bool:
    """A run directory has a config.yaml too, of another kind, and so has a vocoder's."""
    others = [path.parent / name for name in ("model", "provenance.json", directory.WEIGHTS)]
    return (path.parent / WEIGHTS).exists() or not any(sign.exists() for sign in others)
