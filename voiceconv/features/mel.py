"""Log-mel spectrogram by torchaudio, equal to librosa's (Slaney scale and norm)."""

import scipy.fft
import torch
import torchaudio
from torch import Tensor

from voiceconv.features.base import FeatureExtractor, Features

LOG_FLOOR = 1e-5  # magnitude taken for silence: -100 dB, as HiFi-GAN and MelGAN have it


class MelSpectrogram(FeatureExtractor):
    """wave -> natural log of mel-filtered magnitude (C, T); Hann window, reflected edges."""

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 1024,
        hop_length: int = 256,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = None,
    ) -> None:
        f_max = sample_rate / 2 if f_max is None else f_max
        if not 0 <= f_min < f_max <= sample_rate / 2:
            raise ValueError(
                f"f_min {f_min} and f_max {f_max} must rise within 0..{sample_rate / 2} Hz"
            )
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_channels = n_mels
        self.n_fft = n_fft
        self.f_min = f_min
        self.f_max = f_max
        self._transform = torchaudio.transforms.MelSpectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            f_min=f_min,
            f_max=f_max,
            n_mels=n_mels,
            power=1.0,
            norm="slaney",
            mel_scale="slaney",
        )

    @property
    def definition(self) -> dict[str, object]:
        """See FeatureExtractor."""
        return {
            "kind": "mel",
            "sample_rate": self.sample_rate,
            "hop_length": self.hop_length,
            "n_channels": self.n_channels,
            "n_fft": self.n_fft,
            "f_min": self.f_min,
            "f_max": self.f_max,
            "window": "hann",
            "power": 1.0,
            "mel_scale": "slaney",
            "norm": "slaney",
            "log": "natural",
            "log_floor": LOG_FLOOR,
        }

    @property
    def filters(self) -> Tensor:
        """Mel filters (C, F), F = n_fft / 2 + 1."""
        filters: Tensor = self._transform.mel_scale.fb
        return filters.T

    def extract(self, wave: Tensor) -> Features:
        """(N,) -> Features of frames alone."""
        n_frames = self.n_frames(len(wave))
        if (
            len(wave) <= self.n_fft // 2
        ):  # reflection needs more than half a window: lengthen with silence
            wave = torch.nn.functional.pad(wave, (0, self.n_fft // 2 + 1 - len(wave)))
        mel: Tensor = self._transform(wave)  # (C, T)
        frames = mel[:, :n_frames].clamp_min(LOG_FLOOR).log()
        return Features(frames, definition=self.definition)

    def cepstra(self, frames: Tensor) -> Tensor:
        """See FeatureExtractor; the cosine transform (type II) of the log-mel spectrum, K = C."""
        cepstrum = torch.from_numpy(scipy.fft.dct(frames.numpy(), axis=0)) / len(frames)
        cepstrum[0] /= 2
        return cepstrum
