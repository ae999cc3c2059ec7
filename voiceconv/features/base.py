"""The interface of a representation, of waves or of files of another kind.

There are two kinds. A `FeatureExtractor` analyses waves, and a vocoder synthesises waves from its
features. A `FileRepresentation` (such as a piano roll) reads and writes its own files, not audio.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.frames import Features
from voiceconv.features.stats import STD_FLOOR, DomainStats


def differences(wanted: Mapping[str, object], given: Mapping[str, object]) -> list[str]:
    """Each thing in which two definitions differ: "hop_length 300, not 256", what is wanted last.

    Of two kinds, the kind and what both have; a name that one of the same kind lacks is missing.
    """
    names = [*wanted, *(name for name in given if name not in wanted)]
    if wanted.get("kind") != given.get("kind"):
        names = [name for name in names if name == "kind" or (name in wanted and name in given)]
    pairs = {name: (wanted.get(name, "missing"), given.get(name, "missing")) for name in names}
    return [f"{name} {there}, not {here}" for name, (here, there) in pairs.items() if there != here]


def as_picture(frames: Tensor) -> Tensor:
    """(C, T) -> (C, T) in 0..1, the first channel below."""
    low, high = frames.min(), frames.max()
    return ((frames - low) / (high - low).clamp_min(1e-6)).flip(0)


class Representation(ABC):
    """What networks see: frames (C, T), and the tracks of those names beside them."""

    n_channels: int
    tracks: ClassVar[tuple[str, ...]] = ()
    std_floor: float = STD_FLOOR  # least deviation of a channel, in the frames' unit

    @property
    @abstractmethod
    def definition(self) -> dict[str, object]:
        """Everything that gives the frames their meaning, by name.

        Two equal definitions, interchangeable frames.
        """

    @property
    @abstractmethod
    def frames_per_second(self) -> float:
        """Frames a second of an utterance gives."""

    def node(self, given: Mapping[str, object]) -> dict[str, object]:
        """The configuration node that goes with a model: the one that this was built of.

        Or a fuller one, for a representation whose defaults may change.
        """
        return dict(given)

    def fit(self, utterances: Iterable[Features]) -> DomainStats:
        """One domain's statistics, by which its frames are normalised.

        `DomainStats.neutral` for frames that networks are to see as they are.
        """
        return DomainStats.fit(utterances, self.std_floor)


class FeatureExtractor(Representation):
    """Wave (N,) float32 at `sample_rate` -> Features of N // hop_length + 1 frames."""

    sample_rate: int
    hop_length: int

    @abstractmethod
    def extract(self, wave: Tensor) -> Features:
        """(N,) -> Features. Frame t is centred on sample t * hop_length."""

    @abstractmethod
    def cepstra(self, frames: Tensor) -> Tensor:
        """(C, T) -> (K, T): log|H| = sum_k c_k cos(k w~) on the mel scale, c_0 the level in nepers.

        What validation compares. K and the scale are the features' own.
        """

    def bend(self, beta: float, gamma: float = 0.0) -> Tensor:
        """The matrix (C, C) whose product with frames (C, T) has its frequency axis bent.

        See `warping`: another vocal tract's formants. It moves harmonics, too, where frames have
        them. Only perturbed batches need it. Raises InputError where a class does not say how.
        """
        raise InputError(
            f"perturbed batches bend the frequency axis, and {type(self).__name__} has no `bend`; "
            "choose other features"
        )

    @property
    def frames_per_second(self) -> float:
        """See Representation."""
        return self.sample_rate / self.hop_length

    def n_frames(self, n_samples: int) -> int:
        """How many frames `extract` makes of a wave of n_samples."""
        return n_samples // self.hop_length + 1


class FileRepresentation(Representation):
    """Frames that are read from a file of their own kind and written to one: no audio.

    `extensions`: the names of such files end so, in small letters, with the dot.
    """

    extensions: ClassVar[frozenset[str]]

    @abstractmethod
    def read(self, path: Path, start: float = 0.0, end: float | None = None) -> Features:
        """A file, or seconds [start, end) of it -> Features.

        Raises InputError for a file that is damaged or of another kind.
        """

    @abstractmethod
    def write(self, path: Path, features: Features, template: Path) -> None:
        """Features -> a file.

        template: the file that was converted; what frames do not say is taken from it.
        """

    def picture(self, frames: Tensor) -> Tensor:
        """(C, T) -> an image (H, T) in 0..1, of which TensorBoard gets some of val."""
        return as_picture(frames)
