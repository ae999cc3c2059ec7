"""Batches are a function of the step; every utterance comes once in each pass."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from voiceconv.data.archive import ArchiveWriter
from voiceconv.data.batches import Paired, Segments, Unpaired
from voiceconv.data.crops import Crops, LabelledCrops, PairedCrops, PooledCrops, UnpairedCrops
from voiceconv.data.dump import read_dump
from voiceconv.errors import InputError
from voiceconv.features import DomainStats

N_CHANNELS = 3
NO_STATS = DomainStats(
    torch.zeros(N_CHANNELS), torch.ones(N_CHANNELS), *(torch.zeros(0) for _ in range(3))
)


def matrix(number: int, n_frames: int) -> np.ndarray:
    """(T, C) whose channel 0 is `number`, 1 counts frames, 2 is 0."""
    made = np.zeros((n_frames, N_CHANNELS), np.float32)
    made[:, 0], made[:, 1] = number, np.arange(n_frames)
    return made


def crops(lengths: dict[str, list[int]], n_frames: int = 4, **keywords) -> UnpairedCrops:
    """Utterances numbered from 0 in each domain, statistics that change nothing."""
    return made_of(UnpairedCrops, lengths, n_frames, **keywords)


def made_of(kind: type[Crops], lengths: dict[str, list[int]], n_frames: int, **keywords) -> Any:
    """Domains' utterances are numbered from 0, and their stems are these numbers."""
    utterances = {
        domain: {str(number): matrix(number, n) for number, n in enumerate(ns)}
        for domain, ns in lengths.items()
    }
    return kind(utterances, dict.fromkeys(lengths, NO_STATS), n_frames, **keywords)


def numbers(batch: torch.Tensor) -> list[int]:
    return batch[:, 0, 0].int().tolist()


def test_a_batch_is_a_function_of_the_step():
    one, other = (crops({"low": [20] * 9, "high": [30] * 7}, batch_size=2) for _ in range(2))
    for step in (5, 0, 1_000_000, 5):  # in any order
        for a, b in zip(one.batch(step).frames, other.batch(step).frames, strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(one.batch(1).frames[0], one.batch(2).frames[0])


def test_seeds_and_ranks_draw_otherwise():
    def drawn(**keywords):
        made = crops({"low": [200] * 9}, batch_size=2, **keywords)
        return torch.cat([made.batch(step).frames[0] for step in range(9)])

    first = drawn()
    assert torch.equal(first, drawn(seed=0, rank=0, world_size=1))
    assert not torch.equal(first, drawn(seed=1))
    assert not torch.equal(drawn(rank=0, world_size=2), drawn(rank=1, world_size=2))


def test_shapes_and_what_a_crop_is():
    made = crops({"low": [20] * 9, "high": [30] * 7, "mid": [9]}, n_frames=6, batch_size=2)
    batch = made.batch(3).frames
    assert [one.shape for one in batch] == [(2, N_CHANNELS, 6)] * 3
    assert all(one.dtype == torch.float32 for one in batch)
    for one in batch:
        for number, count, zero in one:
            assert (number == number[0]).all()  # of one utterance
            assert (count - count[0]).tolist() == [0, 1, 2, 3, 4, 5]  # frames in a row
            assert (zero == 0).all()


def test_domains_keep_the_order_in_which_they_are_given():
    lengths = {"zoe": [10], "adam": [12]}
    made = UnpairedCrops(
        {"zoe": {"a": matrix(1, 10)}, "adam": {"b": matrix(2, 12)}},
        dict.fromkeys(lengths, NO_STATS),
        4,
    )
    assert made.domains == ["zoe", "adam"]
    assert [numbers(one) for one in made.batch(0).frames] == [[1], [2]]


def test_every_utterance_comes_once_in_a_pass_and_each_pass_has_its_own_order():
    made = crops({"low": [10] * 6, "high": [10] * 5}, batch_size=2)
    low = [n for step in range(30) for n in numbers(made.batch(step).frames[0])]
    passes = [tuple(low[i : i + 6]) for i in range(0, 60, 6)]
    assert all(sorted(one) == list(range(6)) for one in passes)
    assert len(set(passes)) > 5
    high = [n for step in range(5) for n in numbers(made.batch(step).frames[1])]
    assert Counter(high) == dict.fromkeys(range(5), 2)  # 10 draws are two passes of 5


def test_ranks_share_a_pass():
    ranks = [crops({"low": [10] * 8}, rank=rank, world_size=2) for rank in range(2)]
    drawn = [n for step in range(4) for one in ranks for n in numbers(one.batch(step).frames[0])]
    assert sorted(drawn) == list(range(8))


def test_every_place_of_an_utterance_is_drawn():
    made = crops({"low": [9]}, n_frames=4)
    starts = Counter(int(made.batch(step).frames[0][0, 1, 0]) for step in range(600))
    assert sorted(starts) == [0, 1, 2, 3, 4, 5]
    assert min(starts.values()) > 60  # 100 of each expected, deviation 9


def test_crops_are_normalised_with_their_own_domains_statistics():
    stats = {
        "low": DomainStats(torch.tensor([1.0, 0, 0]), torch.tensor([2.0, 1, 1]), *NO_STATS_REST),
        "high": DomainStats(torch.tensor([0.0, 0, 8]), torch.tensor([1.0, 1, 4]), *NO_STATS_REST),
    }
    made = UnpairedCrops({"low": {"a": matrix(5, 9)}, "high": {"b": matrix(5, 9)}}, stats, 4)
    low, high = made.batch(0).frames
    assert (low[0, 0, 0].item(), low[0, 2, 0].item()) == (2.0, 0.0)
    assert (high[0, 0, 0].item(), high[0, 2, 0].item()) == (5.0, -2.0)


NO_STATS_REST = tuple(torch.zeros(0) for _ in range(3))


def test_short_utterances_are_left_out_and_counted():
    made = crops({"low": [3, 4, 20, 1], "high": [5, 5]}, n_frames=4)
    assert made.n_left_out == {"low": 2, "high": 0}
    assert made.n_given == {"low": 4, "high": 2}
    assert {numbers(made.batch(step).frames[0])[0] for step in range(10)} == {1, 2}


def test_a_domain_with_one_utterance_trains():
    made = crops({"low": [4], "high": [9, 9]}, batch_size=3)
    assert numbers(made.batch(7).frames[0]) == [0, 0, 0]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, 2], "domain 'low': none of its 2 utterances is as long as a training crop of 4 frames "
                 r"\(the longest has 3\)"),
        ([], r"domain 'low': none of its 0 utterances .* \(the longest has 0\)"),
    ],
)  # fmt: skip
def test_a_domain_with_nothing_long_enough_is_named(lengths, message):
    with pytest.raises(InputError, match=message):
        crops({"high": [9], "low": lengths})


