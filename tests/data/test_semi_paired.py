"""Crops beside pairs: both are what they are alone, and pairs may be few, or none."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from dumps import write_dump
from tiny_model import WORLD

from voiceconv.build import compose_config
from voiceconv.commands.train import make_batches
from voiceconv.data.batches import Labelled, Paired, SemiPaired, Unpaired
from voiceconv.data.crops import LabelledCrops, PairedCrops, UnpairedCrops
from voiceconv.data.semi_paired import SemiPairedCrops
from voiceconv.data.statistics import read_stats
from voiceconv.errors import InputError
from voiceconv.features import DomainStats
from voiceconv.training.distributed import Ranks

C, T, N = 3, 8, 20
STATS = dict.fromkeys("ab", DomainStats.neutral(C))


def said(seed: int, names: range, n_frames: int = 12) -> dict[str, np.ndarray]:
    """Stem -> noise (T, C), whose channel 0 is the stem's number and as large as to align by."""
    rng = np.random.default_rng(seed)
    made = {}
    for name in names:
        made[str(name)] = rng.standard_normal((n_frames, C)).astype(np.float32)
        made[str(name)][:, 0] = name
    return made


TRAIN = {"a": said(0, range(100, 109)), "b": said(1, range(200, 207))}
PAIRS = {"a": said(2, range(N)), "b": said(3, range(N))}


def paired(**keywords) -> PairedCrops:
    return PairedCrops(PAIRS, STATS, T, batch_size=2, **keywords)


def semi(unpaired=UnpairedCrops, **keywords) -> SemiPairedCrops:
    given = {"pairs": PAIRS} | keywords
    return SemiPairedCrops(TRAIN, STATS, unpaired=unpaired, n_frames=T, batch_size=2, **given)


def stems(made: PairedCrops | SemiPairedCrops, n_steps: int = 20) -> set[int]:
    """Of the pairs of some steps; 20 steps of 2 are two passes over all."""
    batches = [made.batch(step) for step in range(n_steps)]
    pairs = [one.paired if isinstance(one, SemiPaired) else one for one in batches]
    found = {int(crop[0, 0]) for pair in pairs for crop in pair.source}
    assert found == {int(crop[0, 0]) for pair in pairs for crop in pair.target}
    return found


