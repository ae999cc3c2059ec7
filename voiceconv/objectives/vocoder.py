"""Adversarial training of a vocoder: waves of their own frames, judged beside the recordings.

HiFi-GAN: Kong et al. 2020, arXiv:2010.05646, section 2.4. Vocos: Siuzdak 2023, arXiv:2306.00814,
section 3.2. Distance of several STFTs: Parallel WaveGAN, Yamamoto et al. 2020, arXiv:1910.11480.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from voiceconv.losses.adversarial import GAMES
from voiceconv.losses.reconstruction import feature_matching_loss, l1_loss
from voiceconv.losses.spectral import Resolution, multi_resolution_stft_loss
from voiceconv.models.base import Verdict, WaveDiscriminator, WaveGenerator, split_verdicts
from voiceconv.objectives.base import Generated, Losses, Objective

RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))  # Parallel WaveGAN's table 1


class Vocoding(Objective):
    """A batch is [frames (B, C, T), waves (B, N)], N = T * hop_length.

    Args:
        discriminators: by kind; a kind's losses are `adversarial_<kind>`, `matching_<kind>`.
        mel: waves (B, N) -> log-mel frames, for the loss `mel`; all frequencies, whatever the
            generator's frames leave out.
        game: "least_squares" as in HiFi-GAN, or "hinge" as in Vocos.
        resolutions: FFT size, window, hop of the loss `stft`, which papers but Parallel WaveGAN
            leave out: it is computed where it has a weight.
        adversarial_start: until this step the generator learns by `mel` and `stft` alone, and
            discriminators do not move.
    """

    def __init__(
        self,
        generator: WaveGenerator,
        discriminators: Mapping[str, WaveDiscriminator],
        mel: Callable[[Tensor], Tensor],
        weights: Mapping[str, Mapping[str, float]],
        game: str = "hinge",
        resolutions: Sequence[Resolution] = RESOLUTIONS,
        adversarial_start: int = 0,
    ) -> None:
        if game not in GAMES:
            raise ValueError(f"game is {game!r}; it takes one of {sorted(GAMES)}")
        super().__init__(generator, nn.ModuleDict(dict(discriminators)), weights)
        adversarial = {f"adversarial_{kind}" for kind in discriminators}
        matching = {f"matching_{kind}" for kind in discriminators}
        self.with_stft = "stft" in self.weights["generator"]
        spectral = {"mel", "stft"} if self.with_stft else {"mel"}
        self.require_weights(generator=adversarial | matching | spectral, discriminator=adversarial)
        self.game = GAMES[game]
        self.mel = mel
        self.resolutions = [(n_fft, window, hop) for n_fft, window, hop in resolutions]
        self.adversarial_start = adversarial_start

    def generator_losses(self, batch: list[Tensor], step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial_<kind> and matching_<kind> of each kind, mel, stft."""
        frames, waves = batch
        spoken = self.generator(frames).float()
        losses = {"mel": l1_loss(self.mel(spoken), self.mel(waves))}
        if self.with_stft:
            losses["stft"] = multi_resolution_stft_loss(spoken, waves, self.resolutions)
        playing = step >= self.adversarial_start
        for kind, judge in self.discriminators.items():  # type: ignore[operator]
            adversarial = matching = waves.new_zeros(())
            if playing:
                with torch.no_grad():
                    of_real = judge(waves)
                of_fake = judge(spoken)
                adversarial = self.game.generator_loss(of_fake)
                matching = feature_matching_loss(of_fake, of_real)
            losses[f"adversarial_{kind}"], losses[f"matching_{kind}"] = adversarial, matching
        return losses, {"waves": [spoken]} if playing else {}

    def discriminator_losses(self, batch: list[Tensor], generated: Generated) -> Losses:
        """See Objective. Names: adversarial_<kind>; constants where nothing was generated."""
        _, waves = batch
        losses = {}
        for kind, judge in self.discriminators.items():  # type: ignore[operator]
            losses[f"adversarial_{kind}"] = waves.new_zeros(())
            for fakes in generated.get("waves", []):
                verdicts: list[Verdict] = judge(torch.cat([waves, fakes]))
                losses[f"adversarial_{kind}"] = self.game.discriminator_loss(
                    *split_verdicts(verdicts, len(waves))
                )
        return losses

    def examples(self, batch: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """See Objective; none: a vocoder should give what it was made of, and may do so."""
        return []

    @property
    def undecided(self) -> float:
        """See Objective."""
        return self.game.undecided
