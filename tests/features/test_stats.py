"""Statistics of a domain: NumPy's moments, and a translation that lands on the target's."""

import math
import warnings
from dataclasses import fields

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from voiceconv.errors import InputError
from voiceconv.features import (
    DomainStats,
    Features,
    convert_aperiodicity,
    convert_f0,
    convert_tracks,
    load_stats,
    save_stats,
)
from voiceconv.features.stats import LOG_F0_STD_FLOOR, STD_FLOOR


def utterances(offset: float, scale: float, pitch: float, seed: int = 0) -> list[Features]:
    """Three utterances of 8 channels and 3 aperiodicity bands, voiced but for every third frame."""
    rng = np.random.default_rng(seed)
    made = []
    for n_frames in (50, 7, 120):
        frames = offset + scale * rng.standard_normal((8, n_frames)) * np.arange(1, 9)[:, None]
        f0 = pitch * np.exp(0.2 * rng.standard_normal(n_frames))
        f0[::3] = 0.0
        aperiodicity = -20 + 4 * rng.standard_normal((3, n_frames))
        frames, f0, aperiodicity = (torch.tensor(t).float() for t in (frames, f0, aperiodicity))
        made.append(Features(frames, {"f0": f0, "ap": aperiodicity}))
    return made


@pytest.fixture
def source() -> DomainStats:
    return DomainStats.fit(utterances(offset=-3.0, scale=0.5, pitch=110.0))


@pytest.fixture
def target() -> DomainStats:
    return DomainStats.fit(utterances(offset=2.0, scale=2.0, pitch=220.0, seed=1))


def hand_made(mean: float, std: float, f0_mean: float, f0_std: float) -> DomainStats:
    one = torch.ones(1)
    log_f0 = torch.tensor([f0_mean, f0_std])
    return DomainStats(mean * one, std * one, log_f0, mean * one, std * one)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments_are_numpys_however_far_from_zero(offset):
    made = utterances(offset, 0.5, 110.0)
    stats = DomainStats.fit(made)
    everything = np.concatenate([u.frames.double().numpy() for u in made], axis=1)
    np.testing.assert_allclose(stats.frames_mean, everything.mean(1), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(stats.frames_std, everything.std(1), rtol=1e-5)
    assert stats.frames_mean.dtype == stats.frames_std.dtype == torch.float32


def test_pitch_and_aperiodicity_are_of_voiced_frames_alone():
    made = utterances(0.0, 1.0, 110.0)
    stats = DomainStats.fit(made)
    f0 = np.concatenate([u.f0.double().numpy() for u in made])
    aperiodicity = np.concatenate([u.aperiodicity.double().numpy() for u in made], axis=1)
    log_f0 = np.log(f0[f0 > 0])
    np.testing.assert_allclose(stats.log_f0, [log_f0.mean(), log_f0.std()], rtol=1e-5)
    np.testing.assert_allclose(stats.aperiodicity_mean, aperiodicity[:, f0 > 0].mean(1), rtol=1e-5)
    np.testing.assert_allclose(stats.aperiodicity_std, aperiodicity[:, f0 > 0].std(1), rtol=1e-5)


def test_the_order_of_utterances_and_their_cutting_change_nothing():
    made = utterances(50.0, 1.0, 110.0)
    whole = Features(torch.cat([u.frames for u in made], 1))
    one, other = DomainStats.fit(reversed(made)), DomainStats.fit([whole])
    np.testing.assert_allclose(one.frames_mean, other.frames_mean, rtol=1e-6)
    np.testing.assert_allclose(one.frames_std, other.frames_std, rtol=1e-5)


def test_frames_alone_have_no_pitch_and_no_aperiodicity():
    stats = DomainStats.fit([Features(torch.randn(4, 20))])
    assert stats.log_f0.isnan().all()
    assert stats.log_f0.shape == (2,)
    assert stats.aperiodicity_mean.shape == stats.aperiodicity_std.shape == (0,)


def test_a_domain_without_a_voiced_frame_has_no_pitch():
    stats = DomainStats.fit(
        [Features(torch.randn(4, 20), {"f0": torch.zeros(20), "ap": torch.zeros(2, 20)})]
    )
    assert stats.log_f0.isnan().all()
    assert stats.aperiodicity_mean.shape == (0,)


@pytest.mark.parametrize("nothing", [[], [Features(torch.zeros(4, 0))]])
def test_no_frame_at_all_is_refused(nothing):
    with pytest.raises(InputError, match="no frame"):
        DomainStats.fit(nothing)


def test_what_never_moves_is_not_divided_by_zero():
    stats = DomainStats.fit([Features(torch.full((2, 9), -11.5), {"f0": torch.full((9,), 100.0)})])
    assert stats.frames_std.tolist() == pytest.approx([STD_FLOOR] * 2)
    assert stats.log_f0[1].item() == pytest.approx(LOG_F0_STD_FLOOR)
    assert stats.normalize(torch.full((2, 9), -11.5)).abs().max() < 1e-2


def test_normalize_is_zero_mean_and_unit_deviation(source):
    everything = torch.cat([u.frames for u in utterances(-3.0, 0.5, 110.0)], 1)
    normal = source.normalize(everything)
    np.testing.assert_allclose(normal.mean(1), np.zeros(8), atol=1e-5)
    np.testing.assert_allclose(normal.std(1, correction=0), np.ones(8), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 30), (2, 8, 30), (3, 2, 8, 5)])
