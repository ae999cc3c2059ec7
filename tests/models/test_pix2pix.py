"""pix2pix's networks: sizes, padding, and a U-Net by hand."""

from functools import partial

import pytest
import torch
from networks import filled, waves
from torch import nn
from torch.nn import functional as F

from voiceconv.models.base import PairTranslator
from voiceconv.models.pix2pix import (
    ConditionalPatchGan,
    MapConvTranspose2d,
    OneWayTranslator,
    UnetGenerator,
)

small = partial(UnetGenerator, base_channels=4, n_downs=4)


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("n_downs", "expected"), [(8, 54_407_809), (7, 41_822_849)])
def test_fact_01_the_u_net_has_the_papers_size(n_downs, expected):
    with torch.device("meta"):
        assert n_parameters(UnetGenerator(80, n_downs=n_downs)) == expected


def test_fact_01_the_patch_gan_has_biases_for_the_scales_and_shifts_of_batch_norm():
    with torch.device("meta"):
        ours = n_parameters(ConditionalPatchGan(80))
    n_normed = 128 + 256 + 512  # channels, each with one bias here, with a scale and a shift there
    assert ours == 2_763_713 == 2_764_609 - n_normed


@pytest.mark.parametrize(
    ("shape", "padded"), [((36, 1), (48, 16)), ((36, 128), (48, 128)), ((80, 17), (80, 32))]
)
def test_fact_04_rows_and_frames_are_padded_to_what_can_be_halved(shape, padded):
    network, seen = small(shape[0]), []
    network.downs[0].register_forward_hook(lambda module, inputs, y: seen.append(inputs[0]))
    frames = waves(2, *shape)
    assert network(frames).shape == frames.shape
    (plane,) = seen
    assert plane.shape == (2, 1, *padded)
    assert torch.equal(plane[:, 0, : shape[0], : shape[1]], frames)
    assert torch.equal(plane[:, 0, :, -1], plane[:, 0, :, shape[1] - 1])
    assert torch.equal(plane[:, 0, -1], plane[:, 0, shape[0] - 1])


def test_the_translator_does_not_pad_to_more_than_one_multiple():
    translator, seen = PairTranslator(36, 2, small), []
    network = translator.generators["0_to_1"]
    network.downs[0].register_forward_hook(lambda module, inputs, y: seen.append(inputs[0]))
    translator(waves(1, 36, 16), 0, 1)
    assert seen[0].shape == (1, 1, 48, 16)


def test_fact_24_no_norm_sees_fewer_than_four_values():
    network, sizes = small(16), []
    for part in network.modules():
        if isinstance(part, nn.InstanceNorm2d):
            part.register_forward_hook(lambda m, inputs, y: sizes.append(inputs[0][0, 0].numel()))
    bottoms: list[torch.Tensor] = []
    network.downs[-1].register_forward_hook(lambda m, inputs, y: bottoms.append(y))
    network(waves(1, 16, 16))
    assert bottoms[0].shape == (1, 32, 1, 1)
    assert bottoms[0].abs().min() > 0
    assert min(sizes) == 4 and len(sizes) == 2 + 3  # halvings but two, doublings but the last


def test_fact_24_the_judge_has_no_norm_in_its_first_layer():
    first = ConditionalPatchGan(36, 4).patches.layers[0]
    assert not any(isinstance(part, nn.InstanceNorm2d) for part in first)


def test_a_u_net_of_two_levels_by_hand():
    network = filled(UnetGenerator(8, base_channels=3, n_downs=2)).eval()
    frames = waves(2, 8, 12)
    entry, (_, deep, _) = network.downs[0], network.downs[1]
    (_, back, norm, _), leave = network.ups[0], network.exit[1]
    level = F.conv2d(frames[:, None], entry.weight, None, 2, 1)
    bottom = F.conv2d(F.leaky_relu(level, 0.2), deep.weight, None, 2, 1)
    raised = F.conv_transpose2d(bottom.relu(), back.weight, None, 2, 1)
    mean = raised.mean((2, 3), keepdim=True)
    deviation = (raised.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    scaled = (raised - mean) / deviation * norm.weight.view(1, -1, 1, 1)
    normed = scaled + norm.bias.view(1, -1, 1, 1)
    joined = torch.cat([normed, level], 1).relu()
    made = F.conv_transpose2d(joined, leave.weight, leave.bias, 2, 1)
    assert torch.allclose(network(frames), made[:, 0], atol=1e-4)


def test_the_transposed_convolution_to_one_map_is_torchs():
    ours = filled(MapConvTranspose2d(3))
    theirs = nn.ConvTranspose2d(3, 1, 4, 2, 1)
    theirs.load_state_dict(ours.state_dict())
    planes = waves(2, 3, 5, 7)
    assert torch.allclose(ours(planes), theirs(planes), atol=1e-5)
    for network in (ours, theirs):
        network(planes).square().sum().backward()
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-4)


def test_facts_17_and_18_dropout_is_noise_in_training_and_conversion_is_deterministic():
    network, frames = small(16), waves(1, 16, 32)
    assert not torch.allclose(network(frames), network(frames))
    network.eval()
    assert torch.equal(network(frames), network(frames))
    quiet = small(16, dropout=0.0)
    quiet.load_state_dict(network.state_dict())
    assert torch.equal(quiet(frames), network(frames))


@pytest.mark.parametrize(("n_downs", "expected"), [(8, [0.5] * 3 + [0] * 4), (3, [0.5] * 2)])
def test_the_three_innermost_doublings_have_dropout(n_downs, expected):
    with torch.device("meta"):
        network = UnetGenerator(80, 4, n_downs)
    assert [up[-1].p for up in network.ups] == expected


def test_one_way_has_the_generators_of_its_directions_only():
    translator = OneWayTranslator(16, 3, small)
    assert translator.directions(3) == [(0, 1), (0, 2), (1, 2)]
    assert list(translator.generators) == ["0_to_1", "0_to_2", "1_to_2"]
    with pytest.raises(KeyError):
        translator(waves(1, 16, 16), 1, 0)


def test_the_judge_sees_the_source_beside_the_frames():
    judge = filled(ConditionalPatchGan(36, 4))
    frames, source = waves(2, 36, 32), waves(2, 36, 32).flip(2)
    (one,), (swapped,) = judge(frames, source), judge(source, frames)
    assert one.logits.shape == (2, 1, 2, 2)  # 36 x 32: 18 x 16, 9 x 8, 4 x 4, 3 x 3, 2 x 2
    assert not torch.allclose(one.logits, swapped.logits)
    assert [part.shape[1] for part in one.features] == [4, 8, 16, 32]
    silent = judge.default_condition()["source"]
    assert silent.shape == (1, 36, 1)
    (of_one,), (of_all,) = judge(frames, silent), judge(frames, torch.zeros(2, 36, 32))
    assert torch.equal(of_one.logits, of_all.logits)
