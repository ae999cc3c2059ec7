"""Any voice into many targets, from recordings without pairs.

Ours, from five ideas. A target's crop with bent formants must come back as it was: pairs for
nothing (`identity`). A synthetic voice that reads the target's sentences gives more of them, though
only roughly aligned (`parallel`; without such voices it is one more `identity`). What two voices
say at the same time must have one code, whoever speaks (`content`). A conversion of any other voice
must pass for the target (`adversarial`), before a judge that is told the target and held back by a
penalty. A target's crop that comes back must look to that judge as the real one does
(`feature_matching`).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from voiceconv.data.batches import Perturbed
from voiceconv.losses.adversarial import (
    CHANCE_LEVEL,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from voiceconv.losses.contrastive import contrastive_loss
from voiceconv.losses.reconstruction import feature_matching_loss, l1_loss
from voiceconv.models.any_to_many import AnyToManyTranslator
from voiceconv.models.base import Discriminator, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Weights

PENALISED = 4  # one crop of so many gets the penalty, whose second derivatives are dear


class AnyToMany(Objective[Perturbed]):
    """Reconstruction of bent crops, contrast of content, and conversion of all other voices.

    Args:
        translator: one with an encoder of its own.
        discriminator: makes one, of `n_domains`.
    """

    takes = Perturbed

    def __init__(
        self,
        translator: AnyToManyTranslator,
        discriminator: Callable[..., Discriminator],
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        super().__init__(translator, discriminator(n_domains=n_domains), weights)
        self.require_weights(
            generator={"identity", "parallel", "content", "adversarial", "feature_matching"},
            discriminator={"adversarial", "penalty"},
        )

    @property
    def translator(self) -> AnyToManyTranslator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Perturbed, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        n_own, n_pairs = len(batch.frames), len(batch.one)
        fake_ids = torch.cat([batch.said_ids, batch.target_ids])
        ids = torch.cat([batch.domain_ids, fake_ids])
        heard = torch.cat([batch.bent, batch.one, batch.others, batch.other])
        codes = self.translator.encode(heard)  # `other` is heard for its content alone
        made = self.translator.decode(codes[:-n_pairs], heard[:-n_pairs], ids)
        same, fake = made[:n_own], made[n_own:]
        of_same, of_fake = split_verdicts(self.discriminators(made, ids), n_own)
        with torch.no_grad():
            of_real = self.discriminators(batch.frames, batch.domain_ids)
        one, other = codes[n_own : n_own + n_pairs], codes[-n_pairs:]
        losses = {
            "identity": weighted_distance(same, batch.frames, batch.scale),
            "parallel": weighted_distance(fake[:n_pairs], batch.said, batch.scale),
            "content": contrastive_loss(one, other),
            "adversarial": generator_loss(of_fake),
            "feature_matching": feature_matching_loss(of_same, of_real),
        }
        return losses, {"converted": [Fake(fake, {"domain_ids": fake_ids})]}

    def discriminator_losses(self, batch: Perturbed, generated: Generated) -> Losses:
        """See Objective."""
        (fake,) = generated["converted"]
        verdicts = self.discriminators(
            torch.cat([batch.frames, fake.frames]),
            torch.cat([batch.domain_ids, fake.condition["domain_ids"]]),
        )
        n_penalised = max(1, len(batch.frames) // PENALISED)
        frames = batch.frames[:n_penalised].detach().requires_grad_()
        of_few = self.discriminators(frames, batch.domain_ids[:n_penalised])
        return {
            "adversarial": discriminator_loss(*split_verdicts(verdicts, len(batch.frames))),
            "penalty": gradient_penalty(of_few, frames),
        }

    def examples(self, batch: Perturbed) -> list[tuple[Tensor, Tensor]]:
        """See Objective; other voices' crops."""
        return [(batch.others, self.generator(batch.others, 0, batch.target_ids))]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; a penalty has none."""
        return {"adversarial": CHANCE_LEVEL}


def weighted_distance(made: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
    """The L1 distance of (B, C, T), channels weighted by (1, C)."""
    return l1_loss(made * scale[..., None], wanted * scale[..., None])