def test_denormalize_is_the_inverse_of_normalize(source, shape):
    frames = 3 * torch.randn(shape) - 3
    np.testing.assert_allclose(source.denormalize(source.normalize(frames)), frames, atol=1e-5)


def test_by_hand():
    stats = hand_made(mean=2.0, std=4.0, f0_mean=5.0, f0_std=0.1)
    assert stats.normalize(torch.tensor([[10.0]])).item() == 2.0
    assert stats.denormalize(torch.tensor([[2.0]])).item() == 10.0


def test_an_identity_translator_moves_the_statistics_to_the_targets(source, target):
    """Normalised by the source, denormalised by the target; pitch and aperiodicity with it."""
    moved = [
        Features(
            target.denormalize(source.normalize(u.frames)),
            convert_tracks(u.tracks, source, target),
        )
        for u in utterances(-3.0, 0.5, 110.0)
    ]
    found = DomainStats.fit(moved)
    for field in fields(DomainStats):
        expected = getattr(target, field.name)
        np.testing.assert_allclose(getattr(found, field.name), expected, rtol=1e-4, atol=1e-4)
        assert not np.allclose(getattr(source, field.name), expected, rtol=1e-3)


def test_f0_by_hand():
    """One deviation above the source's mean becomes one above the target's."""
    low = hand_made(0.0, 1.0, math.log(100.0), 0.1)
    high = hand_made(0.0, 1.0, math.log(200.0), 0.3)
    f0 = torch.tensor([100.0, 0.0, 100 * math.exp(0.1), 100 * math.exp(-0.2)])
    expected = [200.0, 0.0, 200 * math.exp(0.3), 200 * math.exp(-0.6)]
    np.testing.assert_allclose(convert_f0(f0, low, high), expected, rtol=1e-5)


