"""Data parallel training: ranks that torchrun started average their gradients after each backward.

No DistributedDataParallel: it wants one forward a step and every parameter used, which a cycle GAN
breaks. One flat all-reduce for each player's step does the same sum, as in NVIDIA's StyleGAN
trainers.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from voiceconv.errors import RunError
from voiceconv.optional import load

# A rank that has died is noticed at once. This is for one that hangs: longer than any validation,
# for which all wait.
PATIENCE = timedelta(minutes=30)


class LostRankError(RunError):
    """Another process of this training has ended, or does not answer."""


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train together."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this rank writes files and draws the progress bar."""
        return self.rank == 0

    def average_gradients(self, network: nn.Module) -> None:
        """Replace each gradient by its mean over ranks.

        A parameter that some ranks left unused counts as 0 there.
        """
        if self.world_size == 1:
            return
        parameters = [p for p in network.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in gradients])
        with self._together():
            dist.all_reduce(flat)
        flat /= self.world_size
        means = flat.split([g.numel() for g in gradients])
        for p, gradient, mean in zip(parameters, gradients, means, strict=True):
            p.grad = gradient.copy_(mean.view_as(p))  # in the order in memory that p has

    def broadcast(self, network: nn.Module) -> None:
        """Give every rank the main rank's parameters."""
        if self.world_size > 1:
            for tensor in network.state_dict().values():
                with self._together():
                    dist.broadcast(tensor, src=0)

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds on at least one rank; all ranks must ask."""
        if self.world_size == 1:
            return flag
        raised = torch.tensor(float(flag), device="cuda" if dist.get_backend() == "nccl" else "cpu")
        with self._together():
            dist.all_reduce(raised, dist.ReduceOp.MAX)
            is_raised = bool(raised)  # waits, and so meets what NCCL has met
        return is_raised

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Each rank's tensor (same shape everywhere), in order of rank; on CPU."""
        if self.world_size == 1:
            return [tensor.cpu()]
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        gathered = [torch.empty_like(tensor, device=device) for _ in range(self.world_size)]
        with self._together():
            dist.all_gather(gathered, tensor.to(device))
            there = [one.cpu() for one in gathered]  # waits, too
        return there

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Around what all ranks do. Raises LostRankError."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise LostRankError(
                f"rank {self.rank} has lost another of the {self.world_size} ranks, which ended or "
                f"hangs ({_reason(error)})"
            ) from error


def _reason(error: RuntimeError) -> str:
    """What gloo says, without the place in its source."""
    first = next(iter(str(error).splitlines()), "")
    return first.rpartition("] ")[2].rstrip(". ") or type(error).__name__


@contextmanager
def joined_ranks(on_cuda: bool = False) -> Iterator[Ranks]:
    """Join the group that torchrun's environment variables describe; without them, train alone.

    The tasks of a job of submitit are a group, too. Raises LostRankError where the others don't
    come.
    """
    _note_tasks()
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Ranks()
        return
    if on_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    ranks = Ranks(int(os.environ["RANK"]), world_size)
    with ranks._together():
        dist.init_process_group("nccl" if on_cuda else "gloo", timeout=PATIENCE)
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


def _note_tasks() -> None:
    """Describe the tasks of a job of submitit as torchrun does."""
    if "SUBMITIT_EXECUTOR" in os.environ and "WORLD_SIZE" not in os.environ:
        helpers = load("submitit.helpers", "a job of submitit", "submitit", "cluster")
        helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
