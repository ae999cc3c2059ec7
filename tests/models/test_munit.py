"""MUNIT's networks: the published sizes, styles as arguments, and the styles of domains."""

import numpy as np
import pytest
import torch

from voiceconv.models.munit import (
    AdaptiveBlock,
    Autoencoder,
    LayerNorm,
    MunitDiscriminator,
    MunitTranslator,
)

C, T = 36, 30
MODES = pytest.mark.parametrize("separate", [True, False])


def translator(separate: bool = False, n_domains: int = 2) -> MunitTranslator:
    torch.manual_seed(0)
    made = MunitTranslator(
        C, n_domains, 4, n_residual_blocks=2, n_style=3, n_hidden=8, separate=separate
    )
    made.styles.copy_(torch.randn(n_domains, 3))
    return made.eval()


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_fact_01_a_domain_has_the_codes_numbers_of_parameters():
    with torch.device("meta"):
        one, judge = Autoencoder(64, 4, 8, 256), MunitDiscriminator(80)
        three, shared = MunitTranslator(80, 3), MunitTranslator(80, 3, separate=False)
    # The sheet's figures are of three planes: the first layers have 2 * 49 * 64 weights less here,
    # the last one as many, and two biases.
    fewer = 2 * 49 * 64
    assert count(one.style) == 2_764_936 - fewer
    assert count(one.content) == 5_385_856 - fewer
    assert count(one.decoder) == 5_754_627 - fewer - 2
    assert count(one.mlp) == 1_120_768
    assert count(one) == 15_007_369
    assert (count(three), count(shared)) == (3 * 15_007_369, 15_007_369)
    assert count(judge) == 3 * (2_757_057 - 2 * 16 * 64) == 8_265_027


def test_fact_19_the_decoder_takes_4096_numbers_each_used_once():
    with torch.device("meta"):
        assert Autoencoder(64, 4, 8, 256).decoder.n_numbers == 4 * 2 * 2 * 256 == 4096
    own = translator().autoencoders[0]
    numbers = 0.5 + torch.rand(1, own.decoder.n_numbers)  # no channel is dead in the ReLU
    numbers.requires_grad_()
    own.decoder(torch.randn(1, 16, 9, 8), numbers).square().sum().backward()
    assert numbers.shape == (1, 2 * 2 * 2 * 16)  # as many as two blocks' norms have ...
    assert (numbers.grad != 0).all()  # ... and none is left out


def test_an_adaptive_norm_gives_the_stated_mean_and_deviation():
    """With a second convolution of zeros, what is added is the second offset."""
    block, x = AdaptiveBlock(3), torch.randn(2, 3, 9, 8)
    numbers = torch.randn(2, 12)
    scale, offset = numbers[:, 6:9], numbers[:, 9:]
    added = block(x, numbers) - x
    assert torch.allclose(added.mean((2, 3)), offset, atol=1e-5)
    assert torch.allclose(added.std((2, 3), correction=0), scale.abs(), atol=1e-3)


@MODES
def test_fact_19_two_styles_interleaved_give_what_they_give_alone(separate):
    made, frames = translator(separate), torch.randn(2, C, T)
    content, styles = made.encode(frames, 0), torch.randn(2, 3)
    alone = [made.decode(content, style.expand(2, -1), 0) for style in styles]
    again = made.decode(content, styles[:1].expand(2, -1), 0)
    assert torch.equal(again, alone[0])
    assert (alone[0] - alone[1]).abs().max() > 0.1
    mixed = made.decode(content, styles, 0)  # one style for each item
    assert torch.allclose(mixed, torch.stack([alone[0][0], alone[1][1]]), atol=1e-5)


def test_fact_20_two_styles_differ_in_level_after_the_layer_norm():
    """An instance norm in its place would give every channel of both the mean 0."""
    made = translator()
    content = made.encode(torch.randn(1, C, T), 0)
    levels: list[torch.Tensor] = []
    norm = next(part for part in made.modules() if isinstance(part, LayerNorm))
    norm.register_forward_hook(lambda part, inputs, output: levels.append(output.mean((2, 3))))
    planes = [made.decode(content, style, 0) for style in 2 * torch.randn(8, 1, 3)]
    assert (levels[0] - levels[1]).abs().max() > 0.1
    means = torch.stack([plane.mean() for plane in planes])
    assert (means.max() - means.min()).item() > 0.05  # 0.03 with instance norms


def test_the_layer_norm_by_its_definition():
    """Over all of an item, by the unbiased deviation, and alike for one item and for many."""
    torch.manual_seed(0)
    norm, x = LayerNorm(500), 3 * torch.randn(2, 500, 3, 4) + 1
    assert 0 <= norm.scale.min() < 0.02 and 0.98 < norm.scale.max() < 1  # uniform in 0..1
    assert norm.scale.mean().item() == pytest.approx(0.5, abs=0.05)
    torch.nn.init.normal_(norm.offset)
    for item, found in zip(x.numpy(), norm(x).detach().numpy(), strict=True):
        normed = (item - item.mean()) / (item.std(ddof=1) + 1e-5)
        scale, offset = (p.detach().numpy()[:, None, None] for p in (norm.scale, norm.offset))
        np.testing.assert_allclose(found, normed * scale + offset, atol=1e-5)
    assert torch.allclose(norm(x[:1]), norm(x)[:1], atol=1e-6)


