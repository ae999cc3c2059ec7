"""A shared latent space: the scheme of UNIT, Liu et al. 2017, arXiv:1703.00848."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from voiceconv.models.tiny_latent import LatentTranslator

from voiceconv.data.batches import Unpaired
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective


class LatentGAN(Objective[Unpaired]):
    """Each domain back from the code, and into the next one. The code's noise is torch's."""

    takes = Unpaired

    def __init__(
        self,
        translator: LatentTranslator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Mapping[str, Mapping[str, float]],
        seed: int = 0,
    ) -> None:
        judges = nn.ModuleList(discriminator() for _ in range(n_domains))
        super().__init__(translator, judges, weights)
        self.require_weights(
            generator={"adversarial", "reconstruction", "kl"}, discriminator={"adversarial"}
        )
        self.n_domains = n_domains

    def generator_losses(self, batch: Unpaired, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        translator: LatentTranslator = self.generator  # type: ignore[assignment]
        same, fakes, means = [], [], []
        for domain, frames in enumerate(batch.frames):
            means.append(translator.encode(frames, domain))
            same.append(l1_loss(translator(frames, domain, domain), frames))
            other = (domain - 1) % self.n_domains
            fakes.append(translator(batch.frames[other], other, domain))
        verdicts = [judge(fake) for judge, fake in zip(self.discriminators, fakes, strict=True)]
        losses = {
            "adversarial": torch.stack([generator_loss(one) for one in verdicts]).sum(),
            "reconstruction": torch.stack(same).sum(),
            "kl": torch.stack([mean.square().mean() for mean in means]).sum(),
        }
        return losses, {"converted": [Fake(fake) for fake in fakes]}

    def discriminator_losses(self, batch: Unpaired, generated: Generated) -> Losses:
        """See Objective."""
        losses = []
        for judge, real, fake in zip(
            self.discriminators, batch.frames, generated["converted"], strict=True
        ):
            verdicts = judge(torch.cat([real, fake.frames]))
            losses.append(discriminator_loss(*split_verdicts(verdicts, len(real))))
        return {"adversarial": torch.stack(losses).sum()}

    def examples(self, batch: Unpaired) -> list[tuple[Tensor, Tensor]]:
        """See Objective."""
        return [(batch.frames[0], self.generator(batch.frames[0], 0, 1))]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {"adversarial": CHANCE_LEVEL * self.n_domains}
