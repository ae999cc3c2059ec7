"""HiFi-GAN against the paper's sizes and, once, the authors' code (jik876/hifi-gan at 4769534)."""

import pytest
import torch
from networks import filled, waves
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from voiceconv.models.hifigan import (
    HifiGan,
    MultiPeriodDiscriminator,
    MultiScaleDiscriminator,
    Period,
    Scale,
)
from voiceconv.models.layers import fold_weight_norm

V3 = dict(
    rates=(8, 8, 4),
    kernels=(16, 16, 8),
    channels=256,
    residual_kernels=(3, 5, 7),
    dilations=[[[1], [2]], [[2], [6]], [[3], [12]]],
)
SIZES = {  # keywords; weights in the authors' code with weight norm, without: the paper has these
    "V1, 13.92 M": ({}, 13_936_130, 13_926_017),
    "V2, 0.92 M": ({"channels": 128}, 928_514, 925_985),
    "V3, 1.46 M": (V3, 1_464_322, 1_462_273),
}


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("keywords", "normed", "folded"), SIZES.values(), ids=SIZES)
def test_generators_have_the_papers_sizes(keywords, normed, folded):
    generator = HifiGan(80, 256, **keywords)
    assert n_parameters(generator) == normed
    fold_weight_norm(generator)
    assert n_parameters(generator) == folded


def test_discriminators_have_the_sizes_of_the_authors_code():
    assert [n_parameters(p) for p in MultiPeriodDiscriminator().periods] == [8_221_154] * 5
    scales = [n_parameters(scale) for scale in MultiScaleDiscriminator().scales]
    assert scales == [9_870_209, 9_874_306, 9_874_306]


@pytest.mark.parametrize(
    ("keywords", "complaint"),
    [
        (
            {"hop_length": 300},
            r"rates \[8, 8, 2, 2\] make 256 samples of a frame, hop_length is 300",
        ),
        ({"kernels": (16, 16, 4)}, "3 kernels for 4 rates: they go in pairs"),
        (
            {"kernels": (16, 16, 4, 5)},
            "kernel 5 for rate 2: it must be the rate and an even num",
        ),
        ({"kernels": (6, 16, 4, 4)}, "kernel 6 for rate 8"),
        ({"channels": 100}, "channels 100 can't be halved 4 times"),
        ({"residual_kernels": (3, 7)}, "3 tables of dilations for 2 residual_kernels"),
        ({"residual_kernels": (3, 7, 10)}, "residual kernel 10 has no middle: it must be odd"),
    ],
)
def test_what_would_not_give_a_hop_for_a_frame_is_refused(keywords, complaint):
    with pytest.raises(ValueError, match=complaint):
        HifiGan(**{"n_channels": 80, "hop_length": 256} | keywords)


def test_samples_stay_within_one():
    loud = HifiGan(4, 4, (2, 2), (4, 4), 16)(1e4 * waves(1, 4, 30))
    assert 0.99 < loud.abs().max() <= 1


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (
            lambda: Period(3, 32),
            (1, 400),
            [0.40096, 0.248742, 0.0215223, 0.0205951, 0.00488672, 0.00441551],
        ),
        (
            lambda: Scale(128, weight_norm),
            (1, 1, 400),
            [
                0.106297,
                0.0744864,
                0.0582083,
                0.0215461,
                0.0111983,
                0.00569459,
                0.00709355,
                5.501e-5,
            ],
        ),
    ],
)
@torch.no_grad()
def test_features_vary_as_those_of_the_authors_code(make, shape, expected):
    # Deviation down the wave of each layer's output, a mean over channels; theirs, with parameters
    # set as `filled` does, on cos(0.3 k).
    features = filled(make())(waves(*shape)).features
    found = [feature.std(2).mean().item() for feature in features]
    assert found == pytest.approx(expected, rel=1e-3)


@torch.no_grad()
def test_each_scale_hears_half_the_rate_of_the_one_before():
    network = MultiScaleDiscriminator(base_channels=16).eval()
    verdicts = network(wave := waves(2, 1024))
    # Mean of four samples, every second one, two zeros before and after: 1024 -> 513 -> 257.
    padded = nn.functional.pad(wave, (2, 2))
    halved = padded.unfold(1, 4, 2).mean(2)
    assert halved.shape == (2, 513)
    expected = network.scales[1](halved[:, None])
    torch.testing.assert_close(verdicts[1].logits, expected.logits)
    assert [tuple(f.shape[1:]) for f in verdicts[2].features] == [
        (16, 257), (16, 129), (32, 65), (64, 17), (128, 5), (128, 5), (128, 5), (1, 5),
    ]  # fmt: skip


@torch.no_grad()
def test_the_first_scale_alone_has_spectral_norm():
    network = MultiScaleDiscriminator(base_channels=16)
    for _ in range(50):  # each look at a weight in training is a step of the power iteration
        network(waves(1, 64))
    network.eval()
    first, second = network.scales[0].layers, network.scales[1].layers
    largest = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in first]
    assert largest == pytest.approx([1.0] * 7, abs=1e-2)
    scale, direction = second[3].parametrizations.weight.parameters()
    product = scale * direction / direction.flatten(1).norm(dim=1)[:, None, None]
    torch.testing.assert_close(second[3].weight, product)


def test_periods_see_every_pth_sample():
    # Of a wave of 30 samples all zero but 7, period 5 has a column that is not silent: 7 mod 5.
    network = Period(5, base_channels=2)
    wave = torch.zeros(1, 30)
    silent = network(wave).features[0]
    wave[0, 7] = 1
    differs = (network(wave).features[0] != silent).any(dim=1)[0]  # (rows, period)
    assert differs.any(dim=0).tolist() == [False, False, True, False, False]
    # 28 samples are lengthened by their reflection to 30: logits for 1 row (of 6, by 3, 3, 3, 3).
    assert network(waves(3, 28)).logits.shape == (3, 5)
