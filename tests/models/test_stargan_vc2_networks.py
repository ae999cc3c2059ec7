"""StarGAN-VC2's networks: the ports' sizes, conditional norm, projection, and other domains."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.stargan_vc2 import (
    ConditionalBlock,
    ConditionalNorm,
    ConditionedOn,
    StarGan2Discriminator,
    StarGan2Translator,
)

C, D = 8, 3
KINDS: tuple[ConditionedOn, ...] = ("target", "source and target")
each_kind = pytest.mark.parametrize("kind", KINDS)


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def told_apart(network: nn.Module) -> None:
    """Codes as they are after some training."""
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, ConditionalNorm):
            for table in (part.scale, part.offset):
                with torch.no_grad():
                    table.add_(0.3 * torch.randn(table.shape, generator=generator))


def translator(kind: ConditionedOn, n_domains: int = D) -> StarGan2Translator:
    torch.manual_seed(n_domains)
    network = StarGan2Translator(C, n_domains, 8, n_blocks=2, conditioned_on=kind)
    told_apart(network)
    return network


def judge(kind: ConditionedOn = "source and target", **settings) -> StarGan2Discriminator:
    torch.manual_seed(0)
    return StarGan2Discriminator(C, D, 4, conditioned_on=kind, **settings)


def random_frames(n_items: int = 2, n_frames: int = 24) -> Tensor:
    return torch.randn(n_items, C, n_frames, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        (lambda kind: StarGan2Translator(36, 4, conditioned_on=kind), (17_378_753, 17_489_345)),
        (lambda kind: StarGan2Translator(80, 4, conditioned_on=kind), (18_823_361, 18_933_953)),
        (lambda kind: StarGan2Discriminator(36, 4, conditioned_on=kind), (5_724_673, 5_730_817)),
        (lambda kind: StarGan2Discriminator(80, 4, conditioned_on=kind), (5_724_673, 5_730_817)),
    ],
)
def test_fact_01_the_networks_have_their_sizes(network, sizes):
    with torch.device("meta"):  # 4 codes, then 16
        assert tuple(n_parameters(network(kind)) for kind in KINDS) == sizes


def test_fact_21_conditional_norm_is_plain_instance_norm_at_first():
    norm, x = ConditionalNorm(D, 6), torch.randn(2, 6, 16)
    assert torch.equal(norm(x, torch.eye(D)[:2]), F.instance_norm(x))


def test_fact_21_a_block_halves_channels_by_its_gate():
    block, x = ConditionalBlock(D, 6), torch.randn(1, 6, 16)
    assert block.conv.out_channels == 12
    told_apart(block)
    hidden = F.instance_norm(block.conv(x)) * block.norm.scale[1][:, None]
    hidden = hidden + block.norm.offset[1][:, None]
    wanted = hidden[:, :6] * torch.sigmoid(hidden[:, 6:])
    assert torch.allclose(block(x, torch.eye(D)[1:2]), wanted, atol=1e-6)


def test_a_mixture_has_the_mixture_of_scales_and_offsets():
    norm, x = ConditionalNorm(D, 6), torch.randn(2, 6, 16)
    told_apart(norm)
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.9, 0.1]])
    scale, offset = shares @ norm.scale, shares @ norm.offset
    wanted = F.instance_norm(x) * scale[..., None] + offset[..., None]
    assert torch.allclose(norm(x, shares), wanted, atol=1e-6)


@each_kind
def test_the_source_counts_only_where_it_is_asked_for(kind):
    network, frames = translator(kind), random_frames()
    of_first, of_second = (network(frames, source, 2) for source in (0, 1))
    assert network.any_source == (kind == "target")
    assert torch.equal(of_first, of_second) == (kind == "target")
    assert not torch.allclose(network(frames, 0, 1), of_first)


@each_kind
def test_each_item_has_its_own_domains(kind):
    network, frames = translator(kind), random_frames()
    both = network(frames, torch.tensor([0, 1]), torch.tensor([2, 0]))
    alone = [network(frames[:1], 0, 2), network(frames[1:], 1, 0)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_a_pair_has_a_row_of_its_own():
    network, frames = translator("source and target"), random_frames()
    pairs = [(source, target) for source in range(D) for target in range(D)]
    before = [network(frames, *pair) for pair in pairs]
    with torch.no_grad():
        network.blocks[0].norm.scale[1 * D + 2] += 1
    changed = [
        pair
        for pair, was in zip(pairs, before, strict=True)
        if not torch.equal(network(frames, *pair), was)
    ]
    assert changed == [(1, 2)]


@each_kind
def test_shares_of_targets_stand_in_for_one(kind):
    network, frames = translator(kind), random_frames()
    wanted = network(frames, 1, 2)
    alone = torch.tensor([[0.0, 0.0, 3.0]]).expand(2, -1)  # shares need not sum to 1
    assert torch.equal(network(frames, 1, 0, mix=alone), wanted)
    no_mix = network.default_condition()["mix"].expand(2, -1)
    assert torch.equal(network(frames, 1, 2, mix=no_mix), wanted)
    assert not torch.allclose(network(frames, 1, 2, mix=torch.ones(2, D)), wanted)


@each_kind
def test_old_domains_convert_to_the_bit_in_a_grown_model(kind):
    old, new, frames = translator(kind, 2), translator(kind, 3), random_frames()
    new.load_state_dict(new.grown(old.state_dict(), [1, None, 0]))
    for here, there in (((0, 2), (1, 0)), ((2, 0), (0, 1)), ((0, 0), (1, 1))):
        assert torch.equal(new(frames, *here), old(frames, *there))
    between = old(frames, 1, 0, mix=torch.ones(2, 2))  # to the mean of both targets
    assert torch.allclose(new(frames, 0, 1), between, atol=1e-5)


def test_a_new_domains_code_is_the_mean_of_the_old():
    old, new = translator("source and target", 2), translator("source and target", 3)
    given = old.state_dict()["blocks.0.norm.scale"].view(2, 2, -1)
    grown = new.grown(old.state_dict(), [1, None, 0])["blocks.0.norm.scale"].view(3, 3, -1)
    assert torch.equal(grown[0, 2], given[1, 0])
    assert torch.allclose(grown[0, 1], (given[1, 0] + given[1, 1]) / 2)
    assert torch.allclose(grown[1, 2], (given[0, 0] + given[1, 0]) / 2)
    assert torch.allclose(grown[1, 1], given.mean((0, 1)), atol=1e-6)


def test_codes_of_targets_are_no_codes_of_pairs():
    with pytest.raises(ValueError, match="2 codes, which is no square"):
        translator("source and target").grown(translator("target", 2).state_dict(), [0, 1, None])


def test_fact_15_swapping_source_and_target_changes_the_verdict():
    frames, here, there = random_frames(1), torch.tensor([0]), torch.tensor([1])
    network = judge()
    verdicts = [network(frames, *pair)[0].logits for pair in ((here, there), (there, here))]
    assert (verdicts[0] - verdicts[1]).abs().item() > 1e-4


def test_the_verdict_is_a_projection_of_one_pooled_vector():
    """Miyato and Koyama 2018, eq. 3: (w + v) . sum + b, v the pair's embedding."""
    network, frames = judge(), random_frames()
    (verdict,) = network(frames, torch.tensor([0, 2]), torch.tensor([1, 0]))
    pooled = verdict.features[-1].sum((2, 3))
    voices = network.embedding.weight[[0 * D + 1, 2 * D + 0]]
    wanted = ((network.exit.weight + voices) * pooled).sum(1) + network.exit.bias
    assert verdict.logits.shape == (2, 1)
    assert torch.allclose(verdict.logits[:, 0], wanted, atol=1e-5)


def test_the_mean_is_the_sum_over_the_number_of_places():
    frames, ids = random_frames(), torch.tensor([0, 1])
    summed, mean = (judge(pooling=how) for how in ("sum", "mean"))
    (of_sum,), (of_mean,) = (network(frames, ids, 1 - ids) for network in (summed, mean))
    n_places = of_sum.features[-1][0, 0].numel()
    assert n_places == 1 * 3  # eighths of 8 rows and 24 frames
    bias = summed.exit.bias
    assert torch.allclose((of_sum.logits - bias) / n_places, of_mean.logits - bias, atol=1e-6)


def test_a_judge_of_targets_never_looks_at_the_source():
    network, frames, ones = judge("target"), random_frames(), torch.tensor([1, 1])
    of_zero, of_two = (network(frames, source * ones, ones)[0].logits for source in (0, 2))
    assert torch.equal(of_zero, of_two)
    assert not torch.allclose(network(frames, 0 * ones, 2 * ones)[0].logits, of_two)
