"""A new voice for a trained any-to-many translator: only what belongs to that voice learns.

Ours. The old voices are the new one's teachers: what they make of its clips says the same at the
same time, so each clip is the answer to as many questions as there are voices (`parallel`). The
judge is new, too, and knows the one voice.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Perturbed
from voiceconv.losses.adversarial import generator_loss
from voiceconv.losses.reconstruction import feature_matching_loss
from voiceconv.models.any_to_many import AnyToManyTranslator
from voiceconv.models.base import Discriminator, split_verdicts
from voiceconv.objectives.any_to_many import AnyToMany, weighted_distance
from voiceconv.objectives.base import Fake, Generated, Losses
from voiceconv.schema import Weights


class Adaptation(AnyToMany):
    """AnyToMany with one target, whose own parameters are all that the generator's player has.

    A batch's domain_ids are 0, the judge's only voice. No gradient reaches the rows of other
    domains, because their codes are 0; so an optimiser without weight decay leaves them to the bit.

    Args:
        translator: see AnyToMany; its other parameters are frozen.
        discriminator: makes one, of `n_domains`.
        domain_id: of the new voice.
    """

    of_generator = AnyToMany.of_generator - {"content"}  # the encoder is frozen

    def __init__(
        self,
        translator: AnyToManyTranslator,
        discriminator: Callable[..., Discriminator],
        weights: Weights,
        domain_id: int,
    ) -> None:
        super().__init__(translator, discriminator, 1, weights)
        self.domain_id = domain_id
        translator.requires_grad_(False)
        self.learning = nn.ParameterList(translator.of_domains()).requires_grad_(True)

    def player(self, name: str) -> nn.Module:
        """See Objective."""
        return self.learning if name == "generator" else super().player(name)

    def generator_losses(self, batch: Perturbed, step: int) -> tuple[Losses, Generated]:
        """See Objective."""
        n_own, n_pairs = len(batch.frames), len(batch.one)
        heard = torch.cat([batch.bent, batch.one, batch.others])
        made = self.translator.decode(self.translator.encode(heard), heard, self.domain_id)
        same, fake = made[:n_own], made[n_own:]
        of_same, of_fake = split_verdicts(self.discriminators(made, _zeros(made)), n_own)
        with torch.no_grad():
            of_real = self.discriminators(batch.frames, batch.domain_ids)
        losses = {
            "identity": weighted_distance(same, batch.frames, batch.scale),
            "parallel": weighted_distance(fake[:n_pairs], batch.said, batch.scale),
            "adversarial": generator_loss(of_fake),
            "feature_matching": feature_matching_loss(of_same, of_real),
        }
        return losses, {"converted": [Fake(fake, {"domain_ids": _zeros(fake)})]}

    def examples(self, batch: Perturbed) -> list[tuple[Tensor, Tensor]]:
        """See Objective."""
        return [(batch.others, self.translator(batch.others, 0, self.domain_id))]


def _zeros(frames: Tensor) -> Tensor:
    """The domain_id (B,) of the judge's only voice, for each of (B, C, T)."""
    return torch.zeros(len(frames), dtype=torch.long, device=frames.device)
