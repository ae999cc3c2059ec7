"""Log-mel spectrogram, equal to librosa's with the same parameters; `MelSpec` says which."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torchaudio
from torch import Tensor, nn

from voiceconv.features.base import FeatureExtractor, differences
from voiceconv.features.frames import Features
from voiceconv.features.warping import row_bend
from voiceconv.schema import Count

LOG_FLOOR = 1e-5  # magnitude taken for silence: -100 dB, as HiFi-GAN and MelGAN have it
LEVEL_STD_FLOOR = 0.1  # nepers: in a band that is empty but for rounding, 0.001 is no event
LOWEST_FLOOR = 1e-37  # float32 has hardly less, and log(0) is no number
WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}
CHOICES: dict[str, tuple[object, ...]] = {
    "window": tuple(WINDOWS),
    "mel_scale": ("slaney", "htk"),
    "norm": ("slaney", None),
    "power": (1.0, 2.0),
    "log": ("natural", "10"),
}


@dataclass(frozen=True, kw_only=True)
class MelSpec:
    """Everything that gives a log-mel frame its meaning. Equal specs, interchangeable frames.

    Attributes:
        win_length: samples of the window, centred in the n_fft of the transform.
        f_min, f_max: Hz, the outer feet of the first and the last filter.
        norm: "slaney" gives filters of equal area, None filters of peak 1.
        power: 1.0 filters magnitudes, 2.0 powers.
        floor: least value that the logarithm is taken of, after the filters.

    Raises ValueError for a value that none of it can have.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    f_min: float
    f_max: float
    win_length: int
    window: Literal["hann", "hamming"]
    mel_scale: Literal["slaney", "htk"]
    norm: Literal["slaney"] | None
    power: float
    log: Literal["natural", "10"]
    floor: float

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "n_mels", "win_length"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} is {value!r}; it takes a whole number, 1 or more")
        for name, accepted in CHOICES.items():
            value = getattr(self, name)
            if value not in accepted:
                raise ValueError(
                    f"{name} is {value!r}; it takes {accepted[0]!r} or {accepted[1]!r}"
                )
        for name in ("f_min", "f_max", "floor"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; it takes a number")
        if self.n_fft % 2:
            raise ValueError(f"n_fft is {self.n_fft}; it takes an even number")
        if not self.hop_length < self.win_length <= self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length}, win_length {self.win_length} and n_fft "
                f"{self.n_fft} must rise; win_length may be n_fft"
            )
        highest = self.sample_rate / 2
        if not 0 <= self.f_min < self.f_max <= highest:
            raise ValueError(
                f"f_min {self.f_min} and f_max {self.f_max} must rise within 0..{highest} Hz"
            )
        if self.floor < LOWEST_FLOOR:
            raise ValueError(f"floor is {self.floor}; it takes {LOWEST_FLOOR} or more")

    def difference(self, other: "MelSpec") -> list[str]:
        """Each thing in which the other differs: "hop_length 300, not 256"."""
        return differences(asdict(self), asdict(other))

    @property
    def node(self) -> dict[str, object]:
        """The configuration node of which `build` makes an extractor of this spec."""
        return {"_target_": f"{__name__}.MelSpectrogram", **asdict(self)}

    @property
    def log_unit(self) -> float:
        """The natural logarithm of the factor that raises a frame's value by 1."""
        return math.log(10) if self.log == "10" else 1.0


