"""What a representation makes of one utterance: frames for the network, tracks beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Features:
    """One utterance, analysed.

    Only `frames` goes through the network; the rest is carried along.

    frames: (C, T) float32. tracks: (T,) or (K, T) by the name of their archives: "f0" in Hz, 0
    where unvoiced; "ap", aperiodicity in the extractor's own code.
    """

    frames: Tensor
    tracks: Mapping[str, Tensor] = field(default_factory=dict)
    definition: Mapping[str, object] | None = None  # the representation's; a vocoder compares it

    def __post_init__(self) -> None:
        n_frames = self.frames.shape[-1]
        for name, track in self.tracks.items():
            if track.shape[-1] != n_frames:
                raise ValueError(f"{name} has {track.shape[-1]} frames where there are {n_frames}")

    def at(self, which: slice | Tensor) -> "Features":
        """Some of the frames: of a slice, a view, or those that a mask (T,) keeps."""
        tracks = {name: track[..., which] for name, track in self.tracks.items()}
        return Features(self.frames[:, which], tracks, self.definition)

    @property
    def f0(self) -> Tensor | None:
        """(T,) Hz, 0 where unvoiced."""
        return self.tracks.get("f0")

    @property
    def aperiodicity(self) -> Tensor | None:
        """(K, T), in the extractor's own code."""
        return self.tracks.get("ap")
