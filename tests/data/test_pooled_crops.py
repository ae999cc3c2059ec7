"""Pools of voices: the other targets, and domains that are no targets."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from voiceconv.data.crops import PooledCrops
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, Features, Representation

C, T = 3, 8


class Plain(FeatureExtractor):
    """Frames whose first channel is ten times the level in nepers."""

    sample_rate, hop_length, n_channels = 16000, 80, C
    definition = {"kind": "plain"}  # noqa: RUF012

    def extract(self, wave: Tensor) -> Features:
        raise NotImplementedError

    def cepstra(self, frames: Tensor) -> Tensor:
        return frames / 10


class Rolls(Representation):
    """Frames that networks see as they are."""

    n_channels, definition, frames_per_second = C, {"kind": "rolls"}, 100.0  # noqa: RUF012

    def fit(self, utterances) -> DomainStats:
        return DomainStats.neutral(C)


def said(seed: int, n_frames: int = 40) -> np.ndarray:
    """(T, C) noise of any mean and deviation."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_frames, C)) * rng.uniform(0.5, 2) + rng.uniform(-3, 3)
    return noise.astype(np.float32)


def domains(**seeds: int) -> dict[str, dict[str, np.ndarray]]:
    return {name: {str(n): said(seed + n) for n in range(2)} for name, seed in seeds.items()}


OTHERS = domains(x=100, y=200)


def crops(targets, others=None, extractor=None, **keywords) -> PooledCrops:
    stats = {
        name: DomainStats.fit(Features(torch.from_numpy(m).T) for m in some.values())
        for name, some in targets.items()
    }
    extractor = extractor or Plain()
    return PooledCrops(targets, stats, T, others=others, extractor=extractor, **keywords)


def place_in(crop: Tensor, matrix: Tensor) -> int | None:
    """Where a crop (C, T) lies in frames (C, U)."""
    for start in range(matrix.shape[1] - T + 1):
        if torch.allclose(matrix[:, start : start + T], crop, atol=1e-4):
            return start
    return None


def by_itself(matrix: np.ndarray) -> Tensor:
    """(C, T) by its own statistics."""
    frames = torch.from_numpy(matrix).T
    std, mean = torch.std_mean(frames, 1, correction=0, keepdim=True)
    return (frames - mean) / std


def test_a_lone_target_gets_crops_of_those_that_are_none():
    made = crops(domains(a=0), OTHERS, batch_size=4)
    for step in range(3):
        batch = made.batch(step)
        assert batch.frames.shape == batch.others.shape == (1, 4, C, T)
        assert batch.other_ids.tolist() == [[-1] * 4]
        recordings = [m for some in OTHERS.values() for m in some.values()]
        for crop in batch.others[0]:  # a draw of 4: each recording once
            found = [place_in(crop, by_itself(matrix)) for matrix in recordings]
            assert sum(place is not None for place in found) == 1


def test_a_target_has_its_domains_statistics_in_every_pool():
    targets = domains(a=0, b=10)
    made = crops(targets, OTHERS, batch_size=6)
    stats = made._stats
    counts = Counter()
    for step in range(4):
        batch = made.batch(step)
        for target, (others, ids) in enumerate(
            zip(batch.others, batch.other_ids.tolist(), strict=True)
        ):
            counts.update((target, other_id) for other_id in ids)
            for crop, other_id in zip(others, ids, strict=True):
                if other_id >= 0:
                    recordings = [
                        stats[other_id].normalize(torch.from_numpy(matrix).T)
                        for matrix in targets["ab"[other_id]].values()
                    ]
                else:
                    recordings = [
                        by_itself(matrix) for some in OTHERS.values() for matrix in some.values()
                    ]
                assert [place_in(crop, one) is not None for one in recordings].count(True) == 1
    # three voices take turns in each pool, two of them without a domain_id
    assert counts == {(0, 1): 8, (0, -1): 16, (1, 0): 8, (1, -1): 16}


def test_pauses_do_not_count():
    """A recording's second half is at -200 dB: the first has mean 0 and deviation 1."""
    loud = said(7)
    silence = np.full_like(loud, -200 * np.log(10) / 2)
    made = crops(domains(a=0), {"x": {"0": np.concatenate([loud, silence])}}, batch_size=40)
    found = [place_in(crop, by_itself(loud)) for crop in made.batch(0).others[0]]
    assert sum(place is not None for place in found) > 5


def test_frames_that_networks_see_as_they_are_stay_so():
    made = crops(domains(a=0), OTHERS, extractor=Rolls())
    recordings = [torch.from_numpy(m).T for some in OTHERS.values() for m in some.values()]
    (crop,) = made.batch(0).others[0]
    assert sum(place_in(crop, matrix) is not None for matrix in recordings) == 1


def test_targets_alone_are_as_without_a_keyword():
    targets = domains(a=0, b=10, c=20)
    plain = PooledCrops(targets, dict(zip("abc", crops(targets)._stats, strict=True)), T)
    for step in range(4):
        batches = [some.batch(step) for some in (plain, crops(targets, {}))]
        for one, other in zip(*(batch.tensors() for batch in batches), strict=True):
            assert torch.equal(one, other)


def test_others_are_counted_and_may_be_too_short():
    short = {"x": {"0": said(1), "1": said(2, T - 1)}}
    made = crops(domains(a=0), short)
    assert (made.n_given["x"], made.n_left_out["x"]) == (2, 1)
    with pytest.raises(InputError, match="domain 'y': none of its 1 utterances"):
        crops(domains(a=0), {"y": {"0": said(1, T - 1)}})


def test_a_voice_without_others_is_refused():
    with pytest.raises(InputError, match="'a' is the dump's one domain"):
        crops(domains(a=0), {})
