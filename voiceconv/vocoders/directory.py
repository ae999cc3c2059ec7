"""A neural vocoder on disk: a directory of YAML, safetensors and a card; nothing in it runs code.

config.yaml has the format, `features` (the complete mel definition), `generator` and `card`;
generator.safetensors has the weights, weight norm folded; README.md is the card. An exported model
has generator.onnx in place of the weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.files import replace_text, replacing
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
from voiceconv.models.exported import GENERATOR

DEFAULT = "vocos-24khz"
WEIGHTS = "generator.safetensors"
FILES = (CONFIG, WEIGHTS, CARD)

_KINDS = {"features": dict, "generator": dict, "card": dict}


def find_vocoder(model: Path | str | None) -> Path:
    """Find the directory of a vocoder by itself, by its run directory, or by a bundled name.

    None is the bundled default. Raises InputError if there is none.
    """
    name = DEFAULT if model is None else str(model)
    places = [] if model is None else [Path(name), Path(name) / "model"]
    for folder in [*places, BUNDLED / name]:
        if (folder / WEIGHTS).is_file() or is_graph(folder):
            return folder
    bundled = ", ".join(path.name for path in bundled_vocoders())
    raise InputError(
        f"no vocoder {name!r}: it is neither a vocoder's directory, nor a run with a model/ in it, "
        f"nor bundled ({bundled or 'none'})"
    )


def bundled_vocoders() -> list[Path]:
    """The directories of the bundled vocoders."""
    return sorted(path.parent for path in BUNDLED.glob(f"*/{WEIGHTS}"))


def is_graph(folder: Path) -> bool:
    """Whether the vocoder is an ONNX graph for onnxruntime."""
    return (folder / GENERATOR).is_file()


def read_vocoder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the checked configuration and the weights as float32 (none for an ONNX graph).

    Raises InputError if they are unreadable, incomplete, or of another format.
    """
    config = read_config(folder)
    weights = {} if is_graph(folder) else read_weights(folder / WEIGHTS, "vocoder")
    return config, weights


def write_vocoder(folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write each file whole or not at all; the weights are last, they make it a vocoder."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / CARD, _card_text(config, sum(w.numel() for w in weights.values())))
    write_settings(folder / CONFIG, config)
    write_weights(folder / WEIGHTS, weights)


def copy_vocoder(source: Path, target: Path) -> None:
    """Copy a vocoder to another folder, unless it is the same folder."""
    if source.resolve() == target.resolve():
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).exists():
            with replacing(target / name) as temporary:
                temporary.write_bytes((source / name).read_bytes())


def read_config(folder: Path) -> dict[str, Any]:
    """Read and check config.yaml. Raises InputError if it is unreadable, or of another format."""
    return read_settings(folder / CONFIG, _KINDS, "vocoder")


def _card_text(config: Mapping[str, Any], n_parameters: int) -> str:
    card = dict(config["card"])
    scores: Mapping[str, Any] = card.pop("scores", None) or {}
    rows = {
        "network": network_name(config),
        "parameters": f"{n_parameters:,}",
        "mel": as_words(config["features"]),
        **card,
    }
    return card_text(
        "A vocoder",
        "Turns log-mel spectrograms into waves, for voiceconv.",
        rows,
        {"Copies of recordings": scores} if scores else {},
        "voiceconv resynth in.wav --vocoder DIR",
    )
