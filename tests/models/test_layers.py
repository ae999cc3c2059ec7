"""The shared layers against hand-computed numbers, torch's own and the popular port's."""

import copy
import math

import pytest
import torch
from networks import filled, waves
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from voiceconv.models.layers import (
    GatedConv1d,
    GatedConv2d,
    MapConv2d,
    PixelShuffle1d,
    ResidualBlock1d,
    fold_weight_norm,
    load_folded,
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("layer", [GatedConv1d(1, 2, 1), GatedConv2d(1, 2, (1, 1))])
def test_gate_is_a_second_convolution_not_the_first_ones_own_sigmoid(layer):
    # Port error 4: x . sigmoid(x), which is SiLU and learns no gate.
    layer.norm = nn.Identity()
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([2.0, -3.0]).view_as(layer.conv.weight))
        layer.conv.bias.copy_(torch.tensor([0.5, 0.25]))
    x = torch.tensor([1.0, -2.0]).view(1, 1, *([1] if layer.conv.weight.dim() == 4 else []), 2)
    expected = [2.5 * sigmoid(-2.75), -3.5 * sigmoid(6.25)]
    assert layer(x).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_gated_layers_halve_their_filters():
    assert GatedConv1d(3, 10, 5, 2)(waves(2, 3, 12)).shape == (2, 5, 6)
    assert GatedConv2d(1, 8, (3, 3), (1, 2))(waves(2, 1, 6, 12)).shape == (2, 4, 6, 6)


def test_pixel_shuffle_interleaves():
    # Port error 7: a bare view would put channel 1 after channel 0 instead of between its frames.
    x = torch.tensor([[[0, 2, 4], [1, 3, 5], [10, 12, 14], [11, 13, 15]]])
    expected = [[[0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15]]]
    assert PixelShuffle1d(2)(x).tolist() == expected


def test_pixel_shuffle_is_torchs_on_one_axis():
    x = waves(2, 6, 5)
    grid = x.unsqueeze(3).repeat_interleave(2, dim=1)  # both rows of torch's 2x2 square the same
    rows = grid.view(2, 3, 2, 2, 5, 1).permute(0, 1, 3, 2, 4, 5).reshape(2, 12, 1, 5)
    assert torch.equal(PixelShuffle1d(2)(x), F.pixel_shuffle(rows, 2)[:, :, 0])