@MODES
def test_without_a_style_the_targets_own_is_taken(separate):
    made, frames = translator(separate), torch.randn(2, C, T)
    assert made.default_condition()["style"].isnan().all()
    plain = made(frames, 0, 1)
    content = made.encode(frames, 0)
    assert torch.equal(plain, made.decode(content, made.styles[1].expand(2, -1), 1, T))
    unset = made.default_condition()["style"].expand(2, -1)
    assert torch.equal(plain, made(frames, 0, 1, style=unset))
    given = torch.randn(2, 3)
    wanted = made.decode(content, given, 1, T)
    assert torch.equal(made(frames, 0, 1, style=given), wanted)
    given[0, 1] = torch.nan  # one number is left to the target's own
    wanted = made.decode(content, torch.where(given.isnan(), made.styles[1], given), 1, T)
    assert torch.equal(made(frames, 0, 1, style=given), wanted)


def test_one_autoencoder_never_asks_for_the_source_and_takes_a_target_for_each_item():
    made, frames = translator(n_domains=3), torch.randn(2, C, T)
    assert (made.shared, made.any_source) == (True, True)
    targets = torch.tensor([2, 1])
    both = made(frames, torch.tensor([0, 0]), targets)
    for item, target in enumerate(targets.tolist()):
        alone = made(frames[item : item + 1], 1, target)
        assert torch.allclose(both[item : item + 1], alone, atol=1e-5)
    apart = translator(separate=True)
    assert (apart.shared, apart.any_source) == (False, False)
    assert not torch.equal(apart(frames, 0, 1), apart(frames, 1, 1))


def test_one_autoencoder_draws_the_domains_styles_from_the_prior():
    torch.manual_seed(0)
    styles = MunitTranslator(C, 500, 2, 1, n_hidden=2, separate=False).styles
    assert styles.shape == (500, 8)
    assert styles.mean().item() == pytest.approx(0, abs=0.05)
    assert styles.std().item() == pytest.approx(1, abs=0.05)
    assert not MunitTranslator(C, 2, 2, 1, n_hidden=2).styles.any()


def test_directions_of_a_lone_domain():
    assert translator().directions(1) == [(0, 0)]
    assert translator(separate=True).directions(1) == []
    assert translator().directions(2) == [(0, 1), (1, 0)]


def test_a_sampled_style_is_its_seeds_and_normal():
    made = MunitTranslator(C, 2, 2, 1, n_style=4000, n_hidden=2)
    style = made.sample_style(3)
    assert style.shape == (1, 4000)
    assert torch.equal(style, made.sample_style(3))
    assert not torch.equal(style, made.sample_style(4))
    assert style.mean().item() == pytest.approx(0, abs=0.05)
    assert style.std().item() == pytest.approx(1, abs=0.05)


def test_one_autoencoder_starts_from_a_model_of_other_domains():
    """A new domain keeps the style that it was drawn."""
    there, here = translator(n_domains=2), translator(n_domains=3)
    wanted = torch.stack([there.styles[1], here.styles[1], there.styles[0]])
    here.load_state_dict(here.grown(there.state_dict(), [1, None, 0]))
    assert torch.equal(here.styles, wanted)
    frames = torch.randn(1, C, T)
    assert torch.equal(here(frames, 0, 2), there(frames, 1, 0))


def test_separate_autoencoders_go_with_their_domains():
    there, here = translator(True, n_domains=2), translator(True, n_domains=3)
    start = here.autoencoders[1].mlp[0].weight.clone()
    here.load_state_dict(here.grown(there.state_dict(), [1, None, 0]))
    frames = torch.randn(1, C, T)
    assert torch.equal(here(frames, 0, 2), there(frames, 1, 0))
    assert torch.equal(here.autoencoders[1].mlp[0].weight, start)
    with pytest.raises(ValueError, match="autoencoders"):
        here.grown(translator().state_dict(), [0, 1, None])


def test_judges_of_three_scales_take_36_rows_and_few_frames():
    """Zero padding of 2: n cells become n // 2 + 1, four times; averages halve, rounded up."""
    judge = MunitDiscriminator(36, base_channels=2)
    shapes = [tuple(verdict.logits.shape) for verdict in judge(torch.randn(2, 36, 128))]
    assert shapes == [(2, 1, 4, 9), (2, 1, 3, 5), (2, 1, 2, 3)]
    for rows in (36, 64, 80, 84):
        for n_frames in (1, 16, 17, 60):
            verdicts = judge(torch.randn(1, rows, n_frames))
            assert all(verdict.logits.isfinite().all() for verdict in verdicts)


def test_a_scale_sees_averages_without_the_padding():
    """The same picture of a constant level on each scale, away from the layers' zeros."""
    judge = MunitDiscriminator(36, base_channels=2)
    judge.scales[1].load_state_dict(judge.scales[0].state_dict())
    whole = judge(torch.full((1, 36, 64), 2.0))[1]
    half = judge(torch.full((1, 18, 32), 2.0))[0]
    assert torch.allclose(whole.logits, half.logits, atol=1e-6)


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="n_channels 12 must be 16 or more"):
        MunitTranslator(12, 2)
