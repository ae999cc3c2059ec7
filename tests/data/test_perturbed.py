"""Perturbed crops: the answer is the target's own, the question is a stranger's."""

import numpy as np
import pytest
import torch
from torch import Tensor

from voiceconv.data.batches import Perturbed
from voiceconv.data.perturbed import PerturbedCrops
from voiceconv.features import DomainStats, FeatureExtractor, Features

C, T = 6, 16


class Plain(FeatureExtractor):
    """Frames whose first channel is the level; a bend exchanges the others, beta times."""

    sample_rate, hop_length, n_channels = 16000, 80, C
    definition = {"kind": "plain"}  # noqa: RUF012

    def extract(self, wave: Tensor) -> Features:
        raise NotImplementedError

    def cepstra(self, frames: Tensor) -> Tensor:
        return frames

    def bend(self, beta: float, gamma: float = 0.0) -> Tensor:
        return (1 - beta) * torch.eye(C) + beta * torch.eye(C).flip(0)


def said(seed: int, n_frames: int = 60) -> np.ndarray:
    """(T, C) smooth and never twice the same."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_frames + 8, C))
    return np.stack([noise[t : t + 8].mean(0) for t in range(n_frames)]).astype(np.float32)


UTTERANCES = {
    domain: {str(n): said(seed + n) for n in range(3)} for domain, seed in (("a", 0), ("b", 10))
}
STATS = {
    domain: DomainStats.fit(Features(torch.from_numpy(m).T) for m in some.values())
    for domain, some in UTTERANCES.items()
}
STILL = {"bend": 0.0, "ripple": 0.0, "speed": 0.0}


def crops(others=None, **keywords) -> PerturbedCrops:
    return PerturbedCrops(UTTERANCES, STATS, T, 4, Plain(), others or {}, **keywords)


def own(matrix: np.ndarray) -> Tensor:
    """(C, T) by its own statistics."""
    frames = torch.from_numpy(matrix).T
    std, mean = torch.std_mean(frames, 1, correction=0, keepdim=True)
    return (frames - mean) / std


def place_in(crop: Tensor, matrix: Tensor) -> int | None:
    """Where a crop (C, T) lies in frames (C, U)."""
    for start in range(matrix.shape[1] - T + 1):
        if torch.allclose(matrix[:, start : start + T], crop, atol=1e-5):
            return start
    return None


def test_a_batch_is_a_function_of_the_step_and_has_its_shapes():
    one, other = crops(n_others=5, n_pairs=3), crops(n_others=5, n_pairs=3)
    for step in (7, 0, 7):
        batches = [some.batch(step) for some in (one, other)]
        for ours, theirs in zip(*(batch.tensors() for batch in batches), strict=True):
            assert torch.equal(ours, theirs)
    assert not torch.equal(one.batch(0).bent, one.batch(1).bent)
    batch = one.batch(0)
    assert isinstance(batch, Perturbed)
    shapes = [tuple(tensor.shape) for tensor in batch.tensors()]
    assert shapes == [
        (4, C, T), (4,), (4, C, T), (1, C), (5, C, T), (5,), (3, C, T), (3, C, T), (3, C, T), (3,),
    ]  # fmt: skip
    assert sorted(batch.domain_ids.tolist()) == [0, 0, 1, 1]


def test_unperturbed_the_question_is_the_answer_by_its_own_statistics():
    batch = crops(**STILL).batch(3)
    for frames, bent, domain_id in zip(batch.frames, batch.bent, batch.domain_ids, strict=True):
        domain = "ab"[domain_id]
        found = [
            (place_in(frames, STATS[domain].normalize(torch.from_numpy(m).T)), own(m))
            for m in UTTERANCES[domain].values()
        ]
        ((start, strangers),) = [(at, one) for at, one in found if at is not None]
        assert place_in(bent, strangers) == start


def test_the_question_is_bent_and_then_normalised():
    batch = crops(**STILL | {"bend": 0.4}).batch(0)
    whole = [own(m) for some in UTTERANCES.values() for m in some.values()]
    assert all(place_in(crop, one) is None for crop in batch.bent for one in whole)
    means = batch.bent.mean((0, 2))
    assert means.abs().max() < 1.0  # crops of frames of mean 0 and deviation 1


def test_a_crop_is_said_faster_or_slower_and_the_same_in_question_and_answer():
    batch = crops(**STILL | {"speed": 0.3}).batch(0)
    plain = [
        STATS[domain].normalize(torch.from_numpy(m).T)
        for domain, some in UTTERANCES.items()
        for m in some.values()
    ]
    assert all(place_in(crop, one) is None for crop in batch.frames for one in plain)
    for frames, bent in zip(batch.frames, batch.bent, strict=True):
        for channel in range(C):  # one is the other, moved and scaled
            pair = torch.stack([frames[channel], bent[channel]])
            assert torch.corrcoef(pair)[0, 1] > 0.99999


def test_an_utterance_that_is_just_as_long_as_a_crop_keeps_its_speed():
    short = {"a": {"0": said(0, T)}, "b": {"0": said(1, T)}}
    stats = {d: DomainStats.fit([Features(torch.from_numpy(m["0"]).T)]) for d, m in short.items()}
    made = PerturbedCrops(short, stats, T, 2, Plain(), {}, **STILL | {"speed": 0.3})
    for frames, domain_id in zip(*made.batch(0).tensors()[:2], strict=True):
        whole = torch.from_numpy(short["ab"[domain_id]]["0"]).T
        assert torch.allclose(frames, stats["ab"[domain_id]].normalize(whole), atol=1e-5)


def test_the_fastest_speed_leaves_a_whole_crop():
    """109 / (109 / 100) is 99.999 in floating point."""
    utterances = {domain: {"0": said(n, 110)} for n, domain in enumerate("ab")}
    made = PerturbedCrops(utterances, STATS, 100, 8, Plain(), {}, **STILL | {"speed": 0.3})
    assert all(made.batch(step).frames.shape == (8, C, 100) for step in range(5))


def test_other_voices_are_sources_only():
    others = {"z": {"x": said(99)}}
    batch = crops(others, from_targets=0.0, **STILL).batch(0)
    assert all(place_in(crop, own(said(99))) is not None for crop in batch.others)
    assert set(batch.target_ids.tolist()) <= {0, 1}
    batch = crops(others, from_targets=1.0, **STILL).batch(0)
    assert all(place_in(crop, own(said(99))) is None for crop in batch.others)


def test_pairs_of_a_shared_sentence_are_aligned():
    """`z` says a sentence of `a` at half the speed: each of its frames finds its moment."""
    sentence = said(3)
    utterances = {"a": {"shared": sentence}, "b": UTTERANCES["b"]}
    slow = np.repeat(sentence, 2, axis=0)
    others = {"z": {"shared": slow}, "y": {"alone": said(5)}}
    made = PerturbedCrops(utterances, STATS, T, 4, Plain(), others, n_pairs=8, **STILL)
    batch = made.batch(0)
    for one, other in zip(batch.one, batch.other, strict=True):
        start = place_in(one, own(slow))
        assert start is not None
        moments = torch.arange(start, start + T) // 2
        near = [own(sentence)[:, (moments + by).clamp(0, 59)] for by in (-1, 0, 1)]
        distances = torch.stack([(other - answer).abs().amax(0) for answer in near])
        assert distances.amin(0).max() < 1e-5
    assert batch.said_ids.tolist() == [0] * 8
    ratio = STATS["a"].frames_std[:, None] / torch.from_numpy(sentence.std(0))[:, None]
    for answer, other in zip(batch.said, batch.other, strict=True):  # by the target's statistics
        assert torch.allclose(answer.diff() * ratio, other.diff(), atol=1e-4)


def test_pairs_are_in_the_order_of_the_sentences():
    """Those of a set of names were in another order in every process, so no run was resumed."""
    stems = [f"sentence {n}" for n in range(40)]
    utterances = {"a": {stem: said(n) for n, stem in enumerate(stems)}, "b": UTTERANCES["b"]}
    others = {"z": {stem: said(50 + n) for n, stem in enumerate(stems)}}
    made = PerturbedCrops(utterances, STATS, T, 4, Plain(), others, **STILL)
    assert [id(pair[1]) for pair in made._pairs] == [id(utterances["a"][stem]) for stem in stems]


def test_without_a_shared_sentence_a_crop_is_bent_twice():
    batch = crops(n_pairs=4, **STILL).batch(0)
    assert torch.equal(batch.one, batch.other)
    for answer, domain_id in zip(batch.said, batch.said_ids, strict=True):
        stats, some = STATS["ab"[domain_id]], UTTERANCES["ab"[domain_id]].values()
        whole = [stats.normalize(torch.from_numpy(m).T) for m in some]
        assert any(place_in(answer, one) is not None for one in whole)
    batch = crops(n_pairs=4, **STILL | {"bend": 0.4}).batch(0)
    assert not torch.allclose(batch.one, batch.other, atol=0.1)


def test_pauses_do_not_bend_the_statistics():
    loud, pause = said(0), np.full((100, C), -9.0, np.float32)
    with_pause = np.concatenate([loud, pause])
    batch = crops({"z": {"x": with_pause}}, from_targets=0.0, n_others=20, **STILL).batch(0)
    assert any(place_in(crop, own(loud)) is not None for crop in batch.others)


def test_a_channel_weighs_as_the_root_of_its_deviation():
    batch = crops().batch(0)
    roots = torch.stack([stats.frames_std for stats in STATS.values()]).mean(0).sqrt()
    assert torch.allclose(batch.scale[0], roots / roots.mean())
    assert float(batch.scale.mean()) == pytest.approx(1.0)


def test_what_is_aligned_already_is_taken_frame_by_frame():
    """No warping, however unlike the two are."""
    others = {"z": {"0": said(70), "1": said(71)}}
    batch = crops(others, aligned=True, n_pairs=8, **STILL).batch(0)
    for one, other in zip(batch.one, batch.other, strict=True):
        places = [
            (place_in(one, own(others["z"][stem])), place_in(other, own(UTTERANCES[domain][stem])))
            for domain in UTTERANCES
            for stem in others["z"]
        ]
        assert any(pair[0] is not None and pair[0] == pair[1] for pair in places)