def test_map_convolution_is_the_convolution_in_value_and_gradient():
    ours = filled(MapConv2d(4, (5, 15))).double()
    theirs = nn.Conv2d(4, 1, (5, 15), padding=(2, 7)).double()
    theirs.load_state_dict(ours.state_dict())
    x = waves(2, 4, 7, 20).double().requires_grad_()
    results = [layer(x) for layer in (ours, theirs)]
    torch.testing.assert_close(results[0], results[1], atol=1e-12, rtol=0)
    upstream = waves(*results[0].shape).double()
    for wanted in (x, (ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        pair = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        gradients = [
            torch.autograd.grad(result, of, upstream, retain_graph=True)[0]
            for result, of in zip(results, pair, strict=True)
        ]
        torch.testing.assert_close(gradients[0], gradients[1], atol=1e-10, rtol=0)


def test_map_convolution_under_autocast_is_as_exact_as_the_convolution():
    layer = MapConv2d(64, (5, 15))
    x = torch.randn(1, 64, 16, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = layer.double()(x.double()).float()
        layer.float()
        with torch.autocast("cpu", torch.bfloat16):
            rounded = layer(x)
            plain = F.conv2d(x, layer.weight, layer.bias, padding=(2, 7))
    ours, theirs = ((found.float() - exact).abs().mean() for found in (rounded, plain))
    assert ours < 1.1 * theirs


def test_folding_keeps_the_function_and_leaves_plain_weights():
    # g = (2, 10) and v = (3, 4), (0, 5): g . v / |v| is (1.2, 1.6), (0, 10).
    network = nn.Sequential(weight_norm(nn.Linear(2, 2)), nn.Tanh(), nn.Conv1d(4, 1, 1))
    network.append(weight_norm(nn.ConvTranspose1d(1, 1, 3)))
    with torch.no_grad():
        scale, direction = network[0].parametrizations.weight.parameters()
        scale.copy_(torch.tensor([[2.0], [10.0]]))
        direction.copy_(torch.tensor([[3.0, 4.0], [0.0, 5.0]]))
    before = network(waves(4, 2))
    network[3].requires_grad_(False)
    with torch.no_grad():
        fold_weight_norm(network)
    assert [p.requires_grad for p in network.parameters()] == [True] * 4 + [False] * 2
    assert sorted(name for name, _ in network.named_parameters()) == [
        f"{layer}.{name}" for layer in (0, 2, 3) for name in ("bias", "weight")
    ]
    assert len(network.state_dict()) == 6
    assert network[0].weight.flatten().tolist() == pytest.approx([1.2, 1.6, 0.0, 10.0])
    assert type(network[3]) is nn.ConvTranspose1d
    torch.testing.assert_close(network(waves(4, 2)), before, atol=1e-6, rtol=0)


def test_folding_a_copy_leaves_what_it_is_a_copy_of():
    network = nn.Sequential(weight_norm(nn.Conv1d(2, 3, 5)), weight_norm(nn.Linear(5, 2)))
    before = network(waves(1, 2, 9))
    folded = copy.deepcopy(network)
    fold_weight_norm(folded)
    names = [f"{i}.{name}" for i in (0, 1) for name in ("bias", "weight")]
    assert list(folded.state_dict()) == names
    assert "1.parametrizations.weight.original1" in network.state_dict()
    torch.testing.assert_close(network(waves(1, 2, 9)), before, atol=0, rtol=0)
    torch.testing.assert_close(folded(waves(1, 2, 9)), before)


def test_folded_weights_go_back_under_weight_norm():
    source, target = (nn.Sequential(weight_norm(nn.Conv1d(2, 3, 5)), nn.PReLU()) for _ in range(2))
    names = list(target.state_dict())
    expected = source(waves(1, 2, 9))
    fold_weight_norm(source)
    load_folded(target, source.state_dict())
    assert list(target.state_dict()) == names
    scale, direction = target[0].parametrizations.weight.parameters()
    torch.testing.assert_close(scale, direction.flatten(1).norm(dim=1)[:, None, None])
    torch.testing.assert_close(target(waves(1, 2, 9)), expected)
    with pytest.raises(RuntimeError, match="Missing key"):
        load_folded(target, {})


def test_residual_block_is_the_ports_with_its_weights():
    # GANtastic3/MaskCycleGAN-VC at ffc4449, ResidualLayer(2, 3, 3, 1, 1), its parameters set as
    # `filled` does, on cos(0.3 k): computed once by its own code.
    expected = [
        [0.42393, -0.534193, -0.873353, -0.370484, 0.118788],
        [0.082404, -1.833508, -2.502635, -1.510823, -0.348133],
    ]
    block = ResidualBlock1d(2, 6)
    put(block.gated.conv, block.gated.norm, (3, 2, 3), gate_first=4)
    with torch.no_grad():
        for i, parameter in enumerate((*block.conv.parameters(), *block.norm.parameters()), 8):
            parameter.copy_(sine(parameter.shape, i))
    torch.testing.assert_close(block(waves(1, 2, 5))[0], torch.tensor(expected), atol=2e-5, rtol=0)


def test_down_block_is_the_ports_with_its_weights():
    # As above, DownSampleGenerator(1, 2, 5, 2, 2) on 6 x 4.
    expected = [
        [[0.632252, 0.322877], [0.187212, 0.811258], [-0.318815, -0.850141]],
        [[-0.245502, -0.671868], [0.091365, -0.126562], [-0.888829, -0.606211]],
    ]
    block = GatedConv2d(1, 4, (5, 5), 2)
    put(block.conv, block.norm, (2, 1, 5, 5), gate_first=4)
    torch.testing.assert_close(
        block(waves(1, 1, 6, 4))[0], torch.tensor(expected), atol=2e-5, rtol=0
    )


def put(conv: nn.Module, norm: nn.Module, branch_shape: tuple[int, ...], gate_first: int) -> None:
    """Both of the port's branches, its parameters 0-3 and gate_first-..., into one convolution."""
    n = branch_shape[0]
    shapes = (branch_shape, (n,), (n,), (n,))
    targets = (conv.weight, conv.bias, norm.weight, norm.bias)
    with torch.no_grad():
        for i, (target, shape) in enumerate(zip(targets, shapes, strict=True)):
            branches = [sine(torch.Size(shape), first + i) for first in (0, gate_first)]
            target.copy_(torch.cat(branches))


def sine(shape: torch.Size, phase: int) -> torch.Tensor:
    return torch.sin(torch.arange(shape.numel(), dtype=torch.float32) * 0.7 + phase).reshape(shape)
