"""The published HiFi-GAN format: config.json and a checkpoint of the authors' code.

Kong et al. 2020, arXiv:2010.05646. Their mel is a MelSpec with two differences. Its first frame is
centred elsewhere (HifiGan's `frame_centre`), and 1e-9 is added under the root of a bin's power.
After the mel filters this lies a decade below the floor, and it moves values at the floor by 0.01.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voiceconv.build import build
from voiceconv.errors import InputError
from voiceconv.features.mel import MelSpec
from voiceconv.files import read_text
from voiceconv.models.base import WaveGenerator
from voiceconv.models.layers import fold_weight_norm
from voiceconv.vocoders.directory import WEIGHTS, write_vocoder

FLOOR = 1e-5  # of their mel
FIRST = "conv_pre.bias"  # a weight that every generator has
_SCALAR = np.float64().__reduce__()[0]  # what makes a NumPy scalar of its bytes
_NUMPY_SCALARS: list[Any] = [  # of steps and losses; the second name is NumPy 1's
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(code)) for code in "?bBhHiIlLqQefd"),
]


def import_hifigan(config: Path, checkpoint: Path, folder: Path) -> None:
    """Make a vocoder directory of a published generator; write only if everything is correct.

    Raises InputError for a file of another format, for files that do not fit each other, for a file
    that would run code, and for a folder with other contents.
    """
    if folder.exists() and not (folder / WEIGHTS).is_file() and not _is_empty(folder):
        raise InputError(f"{folder} is there and is no vocoder's directory; choose another")
    values = read_config(config)
    spec, node = _mel_spec(values, config), _generator_node(values)
    try:
        generator = build(node, WaveGenerator, n_channels=spec.n_mels, hop_length=spec.hop_length)
    except InputError as error:
        raise InputError(f"{config} describes no generator of HiFi-GAN's: {error}") from error
    fold_weight_norm(generator)
    names = {name: published_name(name, values) for name in generator.state_dict()}
    weights = fold(read_generator(checkpoint), checkpoint)
    _require_same(
        {names[name]: tuple(w.shape) for name, w in generator.state_dict().items()},
        {name: tuple(weight.shape) for name, weight in weights.items()},
        checkpoint,
        config,
    )
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    card = {
        "experiment": f"imported from {checkpoint.name}, SHA-256 {digest}",
        "data": None,
        "licence": None,
    }
    write_vocoder(
        folder,
        {"features": spec.node, "generator": node, "card": card},
        {name: weights[published] for name, published in names.items()},
    )


def read_config(path: Path) -> dict[str, Any]:
    """Read the settings of mel and network from config.json. Raises InputError."""
    try:
        values = json.loads(read_text(path))
    except (OSError, InputError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable as JSON; give HiFi-GAN's config.json") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is no mapping of keys to values; give HiFi-GAN's config.json")
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; give HiFi-GAN's config.json")
    for key, (is_right, what) in _KEYS.items():
        if not is_right(values[key]):
            raise InputError(f"{path}: {key} is {values[key]!r}; HiFi-GAN has {what} there")
    made = math.prod(values["upsample_rates"])
    if made != values["hop_size"]:
        raise InputError(
            f"{path}: upsample_rates {values['upsample_rates']} make {made} samples of a frame and "
            f"hop_size is {values['hop_size']}; one of them belongs to another model"
        )
    return {key: values[key] for key in _KEYS}


def read_generator(path: Path) -> dict[str, Tensor]:
    """Read the generator's weights from a checkpoint as float32, by the published names.

    They may lie anywhere in it, under any prefix, such as `module.`, and with weight norm of either
    kind. Code in it is refused.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} is not readable: {error.strerror}") from error
    except Exception as error:  # torch has no common class for errors in a pickle
        raise InputError(
            f"{path} is no checkpoint of weights alone: it is damaged, or wants to run code as it "
            "is read; do not use it unless you know why"
        ) from error
    weights = next(_generators(checkpoint), None)
    if weights is None:
        found = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else ""
        raise InputError(
            f"{path} has no `generator` with weights by name, {FIRST} among them, but "
            f"{found[:200] or type(checkpoint).__name__}; give the checkpoint g_..., not do_..."
        )
    infinite = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if infinite:
        raise InputError(f"{path}: {infinite[0]} has numbers that are not finite; fetch it again")
    return {name: weight.float() for name, weight in weights.items()}


def _generators(tree: object) -> Iterator[dict[str, Tensor]]:
    """The weights of every mapping in the tree that has FIRST: without the prefix of its name."""
    if not isinstance(tree, dict):
        return
    tensors = {k: v for k, v in tree.items() if isinstance(k, str) and isinstance(v, Tensor)}
    for name in tensors:
        if name == FIRST or name.endswith(f".{FIRST}"):
            prefix = name.removesuffix(FIRST)
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            yield {_older_name(k): v for k, v in own.items()}
    for value in tree.values():
        yield from _generators(value)


def _older_name(name: str) -> str:
    """Of weight norm since torch 2.0: "x.parametrizations.weight.original0" -> "x.weight_g"."""
    name = name.replace(".parametrizations.weight.original0", ".weight_g")
    return name.replace(".parametrizations.weight.original1", ".weight_v")


