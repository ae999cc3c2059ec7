"""Pairs of frames: adversarial losses at several scales, feature matching, and an anchor of L1.

pix2pixHD: Wang et al. 2018, arXiv:1711.11585, eq. 2 to 4. The loss of a network that recognises
pictures is left out: there is none for frames. Feature matching alone leaves level and colour of a
picture open; hence ours, a small L1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from voiceconv.data.batches import Paired
from voiceconv.losses.reconstruction import feature_matching_loss
from voiceconv.models.base import Discriminator, Translator, Verdict
from voiceconv.models.pix2pixhd import LocalEnhancer
from voiceconv.objectives.base import Fake, Generated, Losses
from voiceconv.objectives.pix2pix import Mode, Pix2Pix, condition_of
from voiceconv.schema import Step, Weights


class Pix2PixHD(Pix2Pix):
    """Conversion of aligned sentences, whose fakes must look to the judges as the real frames do.

    Feature matching (eq. 3) is a mean over scales, and a sum over layers without the last, as in
    the authors' code, whose factor 4 / (n_layers + 1) is 1 for the three layers of a judge.

    Args:
        fix_global_steps: until this step the global network of a `LocalEnhancer` is not trained;
            0 as in the authors' code.
        gan_mode: "least_squares" is the authors'.

    The others are those of Pix2Pix.
    """

    distances = frozenset({"feature_matching", "l1"})

    def __init__(
        self,
        translator: Translator,
        discriminator: Callable[[], Discriminator],
        n_domains: int,
        weights: Weights,
        both: bool = True,
        gan_mode: Mode = "least_squares",
        fix_global_steps: Step = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(translator, discriminator, n_domains, weights, both, gan_mode, seed)
        self.fix_global_steps = fix_global_steps

    def generator_losses(self, batch: Paired, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial, feature_matching, l1."""
        if self.fix_global_steps:
            for part in self.translator.modules():
                if isinstance(part, LocalEnhancer):
                    part.whole.requires_grad_(step >= self.fix_global_steps)
        return super().generator_losses(batch, step)

    def distances_of(self, pairs: Paired, converted: Tensor, of_fake: list[Verdict]) -> Losses:
        """See Pix2Pix."""
        with torch.no_grad():
            of_real = self.judge(Fake(pairs.target, condition_of(pairs)))
        matching = {"feature_matching": feature_matching_loss(of_fake, of_real)}
        return matching | super().distances_of(pairs, converted, of_fake)
