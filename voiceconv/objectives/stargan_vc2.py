"""Any domain into any other, judged by source and target: StarGAN-VC2.

Kaneko et al. 2019, arXiv:1907.12279. Its abstract has the source-and-target conditional adversarial
loss; how it is written out is as the ports have it, the paper's equations were not seen: real
frames are judged as if another domain had been converted into theirs. Least squares, no classifier.
The generator's step comes first, and the discriminator gets its fakes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from voiceconv.data.batches import Labelled
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.models.base import Discriminator, Translator, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses
from voiceconv.objectives.stargan_vc import StarObjective
from voiceconv.schema import Step, Weights


class StarGan2(StarObjective):
    """Each item into one other domain, and back.

    Args:
        discriminator: makes one, of `n_domains`, that is told `source` and `target`.
        identity_steps: the identity loss is 0 from this step on.
        seed: with the step, decides the targets.
    """

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[..., Discriminator],
        n_domains: int,
        weights: Weights,
        identity_steps: Step = 10_000,
        seed: int = 0,
    ) -> None:
        judge = discriminator(n_domains=n_domains)
        super().__init__(translator, judge, n_domains, weights, seed)
        self.require_weights(
            generator={"adversarial", "cycle", "identity"}, discriminator={"adversarial"}
        )
        self.identity_steps = identity_steps

    @classmethod
    def plan(cls, n_steps: int) -> dict[str, Any]:
        """See Objective; the identity loss lasts for a tenth of the run."""
        return {"identity_steps": n_steps // 10}

    def generator_losses(self, batch: Labelled, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial, cycle, identity."""
        fake, target, losses = self.conversions(batch, step, step < self.identity_steps)
        condition = {"source": batch.domain_ids, "target": target}
        losses["adversarial"] = generator_loss(self.discriminators(fake, **condition))
        return losses, {"converted": [Fake(fake, condition)]}

    def discriminator_losses(self, batch: Labelled, generated: Generated) -> Losses:
        """See Objective. Name: adversarial.

        The supposed sources of real frames are drawn from torch's generator.
        """
        (fake,) = generated["converted"]
        verdicts = self.discriminators(
            torch.cat([batch.frames, fake.frames]),
            source=torch.cat([self._others(batch.domain_ids), fake.condition["source"]]),
            target=torch.cat([batch.domain_ids, fake.condition["target"]]),
        )
        return {"adversarial": discriminator_loss(*split_verdicts(verdicts, len(batch.frames)))}

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {"adversarial": CHANCE_LEVEL}

    def _others(self, domain_ids: Tensor) -> Tensor:
        """(B,) -> for each another domain, by chance."""
        moves = torch.randint(1, self.n_domains, domain_ids.shape)
        return (domain_ids + moves.to(domain_ids.device)) % self.n_domains
