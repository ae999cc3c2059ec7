"""Devices: the device for a user's choice, and the device of a network."""

import torch
from torch import nn

from voiceconv.errors import InputError


def pick_device(name: str, option: str) -> torch.device:
    """Return the device of a name; `auto` is CUDA if available.

    option: text before the name in an error, such as "--device ".

    Raises InputError for a device that does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"{option}{name} is no device; use auto, cpu or cuda")
    n_devices = torch.cuda.device_count() if device.type == "cuda" else 1
    if n_devices == 0:
        raise InputError(f"{option}{name}: no CUDA device is there; use {option}cpu")
    if (device.index or 0) >= n_devices:
        raise InputError(
            f"{option}{name}: there is no CUDA device beyond cuda:{n_devices - 1}; use {option}cuda"
        )
    return device


def device_of(network: nn.Module) -> torch.device:
    """Device of its weights; the CPU if it has none."""
    return next((one.device for one in network.parameters()), torch.device("cpu"))
