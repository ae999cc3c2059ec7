"""One-sided translation by contrast: CUT, and CVC, which is CUT on speech.

CUT: Park, Efros, Zhang and Zhu 2020, arXiv:2007.15651. CVC: Li et al. 2021, arXiv:2011.00782.
There is no way back: a place of the output must be nearer to the same place of its input than to
others, in the features of the generator's own encoder.

The generator's step comes first and the discriminator gets its fakes; the authors' discriminator
is first.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from voiceconv.data.batches import Pooled
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.contrastive import patch_nce_loss
from voiceconv.models.base import Discriminator, judge_both
from voiceconv.models.cut import CutGenerator, CutTranslator, Projections
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Above0, Count, Weights


class CUT(Objective[Pooled]):
    """Conversion of all other voices into each target, which has its own networks.

    Args:
        discriminator: makes one; each target gets its own.
        n_places: places of each plane of features that are contrasted with each other; all of a
            plane that has fewer.
        width: of the projections.
        temperature: of the contrast.
        seed: with the step, decides which places.

    Losses are summed over targets. The projections are trained with the generators, but belong to
    the objective: they don't ship.
    """

    takes = Pooled

    def __init__(
        self,
        translator: CutTranslator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        n_places: Count = 256,
        width: Count = 256,
        temperature: Above0 = 0.07,
        seed: int = 0,
    ) -> None:
        judges = nn.ModuleList(discriminator() for _ in range(n_domains))
        super().__init__(translator, judges, weights)
        self.require_weights(
            generator={"adversarial", "nce", "nce_identity"}, discriminator={"adversarial"}
        )
        self.projections = nn.ModuleList(
            Projections(generator.widths, width)  # type: ignore[arg-type]
            for generator in translator.generators
        )
        self.n_domains, self.n_places = n_domains, n_places
        self.temperature, self.seed = temperature, seed

    @property
    def translator(self) -> CutTranslator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def player(self, name: str) -> nn.Module:
        """See Objective; the generator's networks with the projections."""
        if name == "generator":
            return nn.ModuleList([self.generator, self.projections])
        return super().player(name)

    def generator_losses(self, batch: Pooled, step: int) -> tuple[Losses, Generated]:
        """See Objective.

        nce: of what others' crops became and these crops; nce_identity: of what a target's own
        crops became and these.
        """
        fakes, losses = [], []
        for target, (others, own) in enumerate(zip(batch.others, batch.frames, strict=True)):
            # one batch of both: instance norm keeps items apart
            made, features = self._generator(target).convert(torch.cat([others, own]))
            fake, _ = made.chunk(2)
            nce, nce_identity = self._contrast(target, made, features, step)
            adversarial = generator_loss(self.discriminators[target](fake))  # type: ignore[index]
            losses.append(torch.stack([adversarial, nce, nce_identity]))
            fakes.append(Fake(fake))
        adversarial, nce, nce_identity = torch.stack(losses).sum(0)
        named = {"adversarial": adversarial, "nce": nce, "nce_identity": nce_identity}
        return named, {"converted": fakes}

    def discriminator_losses(self, batch: Pooled, generated: Generated) -> Losses:
        """See Objective."""
        judges: nn.ModuleList = self.discriminators  # type: ignore[assignment]
        terms = [
            discriminator_loss(*judge_both(judge, own, fake.frames))
            for judge, own, fake in zip(judges, batch.frames, generated["converted"], strict=True)
        ]
        return {"adversarial": torch.stack(terms).sum()}

    def examples(self, batch: Pooled) -> list[tuple[Tensor, Tensor]]:
        """See Objective; the pool of each target."""
        return [
            (others, self.translator(others, 0, target))
            for target, others in enumerate(batch.others)
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; the loss is a sum over targets."""
        return {"adversarial": CHANCE_LEVEL * self.n_domains}

    def _generator(self, target: int) -> CutGenerator:
        return self.translator.generators[target]  # type: ignore[return-value]

    def _contrast(
        self, target: int, made: Tensor, features: list[Tensor], step: int
    ) -> tuple[Tensor, Tensor]:
        """Made frames (2B, C, T), their inputs' features -> the losses of the two halves."""
        project, places = self.projections[target], self._places(features, target, step)
        with torch.no_grad():  # they are constants of the loss
            keys = project(features, places)
        queries = project(self._generator(target).features(made), places)
        nce, nce_identity = (
            torch.stack(
                [
                    patch_nce_loss(query.chunk(2)[half], key.chunk(2)[half], self.temperature)
                    for query, key in zip(queries, keys, strict=True)
                ]
            ).mean()
            for half in (0, 1)
        )
        return nce, nce_identity

    def _places(self, features: Sequence[Tensor], target: int, step: int) -> list[Tensor]:
        """Planes (B, K, C, T) -> for each the numbers of some of its C * T places (P,)."""
        rng = np.random.default_rng([self.seed, step, target])
        return [
            torch.from_numpy(rng.permutation(plane[0, 0].numel())[: self.n_places]).to(plane.device)
            for plane in features
        ]
