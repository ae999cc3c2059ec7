"""Adversarial training of a vocoder: discriminators compare its waves with the recordings.

HiFi-GAN: Kong et al. 2020, arXiv:2010.05646, section 2.4. Vocos: Siuzdak 2023, arXiv:2306.00814,
section 3.2. Distance of several STFTs: Parallel WaveGAN, Yamamoto et al. 2020, arXiv:1910.11480.
Distances of the spectrum itself: APNet, Ai and Ling 2023, arXiv:2305.07952, section 3.3.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Segments
from voiceconv.losses.adversarial import GAN_MODES
from voiceconv.losses.reconstruction import feature_matching_loss, l1_loss
from voiceconv.losses.spectral import (
    Resolution,
    magnitude_loss,
    multi_resolution_stft_loss,
    phase_losses,
)
from voiceconv.models.base import (
    SpectralGenerator,
    Verdict,
    WaveDiscriminator,
    WaveGenerator,
    split_verdicts,
)
from voiceconv.objectives.base import Fake, Generated, Losses, Objective
from voiceconv.schema import Step, Weights

OPTIONAL = {"stft", "magnitude", "group_delay", "frequency"}  # computed where they have a weight
RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))  # Parallel WaveGAN's table 1


class Vocoding(Objective[Segments]):
    """A vocoder's generator against discriminators of waves.

    Args:
        discriminators: by kind; a kind's losses are `adversarial_<kind>`, `matching_<kind>`.
        mel: waves (B, N) -> log-mel frames, for the loss `mel`; all frequencies, whatever the
            generator's frames leave out.
        gan_mode: "least_squares" as in HiFi-GAN, or "hinge" as in Vocos.
        resolutions: FFT size, window, hop of the loss `stft`.
        waves_start: until this step no wave is made or judged: a generator that has spectra learns
            by them alone, in a fifth of the time.

    Losses that have no weight are not computed: `stft` of Parallel WaveGAN; and of APNet, for
    generators that have spectra, `magnitude`, `group_delay` and `frequency`.
    """

    takes = Segments

    def __init__(
        self,
        generator: WaveGenerator,
        discriminators: Mapping[str, WaveDiscriminator],
        mel: Callable[[Tensor], Tensor],
        weights: Weights,
        gan_mode: Literal["least_squares", "hinge"] = "hinge",
        resolutions: Sequence[Resolution] = RESOLUTIONS,
        waves_start: Step = 0,
    ) -> None:
        if gan_mode not in GAN_MODES:
            raise ValueError(f"gan_mode is {gan_mode!r}; it takes one of {sorted(GAN_MODES)}")
        super().__init__(generator, nn.ModuleDict(dict(discriminators)), weights)
        adversarial = {f"adversarial_{kind}" for kind in discriminators}
        matching = {f"matching_{kind}" for kind in discriminators}
        self.chosen = OPTIONAL & self.weights["generator"].keys()
        distances = {"mel"} | self.chosen
        self.require_weights(
            generator=adversarial | matching | distances, discriminator=adversarial
        )
        if self._of_spectra and not isinstance(generator, SpectralGenerator):
            raise ValueError(
                f"weights.generator names {sorted(self._of_spectra)}, and "
                f"{type(generator).__name__} has no spectra"
            )
        if waves_start and not self._of_spectra:
            raise ValueError(f"waves_start is {waves_start}, and no loss of spectra has a weight")
        self.gan_mode = GAN_MODES[gan_mode]
        self.mel = mel
        self.resolutions = [(n_fft, window, hop) for n_fft, window, hop in resolutions]
        self.waves_start = waves_start

    @property
    def shortest(self) -> int:
        """Samples of the shortest waves that can be compared and judged."""
        sizes = [int(getattr(judge, "n_fft", 0)) for judge in self.discriminators.modules()]
        if "stft" in self.chosen:
            sizes += [n_fft for n_fft, _, _ in self.resolutions]
        shortest = max(sizes) // 2 + 1  # half an FFT is reflected at each end
        if self._of_spectra:  # two whole frames, which have a difference
            assert isinstance(self.generator, SpectralGenerator)
            shortest = max(shortest, self.generator.n_fft + self.generator.hop_length)
        return shortest

    def generator_losses(self, batch: Segments, step: int) -> tuple[Losses, Generated]:
        """See Objective. Names: adversarial_<kind> and matching_<kind> of each kind, distances."""
        frames, waves = batch.frames, batch.waves
        generator = self.generator
        losses: Losses = {}
        if self._of_spectra:
            assert isinstance(generator, SpectralGenerator)
            log_magnitudes, phases = generator.spectra(frames)
            losses |= self._compare_spectra(log_magnitudes, phases, waves)
            if step < self.waves_start:
                none = waves.new_zeros(())
                return {name: losses.get(name, none) for name in self.weights["generator"]}, {}
            spoken = generator.waves(log_magnitudes, phases)
        else:
            spoken = generator(frames)
        spoken = spoken.float()
        losses["mel"] = l1_loss(self.mel(spoken), self.mel(waves))
        if "stft" in self.chosen:
            losses["stft"] = multi_resolution_stft_loss(spoken, waves, self.resolutions)
        for kind, judge in self._judges():
            with torch.no_grad():
                of_real = judge(waves)
            of_fake = judge(spoken)
            losses[f"adversarial_{kind}"] = self.gan_mode.generator_loss(of_fake)
            losses[f"matching_{kind}"] = feature_matching_loss(of_fake, of_real)
        return losses, {"waves": [Fake(spoken)]}

    def discriminator_losses(self, batch: Segments, generated: Generated) -> Losses:
        """See Objective. Names: adversarial_<kind>; constants where nothing was generated."""
        waves = batch.waves
        losses = {f"adversarial_{kind}": waves.new_zeros(()) for kind, _ in self._judges()}
        for fakes in generated.get("waves", []):
            for kind, judge in self._judges():
                verdicts: list[Verdict] = judge(torch.cat([waves, fakes.frames]))
                losses[f"adversarial_{kind}"] = self.gan_mode.discriminator_loss(
                    *split_verdicts(verdicts, len(waves))
                )
        return losses

    def examples(self, batch: Segments) -> list[tuple[Tensor, Tensor]]:
        """See Objective; empty: for a vocoder an unchanged output is no fault."""
        return []

    @property
    def chance_levels(self) -> dict[str, float]:
        """See Objective."""
        return {f"adversarial_{kind}": self.gan_mode.chance_level for kind, _ in self._judges()}

    @property
    def _of_spectra(self) -> set[str]:
        return self.chosen - {"stft"}

    def _judges(self) -> list[tuple[str, nn.Module]]:
        return list(self.discriminators.items())  # type: ignore[operator]

    def _compare_spectra(self, log_magnitudes: Tensor, phases: Tensor, waves: Tensor) -> Losses:
        """(B, F, T), (B, F, T), (B, N) -> the distances of spectra that have a weight."""
        generator = self.generator
        assert isinstance(generator, SpectralGenerator)
        whole = whole_frames(generator, phases.shape[-1])
        wanted = torch.stft(
            waves,
            generator.n_fft,
            generator.hop_length,
            window=torch.hann_window(generator.n_fft, device=waves.device),
            return_complex=True,
        )[..., whole]
        losses = {"magnitude": magnitude_loss(log_magnitudes[..., whole], wanted)}
        losses["group_delay"], losses["frequency"] = phase_losses(phases[..., whole], wanted)
        return {name: loss for name, loss in losses.items() if name in self.chosen}


def whole_frames(generator: SpectralGenerator, n_frames: int) -> slice:
    """Those whose window lies within n_frames * hop_length samples."""
    margin = -(-generator.n_fft // (2 * generator.hop_length))
    return slice(margin, max(margin + 1, n_frames - margin + 1))
