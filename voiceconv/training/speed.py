"""What makes a step faster and its results no others: `trainer.speed`.

Each switch leaves the names and the values of a checkpoint as they are, so a run may change them.
Fused optimisers are no switch: every node of `conf/optimizer` has `fused: true`.
"""

import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer

from voiceconv.errors import InputError
from voiceconv.models.base import SpectralGenerator, Translator

Switch = Literal["compile", "cuda_graphs", "channels_last"]
COMPILING: set[Switch] = {"compile", "cuda_graphs"}
N_VARIANTS = 64  # of a network's graph: by player, by what needs a gradient, by size of batch
_COMPILERS = {"darwin": "clang++", "win32": "cl"}


def require_possible(switches: Collection[Switch], device: torch.device) -> None:
    """Raise InputError for a switch that can't work on this device or machine."""
    if "cuda_graphs" in switches and device.type != "cuda":
        raise InputError(
            f"trainer.speed has cuda_graphs, which need CUDA, not {device}; use compile"
        )
    compiler = os.environ.get("CXX", _COMPILERS.get(sys.platform, "g++"))
    if not COMPILING.isdisjoint(switches) and shutil.which(compiler) is None:
        asked = " and ".join(sorted(COMPILING.intersection(switches)))
        raise InputError(
            f"trainer.speed has {asked}, and there is no C++ compiler {compiler}; install it, name "
            "another in CXX, or leave that out"
        )


def arrange(network: nn.Module, switches: Collection[Switch]) -> None:
    """Order the weights of two-dimensional convolutions in memory as the switches have it."""
    if "channels_last" in switches:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def compile_parts(network: nn.Module, switches: Collection[Switch]) -> None:
    """Have the parts of a network compiled when they are first called.

    cuda_graphs: by Inductor, which records what runs between two of torch's own calls.
    """
    if COMPILING.isdisjoint(switches):
        return
    torch.compiler.config.recompile_limit = N_VARIANTS
    mode = "reduce-overhead" if "cuda_graphs" in switches else None
    for part in called_parts(network):
        part.compile(mode=mode)


def called_parts(network: nn.Module) -> Iterator[nn.Module]:
    """The largest parts that are called as one, each of more than one layer.

    Objectives call a translator by what it does (`encode`, `decode`), a vocoder by its spectra.
    """
    is_opened = isinstance(network, Translator | SpectralGenerator)
    if is_opened or type(network).forward is nn.Module.forward:
        for part in network.children():
            yield from called_parts(part)
    elif any(True for _ in network.children()):
        yield network


def begin_step(switches: Collection[Switch]) -> None:
    """Tell CUDA graphs that what they gave in the step before is no longer needed."""
    if "cuda_graphs" in switches:
        torch.compiler.cudagraph_mark_step_begin()


def uncompiled(switches: Collection[Switch]) -> AbstractContextManager[object]:
    """A context for what is seldom done, with sizes that training has not."""
    if COMPILING.isdisjoint(switches):
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def arrange_state(optimizer: Optimizer) -> None:
    """Order an optimiser's state in memory as its parameters are: fused ones read both in a row."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
