"""The common parts of a converter's and a vocoder's folder: YAML, safetensors and a card.

No file in such a folder can run code.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.files import markdown, read_mapping, replace_text, replacing

FORMAT = 1
BUNDLED = Path(__file__).parent / "pretrained"
CHECKSUM = "sha256"
CONFIG, CARD = "config.yaml", "README.md"


def read_settings(path: Path, kinds: Mapping[str, type | UnionType], what: str) -> dict[str, Any]:
    """Read config.yaml of a `what` (model, vocoder) and check the type of each key but the card.

    Raises InputError if it is unreadable, incomplete, or of another format.
    """
    config = read_mapping(path, f"fetch the {what} again")
    if config.get("format", FORMAT) != FORMAT:
        raise InputError(
            f"{path} is of format {config['format']}, this version reads {FORMAT}; use the version "
            "of voiceconv that wrote it"
        )
    for key, kind in kinds.items():
        if key in config and not isinstance(config[key], kind):
            raise InputError(f"{path}: {key} is {config[key]!r}; fetch the {what} again")
    missing = {"format", *kinds} - {"card"} - set(config)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; fetch the {what} again")
    return config


def write_settings(path: Path, config: Mapping[str, Any]) -> None:
    """The inverse of read_settings."""
    replace_text(path, yaml.safe_dump({"format": FORMAT, **config}, sort_keys=False))


def read_weights(path: Path, what: str) -> dict[str, Tensor]:
    """Read a network's weights as float32. Raises InputError if the file is missing or damaged."""
    try:
        return {name: weight.float() for name, weight in load_tensors(path).items()}
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} is not readable as safetensors ({error}); fetch the {what} again"
        ) from error


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """The inverse of read_weights; writes the file whole or not at all."""
    with replacing(path) as temporary:
        save_tensors(
            {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
            temporary,
        )


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write contiguous tensors as safetensors, which has no checksum, with one in its metadata.

    Raises OSError, unlike save_file, on a full disk.
    """
    _, numbers = _parts(save(dict(tensors)))
    path.write_bytes(save(dict(tensors), {CHECKSUM: hashlib.sha256(numbers).hexdigest()}))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The inverse of save_tensors; of other programs' files no checksum is asked.

    Raises OSError, and SafetensorError where it is damaged.
    """
    data = path.read_bytes()  # load_file refuses paths that are not UTF-8
    tensors = load(data)
    header, numbers = _parts(data)
    said = (json.loads(header).get("__metadata__") or {}).get(CHECKSUM)
    if said not in (None, hashlib.sha256(numbers).hexdigest()):
        raise SafetensorError("its checksum is that of other numbers")
    return tensors


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """The header of safetensors, which is JSON, and the numbers behind it."""
    start = 8 + int.from_bytes(data[:8], "little")
    return data[8:start], data[start:]


def network_name(node: Mapping[str, Any]) -> str:
    """The class name of a node's network; of a translator, the class of its generator."""
    named: str = node.get("generator", node)["_target_"]
    return named.rpartition(".")[2]


def as_words(features: Mapping[str, Any]) -> str:
    """The features' node as the card shows it: `sample_rate 24000, hop_length 256`."""
    return ", ".join(f"{key} {value}" for key, value in features.items() if key != "_target_")


def card_text(
    title: str,
    sentence: str,
    rows: Mapping[str, object],
    scores: Mapping[str, Mapping[str, object]],
    command: str,
) -> str:
    """README.md: a table of `rows`, lists of `scores` by heading, and how to use it."""
    lines = [f"# {markdown(title)}", "", sentence, "", "| | |", "| --- | --- |"]
    said = {key: "not stated" if value is None else markdown(value) for key, value in rows.items()}
    lines += [f"| {key} | {value} |" for key, value in said.items()]
    for heading, values in scores.items():
        lines += ["", f"## {markdown(heading)}", ""]
        lines += [f"- {name}: {value}" for name, value in values.items()]
    return "\n".join([*lines, "", "```", command, "```"]) + "\n"
