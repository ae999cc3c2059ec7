"""Any domain into any other by one network: the scheme of StarGAN-VC, arXiv:1806.02169."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from voiceconv.models.tiny_labelled import STYLE

from voiceconv.data.batches import Labelled
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective


class LabelledGAN(Objective[Labelled]):
    """Targets and styles are drawn for each item of each step.

    Args:
        discriminator: makes one, of `n_domains`.
        seed: with the step, decides targets and styles.
    """

    takes = Labelled

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[..., Discriminator],
        n_domains: int,
        weights: Mapping[str, Mapping[str, float]],
        seed: int = 0,
    ) -> None:
        super().__init__(translator, discriminator(n_domains=n_domains), weights)
        self.require_weights(
            generator={"adversarial", "classification", "cycle"},
            discriminator={"adversarial", "classification"},
        )
        self.n_domains = n_domains
        self.seed = seed

    def generator_losses(self, batch: Labelled, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        frames, source = batch.frames, batch.domain_ids
        rng = np.random.default_rng([self.seed, step])
        moved = torch.as_tensor(rng.integers(1, self.n_domains, len(source)), device=source.device)
        target = (source + moved) % self.n_domains
        style = torch.as_tensor(rng.standard_normal((len(source), STYLE)), dtype=frames.dtype)
        fake = self.generator(frames, source, target, style=style.to(frames.device))
        back = self.generator(fake, target, source)
        verdicts = self.discriminators(fake, target)
        losses = {
            "adversarial": generator_loss(verdicts),
            "classification": F.cross_entropy(self.discriminators.classify(fake), target),
            "cycle": l1_loss(back, frames),
        }
        return losses, {"converted": [Fake(fake, {"domain_ids": target})]}

    def discriminator_losses(self, batch: Labelled, generated: Generated) -> Losses:
        """See Objective; a fake from the pool is judged by the domain that it was made for."""
        (fake,) = generated["converted"]
        frames = torch.cat([batch.frames, fake.frames])
        domain_ids = torch.cat([batch.domain_ids, fake.condition["domain_ids"]])
        verdicts = self.discriminators(frames, domain_ids)
        logits = self.discriminators.classify(batch.frames)
        return {
            "adversarial": discriminator_loss(*split_verdicts(verdicts, len(batch.frames))),
            "classification": F.cross_entropy(logits, batch.domain_ids),
        }

    def examples(self, batch: Labelled) -> list[tuple[Tensor, Tensor]]:
        """See Objective; each item into the next domain."""
        target = (batch.domain_ids + 1) % self.n_domains
        return [(batch.frames, self.generator(batch.frames, batch.domain_ids, target))]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; a classifier has none."""
        return {"adversarial": CHANCE_LEVEL}
