"""A new voice for a trained any-to-many translator: only what belongs to that voice learns.

Ours. The old voices are the new one's teachers: what they make of its clips says the same at the
same time, so a clip is the answer to as many questions as there are teachers (`parallel`), beside
its own crops with other formants (`identity`). No gradient reaches the rows of other domains,
because their codes are 0; so Adam, without weight decay, leaves them to the bit.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from voiceconv.converter import Converter
from voiceconv.data.perturbed import PerturbedCrops
from voiceconv.errors import RunError
from voiceconv.features import DomainStats, Features
from voiceconv.models.any_to_many import AnyToManyTranslator
from voiceconv.objectives.any_to_many import weighted_distance
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Batches

N_FRAMES, N_OWN, N_PAIRS, N_TEACHERS = 128, 8, 5, 4  # of a crop; crops of a step; a phrase's
WEIGHTS = {"identity": 10.0, "parallel": 3.0}
RATE, BETAS = 2e-3, (0.8, 0.99)
AVERAGE = 0.99  # decay of the mean of the weights, which ships


class Adaptation:
    """Gradient descent on what a translator has for one domain.

    Args:
        translator: is copied.
        domain_id: of the new voice.
        batches: of that voice alone.
        n_steps: that the fall of the rate is planned for.
        seed: of the noise on the code.
    """

    def __init__(
        self,
        translator: AnyToManyTranslator,
        domain_id: int,
        batches: Batches,
        n_steps: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.device = torch.device(device)
        self.translator = copy.deepcopy(translator).to(device).requires_grad_(False).train()
        self.domain_id, self.batches = domain_id, batches
        self.schedule, self.n_done = LinearDecay(n_steps, n_steps // 2), 0
        self._own = [one.requires_grad_() for one in self.translator.of_domains()]
        self._average = [one.detach().clone() for one in self._own]
        self._optimizer = torch.optim.Adam(self._own, RATE, BETAS)
        torch.manual_seed(seed)

    def step(self) -> dict[str, float]:
        """Learn from the next batch; its losses by name.

        Raises RunError where they are not finite.
        """
        batch: Any = self.batches.batch(self.n_done).to(self.device)
        for group in self._optimizer.param_groups:
            group["lr"] = RATE * self.schedule.factor(self.n_done)
        heard = torch.cat([batch.bent, batch.one])
        with torch.autocast(self.device.type, torch.bfloat16):
            made = self.translator(heard, 0, self.domain_id)
            same, said = made.split([len(batch.bent), len(batch.one)])
            losses = {
                "identity": weighted_distance(same, batch.frames, batch.scale),
                "parallel": weighted_distance(said, batch.said, batch.scale),
            }
        total = torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum()
        if not total.isfinite():
            raise RunError(f"step {self.n_done}: the loss is not finite; look into the clips")
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._optimizer.step()
        self.n_done += 1
        decay = min(AVERAGE, self.n_done / (9 + self.n_done))  # a young mean forgets the start
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._own, 1 - decay)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @torch.no_grad()
    def averaged(self) -> AnyToManyTranslator:
        """The translator, on the CPU, with the mean of its weights."""
        finished = copy.deepcopy(self.translator).requires_grad_(False)
        for own, mean in zip(finished.of_domains(), self._average, strict=True):
            own.copy_(mean)
        return finished.cpu().eval()


def make_batches(
    base: Converter, domain: str, stats: DomainStats, phrases: Mapping[str, Features], seed: int
) -> PerturbedCrops:
    """Crops of a voice's phrases, bent, and of what the old voices of `base` make of them."""
    return PerturbedCrops(
        {domain: {name: _matrix(one) for name, one in phrases.items()}},
        {domain: stats},
        N_FRAMES,
        N_OWN,
        base.extractor,
        by_teachers(base, phrases),
        n_others=1,
        n_pairs=N_PAIRS,
        aligned=True,
        seed=seed,
    )


@torch.no_grad()
def by_teachers(
    base: Converter, phrases: Mapping[str, Features]
) -> dict[str, dict[str, np.ndarray]]:
    """Frames (T, C) of phrases in old voices, by voice and phrase.

    Of more than N_TEACHERS voices, that many say each phrase, in turns.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    n_voices = len(base.domains)
    for number, (name, one) in enumerate(phrases.items()):
        own = base.extractor.fit([one])
        for turn in range(min(N_TEACHERS, n_voices)):
            target = base.domains[(number + turn) % n_voices]
            found.setdefault(target, {})[name] = _matrix(base.translate(one, own, target, target))
    return found


def _matrix(features: Features) -> np.ndarray:
    """Frames (C, T) -> (T, C)."""
    return features.frames.T.contiguous().numpy()
