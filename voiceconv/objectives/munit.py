"""MUNIT: content that domains share, and styles. Huang et al. 2018, arXiv:1804.04732, section 3.

In the paper each domain has an autoencoder of its own, and a fake has a random style of the target
domain, from the prior N(0, I). With one autoencoder for all (ours) a random style belongs to no
domain, and no domain's discriminator could judge what is made with it. So each domain has one
style, drawn from the prior before training: its fakes have it, and the loss `own_style` draws the
styles of its real crops to it. The other choice, styles of real crops for fakes and penalties that
give them the prior's moments and draw them to their domain's mean, was tried: after 600 steps with
four voices 34% of the training crops had a style nearest to their own voice's mean, and 60% with
this (chance is 25%; one run each). Conversions into different targets differed by 0.03 and 0.7.

The code updates the discriminators first; here they come second and get the fakes of the
generator's step.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Unpaired
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
from voiceconv.models.base import Discriminator, judge_both
from voiceconv.models.munit import MunitTranslator
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.objectives.unit import partners
from voiceconv.schema import Weights

LOSSES = ("adversarial", "reconstruction", "style", "content", "cycle", "own_style")
DECAY = 0.99  # of a domain's mean style, for each step


class Munit(Objective[Unpaired]):
    """Every domain back from content and style, and into another one with a style of that one.

    Args:
        discriminator: makes one; each domain gets its own.
        seed: with the step, decides which domain each is converted into.

    Losses are sums over domains. `cycle` and `own_style` are not computed where their weight is 0.
    Random styles come from torch's global generator.
    """

    takes = Unpaired

    def __init__(
        self,
        translator: MunitTranslator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        seed: int = 0,
    ) -> None:
        if n_domains < 2:
            raise ValueError(f"MUNIT converts between 2 domains or more, not {n_domains}")
        judges = nn.ModuleList(discriminator() for _ in range(n_domains))
        super().__init__(translator, judges, weights)
        self.require_weights(generator=set(LOSSES), discriminator={"adversarial"})
        if not translator.separate and not self._counts("own_style"):
            raise ValueError(
                "weights.generator.own_style is 0, and translator.separate=false needs it, so that "
                "styles say who speaks; give 1, say"
            )
        self.n_domains = n_domains
        self.seed = seed

    @property
    def translator(self) -> MunitTranslator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Unpaired, step: int) -> tuple[Losses, Generated]:
        """See Objective; also updates the mean styles of separate domains."""
        translator, n_frames = self.translator, batch.frames.shape[-1]
        styles = [translator.encode_style(crops, d) for d, crops in enumerate(batch.frames)]
        if translator.separate:
            self._note(styles, step)
        terms: dict[str, list[Tensor]] = {name: [] for name in LOSSES}
        fakes: dict[int, Tensor] = {}
        for source, target in enumerate(partners(self.n_domains, self.seed, step)):
            frames = batch.frames[source]
            content = translator.encode(frames, source)
            same = translator.decode(content, styles[source], source, n_frames)
            style = self._wanted(styles[target], target)
            fake = fakes[target] = translator.decode(content, style, target, n_frames)
            of_fake = translator.encode(fake, target)
            terms["adversarial"].append(generator_loss(self._judges[target](fake)))
            terms["reconstruction"].append(l1_loss(same, frames))
            terms["style"].append(l1_loss(translator.encode_style(fake, target), style))
            terms["content"].append(l1_loss(of_fake, content))
            if self._counts("cycle"):
                back = translator.decode(of_fake, styles[source], source, n_frames)
                terms["cycle"].append(l1_loss(back, frames))
            if self._counts("own_style"):
                wanted = translator.styles[source].expand_as(styles[source])
                terms["own_style"].append(l1_loss(styles[source], wanted))
        none = batch.frames.new_zeros(1)
        losses = {name: torch.stack(some or [none]).sum() for name, some in terms.items()}
        return losses, {"converted": [Fake(fakes[domain]) for domain in range(self.n_domains)]}

    def discriminator_losses(self, batch: Unpaired, generated: Generated) -> Losses:
        """See Objective."""
        terms = []
        for judge, real, fake in zip(
            self._judges, batch.frames, generated["converted"], strict=True
        ):
            terms.append(discriminator_loss(*judge_both(judge, real, fake.frames)))
        return {"adversarial": torch.stack(terms).sum()}

    def examples(self, batch: Unpaired) -> list[tuple[Tensor, Tensor]]:
        """See Objective; each domain into the next one, with its own style."""
        return [
            (frames, self.translator(frames, source, (source + 1) % self.n_domains))
            for source, frames in enumerate(batch.frames)
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective; each loss is a sum over domains."""
        return {"adversarial": CHANCE_LEVEL * self.n_domains}

    @property
    def _judges(self) -> nn.ModuleList:
        return self.discriminators  # type: ignore[return-value]

    def _counts(self, name: str) -> bool:
        return self.weights["generator"][name] > 0

    def _wanted(self, like: Tensor, target: int) -> Tensor:
        """Styles (B, n_style) for fakes of a domain: random ones of its own space, or the one."""
        if self.translator.separate:
            return torch.randn_like(like)
        return self.translator.styles[target].expand_as(like)

    @torch.no_grad()
    def _note(self, styles: list[Tensor], step: int) -> None:
        """Move the domains' mean styles towards those of their crops, faster in the first steps."""
        decay = min(DECAY, (1 + step) / (10 + step))
        now = torch.stack([style.float().mean(0) for style in styles])
        self.translator.styles.lerp_(now, 1 - decay)
