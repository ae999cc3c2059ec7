"""HiFi-GAN's published format from its description, and the network that it describes, by hand."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CONFIG = {
    "resblock": "1",
    "batch_size": 16,
    "upsample_rates": [4, 4, 2],
    "upsample_kernel_sizes": [8, 8, 4],
    "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
    "num_mels": 20,
    "n_fft": 256,
    "hop_size": 32,
    "win_size": 200,
    "sampling_rate": 8000,
    "fmin": 0,
    "fmax": 3600,
    "fmax_for_loss": None,
}
SECOND = CONFIG | {  # residual blocks of kind 2
    "resblock": "2",
    "upsample_rates": [8, 4],
    "upsample_kernel_sizes": [16, 8],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 6]],
    "fmax": None,
}
Config = dict[str, Any]


def generator(config: Config, gain: float = 1.5) -> dict[str, Tensor]:
    """Random weights of every layer: direction v, length g (above 0), bias."""
    weights = {}
    for name, shape in shapes(config).items():
        n_outputs = shape[1] if name.startswith("ups.") else shape[0]
        weights[f"{name}.bias"] = 0.1 * torch.randn(n_outputs)
        weights[f"{name}.weight_g"] = gain * (0.5 + torch.rand(shape[0], 1, 1))
        weights[f"{name}.weight_v"] = torch.randn(shape)
    return weights


def shapes(config: Config) -> dict[str, tuple[int, int, int]]:
    """Layer -> shape of its weight."""
    width = config["upsample_initial_channel"]
    found = {"conv_pre": (width, config["num_mels"], 7)}
    tables = list(
        zip(config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True)
    )
    for i, kernel in enumerate(config["upsample_kernel_sizes"]):
        found[f"ups.{i}"] = (width, width // 2, kernel)
        width //= 2
        for j, (size, dilations) in enumerate(tables):
            for kind in ("convs1", "convs2") if config["resblock"] == "1" else ("convs",):
                for m in range(len(dilations)):
                    found[f"resblocks.{i * len(tables) + j}.{kind}.{m}"] = (width, width, size)
    return found | {"conv_post": (1, width, 7)}


def speak(config: Config, weights: dict[str, Tensor], frames: Tensor) -> Tensor:
    """Frames (B, C, T) -> waves (B, T * hop), by the paper's equations and the code's slopes."""

    def conv(name: str, x: Tensor, dilation: int = 1) -> Tensor:
        weight = folded(name)
        padding = dilation * (weight.shape[2] - 1) // 2
        return F.conv1d(x, weight, weights[f"{name}.bias"], dilation=dilation, padding=padding)

    def folded(name: str) -> Tensor:
        scales, directions = weights[f"{name}.weight_g"], weights[f"{name}.weight_v"]
        pairs = zip(scales, directions, strict=True)
        return torch.stack([scale * v / v.square().sum().sqrt() for scale, v in pairs])

    def block(number: int, x: Tensor, dilations: list[int]) -> Tensor:
        for m, dilation in enumerate(dilations):
            if config["resblock"] == "1":
                y = conv(f"resblocks.{number}.convs1.{m}", F.leaky_relu(x, 0.1), dilation)
                y = conv(f"resblocks.{number}.convs2.{m}", F.leaky_relu(y, 0.1))
            else:
                y = conv(f"resblocks.{number}.convs.{m}", F.leaky_relu(x, 0.1), dilation)
            x = x + y
        return x

    tables = config["resblock_dilation_sizes"]
    x = conv("conv_pre", frames)
    sizes = zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)
    for i, (rate, kernel) in enumerate(sizes):
        name = f"ups.{i}"
        x = F.leaky_relu(x, 0.1)
        x = F.conv_transpose1d(
            x, folded(name), weights[f"{name}.bias"], rate, padding=(kernel - rate) // 2
        )
        x = sum(block(i * len(tables) + j, x, table) for j, table in enumerate(tables))
        x = x / len(tables)
    return torch.tanh(conv("conv_post", F.leaky_relu(x, 0.01)))[:, 0]


def write(folder: Path, config: object, checkpoint: object) -> tuple[Path, Path]:
    """The two files."""
    paths = folder / "config.json", folder / "g_00000001"
    paths[0].write_text(json.dumps(config))
    torch.save(checkpoint, paths[1])
    return paths