# ---------------------------------------------------------------------------- other kinds of batch


def test_labelled_crops_carry_their_domain_and_domains_take_turns():
    made = made_of(LabelledCrops, {"low": [9] * 3, "mid": [9] * 2, "high": [9]}, 4, batch_size=4)
    batches = [made.batch(step) for step in range(9)]
    ids = torch.cat([batch.domain_ids for batch in batches]).tolist()
    assert all(sorted(ids[i : i + 3]) == [0, 1, 2] for i in range(0, 36, 3))
    of_low = [
        number
        for batch in batches
        for number, domain_id in zip(numbers(batch.frames), batch.domain_ids.tolist(), strict=True)
        if domain_id == 0
    ]
    assert all(sorted(of_low[i : i + 3]) == [0, 1, 2] for i in range(0, 12, 3))  # passes of three


def test_pooled_crops_have_all_other_domains_beside_each():
    made = made_of(PooledCrops, {"low": [9] * 3, "mid": [9] * 2, "high": [9]}, 4, batch_size=2)
    plain = made_of(UnpairedCrops, {"low": [9] * 3, "mid": [9] * 2, "high": [9]}, 4, batch_size=2)
    for step in range(6):
        batch = made.batch(step)
        assert torch.equal(batch.frames, plain.batch(step).frames)
        assert batch.others.shape == batch.frames.shape
        for domain_id, other_ids in enumerate(batch.other_ids.tolist()):
            assert sorted(other_ids) == [other for other in range(3) if other != domain_id]


def test_paired_crops_are_of_one_sentence_and_aligned():
    """The second domain says each sentence twice as slowly: the path is what DTW must find."""
    said = np.cumsum(np.random.default_rng(0).standard_normal((2, 40, N_CHANNELS)), 1, np.float32)
    fast = {"one": said[0], "two": said[1], "alone": said[0]}
    slow = {"one": said[0].repeat(2, 0), "two": said[1].repeat(2, 0), "other": said[1]}
    made = PairedCrops({"a": fast, "b": slow}, dict.fromkeys("ab", NO_STATS), 8, batch_size=2)
    firsts = set()
    for step in range(10):
        batch = made.batch(step)
        assert torch.equal(batch.source, batch.target)
        assert (batch.source_ids.tolist(), batch.target_ids.tolist()) == ([0, 0], [1, 1])
        firsts |= {float(crop[0, 0]) for crop in batch.source}
    assert len(firsts) > 10  # of other places at each step
    assert (made.n_given, made.n_left_out) == ({"a and b": 2}, {"a and b": 0})


