"""Crops of what a streaming student hears, and what its teacher says: `voiceconv distill pairs`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv.data.archive import Archive, FloatArray, read_scp
from voiceconv.data.batches import Taught
from voiceconv.data.dump import names_by_domain
from voiceconv.data.segments import require_waves
from voiceconv.errors import InputError
from voiceconv.features import CausalSpectrum
from voiceconv.features.causal import N_MELS, Heard

SILENT = -4.6  # nepers under the loudest level (40 dB): what is said there is hushed anyway

N_FITTED = 100  # utterances of each target that scales are fitted to
LEAST_SCALE = 1e-3


class Utterance(NamedTuple):
    """A wave (N,) at the dump's loudness, and what is to be said of it: see `Taught`."""

    wave: FloatArray
    frames: FloatArray  # (T, C)
    f0: FloatArray  # (T,)
    aperiodicity: FloatArray  # (T, K)


def read_taught(dump: Path) -> dict[str, list[Utterance]]:
    """A split that `voiceconv distill pairs` wrote, by target. Raises InputError for another."""
    require_waves(dump)
    missing = [name for name in ("f0", "ap") if not (dump / f"{name}.scp").exists()]
    if missing:
        raise InputError(f"{dump} has no {missing[0]}.scp; make it by `voiceconv distill pairs`")
    parts = [Archive(dump / f"{kind}.scp") for kind in ("waves", "feats", "f0", "ap")]
    named = names_by_domain(dump, read_scp(dump / "feats.scp"))
    return {
        target: [Utterance(*(part[name] for part in parts)) for name in names]
        for target, names in named.items()
    }


class TaughtCrops:
    """Batches by step; each crop is heard as a stream that begins with it.

    Targets take turns, and within a target its utterances. All random numbers are a pure function
    of (seed, rank, step). Of `n_given` utterances, `n_left_out` are shorter than a crop.

    usual: as `CausalSpectrum.follow` takes it.
    """

    def __init__(
        self,
        utterances: dict[str, list[Utterance]],
        spectrum: CausalSpectrum,
        usual: Tensor,
        n_frames: int = 256,
        batch_size: int = 8,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.spectrum, self.usual = spectrum, usual
        self.n_frames, self.batch_size = n_frames, batch_size
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self._by_target = keep_long(utterances, spectrum, n_frames)
        self.n_given = sum(map(len, utterances.values()))
        self.n_left_out = self.n_given - sum(map(len, self._by_target))

    def batch(self, step: int) -> Taught:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        first = (step * self.world_size + self.rank) * self.batch_size
        crops, target_ids = [], []
        for draw in range(first, first + self.batch_size):
            turn, target_id = divmod(draw, len(self._by_target))
            some = self._by_target[target_id]
            epoch, place = divmod(turn, len(some))
            order = np.random.default_rng([self.seed, epoch, target_id]).permutation(len(some))
            one = some[order[place]]
            last = n_usable(one, self.spectrum) - self.n_frames
            crops.append(cut(one, self.spectrum, int(rng.integers(last + 1)), self.n_frames))
            target_ids.append(target_id)
        return together(crops, target_ids, self.spectrum, self.usual)


def n_usable(one: Utterance, spectrum: CausalSpectrum) -> int:
    """Frames of an utterance that both the wave and the teacher have."""
    return min(len(one.frames), len(one.wave) // spectrum.hop_length + 1)


def keep_long(
    utterances: dict[str, list[Utterance]], spectrum: CausalSpectrum, n_frames: int
) -> list[list[Utterance]]:
    """By target, those as long as a crop. Raises InputError where a target has none."""
    kept = [
        [one for one in some if n_usable(one, spectrum) >= n_frames] for some in utterances.values()
    ]
    for (target, some), long in zip(utterances.items(), kept, strict=True):
        if not long:
            longest = max((len(one.frames) for one in some), default=0)
            raise InputError(
                f"none of the utterances that become {target!r} is as long as a training crop "
                f"of {n_frames} frames (the longest has {longest}); add longer recordings or "
                "lower data.n_frames"
            )
    return kept


class Scales(NamedTuple):
    """Means and deviations by which a network's inputs (I,) and outputs (D, C + K) are scaled.

    usual: (N_MELS,), see `CausalSpectrum.follow`.
    """

    usual: Tensor
    input_mean: Tensor
    input_scale: Tensor
    output_mean: Tensor
    output_scale: Tensor


def fit_scales(
    utterances: dict[str, list[Utterance]], spectrum: CausalSpectrum, n_frames: int = 256
) -> Scales:
    """Of the beginnings of some utterances of each target, where there is sound.

    Raises InputError as `keep_long` does.
    """
    kept, batches = keep_long(utterances, spectrum, n_frames), []
    usual = torch.zeros(N_MELS)
    for _ in range(2):  # the frames depend on what is usual
        batches = [_beginnings(some, n_frames, spectrum, usual) for some in kept]
        heard = torch.cat([_sounding(one.heard, one.counts) for one in batches], 1)
        usual = usual + heard[:N_MELS].mean(1)
    said = [_sounding(torch.cat([one.frames, one.aperiodicity], 1), one.counts) for one in batches]
    return Scales(
        usual,
        heard.mean(1),
        heard.std(1).clamp_min(LEAST_SCALE),
        torch.stack([one.mean(1) for one in said]),
        torch.stack([one.std(1).clamp_min(LEAST_SCALE) for one in said]),
    )


def _beginnings(
    some: Sequence[Utterance], n_frames: int, spectrum: CausalSpectrum, usual: Tensor
) -> Taught:
    """N_FITTED or a few more, spread over all."""
    chosen = some[:: max(1, len(some) // N_FITTED)]
    crops = [cut(one, spectrum, 0, n_frames) for one in chosen]
    return together(crops, [0] * len(crops), spectrum, usual)


def _sounding(frames: Tensor, counts: Tensor) -> Tensor:
    """(B, C, T), (B, T) -> (C, n), those that count."""
    return frames.transpose(0, 1)[:, counts > 0]


class Crop(NamedTuple):
    """windows: (T, 2 half) of the wave; the others as in an Utterance, channels first."""

    windows: Tensor
    frames: Tensor
    f0: Tensor
    aperiodicity: Tensor


def cut(one: Utterance, spectrum: CausalSpectrum, start: int, n_frames: int) -> Crop:
    """Frames [start, start + n_frames) of an utterance; before the start there is silence."""
    frames = slice(start, start + n_frames)
    first, hop = start * spectrum.hop_length, spectrum.hop_length
    wave = np.array(one.wave[first : first + (n_frames - 1) * hop + spectrum.half])
    return Crop(
        spectrum.windows(torch.from_numpy(wave))[:n_frames],
        torch.from_numpy(np.array(one.frames[frames]).T),
        torch.from_numpy(np.array(one.f0[frames])),
        torch.from_numpy(np.array(one.aperiodicity[frames]).T),
    )


def together(
    crops: Sequence[Crop], target_ids: Sequence[int], spectrum: CausalSpectrum, usual: Tensor
) -> Taught:
    """Crops of one length -> a batch. The teacher's c_0 is made relative to the wave's level."""
    windows, frames, f0, aperiodicity = (torch.stack(part) for part in zip(*crops, strict=True))
    heard, levels, loudest, _ = spectrum.frames(windows, Heard.nothing(len(crops)), usual)
    frames = torch.cat([frames[:, :1] - levels[:, None], frames[:, 1:]], 1)
    counts = (levels - loudest > SILENT).float()
    return Taught(heard, frames, f0, aperiodicity, counts, torch.tensor(target_ids))