def require_equal(one, other) -> None:
    assert type(one) is type(other)
    for ours, theirs in zip(one.tensors(), other.tensors(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", [UnpairedCrops, LabelledCrops])
def test_both_parts_are_what_they_are_alone(kind):
    ranks = {"seed": 3, "rank": 1, "world_size": 2}
    made = semi(partial(kind), n_pairs=7, **ranks)
    alone = kind(TRAIN, STATS, T, batch_size=2, **ranks), paired(n_pairs=7, **ranks)
    for step in (0, 5, 1):
        batch = made.batch(step)
        require_equal(batch.unpaired, alone[0].batch(step))
        require_equal(batch.paired, alone[1].batch(step))
    assert made.n_given == alone[0].n_given | {"a and b": 7}
    assert made.n_left_out == alone[0].n_left_out | {"a and b": 0}


def test_so_many_pairs_are_used_and_more_contain_fewer():
    found = [stems(paired(n_pairs=n)) for n in (1, 5, 12, N)]
    assert [len(some) for some in found] == [1, 5, 12, N]
    assert found[0] < found[1] < found[2] < found[3] == stems(paired())
    assert stems(semi(n_pairs=5)) == found[1]
    for n in (N, 99, None):  # no limit that matters changes a batch
        require_equal(paired(n_pairs=n).batch(3), paired().batch(3))


def test_the_seed_chooses_the_pairs_and_all_ranks_have_the_same():
    first = stems(paired(n_pairs=5))
    assert first != stems(paired(n_pairs=5, seed=1))
    for rank in (0, 1):
        assert stems(paired(n_pairs=5, rank=rank, world_size=2)) == first
    one, other = (paired(n_pairs=5, rank=r, world_size=2).batch(0).source for r in (0, 1))
    assert not torch.equal(one, other)


def test_the_first_pairs_are_no_choice():
    """Of the 20, in their order, the first 5 by the seed alone."""
    chosen = [stems(paired(n_pairs=5, seed=seed)) for seed in range(20)]
    assert set(range(5)) not in chosen
    assert set().union(*chosen) == set(range(N))


def test_no_pairs_are_a_batch_without_items():
    for made in (semi(n_pairs=0), semi(n_pairs=0, pairs={"a": {}, "b": {}})):
        batch = made.batch(4)
        require_equal(batch.unpaired, UnpairedCrops(TRAIN, STATS, T, batch_size=2).batch(4))
        shapes = [tuple(tensor.shape) for tensor in batch.paired.tensors()]
        assert shapes == [(0, C, T), (0, C, T), (0,), (0,)]
        assert batch.paired.source_ids.dtype == torch.long
    with pytest.raises(InputError, match="no two of a, b say one sentence of 8 frames or more"):
        semi(pairs=TRAIN)


def test_short_pairs_are_counted_and_left_out():
    """A path of two times 3 frames has 5 at most."""
    pairs = {name: some | said(9, range(50, 53), 3) for name, some in PAIRS.items()}
    made = semi(pairs=pairs)
    assert (made.n_given["a and b"], made.n_left_out["a and b"]) == (N + 3, 3)
    assert stems(made) == set(range(N))


def test_a_batch_of_batches_is_a_batch():
    frames, ids = torch.arange(24.0).view(2, 2, 1, 6), torch.tensor([0, 0])
    pair = Paired(torch.ones(2, 1, 6), torch.zeros(2, 1, 6), ids, ids + 1)
    batch = SemiPaired(Unpaired(frames), pair)
    assert [id(one) for one in batch.tensors()] == [id(frames), *map(id, pair.tensors())]
    moved = batch.to("meta")
    assert isinstance(moved.paired, Paired) and isinstance(moved.unpaired, Unpaired)
    assert len(moved.tensors()) == 5 and all(one.is_meta for one in moved.tensors())
    probe = SemiPaired.of_first_items([batch, SemiPaired(Unpaired(frames + 100), pair)])
    assert torch.equal(probe.unpaired.frames, torch.stack([frames[:, 0], frames[:, 0] + 100], 1))
    assert torch.equal(probe.paired.source, torch.ones(2, 1, 6))
    assert probe.paired.target_ids.tolist() == [1, 1]


def test_the_first_items_of_batches_without_items_are_none():
    none = semi(partial(LabelledCrops), n_pairs=0)
    probe = SemiPaired.of_first_items([none.batch(step) for step in range(4)])
    assert isinstance(probe.unpaired, Labelled) and probe.unpaired.frames.shape == (4, C, T)
    assert probe.paired.source.shape == (0, C, T)


def batches_of(dump: Path, *overrides: str) -> SemiPairedCrops:
    given = [
        "experiment=cyclegan_vc2_semi_small",
        "name=x",
        f"data.dump={dump}",
        "data.n_frames=32",
    ]
    config = compose_config([*given, *overrides])
    config.features = WORLD
    stats = read_stats(dump / "train")
    return make_batches(config, dump, stats, stats, Ranks())  # type: ignore[return-value]


def test_pairs_come_from_the_split_paired_or_else_from_train(tmp_path):
    splits = {"train": ("01", "02"), "paired": ("21", "22", "23")}
    with_it = batches_of(write_dump(tmp_path / "one", splits=splits, seconds=0.4))
    assert with_it.n_given == {"high": 2, "low": 2, "high and low": 3}
    limited = batches_of(tmp_path / "one", "batches.n_pairs=1")
    assert limited.n_given == {"high": 2, "low": 2, "high and low": 1}
    (tmp_path / "one" / "paired" / "feats.scp").unlink()
    without = batches_of(tmp_path / "one")
    assert without.n_given == {"high": 2, "low": 2, "high and low": 2}


def test_a_domain_may_be_without_pairs(tmp_path):
    """Only two of three voices are in the split `paired`."""
    pitches = {"high": 210.0, "low": 105.0, "mid": 150.0}
    dump = write_dump(tmp_path, splits={"train": ("01",)}, seconds=0.4, pitches=pitches)
    del pitches["low"]
    other = write_dump(tmp_path / "o", splits={"train": ("21",)}, seconds=0.4, pitches=pitches)
    (other / "train").rename(dump / "paired")
    made = batches_of(dump)
    assert made.n_given == {"high": 1, "low": 1, "mid": 1, "high and mid": 1}
    assert made.batch(0).paired.target_ids.tolist() == [2]