def test_paired_crops_without_pairs_say_what_to_do():
    utterances = {"a": {"one": matrix(0, 9)}, "b": {"two": matrix(0, 9)}}
    with pytest.raises(InputError, match="no two of a, b say one sentence of 4 frames or more"):
        PairedCrops(utterances, dict.fromkeys("ab", NO_STATS), 4)


@pytest.mark.parametrize("kind", [UnpairedCrops, LabelledCrops, PooledCrops, PairedCrops])
def test_every_kind_of_batch_is_a_function_of_seed_rank_and_step(kind):
    def drawn(step: int, **keywords) -> list[torch.Tensor]:
        lengths = {"low": [50] * 9, "high": [50] * 9}
        batch = made_of(kind, lengths, 4, batch_size=2, **keywords).batch(step)
        assert isinstance(batch, kind.gives)
        return batch.tensors()

    def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
        return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    assert equal(drawn(3), drawn(3))
    for other in (drawn(4), drawn(3, seed=1), drawn(3, rank=1, world_size=2)):
        assert not equal(drawn(3), other)


def test_the_first_items_of_batches_make_one():
    first, second = torch.arange(12.0).view(2, 2, 1, 3), torch.arange(12.0, 24.0).view(2, 2, 1, 3)
    made = Unpaired.of_first_items([Unpaired(first), Unpaired(second)]).frames
    assert torch.equal(made, torch.stack([first[:, 0], second[:, 0]], 1))
    pairs = [
        Segments(torch.full((2, 1, 1), float(n)), torch.full((2, 4), 10.0 + n)) for n in (1, 2)
    ]
    probe = Segments.of_first_items(pairs)
    assert (probe.frames[:, 0, 0].tolist(), probe.waves[:, 0].tolist()) == ([1, 2], [11, 12])


def test_a_batch_moves_whole():
    batch = Paired(torch.zeros(1, 2, 3), torch.ones(1, 2, 3), torch.tensor([0]), torch.tensor([1]))
    assert all(tensor.is_meta for tensor in batch.to("meta").tensors())


# ---------------------------------------------------------------------------------- what is read


class CountingMatrix:
    """A matrix that counts how often, and how much of it, is read."""

    def __init__(self, n_frames: int) -> None:
        self.matrix = matrix(0, n_frames)
        self.n_reads = self.n_frames_read = 0

    def __len__(self) -> int:
        return len(self.matrix)

    def __getitem__(self, index):
        read = self.matrix[index]
        self.n_reads += 1
        self.n_frames_read += len(read)
        return read


def test_a_crop_reads_one_utterance_and_of_it_the_crop_alone():
    """Port error 11: every item cropped the whole corpus anew."""
    corpus = [CountingMatrix(1000) for _ in range(50)]
    utterances = {"low": dict(enumerate(corpus))}
    made = UnpairedCrops(utterances, {"low": NO_STATS}, 4, batch_size=2)
    assert sum(one.n_reads for one in corpus) == 0
    for step in range(10):
        made.batch(step)
    assert sum(one.n_reads for one in corpus) == 20
    assert sum(one.n_frames_read for one in corpus) == 80
    assert max(one.n_reads for one in corpus) == 1  # 20 of 50: no utterance twice


def test_a_crop_is_a_copy():
    """What training does to a batch must not reach the archive."""
    source = matrix(1, 4)
    made = UnpairedCrops({"low": {"a": source}}, {"low": NO_STATS}, 4)
    made.batch(0).frames[0].zero_()
    assert (source[:, 0] == 1).all()


def test_a_dump_is_read_by_domain_in_sorted_order(tmp_path):
    with ArchiveWriter(tmp_path, "feats", 0) as writer:
        for number, utterance in enumerate(("zoe-2", "adam-1", "zoe-1")):
            writer.write(utterance, matrix(number, 5 + number))
    (tmp_path / "feats.0.scp").rename(tmp_path / "feats.scp")
    (tmp_path / "utt2spk").write_text("zoe-2 zoe\nadam-1 adam\nzoe-1 zoe\n")
    found = read_dump(tmp_path)
    assert list(found) == ["adam", "zoe"]
    assert [int(m[0, 0]) for m in found["zoe"].values()] == [2, 0]
    assert [m.shape for m in found["zoe"].values()] == [(7, 3), (5, 3)]
    assert len(found["adam"]) == 1
