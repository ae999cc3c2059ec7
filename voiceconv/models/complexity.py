"""What a network costs and how far it sees, measured on the network itself: `voiceconv info`."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.utils.flop_counter import FlopCounterMode

from voiceconv.models.base import Discriminator, Generator

Network = Generator | Discriminator
_N_FRAMES = 192  # what is tried first; doubled until the network's context lies inside
_MOST_FRAMES = 3072


def describe(network: Network, n_channels: int, frames_per_second: float) -> dict[str, Any]:
    """Size, arithmetic and reach of one generator or one discriminator.

    parameters: how many numbers are learned. macs_per_second: multiply-accumulates of its
    convolutions and matrix products for a second of audio. context_frames: see `context_frames`.
    """
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs_per_second": macs_per_frame(network, n_channels) * frames_per_second,
        "context_frames": context_frames(network, n_channels),
    }


def macs_per_frame(network: Network, n_channels: int) -> float:
    """Multiply-accumulates for one frame of input: shapes are followed, nothing is computed."""
    n_frames = getattr(network, "n_frames", _N_FRAMES)
    shadow = copy.deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, n_channels, n_frames, device="meta"))
    return counter.get_total_flops() / 2 / n_frames  # it counts a multiply-accumulate as two


def context_frames(network: Network, n_channels: int) -> int:
    """How many input frames one output frame depends on, instance norms (which see all) left out.

    Strides make it differ a little from output frame to output frame; this is the mean over a
    period of them, rounded: 161 for CycleGAN-VC2, whose frames see 159, 163, 163 and 159.
    """
    spans = [right - left + 1 for left, right in reach(network, n_channels)]
    return round(sum(spans) / len(spans))


def reach(network: Network, n_channels: int) -> list[tuple[int, int]]:
    """For each output frame of one period, the first and last input frame that it depends on.

    Both are relative to the output frame's own place. Measured by gradients through a copy whose
    weights are positive averages (so that no two paths cancel) and whose norms are taken out.
    """
    average = _averaging(network)
    fixed = getattr(network, "n_frames", None)
    n_frames = fixed or _N_FRAMES
    while True:
        spans = _spans(average, n_channels, n_frames)
        first = min(first for first, _, _ in spans)
        last = max(last for _, last, _ in spans)
        if fixed or (first > 0 and last < n_frames - 1):
            return [(first - place, last - place) for first, last, place in spans]
        n_frames *= 2
        if n_frames > _MOST_FRAMES:
            raise ValueError(f"{type(network).__name__} sees more than {n_frames // 2} frames")


def _spans(average: nn.Module, n_channels: int, n_frames: int) -> list[tuple[int, int, int]]:
    """First frame, last frame and own place of each output frame of a period in the middle."""
    frames = torch.ones(1, n_channels, n_frames, requires_grad=True)
    output = average(frames)
    tracks: Tensor = output if isinstance(output, Tensor) else output[0].logits
    columns = tracks.flatten(0, -2).sum(0) if tracks.shape[-1] > 1 else tracks.flatten()
    stride = n_frames // len(columns)
    period = getattr(average, "frame_multiple", 1)
    middle = len(columns) // 2 // period * period
    spans = []
    for column in range(middle, middle + period):
        (gradient,) = torch.autograd.grad(columns[column], frames, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).nonzero()
        spans.append((int(seen.min()), int(seen.max()), column * stride))
    return spans


def _averaging(network: Network) -> nn.Module:
    """A copy whose every convolution and product averages what it sees, without norms."""
    average = copy.deepcopy(network).cpu().float().requires_grad_(False)
    for module in list(average.modules()):
        for name, child in module.named_children():
            if isinstance(child, _InstanceNorm):
                setattr(module, name, nn.Identity())
    for parameter in average.parameters():
        n_inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        nn.init.constant_(parameter, 1 / n_inputs if parameter.dim() > 1 else 0.0)
    return average.eval()