class LogMel(nn.Module):
    """Waves (B, N) -> log-mel frames (B, n_mels, N // hop_length + 1), differentiable.

    Frame t is centred on sample t * hop_length; edges are reflected.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, spec: MelSpec) -> None:
        super().__init__()
        self.spec = spec
        filters = torchaudio.functional.melscale_fbanks(
            spec.n_fft // 2 + 1,
            spec.f_min,
            spec.f_max,
            spec.n_mels,
            spec.sample_rate,
            spec.norm,
            spec.mel_scale,
        )  # (F, n_mels)
        # Not persistent: they follow from the spec, and a checkpoint has it.
        self.register_buffer("filters", filters, persistent=False)
        window = WINDOWS[spec.window](spec.win_length)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """(B, N) -> (B, n_mels, T)."""
        spec = self.spec
        n_samples = waves.shape[1]
        # Reflection needs more than half an FFT: lengthen with silence.
        lacking = max(0, spec.n_fft // 2 + 1 - n_samples)
        waves = nn.functional.pad(waves, (0, lacking))
        with torch.autocast(waves.device.type, enabled=False):  # bfloat16 has two to three digits
            spectra = torchaudio.functional.spectrogram(
                waves,
                pad=0,
                window=self.window,
                n_fft=spec.n_fft,
                hop_length=spec.hop_length,
                win_length=spec.win_length,
                power=spec.power,
                normalized=False,
            )  # (B, F, T)
            mel = (spectra.transpose(1, 2) @ self.filters).transpose(1, 2)
            mel = mel[..., : n_samples // spec.hop_length + 1].clamp_min(spec.floor)
            return mel.log10() if spec.log == "10" else mel.log()


class MelSpectrogram(FeatureExtractor):
    """wave -> log-mel frames (C, T); keywords are MelSpec's.

    Args:
        f_max: None is half the sample rate.
        win_length: None is n_fft.
    """

    def __init__(
        self,
        sample_rate: Count = 22050,
        n_fft: Count = 1024,
        hop_length: Count = 256,
        n_mels: Count = 80,
        f_min: float = 0.0,
        f_max: float | None = None,
        win_length: Count | None = None,
        window: Literal["hann", "hamming"] = "hann",
        mel_scale: Literal["slaney", "htk"] = "slaney",
        norm: Literal["slaney"] | None = "slaney",
        power: float = 1.0,
        log: Literal["natural", "10"] = "natural",
        floor: float = LOG_FLOOR,
    ) -> None:
        self.spec = MelSpec(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            f_min=f_min,
            f_max=sample_rate / 2 if f_max is None else f_max,
            win_length=n_fft if win_length is None else win_length,
            window=window,
            mel_scale=mel_scale,
            norm=norm,
            power=power,
            log="10" if log == 10 else log,  # YAML and the command line make a number of it
            floor=floor,
        )
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_channels = n_mels
        self.std_floor = LEVEL_STD_FLOOR * power / self.spec.log_unit
        self.log_mel = LogMel(self.spec)

    @property
    def definition(self) -> dict[str, object]:
        """See Representation."""
        return {"kind": "mel", **asdict(self.spec)}

    def node(self, given: Mapping[str, object]) -> dict[str, object]:
        """See Representation; all of the spec."""
        return self.spec.node

    @property
    def filters(self) -> Tensor:
        """Mel filters (C, F), F = n_fft / 2 + 1."""
        return self.log_mel.filters.T

    def extract(self, wave: Tensor) -> Features:
        """(N,) -> Features of frames alone."""
        frames: Tensor = self.log_mel(wave[None])[0]
        return Features(frames, definition=self.definition)

    def log_magnitude_map(self) -> tuple[Tensor, Tensor]:
        """Weight (F, C), bias (F,): weight @ frame + bias, the bins' log-magnitudes in nepers.

        Each bin has the mean level of the filters that it lies in: no harmonics, but all else.
        """
        shares = self.filters.T / self.filters.T.sum(1, keepdim=True).clamp_min(1e-12)  # (F, C)
        heard = shares.sum(1) > 0.5
        distances = (torch.arange(len(shares))[:, None] - heard.nonzero().T).abs()
        shares = shares[heard][distances.argmin(1)]  # bins in no filter are as their neighbours
        bias = -shares @ self.filters.sum(1).clamp_min(1e-12).log() / self.spec.power
        return shares * (self.spec.log_unit / self.spec.power), bias

    def bend(self, beta: float, gamma: float = 0.0) -> Tensor:
        """See FeatureExtractor; pitch moves with the vocal tract."""
        return row_bend(self.n_channels, beta, gamma)

    def cepstra(self, frames: Tensor) -> Tensor:
        """See FeatureExtractor; the cosine transform (type II) of the log-mel spectrum, K = C.

        Of natural logarithms of magnitudes, whatever the spec's logarithm and power.
        """
        from scipy.fft import dct  # takes a fifth of a second; a conversion does without

        log_magnitudes = frames * (self.spec.log_unit / self.spec.power)
        cepstrum = torch.from_numpy(dct(log_magnitudes.numpy(), axis=0)) / len(frames)
        cepstrum[0] /= 2
        return cepstrum