def test_unvoiced_frames_stay_0_and_nothing_warns(source, target):
    """Port error 15: log(0), which came out right only because exp(-inf) is 0."""
    f0 = torch.tensor([0.0, 120.0, 0.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = convert_f0(f0, source, target)
        silent = convert_f0(torch.zeros(3), source, target)
    assert converted[[0, 2, 3]].tolist() == [0.0, 0.0, 0.0]
    assert converted[1] > 120
    assert silent.tolist() == [0.0, 0.0, 0.0]
    assert f0.tolist() == [0.0, 120.0, 0.0, 0.0]  # the caller's own is left alone


def test_f0_is_left_where_a_domain_has_none(source):
    drums = DomainStats.fit([Features(torch.randn(8, 20))])
    f0 = torch.tensor([0.0, 120.0])
    assert torch.equal(convert_f0(f0, source, drums), f0)
    assert torch.equal(convert_f0(f0, drums, source), f0)


def test_aperiodicity_by_hand():
    """Mean -20 and deviation 2 to mean -10 and deviation 6: -19 is half a deviation up, to -7."""
    one, other = hand_made(-20.0, 2.0, 5.0, 0.1), hand_made(-10.0, 6.0, 5.0, 0.1)
    aperiodicity = torch.tensor([[-19.0, -19.0, -10.0]])
    f0 = torch.tensor([100.0, 0.0, 100.0])
    # Unvoiced is left as it is; nothing is noisier than all noise, 0 dB.
    assert convert_aperiodicity(aperiodicity, f0, one, other).tolist() == [[-7.0, -19.0, 0.0]]


def test_aperiodicity_is_left_where_a_domain_has_none(source):
    bare = DomainStats.fit([Features(torch.randn(8, 20))])
    aperiodicity, f0 = torch.randn(3, 4), torch.full((4,), 100.0)
    assert convert_aperiodicity(aperiodicity, f0, source, bare) is aperiodicity
    assert convert_aperiodicity(aperiodicity, f0, bare, source) is aperiodicity


def test_a_file_gives_back_what_was_saved(tmp_path, source, target):
    bare, drums = (DomainStats.fit([Features(torch.randn(8, 20))]) for _ in range(2))
    stats = {"nathalie": source, "flemish guy": target, "a/b": bare, "drums": drums}
    save_stats(tmp_path / "stats.safetensors", stats)
    loaded = load_stats(tmp_path / "stats.safetensors")
    assert list(loaded) == sorted(stats)
    for domain, one in stats.items():
        for field in fields(DomainStats):
            saved, found = getattr(one, field.name), getattr(loaded[domain], field.name)
            assert torch.equal(saved.nan_to_num(-1.0), found.nan_to_num(-1.0))


def test_statistics_without_pitch_are_saved_for_more_than_one_domain(tmp_path):
    """Of mel frames: safetensors refuses tensors that share memory."""
    stats = {d: DomainStats.fit([Features(torch.randn(8, 20))]) for d in ("one", "two")}
    save_stats(tmp_path / "stats.safetensors", stats)
    assert list(load_stats(tmp_path / "stats.safetensors")) == ["one", "two"]


def test_a_cut_file_is_refused(tmp_path, source):
    path = tmp_path / "stats.safetensors"
    save_stats(path, {"one": source})
    whole = path.read_bytes()
    for length in (0, 4, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="stats.safetensors: .*voiceconv stats"):
            load_stats(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="not readable as statistics"):
        load_stats(tmp_path / "stats.safetensors")


def test_an_incomplete_file_is_refused_by_the_missing_name(tmp_path, source):
    path = tmp_path / "stats.safetensors"
    save_stats(path, {"one": source})
    tensors = load_file(path)
    del tensors["one/log_f0"]
    save_file(tensors, path)
    with pytest.raises(InputError, match="no entry 'one/log_f0'"):
        load_stats(path)


def test_neutral_statistics_change_no_bit():
    """What a piano roll takes: a note that is never played has no deviation to divide by."""
    neutral, frames = DomainStats.neutral(8), torch.randn(2, 8, 20)
    assert torch.equal(neutral.normalize(frames), frames)
    assert torch.equal(neutral.denormalize(frames), frames)
    assert neutral.log_f0.isnan().all() and neutral.aperiodicity_std.shape == (0,)


def test_tracks_of_other_names_are_carried_as_they_are(source, target):
    f0, ap, own = torch.full((20,), 100.0), torch.full((3, 20), -10.0), torch.randn(20)
    moved = convert_tracks({"own": own, "f0": f0, "ap": ap}, source, target)
    assert list(moved) == ["own", "f0", "ap"] and moved["own"] is own
    assert torch.equal(moved["f0"], convert_f0(f0, source, target))
    assert torch.equal(moved["ap"], convert_aperiodicity(ap, f0, source, target))
    assert convert_tracks({"own": own}, source, target) == {"own": own}
