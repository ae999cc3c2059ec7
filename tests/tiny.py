"""Networks, batches and runs small enough for tests; imported by tests and by the processes that
they start.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voiceconv.data.batches import Batch, Unpaired
from voiceconv.models.base import PairTranslator, Translator
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.objectives.base import PLAYERS, Generated, Objective
from voiceconv.objectives.cyclegan import TWO_STEP, CycleGAN
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Trainer

N_CHANNELS = 16
N_FRAMES = 32


def vowel(pitch: float, seconds: float, sample_rate: int = 24000) -> Tensor:
    """(N,) a held vowel: every harmonic of `pitch` under 5 kHz, formants at 700 and 1200 Hz."""
    time = torch.arange(int(seconds * sample_rate), dtype=torch.float64) / sample_rate
    wave = torch.zeros_like(time)
    for harmonic in range(1, int(min(5000, 0.45 * sample_rate) / pitch) + 1):
        f = harmonic * pitch
        gain = sum(1 / (1 + ((f - formant) / 100) ** 2) for formant in (700, 1200)) + 0.02
        wave += gain * torch.sin(2 * math.pi * f * time + 0.7 * harmonic**2)
    return (0.3 * wave / wave.abs().max()).float()


def frames(seed: int, batch_size: int = 1) -> Tensor:
    """(B, C, T) normal noise, the same for the same seed."""
    shape = (batch_size, N_CHANNELS, N_FRAMES)
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def unpaired(*crops: Tensor) -> Unpaired:
    """A batch of each domain's (B, C, T)."""
    return Unpaired(torch.stack(crops))


def learn(
    objective: Objective,
    batch: Batch,
    rates: Sequence[float],
    n_steps: int,
    betas: tuple[float, float] = (0.5, 0.999),
) -> Iterator[dict[str, float]]:
    """Steps of both players on one batch: the generator's losses of each, before it is taken."""
    optimizers = {
        player: torch.optim.Adam(objective.player(player).parameters(), rate, betas)
        for player, rate in zip(PLAYERS, rates, strict=True)
    }
    for step in range(n_steps):
        losses, generated = objective.generator_losses(batch, step)
        _descend(optimizers["generator"], objective.total("generator", losses))
        yield {name: loss.item() for name, loss in losses.items()}
        judged = objective.discriminator_losses(batch, detached(generated))
        _descend(optimizers["discriminator"], objective.total("discriminator", judged))


def halves(course: Iterator[dict[str, float]], *names: str) -> bool:
    """Whether in some step all of these losses are under half of what they were at first."""
    first = None
    for losses in course:
        first = first or losses
        if all(losses[name] < 0.5 * first[name] for name in names):
            return True
    return False


def detached(generated: Generated) -> Generated:
    """As the trainer hands fakes to the discriminator's step."""
    return {kind: [fake.detach() for fake in fakes] for kind, fakes in generated.items()}


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


class NoiseBatches:
    """A batch of each domain at each step, that step's own."""

    def __init__(self, n_domains: int = 2, rank: int = 0, batch_size: int = 1) -> None:
        self.n_domains, self.rank, self.batch_size = n_domains, rank, batch_size

    def batch(self, step: int) -> Unpaired:
        return unpaired(
            *(
                frames(10_000 * self.rank + 100 * step + domain_id, self.batch_size)
                for domain_id in range(self.n_domains)
            )
        )


class OneBatch:
    """The same batch at every step."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def batch(self, step: int) -> Batch:
        return self._batch


def weights(judged: Sequence[str] = TWO_STEP) -> dict[str, dict[str, float]]:
    """The papers' weights."""
    adversarial = [f"adversarial_{kind}" for kind in judged]
    return {
        "generator": dict.fromkeys(adversarial, 1.0) | {"cycle": 10.0, "identity": 5.0},
        "discriminator": dict.fromkeys(adversarial, 0.5),
    }


def pair_translator(n_domains: int = 2, generator: Callable[..., Any] = Generator212) -> Translator:
    small = partial(generator, base_channels=8, n_residual_blocks=1)
    return PairTranslator(N_CHANNELS, n_domains, small)


def cyclegan(
    n_domains: int = 2,
    judged: Sequence[str] = TWO_STEP,
    translator: Translator | None = None,
    seed: int = 0,
    **keywords: Any,
) -> CycleGAN:
    """CycleGAN-VC2 at width 8, its parameters those of `seed`."""
    torch.manual_seed(seed)
    return CycleGAN(
        pair_translator(n_domains) if translator is None else translator,
        partial(PatchDiscriminator, n_channels=N_CHANNELS, base_channels=8),
        n_domains,
        weights(judged),
        judged,
        seed=seed,
        **keywords,
    )


def adam(lr: float) -> Callable[..., torch.optim.Optimizer]:
    return partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999))


def trainer(
    folder: Path | str,
    n_steps: int = 10,
    objective: Objective | None = None,
    batches: Any = None,
    decay_start: int | None = None,
    rates: tuple[float, float] = (2e-4, 1e-4),
    **keywords: Any,
) -> Trainer:
    """A trainer of `cyclegan()` on noise; `rates` are the generator's and the discriminator's."""
    return Trainer(
        cyclegan() if objective is None else objective,
        NoiseBatches() if batches is None else batches,
        {player: adam(rate) for player, rate in zip(PLAYERS, rates, strict=True)},
        LinearDecay(n_steps, decay_start),
        Path(folder),
        **keywords,
    )


def tensors(tree: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of a checkpoint by its path."""
    if isinstance(tree, dict):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple):
        items = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= tensors(value, f"{path}/{key}")
    return found


def differing(one: Any, other: Any) -> list[str]:
    """Paths of the leaves that are not equal to the bit, or that one of the two lacks."""
    left, right = tensors(one), tensors(other)
    return sorted(
        path
        for path in left.keys() | right.keys()
        if path not in left or path not in right or not _equal(left[path], right[path])
    )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(one == other)
