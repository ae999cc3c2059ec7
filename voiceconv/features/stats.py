"""Statistics of each domain: mean and deviation of every channel and of log F0."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.frames import Features
from voiceconv.model_folder import load_tensors, save_tensors

STD_FLOOR = (
    1e-4  # a channel that never moves (digital silence above f_max) must not be divided by zero
)
LOG_F0_STD_FLOOR = (
    0.02  # a monotone of under half a semitone: keep its mean, do not blow up its jitter
)
PAUSE = 50.0  # dB below the loudest frame: one recording's statistics go without its pauses
NO_F0 = torch.tensor([float("nan"), float("nan")])


@dataclass(frozen=True)
class DomainStats:
    """One domain's means and deviations.

    frames_mean, frames_std: (C,).
    log_f0: (2,) mean and deviation of ln Hz over voiced frames, NaN without any.
    aperiodicity_mean, aperiodicity_std: (K,) over voiced frames, in the code's dB; (0,) where there
    is none.
    """

    frames_mean: Tensor
    frames_std: Tensor
    log_f0: Tensor
    aperiodicity_mean: Tensor
    aperiodicity_std: Tensor

    @classmethod
    def fit(cls, utterances: Iterable[Features], std_floor: float = STD_FLOOR) -> "DomainStats":
        """One pass over a domain's utterances, in float64; std_floor: least deviation of frames.

        Raises InputError where there is not one frame.
        """
        frames, log_f0, aperiodicity = _Moments(), _Moments(), _Moments()
        for utterance in utterances:
            frames.add(utterance.frames)
            if utterance.f0 is None:
                continue
            voiced = utterance.f0 > 0
            log_f0.add(utterance.f0[voiced].log()[None])
            if utterance.aperiodicity is not None:
                aperiodicity.add(utterance.aperiodicity[:, voiced])
        if frames.count == 0:
            raise InputError("no frame to take statistics of: give at least one utterance")
        empty = torch.zeros(0)
        mean, std = frames.mean_std(std_floor)
        pitch = torch.cat(log_f0.mean_std(LOG_F0_STD_FLOOR)) if log_f0.count else NO_F0
        ap_mean, ap_std = aperiodicity.mean_std(STD_FLOOR) if aperiodicity.count else (empty, empty)
        return cls(mean, std, pitch, ap_mean, ap_std)

    @classmethod
    def neutral(cls, n_channels: int) -> "DomainStats":
        """Mean 0 and deviation 1 in every channel: normalising changes nothing, to the bit."""
        empty = torch.zeros(0)
        return cls(torch.zeros(n_channels), torch.ones(n_channels), NO_F0, empty, empty)

    @classmethod
    def mixture(cls, parts: Sequence["DomainStats"], shares: Sequence[float]) -> "DomainStats":
        """The weighted mean of each field: statistics between those of several domains."""
        total = sum(shares)
        return cls(
            *(
                sum(
                    (
                        share / total * getattr(part, field.name)
                        for part, share in zip(parts, shares, strict=True)
                    ),
                    start=torch.zeros(()),
                )
                for field in fields(cls)
            )
        )

    def normalize(self, frames: Tensor) -> Tensor:
        """(..., C, T) -> the same, each channel at this domain's zero mean and unit deviation."""
        return (frames - self.frames_mean[:, None]) / self.frames_std[:, None]

    def denormalize(self, frames: Tensor) -> Tensor:
        """(..., C, T) -> the inverse of normalize."""
        return frames * self.frames_std[:, None] + self.frames_mean[:, None]


def convert_f0(f0: Tensor, source: DomainStats, target: DomainStats) -> Tensor:
    """(T,) Hz -> (T,) Hz: the log-Gaussian transform of Liu et al. 2007 (ICME).

    Unvoiced frames stay 0. Left as it is where either domain has no voiced frame, as with drums.
    """
    if source.log_f0.isnan().any() or target.log_f0.isnan().any():
        return f0
    voiced = f0 > 0
    converted = torch.zeros_like(f0)
    standard = (f0[voiced].log() - source.log_f0[0]) / source.log_f0[1]
    converted[voiced] = (standard * target.log_f0[1] + target.log_f0[0]).exp()
    return converted


def convert_aperiodicity(
    aperiodicity: Tensor, f0: Tensor, source: DomainStats, target: DomainStats
) -> Tensor:
    """(K, T) coded dB -> (K, T): voiced frames get the target's mean and deviation, 0 dB at most.

    The excitation's share of noise is the speaker's too (breath, recording floor), and the network
    never sees it. Left as it is where either domain has none.
    """
    if not len(source.aperiodicity_mean) or not len(target.aperiodicity_mean):
        return aperiodicity
    standard = (aperiodicity - source.aperiodicity_mean[:, None]) / source.aperiodicity_std[:, None]
    moved = standard * target.aperiodicity_std[:, None] + target.aperiodicity_mean[:, None]
    return torch.where(f0 > 0, moved.clamp_max(0.0), aperiodicity)


def convert_tracks(
    tracks: Mapping[str, Tensor], source: DomainStats, target: DomainStats
) -> dict[str, Tensor]:
    """Tracks by name -> F0 and its aperiodicity moved to the target's; others stay."""
    converted = dict(tracks)
    if "f0" in tracks:
        converted["f0"] = convert_f0(tracks["f0"], source, target)
        if "ap" in tracks:
            converted["ap"] = convert_aperiodicity(tracks["ap"], tracks["f0"], source, target)
    return converted


def save_stats(path: Path | str, stats: Mapping[str, DomainStats]) -> None:
    """One safetensors file, names `<domain>/<field>`."""
    tensors = {
        f"{domain}/{field.name}": getattr(one, field.name).contiguous().clone()
        for domain, one in stats.items()
        for field in fields(one)
    }
    save_tensors(tensors, Path(path))


def load_stats(path: Path | str) -> dict[str, DomainStats]:
    """The inverse of save_stats. Raises InputError on a file that is cut, foreign or incomplete."""
    try:
        tensors = load_tensors(Path(path))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: not readable as statistics ({error}); run `voiceconv stats` again"
        ) from error
    domains = sorted({name.rpartition("/")[0] for name in tensors})
    try:
        return {
            domain: DomainStats(
                **{field.name: tensors[f"{domain}/{field.name}"] for field in fields(DomainStats)}
            )
            for domain in domains
        }
    except KeyError as error:
        raise InputError(f"{path}: no entry {error}; run `voiceconv stats` again") from error


class _Moments:
    """Count, sum and sum of squares by channel, in float64, around the first utterance's mean."""

    def __init__(self) -> None:
        self.count = 0
        self._shift: Tensor | None = (
            None  # sums of squares around a far-off zero would lose the deviation's digits
        )

    def add(self, values: Tensor) -> None:
        """(C, T)."""
        if values.shape[1] == 0:
            return
        values = values.double()
        if self._shift is None:
            self._shift = values.mean(1, keepdim=True)
            self._sum = torch.zeros(len(values), dtype=torch.float64)
            self._square_sum = torch.zeros(len(values), dtype=torch.float64)
        centred = values - self._shift
        self.count += values.shape[1]
        self._sum += centred.sum(1)
        self._square_sum += centred.square().sum(1)

    def mean_std(self, floor: float) -> tuple[Tensor, Tensor]:
        """(C,) mean and population deviation, at least `floor`, as float32."""
        assert self._shift is not None
        offset = self._sum / self.count
        variance = self._square_sum / self.count - offset.square()
        std = variance.clamp_min(0).sqrt().clamp_min(floor)
        return (self._shift[:, 0] + offset).float(), std.float()
