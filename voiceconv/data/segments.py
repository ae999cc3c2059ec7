"""Random segments of waves with their frames: the training data of a vocoder.

As for crops of frames, all random numbers are a pure function of (seed, rank, step).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from voiceconv.data.archive import Archive, read_scp
from voiceconv.data.batches import Segments
from voiceconv.errors import InputError


class WaveSegments:
    """Batches by step: frames (batch_size, C, n_frames), waves (batch_size, n_frames * hop).

    utterances: matrices (T, C) with their waves (N,), memory-mapped or not; sample t * hop_length
        is the centre of frame t. Those shorter than a segment are left out; `n_left_out` counts
        them.
    frame_centre: the sample of a segment that its first frame is centred on: the generator's.

    In each pass, an utterance occurs as often as segments fit into it, in a new order: longer
    utterances occur more often.
    """

    def __init__(
        self,
        utterances: Sequence[tuple[np.ndarray, np.ndarray]],
        hop_length: int,
        n_frames: int = 64,
        batch_size: int = 16,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        frame_centre: int = 0,
    ) -> None:
        self.hop_length = hop_length
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.frame_centre = frame_centre
        self._first = -(-frame_centre // hop_length)  # the frame before which the wave has begun
        usable = [
            (frames, wave, self._n_usable(len(frames), len(wave))) for frames, wave in utterances
        ]
        self._utterances = [one for one in usable if one[2] >= n_frames]
        self.n_left_out = len(usable) - len(self._utterances)
        if not self._utterances:
            longest = max((n for _, _, n in usable), default=0)
            raise InputError(
                f"none of {len(usable)} utterances is as long as a training segment of {n_frames} "
                f"frames (the longest has {longest}); add longer recordings or lower data.n_frames"
            )
        self._turns = np.repeat(
            np.arange(len(self._utterances)), [n // n_frames for _, _, n in self._utterances]
        )
        self._known = -1, self._turns  # a pass, and its order

    def batch(self, step: int) -> Segments:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        first = (step * self.world_size + self.rank) * self.batch_size
        frames, waves = [], []
        for draw in range(first, first + self.batch_size):
            epoch, position = divmod(draw, len(self._turns))
            matrix, wave, n_usable = self._utterances[self._order(epoch)[position]]
            start = self._first + rng.integers(n_usable - self.n_frames + 1)
            frames.append(torch.from_numpy(np.array(matrix[start : start + self.n_frames]).T))
            sample = start * self.hop_length - self.frame_centre
            n_samples = self.n_frames * self.hop_length
            waves.append(torch.from_numpy(np.array(wave[sample : sample + n_samples])))
        return Segments(torch.stack(frames), torch.stack(waves))

    def _order(self, epoch: int) -> np.ndarray:
        """The order of utterances in a pass; cached, because there may be millions of segments."""
        if self._known[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self._turns)
            self._known = epoch, order
        return self._known[1]

    def _n_usable(self, n_frames: int, n_samples: int) -> int:
        """The number of frames with a complete hop of the wave."""
        last = min(n_frames, (n_samples + self.frame_centre) // self.hop_length)
        return max(0, last - self._first)


def read_segments_dump(dump: Path | str) -> list[tuple[np.ndarray, np.ndarray]]:
    """An extracted split with waves: frames (T, C) and wave (N,) by utterance, in sorted order.

    Raises InputError where it was extracted without waves.
    """
    dump = Path(dump)
    require_waves(dump)
    frames, waves = Archive(dump / "feats.scp"), Archive(dump / "waves.scp")
    return [(frames[name], waves[name]) for name in sorted(frames)]


def require_waves(dump: Path) -> None:
    """Raise InputError unless each utterance of an extracted split has its wave there."""
    if not (dump / "waves.scp").exists():
        raise InputError(
            f"{dump} has no waves.scp; a vocoder learns from waves: extract with --waves"
        )
    missing = sorted(read_scp(dump / "feats.scp").keys() - read_scp(dump / "waves.scp").keys())
    if missing:
        raise InputError(f"{dump / 'waves.scp'} lacks {missing[0]!r}; extract again")
