"""pix2pixHD's networks: sizes, the global network inside the enhancer, and judges of scales."""

import pytest
import torch
from networks import filled, waves
from torch.nn import functional as F

from voiceconv.models.cyclegan import ResnetGenerator
from voiceconv.models.pix2pixhd import LocalEnhancer, MultiScalePatchGan, halved


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: ResnetGenerator(160, n_downs=4), 182_430_721),
        (lambda: ResnetGenerator(160, n_downs=3), 45_580_801),
        (lambda: ResnetGenerator(160, n_downs=2), 11_365_633),
        (lambda: LocalEnhancer(160), 182_689_281),
        (lambda: MultiScalePatchGan(160, n_scales=2), 5_527_426),
        (lambda: MultiScalePatchGan(160, n_scales=3), 8_291_139),
    ],
)
def test_fact_01_the_networks_have_the_papers_sizes(make, expected):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in make().parameters()) == expected


def test_means_leave_the_padding_out():
    """Of 1 2 3 4 in both axes: (1 + 2) / 2 and (2 + 3 + 4) / 3 along one, the same along other."""
    line = torch.arange(1.0, 5.0)
    plane = (line[:, None] + 10 * line)[None, None]
    rows = torch.tensor([1.5, 3.0])
    assert torch.allclose(halved()(plane)[0, 0], rows[:, None] + 10 * rows)


def test_the_enhancer_adds_the_global_networks_features_to_its_own():
    network = filled(LocalEnhancer(20, 2, n_residual_blocks=1, n_downs=1, n_local_blocks=1))
    frames = waves(2, 20, 32)
    whole = filled(ResnetGenerator(10, 4, n_residual_blocks=1, n_downs=1))
    whole.load_state_dict(network.whole.state_dict(), strict=False)
    ones = F.avg_pool2d(torch.ones(2, 1, 20, 32), 3, 2, 1)
    pooled = F.avg_pool2d(frames[:, None], 3, 2, 1) / ones
    of_whole = whole.decoder[:-1](whole.features(pooled[:, 0])[-1])
    expected = network.local(of_whole + network.stem(frames[:, None]))[:, 0]
    assert of_whole.shape == (2, 4, 10, 16)
    assert torch.allclose(network(frames), expected, atol=1e-4)
    missing = whole.state_dict().keys() - network.whole.state_dict().keys()
    assert missing == {"decoder.1.1.weight", "decoder.1.1.bias"}


@pytest.mark.parametrize("shape", [(36, 128), (36, 13), (80, 64), (84, 1)])
def test_fact_04_the_enhancer_takes_any_plane(shape):
    network = LocalEnhancer(shape[0], 2, n_residual_blocks=1, n_downs=3, n_local_blocks=1)
    assert network(waves(2, *shape)).shape == (2, *shape)


def test_36_rows_have_the_originals_verdicts():
    judge = MultiScalePatchGan(36, 2, n_scales=3)
    verdicts = judge(waves(2, 36, 128), waves(2, 36, 128))
    shapes = [tuple(verdict.logits.shape[2:]) for verdict in verdicts]
    # Rows: 36 19 10 6 7 8, then 18 10 6 4 5 6, then 9 5 3 2 3 4.
    # Frames: 128 65 33 17 18 19, then 64 33 17 9 10 11, then 32 17 9 5 6 7.
    assert shapes == [(8, 19), (6, 11), (4, 7)]
    assert all(len(verdict.features) == 4 for verdict in verdicts)


@pytest.mark.parametrize("n_frames", [1, 2, 7, 24])
def test_fact_05_the_judges_take_any_number_of_frames(n_frames):
    verdicts = MultiScalePatchGan(36, 2, n_scales=3)(*2 * [waves(2, 36, n_frames)])
    assert all(verdict.logits.isfinite().all() for verdict in verdicts)


def test_each_judge_sees_the_planes_at_half_the_rate_of_the_one_before():
    judge = filled(MultiScalePatchGan(20, 2, n_scales=2))
    frames, source = waves(1, 20, 32), waves(1, 20, 32).flip(1)
    planes = torch.stack([source, frames], 1)
    first, second = judge(frames, source)
    assert torch.equal(first.logits, judge.scales[0].judge(planes).logits)
    coarse = F.avg_pool2d(planes, 3, 2, 1, count_include_pad=False)
    assert torch.equal(second.logits, judge.scales[1].judge(coarse).logits)
    swapped, _ = judge(source, frames)
    assert not torch.allclose(first.logits, swapped.logits)
