"""Pairs: a conditional adversarial loss and L1, Isola et al. 2017, arXiv:1611.07004, eq. 4."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from voiceconv.data.batches import Paired
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective


class PairedGAN(Objective[Paired]):
    """The first domain into the second, frame by frame."""

    takes = Paired

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Mapping[str, Mapping[str, float]],
        seed: int = 0,
    ) -> None:
        super().__init__(translator, discriminator(), weights)
        self.require_weights(generator={"adversarial", "l1"}, discriminator={"adversarial"})

    def generator_losses(self, batch: Paired, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        fake = self.generator(batch.source, 0, 1)
        losses = {
            "adversarial": generator_loss(self.discriminators(fake, batch.source)),
            "l1": l1_loss(fake, batch.target),
        }
        return losses, {"converted": [Fake(fake, {"source": batch.source})]}

    def discriminator_losses(self, batch: Paired, generated: Generated) -> Losses:
        """See Objective."""
        (fake,) = generated["converted"]
        frames = torch.cat([batch.target, fake.frames])
        source = torch.cat([batch.source, fake.condition["source"]])
        verdicts = self.discriminators(frames, source)
        return {"adversarial": discriminator_loss(*split_verdicts(verdicts, len(batch.target)))}

    def examples(self, batch: Paired) -> list[tuple[Tensor, Tensor]]:
        """See Objective."""
        return [(batch.source, self.generator(batch.source, 0, 1))]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {"adversarial": CHANCE_LEVEL}
