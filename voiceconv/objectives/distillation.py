"""A streaming student says what its offline teacher says.

As LLVC (Sadov et al. 2023, arXiv:2311.00873), from pairs that the teacher made; here of WORLD
features. The cepstra are compared as log spectra on the mel scale; a judge of cepstra that is told
the target keeps them from being means (`adversarial`, `feature_matching`). Every look-ahead's head
learns; the judge hears only the default one.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.data.batches import Taught
from voiceconv.losses.adversarial import CHANCE_LEVEL, discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import feature_matching_loss
from voiceconv.models.base import Discriminator, split_verdicts
from voiceconv.models.streaming import Spoken, StreamingTranslator
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Weights

N_POINTS = 64  # of the mel scale at which log spectra are compared
BLUR = 0.75  # pitches, the deviation of what F0's probabilities are to be
DB = 20 / math.log(10)  # of a neper


class Distillation(Objective[Taught]):
    """Spectra, aperiodicity, voicing and F0 of what a teacher said.

    Args:
        translator: the student.
        discriminator: makes one, of `n_domains`.
        pitches: (P,) in Hz, the scale of the student's F0, equally spaced in log.
    """

    takes = Taught
    pitches: Tensor

    def __init__(
        self,
        translator: StreamingTranslator,
        discriminator: Callable[..., Discriminator],
        n_domains: int,
        weights: Weights,
        pitches: Tensor,
        seed: int = 0,
    ) -> None:
        super().__init__(translator, discriminator(n_domains=n_domains), weights)
        self.require_weights(
            generator={
                "spectrum",
                "aperiodicity",
                "voicing",
                "pitch",
                "adversarial",
                "feature_matching",
            },
            discriminator={"adversarial"},
        )
        self.register_buffer("pitches", pitches, persistent=False)
        points = (torch.arange(N_POINTS) + 0.5) * math.pi / N_POINTS
        cosines = torch.cos(torch.arange(translator.n_channels) * points[:, None])
        self.register_buffer("cosines", cosines, persistent=False)

    @property
    def translator(self) -> StreamingTranslator:
        """The generator."""
        return self.generator  # type: ignore[return-value]

    def generator_losses(self, batch: Taught, step: int) -> tuple[Losses, Generated]:
        """See Objective; those of the heads are averaged."""
        spoken = self.translator.speak(batch.heard, batch.target_ids)
        of_heads = [self._distances(one, batch) for one in spoken.values()]
        losses = {name: torch.stack([one[name] for one in of_heads]).mean() for name in of_heads[0]}
        if not self.is_judged:
            zero = losses["spectrum"].new_zeros(())
            return losses | {"adversarial": zero, "feature_matching": zero}, {}
        fake = self._scaled(spoken[self.translator.look_ahead].cepstra, batch)
        real = self._scaled(batch.frames[..., : fake.shape[2]], batch)
        of_fake = self.discriminators(fake, batch.target_ids)
        with torch.no_grad():
            of_real = self.discriminators(real, batch.target_ids)
        losses["adversarial"] = generator_loss(of_fake)
        losses["feature_matching"] = feature_matching_loss(of_fake, of_real)
        return losses, {"said": [Fake(fake)]}

    def discriminator_losses(self, batch: Taught, generated: Generated) -> Losses:
        """See Objective."""
        if not generated:
            return {"adversarial": batch.frames.new_zeros(())}
        (fake,) = generated["said"]
        real = self._scaled(batch.frames[..., : fake.frames.shape[2]], batch)
        both = torch.cat([real, fake.frames])
        verdicts = self.discriminators(both, batch.target_ids.repeat(2))
        return {"adversarial": discriminator_loss(*split_verdicts(verdicts, len(real)))}

    def examples(self, batch: Taught) -> list[tuple[Tensor, Tensor]]:
        """See Objective; what the teacher says, and what the student says."""
        said = self.translator.speak(batch.heard, batch.target_ids)[self.translator.look_ahead]
        n_frames = said.cepstra.shape[2]
        return [
            (self._scaled(batch.frames[..., :n_frames], batch), self._scaled(said.cepstra, batch))
        ]

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {"adversarial": CHANCE_LEVEL} if self.is_judged else {}

    @property
    def is_judged(self) -> bool:
        """Whether the discriminator has a part in the generator's loss."""
        weights = self.weights["generator"]
        return bool(weights["adversarial"] or weights["feature_matching"])

    def _distances(self, said: Spoken, batch: Taught) -> Losses:
        """Of one head; spectrum and aperiodicity in dB. What is hushed does not count."""
        n_frames = said.cepstra.shape[2]
        counts = batch.counts[:, :n_frames]
        voiced = (batch.f0[:, :n_frames] > 0).float()
        spectra = torch.einsum(
            "pc,bct->bpt", self.cosines, said.cepstra - batch.frames[..., :n_frames]
        )
        noise = (said.aperiodicity - batch.aperiodicity[..., :n_frames]).abs().mean(1)
        voicing = F.binary_cross_entropy_with_logits(said.voicing, voiced, reduction="none")
        pitch = -(self._shares(batch.f0[:, :n_frames]) * said.pitch.log_softmax(1)).sum(1)
        return {
            "spectrum": DB * _mean(spectra.abs().mean(1), counts),
            "aperiodicity": _mean(noise, counts * voiced),
            "voicing": _mean(voicing, counts),
            "pitch": _mean(pitch, counts * voiced),
        }

    def _shares(self, f0: Tensor) -> Tensor:
        """(B, T) Hz -> what the probabilities (B, P, T) of pitches are to be, where voiced."""
        logs = self.pitches.log()
        step = (logs[-1] - logs[0]) / (len(logs) - 1)
        places = (f0.clamp(self.pitches[0], self.pitches[-1]).log() - logs[0]) / step
        steps = torch.arange(len(logs), device=f0.device)[None, :, None]
        shares = torch.exp(-0.5 * ((steps - places[:, None]) / BLUR).square())
        return shares / shares.sum(1, keepdim=True)

    def _scaled(self, cepstra: Tensor, batch: Taught) -> Tensor:
        """(B, C, T) -> of about unit deviation, as a discriminator takes frames."""
        n_channels = cepstra.shape[1]
        network = self.translator
        scale = network.output_scale[batch.target_ids, :n_channels, None]
        return (cepstra - network.output_mean[batch.target_ids, :n_channels, None]) / scale


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """(B, T), weights (B, T) -> the weighted mean."""
    return (values * counts).sum() / counts.sum().clamp_min(1.0)
