"""Log-mel -> wave: Griffin and Lim 1984, with Perraudin et al. 2013's momentum, by torchaudio."""

import torch
import torchaudio
from torch import Tensor

from voiceconv.features.frames import Features
from voiceconv.features.mel import WINDOWS, MelSpectrogram
from voiceconv.schema import Some
from voiceconv.vocoders.base import Vocoder


class GriffinLim(Vocoder[MelSpectrogram]):
    """The linear spectrum by the mel filters' pseudo-inverse, then phases by iteration."""

    takes = MelSpectrogram

    def __init__(self, extractor: MelSpectrogram, n_iterations: Some = 64) -> None:
        super().__init__(extractor)
        spec = extractor.spec
        self._to_linear = torch.linalg.pinv(extractor.filters.double()).float()  # (F, C)
        self._griffin_lim = torchaudio.transforms.GriffinLim(
            n_fft=spec.n_fft,
            hop_length=spec.hop_length,
            win_length=spec.win_length,
            window_fn=WINDOWS[spec.window],
            n_iter=n_iterations,
            power=spec.power,
            rand_init=False,  # so that equal frames give equal waves
        )

    def synthesize(self, features: Features) -> Tensor:
        """See Vocoder."""
        self._check(features)
        spec = self.extractor.spec
        n_frames = features.frames.shape[1]
        mel = (features.frames * spec.log_unit).exp()  # (C, T)
        spectrum = (self._to_linear @ mel).clamp_min(0)  # (F, T), magnitudes or powers
        # Griffin-Lim's wave ends at the last frame's centre; a wave shorter than a window needs
        # padding
        padding = max(1, spec.n_fft // spec.hop_length - n_frames + 1)
        spectrum = torch.nn.functional.pad(spectrum[None], (0, padding), mode="replicate")[0]
        wave: Tensor = self._griffin_lim(spectrum)
        return wave[: n_frames * spec.hop_length]
