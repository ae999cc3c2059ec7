"""TFAN by hand: norm, then a scale and a shift that follow the source."""

import pytest
import torch
from networks import filled, waves
from torch import nn

from voiceconv.models.cyclegan_vc3 import Tfan, TfanGenerator


def test_tfan_is_one_plus_gamma_times_the_norm_plus_beta():
    tfan = Tfan(nn.Conv1d, nn.InstanceNorm1d, 1, 1, n_hidden=1, n_layers=1, kernel=1)
    with torch.no_grad():
        for conv, weight, bias in (
            (tfan.shared[0], 2.0, -1.0),
            (tfan.scale, 3.0, 0.5),
            (tfan.shift, -1.0, 0.25),
        ):
            conv.weight.fill_(weight)
            conv.bias.fill_(bias)
    features = torch.tensor([[[1.0, 3.0, 1.0, 3.0]]])  # mean 2, variance 1: norm = -1, 1, -1, 1
    source = torch.tensor(
        [[[1.0, 1.0, 0.0, 0.0, 2.0, 2.0, 0.5, 0.5]]]
    )  # every second frame is taken
    # hidden = relu(2x - 1) = 1, 0, 3, 0; gamma = 3h + 0.5 = 3.5, 0.5, 9.5, 0.5; beta = 0.25 - h
    expected = [-4.5 - 0.75, 1.5 + 0.25, -10.5 - 2.75, 1.5 + 0.25]
    assert tfan(features, source).flatten().tolist() == pytest.approx(expected, rel=1e-4)


def test_tfan_has_three_layers_of_kernel_5_and_two_heads_and_no_weights_in_its_norm():
    tfan = Tfan(nn.Conv2d, nn.InstanceNorm2d, 1, 256)
    shapes = [tuple(p.shape) for n, p in tfan.named_parameters() if n.endswith("weight")]
    hidden = [(128, 1, 5, 5), (128, 128, 5, 5), (128, 128, 5, 5)]
    assert shapes == [*hidden, (256, 128, 5, 5), (256, 128, 5, 5)]


def test_source_is_resized_to_the_features():
    tfan = filled(Tfan(nn.Conv2d, nn.InstanceNorm2d, 1, 3, n_hidden=2))
    assert tfan(waves(2, 3, 4, 6), waves(2, 1, 8, 12)).shape == (2, 3, 4, 6)


def test_the_source_reaches_every_tfan_of_the_generator():
    network = TfanGenerator(8, base_channels=4, n_residual_blocks=1)
    calls = []
    for module in network.modules():
        if isinstance(module, Tfan):
            module.register_forward_hook(lambda m, inputs, y: calls.append(inputs[1]))
    frames = waves(1, 8, 32)
    network(frames)
    assert [tuple(c.shape) for c in calls] == [(1, 8, 32), (1, 1, 8, 32), (1, 1, 8, 32)]
    assert all(torch.equal(c.flatten(), frames.flatten()) for c in calls)
