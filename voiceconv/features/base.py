"""The result of an analysis, and the interface of an extractor."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


def differences(wanted: Mapping[str, object], given: Mapping[str, object]) -> list[str]:
    """Each thing in which two definitions differ: "hop_length 300, not 256", what is wanted last.

    Of two kinds, the kind and what both have; a name that one of the same kind lacks is missing.
    """
    names = [*wanted, *(name for name in given if name not in wanted)]
    if wanted.get("kind") != given.get("kind"):
        names = [name for name in names if name == "kind" or (name in wanted and name in given)]
    pairs = {name: (wanted.get(name, "missing"), given.get(name, "missing")) for name in names}
    return [f"{name} {there}, not {here}" for name, (here, there) in pairs.items() if there != here]


@dataclass(frozen=True)
class Features:
    """One utterance, analysed.

    Only `frames` goes through the network; the rest is carried to the vocoder.

    frames: (C, T) float32. f0: (T,) Hz, 0 where unvoiced. aperiodicity: (K, T), in the extractor's
    own code.
    """

    frames: Tensor
    f0: Tensor | None = None
    aperiodicity: Tensor | None = None
    definition: Mapping[str, object] | None = None  # the extractor's; a vocoder compares it

    def __post_init__(self) -> None:
        n_frames = self.frames.shape[-1]
        for name in ("f0", "aperiodicity"):
            track = getattr(self, name)
            if track is not None and track.shape[-1] != n_frames:
                raise ValueError(
                    f"{name} has {track.shape[-1]} frames where the spectrum has {n_frames}"
                )


class FeatureExtractor(ABC):
    """Wave (N,) float32 at `sample_rate` -> Features of N // hop_length + 1 frames."""

    sample_rate: int
    hop_length: int
    n_channels: int

    @abstractmethod
    def extract(self, wave: Tensor) -> Features:
        """(N,) -> Features. Frame t is centred on sample t * hop_length."""

    @property
    @abstractmethod
    def definition(self) -> dict[str, object]:
        """Everything that gives the frames their meaning, by name.

        Two equal definitions, interchangeable frames.
        """

    @abstractmethod
    def cepstra(self, frames: Tensor) -> Tensor:
        """(C, T) -> (K, T): log|H| = sum_k c_k cos(k w~) on the mel scale, c_0 the level in nepers.

        What validation compares. K and the scale are the features' own.
        """

    @property
    def frames_per_second(self) -> float:
        """Frames a second of audio gives."""
        return self.sample_rate / self.hop_length

    def n_frames(self, n_samples: int) -> int:
        """How many frames `extract` makes of a wave of n_samples."""
        return n_samples // self.hop_length + 1
