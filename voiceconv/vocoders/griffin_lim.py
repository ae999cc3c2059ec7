"""Log-mel -> wave: Griffin and Lim 1984, with Perraudin et al. 2013's momentum, by torchaudio."""

import torch
import torchaudio
from torch import Tensor

from voiceconv.features.base import Features
from voiceconv.features.mel import MelSpectrogram
from voiceconv.vocoders.base import Vocoder


class GriffinLim(Vocoder[MelSpectrogram]):
    """Linear magnitudes by the mel filters' pseudo-inverse, then phases by iteration."""

    takes = MelSpectrogram

    def __init__(self, extractor: MelSpectrogram, n_iterations: int = 60) -> None:
        super().__init__(extractor)
        self._to_linear = torch.linalg.pinv(extractor.filters.double()).float()  # (F, C)
        self._griffin_lim = torchaudio.transforms.GriffinLim(
            n_fft=extractor.n_fft,
            hop_length=extractor.hop_length,
            n_iter=n_iterations,
            power=1.0,
            rand_init=False,  # the same frames give the same wave
        )

    def synthesize(self, features: Features) -> Tensor:
        """See Vocoder."""
        self._check(features)
        hop_length = self.extractor.hop_length
        n_frames = features.frames.shape[1]
        magnitudes = (self._to_linear @ features.frames.exp()).clamp_min(0)  # (F, T)
        # Griffin-Lim's wave ends at the last frame's centre; edges shorter than a window need
        # company
        padding = max(1, self.extractor.n_fft // hop_length - n_frames + 1)
        magnitudes = torch.nn.functional.pad(magnitudes[None], (0, padding), mode="replicate")[0]
        wave: Tensor = self._griffin_lim(magnitudes)
        return wave[: n_frames * hop_length]
