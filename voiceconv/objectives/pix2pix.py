"""Pairs of frames: a conditional adversarial loss and L1. Isola et al. 2017, arXiv:1611.07004.

The paper's code updates the discriminator before the generator; here the generator is first, as in
pix2pixHD, and its fakes are judged again in the discriminator's step.
"""

from collections.abc import Callable
from itertools import combinations, permutations
from typing import Literal

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Paired
from voiceconv.losses.adversarial import GAN_MODES
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, Translator, Verdict, split_verdicts
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Weights

Mode = Literal["cross_entropy", "least_squares", "hinge"]


class Pix2Pix(Objective[Paired]):
    """Conversion of aligned sentences, frame by frame.

    Args:
        translator: any; it is asked for the directions of a batch.
        discriminator: makes one, which gets `source` beside the frames; each direction has its own.
        both: whether the way back is learnt from the same pairs. If not, only the lower domain_id
            is converted into the higher, and the translator should have no other directions
            (`OneWayTranslator`), unless another objective trains them.
        gan_mode: "cross_entropy" is the paper's.

    Losses are means over the items of a batch; with `both`, an item is one of each direction.
    """

    takes = Paired
    distances = frozenset({"l1"})  # the generator's losses beside the adversarial one

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        both: bool = True,
        gan_mode: Mode = "cross_entropy",
        seed: int = 0,
    ) -> None:
        if gan_mode not in GAN_MODES:
            raise ValueError(f"gan_mode is {gan_mode!r}; it takes one of {sorted(GAN_MODES)}")
        directions = list((permutations if both else combinations)(range(n_domains), 2))
        if lacking := set(directions) - set(translator.directions(n_domains)):
            raise ValueError(
                f"the translator does not convert {sorted(lacking)}, pairs of domain_ids; give one "
                "that does, or objective.both=false"
            )
        judges = nn.ModuleDict({_key(*one): discriminator() for one in directions})
        super().__init__(translator, judges, weights)
        self.require_weights(
            generator={"adversarial", *self.distances}, discriminator={"adversarial"}
        )
        self.both = both
        self.gan_mode = GAN_MODES[gan_mode]

    @property
    def translator(self) -> Translator:
        """The generator: all directions."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Paired, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial, l1."""
        pairs = self.pairs(batch)
        fake = Fake(self.convert(pairs), condition_of(pairs))
        of_fake = self.judge(fake)
        losses = {"adversarial": self.gan_mode.generator_loss(of_fake)}
        return losses | self.distances_of(pairs, fake.frames, of_fake), {"converted": [fake]}

    def distances_of(self, pairs: Paired, converted: Tensor, of_fake: list[Verdict]) -> Losses:
        """The losses named in `distances`, of what was converted, (B, C, T), and its verdicts."""
        return {"l1": l1_loss(converted, pairs.target)}

    def discriminator_losses(self, batch: Paired, generated: Generated) -> Losses:
        """See Objective. Names: adversarial."""
        pairs, (fake,) = self.pairs(batch), generated["converted"]
        condition = {
            name: torch.cat([value, fake.condition[name]])
            for name, value in condition_of(pairs).items()
        }
        verdicts = self.judge(Fake(torch.cat([pairs.target, fake.frames]), condition))
        of_both = split_verdicts(verdicts, len(pairs.target))
        return {"adversarial": self.gan_mode.discriminator_loss(*of_both)}

    def examples(self, batch: Paired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; every direction of the batch."""
        pairs = self.pairs(batch)
        converted = self.convert(pairs)
        return [
            (pairs.source[items], converted[items])
            for _, items in _groups(pairs.source_ids, pairs.target_ids)
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {"adversarial": self.gan_mode.chance_level}

    def pairs(self, batch: Paired) -> Paired:
        """The batch, and with `both` the same pairs the other way round after it."""
        if not self.both:
            return batch
        return Paired(
            torch.cat([batch.source, batch.target]),
            torch.cat([batch.target, batch.source]),
            torch.cat([batch.source_ids, batch.target_ids]),
            torch.cat([batch.target_ids, batch.source_ids]),
        )

    def convert(self, pairs: Paired) -> Tensor:
        """The sources of any directions -> what the translator makes of them, (B, C, T)."""
        source_ids, target_ids = pairs.source_ids, pairs.target_ids
        if self.translator.shared:
            shared: Tensor = self.translator(pairs.source, source_ids, target_ids)
            return shared
        groups = _groups(source_ids, target_ids)
        converted = [self.translator(pairs.source[items], *pair) for pair, items in groups]
        return torch.cat(converted)[_order(groups)]

    def judge(self, shown: Fake) -> list[Verdict]:
        """Frames of any directions, real or fake, with their condition -> verdicts on all."""
        condition = shown.condition
        groups = _groups(condition["source_ids"], condition["target_ids"])
        verdicts = [
            self.discriminators[_key(*pair)](shown.frames[items], condition["source"][items])  # type: ignore[index]
            for pair, items in groups
        ]
        order = _order(groups)
        return [
            Verdict(
                torch.cat([part.logits for part in scale])[order],
                [
                    torch.cat(parts)[order]
                    for parts in zip(*(part.features for part in scale), strict=True)
                ],
            )
            for scale in zip(*verdicts, strict=True)
        ]


Groups = list[tuple[tuple[int, int], Tensor]]


def _groups(source_ids: Tensor, target_ids: Tensor) -> Groups:
    """Domain_ids (B,) each -> each direction among them, with the numbers of its items."""
    items: dict[tuple[int, int], list[int]] = {}
    for item, direction in enumerate(zip(source_ids.tolist(), target_ids.tolist(), strict=True)):
        items.setdefault(direction, []).append(item)
    return [(one, torch.tensor(some, device=source_ids.device)) for one, some in items.items()]


def _order(groups: Groups) -> Tensor:
    """The places, in what was joined group by group, of the items in order."""
    return torch.cat([items for _, items in groups]).argsort()


def condition_of(pairs: Paired) -> dict[str, Tensor]:
    """What the discriminators are told of each item."""
    return {
        "source": pairs.source,
        "source_ids": pairs.source_ids,
        "target_ids": pairs.target_ids,
    }


def _key(source: int, target: int) -> str:
    return f"{source}_to_{target}"
