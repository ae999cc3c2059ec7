"""Any domain into any other by one network, judged and classified: StarGAN-VC.

Kameoka et al. 2018, arXiv:1806.02169, equations 9 to 17. The generator's step comes first, and the
discriminator gets its fakes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.data.batches import Labelled
from voiceconv.losses.adversarial import GAN_MODES
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator, Verdict, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Weights

CHANCE_LEVEL = GAN_MODES["cross_entropy"].chance_level


class Conversions(NamedTuple):
    """A step's conversions. fake: (B, C, T), of `target` (B,); losses: cycle and identity."""

    fake: Tensor
    target: Tensor
    losses: Losses


class StarObjective(Objective[Labelled]):
    """What StarGAN-VC and StarGAN-VC2 share: each item into one other domain, and back.

    seed: with the step, decides the targets.
    """

    takes = Labelled

    def __init__(
        self,
        translator: Translator,
        discriminators: nn.Module,
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        if n_domains < 2:
            raise ValueError(f"training converts between 2 domains or more, not {n_domains}")
        super().__init__(translator, discriminators, weights)
        self.n_domains = n_domains
        self.seed = seed

    @property
    def translator(self) -> Translator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def conversions(self, batch: Labelled, step: int, with_identity: bool = True) -> Conversions:
        """Each item into a domain drawn among the others, back, and into its own."""
        frames, source = batch.frames, batch.domain_ids
        rng = np.random.default_rng([self.seed, step])
        moves = torch.as_tensor(rng.integers(1, self.n_domains, len(source)), device=source.device)
        target = (source + moves) % self.n_domains
        if with_identity:  # one pass of both, which fills a CPU or GPU better
            made = self.translator(
                torch.cat([frames, frames]),
                torch.cat([source, source]),
                torch.cat([target, source]),
            )
            fake, same = made.chunk(2)
        else:
            fake, same = self.translator(frames, source, target), frames
        back = self.translator(fake, target, source)
        losses = {"cycle": l1_loss(back, frames), "identity": l1_loss(same, frames)}
        return Conversions(fake, target, losses)

    def examples(self, batch: Labelled) -> list[tuple[Tensor, Tensor]]:
        """See Objective; each item into the next domain."""
        target = (batch.domain_ids + 1) % self.n_domains
        return [(batch.frames, self.translator(batch.frames, batch.domain_ids, target))]


class StarGan(StarObjective):
    """A judge that is told the target, and a classifier that learns from real frames alone.

    Args:
        discriminator: makes the judge, of `n_domains`.
        classifier: makes a network of `n_domains`, frames (B, C, T) -> logits (B, D, T').
        seed: with the step, decides the targets.
    """

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[..., Discriminator],
        classifier: Callable[..., nn.Module],
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        networks = {
            "judge": discriminator(n_domains=n_domains),
            "classifier": classifier(n_domains=n_domains),
        }
        super().__init__(translator, nn.ModuleDict(networks), n_domains, weights, seed)
        self.require_weights(
            generator={"adversarial", "classification", "cycle", "identity"},
            discriminator={"adversarial", "classification"},
        )
        self.judge, self.classifier = networks["judge"], networks["classifier"]

    def networks(self) -> dict[str, nn.Module]:
        """See Objective."""
        return {**super().networks(), "classifier": self.classifier}

    def generator_losses(self, batch: Labelled, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial, classification, cycle, identity (eq. 10, 12 to 15)."""
        fake, target, losses = self.conversions(batch, step)
        losses["adversarial"] = generator_loss(self.judge(fake, target))
        losses["classification"] = classification_loss(self.classifier(fake), target)
        return losses, {"converted": [Fake(fake, {"domain_ids": target})]}

    def discriminator_losses(self, batch: Labelled, generated: Generated) -> Losses:
        """See Objective. Names: adversarial (eq. 9), classification, of real frames (eq. 11)."""
        (fake,) = generated["converted"]
        verdicts = self.judge(
            torch.cat([batch.frames, fake.frames]),
            torch.cat([batch.domain_ids, fake.condition["domain_ids"]]),
        )
        return {
            "adversarial": discriminator_loss(*split_verdicts(verdicts, len(batch.frames))),
            "classification": classification_loss(self.classifier(batch.frames), batch.domain_ids),
        }

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; a classifier has none."""
        return {"adversarial": CHANCE_LEVEL}


def generator_loss(fake: list[Verdict]) -> Tensor:
    """-E[log D(G(x, c), c)]."""
    return -_log_probability(fake).mean()


def discriminator_loss(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """-E[log D(y, c)] - E[log(1 - D(G(x, c), c))]."""
    certain = -1e-30  # the logarithm of a probability that is not quite 1
    log_fooled = _log_probability(fake).clamp(max=certain)
    return -_log_probability(real).mean() - torch.log(-torch.expm1(log_fooled)).mean()


def classification_loss(logits: Tensor, domain_ids: Tensor) -> Tensor:
    """Logits (B, D, T'), (B,) -> -E[log p(c | x)] / T', p the product over time of softmaxes."""
    return F.cross_entropy(logits.float(), domain_ids[:, None].expand(-1, logits.shape[-1]))


def _log_probability(verdicts: list[Verdict]) -> Tensor:
    """Verdicts -> log D (B,), for D a geometric mean of sigmoids.

    The paper's D is their product. Its logarithm would grow with the number of outputs, so it is
    divided by it: no loss depends on T.
    """
    logits = torch.cat([verdict.logits.float().flatten(1) for verdict in verdicts], 1)
    return F.logsigmoid(logits).mean(1)
