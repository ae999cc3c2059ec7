"""Adversarial, cycle and identity losses between unpaired domains: the CycleGAN-VC family.

CycleGAN: Zhu et al. 2017, arXiv:1703.10593. CycleGAN-VC: Kaneko and Kameoka 2017, arXiv:1711.11293.
Two-step adversarial loss: CycleGAN-VC2, Kaneko et al. 2019, arXiv:1904.04631, section 3.1.
Filling in frames: MaskCycleGAN-VC, Kaneko et al. 2021, arXiv:2102.12841, section 3.
Mixed data: Brunner et al. 2018, arXiv:1809.07575, section III, as it is meant.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from voiceconv.data.batches import Unpaired
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator, judge_both
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Some, Step, Weights

Kind = Literal["converted", "cycled", "mixed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TWO_STEP: tuple[Kind, ...] = ("converted", "cycled")


class Corruption(ABC):
    """A corruption of the forward conversion's input, which the network must undo."""

    @abstractmethod
    def __call__(
        self, frames: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, C, T) -> frames as the network gets them, and a condition that says what was done."""


class WholeFrames(Corruption):
    """Nothing is done."""

    def __call__(
        self, frames: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, C, T) -> the same, no condition."""
        return frames, {}


class FillingInFrames(Corruption):
    """MaskCycleGAN-VC, eq. 4.

    One run of frames, its length uniform in 0..max_frames, is set to 0 and named by the mask.
    """

    def __init__(self, max_frames: Some = 32) -> None:
        self.max_frames = max_frames

    def __call__(
        self, frames: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, C, T) -> frames * mask, {"mask": (B, C, T), 0 where a frame is missing}."""
        mask = torch.ones_like(frames)
        n_frames = frames.shape[-1]
        for item in mask:
            length = rng.integers(min(self.max_frames, n_frames) + 1)
            start = rng.integers(n_frames - length + 1)
            item[:, start : start + length] = 0
        return frames * mask, {"mask": mask}


class CycleGAN(Objective[Unpaired]):
    """Conversion of every domain into every other, and back.

    Args:
        discriminator: makes one; each judged kind of each domain gets its own.
        judged: what is judged: ["converted"] as in CycleGAN-VC, or with "cycled" for the two-step
            adversarial loss, whose discriminators play in both players' steps. "mixed": what is
            converted is judged against a mixture of all domains, too. In the authors' code these
            discriminators never reach the generators; here they do.
        corruption: see Corruption.
        identity_steps: the identity loss is 0 from this step on (10,000 in the papers of voices);
            None: it lasts for the whole run.
        seed: with the step, decides what is corrupted; mixed data are drawn by torch.

    Losses are summed over domains, as the papers' objectives are. With three domains or more, a
    domain's adversarial terms are means over the fakes that come from all others.
    """

    takes = Unpaired

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        judged: Sequence[Kind] = TWO_STEP,
        corruption: Corruption | None = None,
        identity_steps: Step | None = 10_000,
        seed: int = 0,
    ) -> None:
        if not judged or set(judged) - set(KINDS):
            raise ValueError(f"judged is {list(judged)}; it takes one or more of {list(KINDS)}")
        discriminators = nn.ModuleDict(
            {kind: nn.ModuleList(discriminator() for _ in range(n_domains)) for kind in judged}
        )
        super().__init__(translator, discriminators, weights)
        adversarial = {f"adversarial_{kind}" for kind in judged}
        self.require_weights(
            generator=adversarial | {"cycle", "identity"}, discriminator=adversarial
        )
        self.corruption = WholeFrames() if corruption is None else corruption
        self.identity_steps = math.inf if identity_steps is None else identity_steps
        self.seed = seed
        self.n_domains = n_domains

    @classmethod
    def plan(cls, n_steps: int) -> dict[str, Any]:
        """See Objective; the identity loss lasts for a tenth of the run."""
        return {"identity_steps": n_steps // 10}

    @property
    def translator(self) -> Translator:
        """The generator: all domains' conversions."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Unpaired, step: int) -> tuple[Losses, Generated]:
        """See Objective.

        Names: adversarial_<kind> for each judged kind, cycle, identity.
        """
        with_identity = step < self.identity_steps
        converted: dict[tuple[int, int], Tensor] = {}
        cycle: list[Tensor] = []
        identity: list[Tensor] = []
        generated: Generated = {kind: [] for kind in KINDS}
        for source, target in permutations(range(self.n_domains), 2):
            converted[source, target], same = self._convert(
                batch.frames, source, target, step, with_identity
            )
            identity += [l1_loss(same, batch.frames[target])] if with_identity else []
        for source in range(self.n_domains):
            others = [domain for domain in range(self.n_domains) if domain != source]
            cycled = [self.translator(converted[source, other], other, source) for other in others]
            cycle += [l1_loss(back, batch.frames[source]) for back in cycled]
            fakes = [converted[other, source] for other in others]
            generated["cycled"].append(Fake(torch.cat(cycled)))
            generated["converted"].append(Fake(torch.cat(fakes)))
        generated["mixed"] = list(generated["converted"])
        losses = {
            f"adversarial_{kind}": _sum(
                generator_loss(judge(fake.frames))
                for judge, fake in zip(judges, generated[kind], strict=True)
            )
            for kind, judges in self._judges()
        }
        losses["cycle"] = _sum(cycle)
        losses["identity"] = _sum(identity) if identity else batch.frames.new_zeros(())
        return losses, {kind: generated[kind] for kind, _ in self._judges()}

    def discriminator_losses(self, batch: Unpaired, generated: Generated) -> Losses:
        """See Objective. Names: adversarial_<kind>."""
        return {
            f"adversarial_{kind}": _sum(
                discriminator_loss(*judge_both(judge, real, fake.frames))
                for judge, real, fake in zip(
                    judges, self._real(batch, kind), generated[kind], strict=True
                )
            )
            for kind, judges in self._judges()
        }

    def examples(self, batch: Unpaired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; every direction's."""
        return [
            (batch.frames[source], self.translator(batch.frames[source], source, target))
            for source, target in permutations(range(self.n_domains), 2)
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; each loss is a sum over domains."""
        return {f"adversarial_{kind}": CHANCE_LEVEL * self.n_domains for kind, _ in self._judges()}

    def _judges(self) -> list[tuple[str, nn.ModuleList]]:
        return list(self.discriminators.items())  # type: ignore[operator]

    def _real(self, batch: Unpaired, kind: str) -> Tensor:
        """What fakes of a kind are judged against, (D, B, C, T)."""
        if kind != "mixed":
            return batch.frames
        n_domains, n_items = batch.frames.shape[:2]
        drawn = torch.randint(n_domains, (n_domains, n_items))
        return batch.frames[drawn, torch.arange(n_items)]

    def _convert(
        self, crops: Tensor, source: int, target: int, step: int, with_identity: bool
    ) -> tuple[Tensor, Tensor]:
        """(D, B, C, T) -> source frames, and target frames, through one pass of one network."""
        rng = np.random.default_rng([self.seed, step, source, target])
        frames, condition = self.corruption(crops[source], rng)
        if (
            with_identity
        ):  # one batch of both: instance norm keeps items apart, and a CPU or GPU is filled better
            frames = torch.cat([frames, crops[target]])
            whole = torch.ones_like(crops[target])
            condition = {name: torch.cat([value, whole]) for name, value in condition.items()}
        converted = self.translator(frames, source, target, **condition)
        n_items = len(crops[source])
        return converted[:n_items], converted[n_items:]


def _sum(terms) -> Tensor:  # type: ignore[no-untyped-def]
    return torch.stack(list(terms)).sum()