def fold(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """weight_g and weight_v -> weight = g . v / |v|, one norm per index of the first dimension."""
    folded = {}
    for name, weight in weights.items():
        stem, _, part = name.rpartition("_")
        if not name.endswith(("weight_g", "weight_v")):
            folded[name] = weight
        elif f"{stem}_g" not in weights or f"{stem}_v" not in weights:
            other = f"{stem}_{'v' if part == 'g' else 'g'}"
            raise InputError(f"{path} has {name} without {other}; fetch it again")
        elif part == "v":
            scale, direction = weights[f"{stem}_g"], weight
            lengths = direction.flatten(1).norm(dim=1)
            if scale.numel() != len(lengths) or not lengths.all():
                raise InputError(
                    f"{path}: {stem}_g {tuple(scale.shape)} and {name} {tuple(weight.shape)} make "
                    "no weight; fetch it again"
                )
            factors = (scale.flatten() / lengths).view(-1, *[1] * (direction.ndim - 1))
            folded[stem] = direction * factors
    return folded


def published_name(name: str, values: Mapping[str, Any]) -> str:
    """Our generator's name for a weight -> the published one.

    "stages.1.blocks.2.rows.0.1.bias" -> "resblocks.5.convs2.0.bias", of three blocks a stage.
    """
    per_stage = len(values["resblock_kernel_sizes"])

    def in_block(found: re.Match[str]) -> str:
        stage, block, row, layer = map(int, found.groups())
        convs = f"convs{layer + 1}" if str(values["resblock"]) == "1" else "convs"
        return f"resblocks.{stage * per_stage + block}.{convs}.{row}"

    name = re.sub(r"^stages\.(\d+)\.blocks\.(\d+)\.rows\.(\d+)\.(\d+)", in_block, name)
    name = re.sub(r"^stages\.(\d+)\.upsample", r"ups.\1", name)
    return re.sub("^exit", "conv_post", re.sub("^entry", "conv_pre", name))


def _mel_spec(values: Mapping[str, Any], path: Path) -> MelSpec:
    rate, highest = values["sampling_rate"], values["fmax"]
    try:
        return MelSpec(
            sample_rate=rate,
            n_fft=values["n_fft"],
            win_length=values["win_size"],
            hop_length=values["hop_size"],
            window="hann",
            n_mels=values["num_mels"],
            f_min=float(values["fmin"]),
            f_max=rate / 2 if highest is None else float(highest),
            mel_scale="slaney",
            norm="slaney",
            power=1.0,
            log="natural",
            floor=FLOOR,
        )
    except ValueError as error:
        raise InputError(f"{path} describes no mel: {error}") from error


def _generator_node(values: Mapping[str, Any]) -> dict[str, Any]:
    """The generator's configuration node, without the keys that follow from the mel."""
    kernels, dilations = values["resblock_kernel_sizes"], values["resblock_dilation_sizes"]
    # Each dilated convolution of kind 1 is followed by a plain one within the same skip.
    after = [1] if str(values["resblock"]) == "1" else []
    return {
        "_target_": "voiceconv.models.hifigan.HifiGan",
        "rates": values["upsample_rates"],
        "kernels": values["upsample_kernel_sizes"],
        "channels": values["upsample_initial_channel"],
        "residual_kernels": kernels,
        "dilations": [[[dilation, *after] for dilation in table] for table in dilations],
    }


def _require_same(
    wanted: Mapping[str, tuple[int, ...]],
    given: Mapping[str, tuple[int, ...]],
    checkpoint: Path,
    config: Path,
) -> None:
    """Raise InputError with the first weight that is missing, unexpected, or of another shape."""
    for names, says in (
        (sorted(wanted.keys() - given.keys()), "lacks"),
        (sorted(given.keys() - wanted.keys()), "has, beyond those of the configuration,"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(
                f"{checkpoint} {says} {names[0]}{more}; give the checkpoint that goes with {config}"
            )
    for name, shape in wanted.items():
        if given[name] != shape:
            raise InputError(
                f"{checkpoint}: {name} is of shape {given[name]}, {config} wants {shape}; give the "
                "checkpoint that goes with it"
            )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_count, value))


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_are_counts, value))


def _is_frequency(value: object) -> bool:
    return type(value) in (int, float)


_COUNT = (_is_count, "a whole number of 1 or more")
_COUNTS = (_are_counts, "a list of whole numbers of 1 or more")
_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "sampling_rate": _COUNT,
    "n_fft": _COUNT,
    "hop_size": _COUNT,
    "win_size": _COUNT,
    "num_mels": _COUNT,
    "fmin": (_is_frequency, "a frequency in Hz"),
    "fmax": (lambda value: value is None or _is_frequency(value), "a frequency in Hz, or null"),
    "resblock": (lambda value: str(value) in ("1", "2"), '"1" or "2"'),
    "upsample_rates": _COUNTS,
    "upsample_kernel_sizes": _COUNTS,
    "upsample_initial_channel": _COUNT,
    "resblock_kernel_sizes": _COUNTS,
    "resblock_dilation_sizes": (_are_tables, "a list of lists of whole numbers of 1 or more"),
}
