"""Cost and receptive field of a network, measured on the network: `voiceconv info`."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.utils.flop_counter import FlopCounterMode

from voiceconv.models.base import Discriminator

_N_FRAMES = 192  # first length; doubled until it contains the network's context
_MOST_FRAMES = 3072


def describe(network: nn.Module, n_channels: int, frames_per_second: float) -> dict[str, Any]:
    """Size, arithmetic and context of a network over frames (B, C, T), or of a discriminator.

    parameters: how many numbers are learned. macs_per_second: multiply-accumulates of its
    convolutions and matrix products for a second of audio. context_frames: see `context_frames`.
    """
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs_per_second": macs_per_frame(network, n_channels) * frames_per_second,
        "context_frames": context_frames(network, n_channels),
    }


def macs_per_frame(network: nn.Module, n_channels: int) -> float:
    """Multiply-accumulates for one frame of input: shapes are followed, nothing is computed."""
    n_frames = getattr(network, "n_frames", _N_FRAMES)
    shadow = copy.deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        condition = {name: value.to("meta") for name, value in _condition(network).items()}
        shadow(torch.empty(1, n_channels, n_frames, device="meta"), **condition)
    return counter.get_total_flops() / 2 / n_frames  # it counts a multiply-accumulate as two


def context_frames(network: nn.Module, n_channels: int) -> int | None:
    """The number of input frames of one output frame, without instance norms (they see all).

    None if an output frame depends on all input frames.

    Strides make it differ a little from output frame to output frame; this is the mean over a
    period of them, rounded: 161 for CycleGAN-VC2, whose frames see 159, 163, 163 and 159.
    """
    reached = reach(network, n_channels)
    if reached is None:
        return None
    spans = [right - left + 1 for left, right in reached]
    return round(sum(spans) / len(spans))


def reach(network: nn.Module, n_channels: int) -> list[tuple[int, int]] | None:
    """For each output frame of one period, the first and last input frame that it depends on.

    None if these are further apart than _MOST_FRAMES. Both are relative to the output frame. They
    are measured by gradients through a copy without norms, whose weights are positive averages (so
    that no two paths cancel).
    """
    average, condition = _averaging(network), _condition(network)
    fixed = getattr(network, "n_frames", None)
    n_frames = fixed or _N_FRAMES
    while n_frames <= _MOST_FRAMES or fixed:
        spans = _spans(average, condition, n_channels, n_frames)
        first = min(first for first, _, _ in spans)
        last = max(last for _, last, _ in spans)
        if fixed or (first > 0 and last < n_frames - 1):
            return [(first - place, last - place) for first, last, place in spans]
        n_frames *= 2
    return None


def _condition(network: nn.Module) -> dict[str, Tensor]:
    """Its inputs beside frames."""
    return network.default_condition() if isinstance(network, Discriminator) else {}


def _spans(
    average: nn.Module, condition: dict[str, Tensor], n_channels: int, n_frames: int
) -> list[tuple[int, int, int]]:
    """First frame, last frame and position of each output frame of a period in the middle."""
    frames = torch.ones(1, n_channels, n_frames, requires_grad=True)
    output = average(frames, **condition)
    tracks: Tensor = output if isinstance(output, Tensor) else output[0].logits
    columns = tracks.flatten(0, -2).sum(0) if tracks.shape[-1] > 1 else tracks.flatten()
    stride = n_frames // len(columns)
    period = getattr(average, "frame_multiple", 1)
    middle = len(columns) // 2 // period * period
    spans = []
    for column in range(middle, middle + period):
        (gradient,) = torch.autograd.grad(columns[column], frames, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).nonzero()
        if not len(seen):  # a gain that is a vector and is 0 here: the context is unknown
            return [(0, n_frames - 1, 0)]
        spans.append((int(seen.min()), int(seen.max()), column * stride))
    return spans


def _averaging(network: nn.Module) -> nn.Module:
    """A copy without norms, whose convolutions and products are averages."""
    average = copy.deepcopy(network).cpu().float().requires_grad_(False)
    for module in list(average.modules()):
        for name, child in module.named_children():
            if isinstance(child, _InstanceNorm):
                setattr(module, name, nn.Identity())
    for parameter in average.parameters():
        n_inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        nn.init.constant_(parameter, 1 / n_inputs if parameter.dim() > 1 else 0.0)
    return average.eval()
