"""Nearest frames against brute force."""

import numpy as np
import pytest
import torch

from voiceconv.baselines.knn import COMPARED, CONTEXT, NearestFrames


def utterances(*lengths: int, seed: int = 0) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.standard_normal((n, 36))).float() for n in lengths]


def key(frames: np.ndarray, t: int) -> np.ndarray:
    """c0 to c24 of the frames 4 and 2 before and after t and of t itself, the ends repeated."""
    places = [min(max(t + step, 0), len(frames) - 1) for step in (-4, -2, 0, 2, 4)]
    return np.concatenate([frames[place, :25] for place in places])


@pytest.mark.parametrize("n_nearest", [1, 4])
def test_it_is_brute_force(n_nearest):
    assert (COMPARED, CONTEXT) == (slice(0, 25), (-4, -2, 0, 2, 4))
    bank, query = utterances(30, 3, 50), utterances(300, seed=1)[0]
    translator = NearestFrames(lambda domain: bank, n_nearest)
    got = translator(query.T[None], 0, 1)[0].T.numpy()
    keys = np.stack([key(one.numpy(), t) for one in bank for t in range(len(one))])
    frames = np.concatenate([one.numpy() for one in bank])
    for t in range(len(query)):
        distances = np.square(keys - key(query.numpy(), t)).sum(1)
        nearest = np.argsort(distances)[:n_nearest]
        np.testing.assert_allclose(got[t, 1:], frames[nearest, 1:].mean(0), atol=1e-5)
        assert got[t, 0] == query[t, 0]


def test_the_nearest_of_its_own_frames_is_itself():
    bank = utterances(40, 60)
    translator = NearestFrames(lambda domain: bank, n_nearest=1)
    for one in bank:
        assert torch.equal(translator(one.T[None], 0, 1)[0].T, one)


def test_the_bank_is_the_targets_and_is_made_once():
    asked = []
    translator = NearestFrames(lambda domain: (asked.append(domain), utterances(20))[1])
    frames = torch.stack([one.T for one in utterances(10, 10, seed=3)])  # (2, C, T)
    both = translator(frames, 1, 0)
    assert torch.equal(both[1:], translator(frames[1:], 1, 0))
    assert asked == [0]


@pytest.mark.parametrize(("most", "kept"), [(100, 1), (99, 2), (50, 2), (49, 3)])
def test_a_large_bank_is_thinned_out_evenly(most, kept):
    bank = utterances(40, 60)
    frames = torch.cat(bank)
    translator = NearestFrames(lambda domain: bank, n_nearest=1, most=most)
    translator(bank[0].T[None], 0, 1)
    keys, held = translator._banks[1]
    assert torch.equal(held, frames[::kept])
    assert len(keys) == len(held) <= most


def test_a_bank_smaller_than_k_is_averaged_whole():
    bank = utterances(3)
    got = NearestFrames(lambda domain: bank, n_nearest=4)(utterances(5, seed=1)[0].T[None], 0, 1)
    expected = bank[0].mean(0)[1:, None].expand(-1, 5)
    torch.testing.assert_close(got[0, 1:], expected)
