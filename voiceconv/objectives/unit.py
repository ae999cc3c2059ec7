"""UNIT: domains that share a latent space. Liu, Breuel and Kautz 2017, arXiv:1703.00848.

As in the NIPS paper's code, the adversarial losses are cross-entropies, the variance of a code is
fixed at 1, so its KL divergence from N(0, I) is its mean square but for a factor, and this is
taken of the drawn code, its noise included. The code updates the discriminators first; here they
come second and get the fakes of the generator's step.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from voiceconv.data.batches import Unpaired
from voiceconv.losses.adversarial import GAN_MODES
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, split_verdicts
from voiceconv.models.unit import UnitTranslator
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Weights

MODE = GAN_MODES["cross_entropy"]
LOSSES = ("adversarial", "reconstruction", "cycle", "kl", "kl_cycle")


def partners(n_domains: int, seed: int, step: int) -> list[int]:
    """By domain_id, the other domain that a step converts it into; each is a target once.

    A circle of all domains in random order: a step makes D conversions, not all D (D - 1).
    """
    order = np.random.default_rng([seed, step]).permutation(n_domains).tolist()
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return [following[domain] for domain in range(n_domains)]


class Unit(Objective[Unpaired]):
    """Every domain back from its code, into another domain, and from there back.

    Args:
        discriminator: makes one, of `n_domains`: the judges of all domains.
        seed: with the step, decides which domain each is converted into.

    Losses are sums over domains. The paper's are the same for its two domains. Its code takes the
    direct KL as a mean over both and counts it twice: this sum.
    """

    takes = Unpaired

    def __init__(
        self,
        translator: UnitTranslator,
        discriminator: Callable[..., Discriminator],
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        if n_domains < 2:
            raise ValueError(f"UNIT converts between 2 domains or more, not {n_domains}")
        super().__init__(translator, discriminator(n_domains=n_domains), weights)
        self.require_weights(generator=set(LOSSES), discriminator={"adversarial"})
        self.n_domains = n_domains
        self.seed = seed

    @property
    def translator(self) -> UnitTranslator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Unpaired, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        translator, n_frames = self.translator, batch.frames.shape[-1]
        terms: dict[str, list[Tensor]] = {name: [] for name in LOSSES}
        fakes: dict[int, Tensor] = {}
        for source, target in enumerate(partners(self.n_domains, self.seed, step)):
            frames = batch.frames[source]
            code = translator.encode(frames, source)
            same = translator.decode(code, source, n_frames)
            fake = fakes[target] = translator.decode(code, target, n_frames)
            cycled_code = translator.encode(fake, target)
            back = translator.decode(cycled_code, source, n_frames)
            terms["adversarial"].append(MODE.generator_loss(self.discriminators(fake, target)))
            terms["reconstruction"].append(l1_loss(same, frames))
            terms["cycle"].append(l1_loss(back, frames))
            terms["kl"].append(code.square().mean())
            terms["kl_cycle"].append(cycled_code.square().mean())
        losses = {name: torch.stack(some).sum() for name, some in terms.items()}
        return losses, {"converted": [Fake(fakes[domain]) for domain in range(self.n_domains)]}

    def discriminator_losses(self, batch: Unpaired, generated: Generated) -> Losses:
        """See Objective."""
        terms = []
        for domain, fake in enumerate(generated["converted"]):
            real = batch.frames[domain]
            verdicts = self.discriminators(torch.cat([real, fake.frames]), domain)
            terms.append(MODE.discriminator_loss(*split_verdicts(verdicts, len(real))))
        return {"adversarial": torch.stack(terms).sum()}

    def examples(self, batch: Unpaired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; each domain into the next one."""
        return [
            (frames, self.translator(frames, source, (source + 1) % self.n_domains))
            for source, frames in enumerate(batch.frames)
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; 2 ln 2 for each domain."""
        return {"adversarial": MODE.chance_level * self.n_domains}
