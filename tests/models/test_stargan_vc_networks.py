"""StarGAN-VC's networks: the figure's sizes, what each of them is told, and other domains."""

import pytest
import torch
from torch import nn

from voiceconv.models.stargan_vc import (
    GatedBlock,
    ItemNorm,
    StarGanClassifier,
    StarGanDiscriminator,
    StarGanTranslator,
)

C, D = 12, 3


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def translator(n_domains: int = D) -> StarGanTranslator:
    torch.manual_seed(n_domains)
    return StarGanTranslator(C, n_domains, base_channels=4)


def random_frames(n_items: int = 2, n_frames: int = 40) -> torch.Tensor:
    return torch.randn(n_items, C, n_frames, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: StarGanTranslator(36, 4), 1_929_003),
        (lambda: StarGanTranslator(80, 4), 2_027_563),
        (lambda: StarGanDiscriminator(36, 4), 167_953),
        (lambda: StarGanDiscriminator(80, 4), 175_873),
        (lambda: StarGanClassifier(4), 33_716),
    ],
)
def test_fact_01_the_figures_networks_have_their_sizes(network, expected):
    with torch.device("meta"):
        assert n_parameters(network()) == expected


def test_the_source_is_never_looked_at():
    network, frames = translator(), random_frames()
    assert network.any_source and network.shared
    assert torch.equal(network(frames, 0, 1), network(frames, 2, 1))
    assert not torch.allclose(network(frames, 0, 1), network(frames, 0, 2))


def test_the_code_between_is_one_row_of_quarters():
    assert translator().encode(random_frames(2, 41)).shape == (2, 5, 1, 11)


def test_each_item_has_its_own_target():
    network, frames = translator(), random_frames()
    both = network(frames, 0, torch.tensor([1, 2]))
    alone = [network(frames[n : n + 1], 0, 1 + n) for n in (0, 1)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_item_norm_is_of_all_channels_together():
    norm = ItemNorm(2, affine=True)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, 1.0]))
        norm.bias.copy_(torch.tensor([0.0, 3.0]))
    x = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 2, 1, 2)  # mean 4, variance 5
    wanted = torch.tensor([-6.0, -2.0, 1.0, 3.0]) / 5**0.5 + torch.tensor([0.0, 0.0, 3.0, 3.0])
    assert torch.allclose(norm(x).flatten(), wanted, atol=1e-5)


def test_the_domain_survives_the_norm_of_a_judges_layer():
    """Far from the edges, a code is a constant, which instance norm would take away."""

    def told(norm: type[nn.InstanceNorm2d]) -> float:
        torch.manual_seed(0)
        judge = StarGanDiscriminator(36, D, base_channels=8)
        judge.layers[0] = block = GatedBlock(1 + D, 8, (3, 9), norm=norm)
        frames = torch.randn(1, 36, 128)
        here, there = (judge(frames, torch.tensor([n]))[0].features[0] for n in (0, 1))
        assert judge.layers[0] is block
        return ((here - there)[..., 4:-4, 8:-8].norm() / here[..., 4:-4, 8:-8].norm()).item()

    assert told(ItemNorm) > 5 * told(nn.InstanceNorm2d)


def test_shares_of_targets_stand_in_for_one():
    network, frames = translator(), random_frames()
    wanted = network(frames, 0, 2)
    alone = torch.tensor([[0.0, 0.0, 3.0]]).expand(2, -1)  # shares need not sum to 1
    assert torch.allclose(network(frames, 0, 1, mix=alone), wanted, atol=1e-6)
    no_mix = network.default_condition()["mix"].expand(2, -1)
    assert torch.equal(network(frames, 0, 2, mix=no_mix), wanted)
    mixed = network(frames, 0, 2, mix=torch.ones(2, D))
    assert not torch.allclose(mixed, wanted)


def test_old_domains_convert_as_before_in_a_grown_model():
    old, new, frames = translator(2), translator(3), random_frames()
    new.load_state_dict(new.grown(old.state_dict(), [1, None, 0]))
    for here, there in ((0, 1), (2, 0)):
        assert torch.allclose(new(frames, 0, here), old(frames, 0, there), atol=1e-6)
    between = old(frames, 0, 0, mix=torch.ones(2, 2))
    assert torch.allclose(new(frames, 0, 1), between, atol=1e-6)


def test_the_inputs_for_a_code_are_taken_over_to_the_bit():
    old, new = translator(2), translator(3)
    given, grown = old.state_dict(), new.grown(old.state_dict(), [1, None, 0])
    name = "decoder.1.conv.weight"
    assert given[name].shape[0] == 8 + 2 and grown[name].shape[0] == 8 + 3
    assert torch.equal(grown[name][:8], given[name][:8])
    assert torch.equal(grown[name][8], given[name][9])
    assert torch.equal(grown[name][9], (given[name][8] + given[name][9]) / 2)
    assert torch.equal(grown[name][10], given[name][8])
    assert torch.equal(grown["exit.weight"][:, 6], given["exit.weight"][:, 4])
    assert torch.equal(grown["encoder.0.conv.weight"], given["encoder.0.conv.weight"])


def test_a_network_of_other_widths_gives_no_start():
    for width in (2, 8):
        other = StarGanTranslator(C, 2, base_channels=width)
        with pytest.raises(ValueError, match="here"):
            translator().grown(other.state_dict(), [0, 1, None])


def test_the_classifier_sees_eight_rows():
    classifier, frames = StarGanClassifier(D, 2), random_frames(1, 130)
    logits = classifier(frames)
    assert logits.shape == (1, D, 5)
    above, within = frames.clone(), frames.clone()
    above[:, 8:] += 1
    within[:, 7] += 1
    assert torch.equal(classifier(above), logits)
    assert not torch.allclose(classifier(within), logits)


def test_the_judge_gives_a_verdict_on_each_eighth():
    judge, frames = StarGanDiscriminator(C, D, 4), random_frames(2, 41)
    (verdict,) = judge(frames, torch.tensor([0, 1]))
    (other,) = judge(frames, torch.tensor([0, 2]))
    assert verdict.logits.shape == (2, 1, 1, 6)
    assert torch.equal(verdict.logits[0], other.logits[0])
    assert not torch.allclose(verdict.logits[1], other.logits[1])
