"""Log-mel -> wave by a trained network, such as HiFi-GAN or Vocos."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.build import build
from voiceconv.device import device_of
from voiceconv.errors import InputError
from voiceconv.features.frames import Features
from voiceconv.features.mel import MelSpectrogram
from voiceconv.models.base import WaveGenerator
from voiceconv.models.exported import OnnxGenerator
from voiceconv.models.layers import fold_weight_norm
from voiceconv.vocoders.base import Vocoder
from voiceconv.vocoders.directory import WEIGHTS, find_vocoder, is_graph, read_vocoder


class NeuralVocoder(Vocoder[MelSpectrogram]):
    """A trained generator with the mel definition of its training.

    Args:
        model: a vocoder's directory, a run's, a bundled one's name; None: the bundled default.

    Raises InputError for an extractor of another definition, with a list of the differences.
    """

    takes = MelSpectrogram
    has_weights = True

    def __init__(self, extractor: MelSpectrogram, model: Path | str | None = None) -> None:
        super().__init__(extractor)
        self.folder: Path = find_vocoder(model)
        config, weights = read_vocoder(self.folder)
        own = build(config["features"], MelSpectrogram)
        differing = own.spec.difference(extractor.spec)
        if differing:
            raise InputError(
                f"the vocoder {self.folder} speaks another mel than these features: "
                f"{'; '.join(differing)}; choose a vocoder that was trained on them, or extract "
                "with its definition"
            )
        shape = {"n_channels": extractor.n_channels, "hop_length": extractor.hop_length}
        self.generator: WaveGenerator
        if is_graph(self.folder):
            self.generator = OnnxGenerator(self.folder, **shape)
            return
        self.generator = build(config["generator"], WaveGenerator, **shape)
        fold_weight_norm(self.generator)  # the weights of a directory are float32
        try:
            self.generator.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"{self.folder / WEIGHTS} does not hold the weights of its configuration "
                f"({str(error).splitlines()[-1].strip()[:120]}); fetch the vocoder again"
            ) from error
        self.generator.requires_grad_(False).eval()

    def to(self, device: torch.device | str) -> None:
        """See Vocoder."""
        self.generator.to(device)

    @torch.no_grad()
    def synthesize(self, features: Features) -> Tensor:
        """See Vocoder."""
        self._check(features)
        n_samples = features.frames.shape[1] * self.extractor.hop_length
        centre = self.generator.frame_centre
        frames = features.frames[None]
        if centre:  # the output is delayed, so one more frame is needed at the end
            frames = F.pad(frames, (0, 1), mode="replicate")
        wave: Tensor = self.generator(frames.to(device_of(self.generator)))[0].cpu()
        return wave[centre : centre + n_samples]
