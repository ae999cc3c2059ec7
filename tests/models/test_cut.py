"""CUT's generator: the authors' sizes, blurs instead of strides, features for the contrast."""

from functools import partial

import numpy as np
import pytest
import torch
from networks import filled, waves
from torch import Tensor
from torch.nn import functional as F

from voiceconv.models.cut import BlurredDown, CutGenerator, CutTranslator, Projections, smooth_up

C, T = 36, 32


def translator(n_domains: int, width: int = 4) -> CutTranslator:
    make = partial(CutGenerator, base_channels=width, n_residual_blocks=2)
    return filled(CutTranslator(C, n_domains, make))


@pytest.mark.parametrize("n_channels", [36, 80])
def test_fact_01_parameters(n_channels):
    """The filters of the blurs are no parameters."""
    with torch.device("meta"):
        network = CutGenerator(n_channels)
        projections = Projections(network.widths)
        assert network.widths == [1, 128, 256, 256, 256]
        sizes = [sum(p.numel() for p in one.parameters()) for one in (network, projections)]
        assert sizes == [11_365_633, 559_872]
        of_colours = Projections([3, *network.widths[1:]])
        assert sum(p.numel() for p in of_colours.parameters()) == 560_384


def test_halving_blurs_first():
    """Mean of neighbours by 1, 2, 1 in both axes with reflected edges, then each second value."""
    down, x = BlurredDown(1), waves(1, 2, 6, 8)
    found = down.halve(x)[0].numpy()
    shown = np.pad(F.instance_norm(x).relu()[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="reflect")
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    for row in range(3):
        for column in range(4):
            window = shown[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            wanted = (window * weights).sum((1, 2))
            assert found[:, row, column] == pytest.approx(wanted, abs=1e-5)


def test_a_chequerboard_does_not_alias():
    """A stride alone would make it all 1 or all 0."""
    rows, columns = torch.arange(8)[:, None], torch.arange(8)
    board = ((rows + columns) % 2).float().expand(1, 2, 8, 8)
    made = BlurredDown(1).halve(2 * board - 1)
    assert torch.allclose(made, torch.full_like(made, 0.5), atol=1e-4)


def test_doubling_is_the_transposed_filter():
    """[1, 3, 3, 1] / 4 in both axes between zeros, with repeated edges."""
    x = waves(2, 3, 4, 5)
    row = torch.tensor([1.0, 3, 3, 1]) / 4
    kernel = (row[:, None] * row).expand(3, 1, 4, 4)
    shown = F.pad(x, (1, 1, 1, 1), mode="replicate")
    wanted = F.conv_transpose2d(shown, kernel, stride=2, groups=3)[:, :, 3:-3, 3:-3]
    assert torch.allclose(smooth_up(3)[0](x), wanted, atol=1e-6)


def hooked(network: CutGenerator, frames: Tensor) -> list[Tensor]:
    """What the layers give whose outputs the authors contrast, as they come by."""
    seen: list[Tensor] = []
    layers = [down.conv for down in network.downs] + [network.blocks[0], network.blocks[4]]
    handles = [
        layer.register_forward_hook(lambda *given: seen.append(given[2])) for layer in layers
    ]
    network(frames)
    for handle in handles:
        handle.remove()
    return seen


def test_features_are_those_that_the_generator_goes_on_with():
    network, frames = CutGenerator(C, 4, 7), waves(2, C, 30)
    features = network.features(frames)
    shapes = [tuple(one.shape[1:]) for one in features]
    assert shapes == [(1, C, 32), (8, C, 32), (16, 18, 16), (16, 9, 8), (16, 9, 8)]
    assert [shape[0] for shape in shapes] == network.widths
    assert torch.equal(features[0][:, 0, :, :30], frames)
    for wanted, found in zip(hooked(network, frames), features[1:], strict=True):
        assert torch.equal(wanted, found)
    converted, same = network.convert(frames)
    assert torch.equal(converted, network(frames))
    assert all(torch.equal(one, other) for one, other in zip(features, same, strict=True))


@pytest.mark.parametrize(("n_blocks", "n_features"), [(1, 4), (2, 5), (6, 5)])
def test_few_blocks_have_features_too(n_blocks, n_features):
    network = CutGenerator(C, 4, n_blocks)
    assert len(network.widths) == len(network.features(waves(1, C, T))) == n_features


def test_fact_25_nothing_bounds_the_output():
    network, frames = CutGenerator(C, 4, 1), waves(1, C, T)
    before = network(frames)
    with torch.no_grad():
        network.decoder[-1][-1].weight.mul_(1e4)
    after = network(frames)
    assert after.abs().max() > 1
    assert torch.allclose(after, 1e4 * before, rtol=1e-3, atol=1e-3)


def test_a_start_by_xaviers_rule_with_gain_002():
    """Deviation 0.02 sqrt(2 / (ins + outs)), counted with the kernel's nine places."""
    weight = CutGenerator(C, 32, 1).blocks[0].layers[1].weight
    wanted = 0.02 * (2 / (2 * 9 * 128)) ** 0.5
    assert weight.std().item() == pytest.approx(wanted, rel=0.02)


def test_each_target_has_its_generator_and_the_source_is_nobodys():
    made, frames = translator(3), waves(1, C, T)
    outputs = [made(frames, 0, target) for target in range(3)]
    assert torch.equal(outputs[2], made.generators[2](frames))
    assert torch.equal(outputs[2], made(frames, 1, 2))
    assert not torch.allclose(outputs[0], outputs[1])
    assert (made.any_source, made.shared) == (True, False)
    assert len(made.directions(3)) == 6
    assert translator(1).directions(1) == [(0, 0)]


def test_what_ships_is_the_generators_alone():
    names = translator(2).state_dict()
    assert {name.split(".")[0] for name in names} == {"generators"}
    assert not [name for name in names if "kernel" in name]


def test_another_models_targets_keep_their_generators():
    given, made = translator(2), translator(3)
    made.load_state_dict(made.grown(given.state_dict(), [1, None, 0]))
    frames = waves(1, C, T)
    for target, place in enumerate((1, 0, 0)):  # a new one has the first's
        assert torch.equal(made(frames, 0, target), given(frames, 0, place))
    with pytest.raises(ValueError, match="generators"):
        made.grown(translator(2, width=2).state_dict(), [1, None, 0])


def test_projections_take_places_of_each_plane():
    """A place of a plane is its own vector's: the two layers by hand."""
    project = filled(Projections([1, 3], width=5))
    planes = [waves(2, 1, 4, 6), waves(2, 3, 2, 3)]
    places = [torch.tensor([23, 0, 7]), torch.tensor([5, 2])]
    found = project(planes, places)
    assert [tuple(one.shape) for one in found] == [(2, 3, 5), (2, 2, 5)]
    first, _, last = project.heads[1]
    vector = planes[1][1, :, 1, 2]  # place 5 of 2 x 3
    hidden = (first.weight @ vector + first.bias).relu()
    assert torch.allclose(found[1][1, 0], last.weight @ hidden + last.bias, atol=1e-5)
