"""The translator takes any voice and any length; only the target and the strength change it."""

import math

import pytest
import torch
from torch import Tensor

from voiceconv.models.any_to_many import (
    AnyToManyTranslator,
    DomainAdapters,
    ProjectionDiscriminator,
)


@pytest.fixture
def translator() -> AnyToManyTranslator:
    return AnyToManyTranslator(6, 3, width=16, code_channels=8).eval()


@pytest.mark.parametrize("n_frames", [1, 4, 15, 64])
def test_any_number_of_frames_comes_back(translator, n_frames):
    assert translator(torch.randn(2, 6, n_frames), 0, 1).shape == (2, 6, n_frames)


def test_it_never_looks_at_the_source_and_always_at_the_target(translator):
    frames = torch.randn(1, 6, 32)
    assert translator.any_source
    assert torch.equal(translator(frames, 0, 2), translator(frames, 1, 2))
    assert not torch.allclose(translator(frames, 0, 2), translator(frames, 0, 1), atol=1e-3)


def test_targets_may_differ_within_a_batch(translator):
    frames = torch.randn(2, 6, 32)
    both = translator(frames, 0, torch.tensor([2, 0]))
    alone = [translator(frames[n : n + 1], 0, target) for n, target in enumerate((2, 0))]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_strength_goes_from_the_frames_to_the_conversion(translator):
    frames = torch.randn(1, 6, 32)
    whole = translator(frames, 0, 1)

    def by(strength: float) -> Tensor:
        return translator(frames, 0, 1, strength=torch.tensor([[strength]]))

    assert torch.equal(by(0.0), frames)
    assert torch.allclose(by(1.0), whole, atol=1e-6)
    assert torch.allclose(by(0.25), 0.75 * frames + 0.25 * whole, atol=1e-6)
    assert torch.equal(translator.default_condition()["strength"], torch.ones(1, 1))


def test_a_moment_stays_where_it_is(translator):
    """Frame t of the output depends on frames around t, folded or not."""
    frames = torch.randn(1, 6, 400, requires_grad=True)
    translator(frames, 0, 1)[0, :, 200].sum().backward()
    reach = frames.grad.abs().sum((0, 1)).nonzero().flatten()
    assert reach.min() < 200 < reach.max()
    assert abs((reach.min() + reach.max()).item() / 2 - 201.5) <= 1.5  # 200 is folded with 203
    assert reach.max() - reach.min() < 280


def test_the_code_is_of_unit_power_and_noisy_only_in_training(translator):
    frames = torch.randn(1, 6, 32)
    code = translator.encode(frames)
    assert code.shape == (1, 8, 8)
    assert torch.allclose(code.square().mean(1), torch.ones(1, 8), atol=1e-3)
    assert torch.equal(translator(frames, 0, 1), translator(frames, 0, 1))
    translator.train()
    assert not torch.equal(translator(frames, 0, 1), translator(frames, 0, 1))


def test_a_lone_target_is_reached_from_anybody():
    translator = AnyToManyTranslator(6, 1, width=16)
    assert translator.directions(1) == [(0, 0)]
    assert translator.directions(2) == [(0, 1), (1, 0)]


def test_the_change_of_the_frames_is_averaged_by_a_hann_window():
    """By hand: weights 1/4, 3/4, 1, 3/4, 1/4 over their sum 3, the ends held."""
    plain, smooth = (AnyToManyTranslator(6, 2, width=16, smooth=n).eval() for n in (1, 5))
    smooth.load_state_dict(plain.state_dict())
    frames = torch.randn(1, 6, 30)
    change = plain(frames, 0, 1) - frames
    first, last = (change[..., n : n + 1].expand(-1, -1, 2) for n in (0, 29))
    held = torch.cat([first, change, last], 2)
    weights = (0.25, 0.75, 1.0, 0.75, 0.25)
    wanted = sum(w / 3 * held[..., n : n + 30] for n, w in enumerate(weights))
    assert torch.allclose(smooth(frames, 0, 1) - frames, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["kernel", "smooth"])
def test_an_even_number_of_frames_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} 4 must be odd"):
        AnyToManyTranslator(6, 2, **{name: 4})


def test_the_size_of_the_default():
    """By hand: first and last layer, eight blocks, four of them told the target, and the code."""
    ends = 144 * 256 * 3 + 256 + 512 + 256 * 144 * 3 + 144
    block = 512 + (256 * 512 * 3 + 512) + (256 * 256 + 256)
    code = 512 + (256 * 48 + 48) + (48 * 256 + 256)
    translator = AnyToManyTranslator(36, 4)
    size = sum(parameter.numel() for parameter in translator.parameters())
    assert size == ends + 8 * block + 4 * 4 * 512 + code == 3_935_936


def test_each_judge_is_told_the_voice():
    judge = ProjectionDiscriminator(6, 3, width=8, patch_width=4, scales=[1, 3])
    frames = torch.randn(2, 6, 48)
    verdicts, others = (judge(frames, torch.tensor(ids)) for ids in ([0, 1], [0, 2]))
    assert len(verdicts) == 3
    for verdict, other in zip(verdicts, others, strict=True):
        assert len(verdict.features) == 4
        assert torch.equal(verdict.logits[0], other.logits[0])
        assert not torch.allclose(verdict.logits[1], other.logits[1])


def test_an_adapter_is_the_product_of_its_domains_maps():
    adapters = DomainAdapters(5, 7, 2, 3)
    x, codes = torch.randn(2, 5, 4), torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    assert torch.equal(adapters(x, codes), torch.zeros(2, 7, 4))
    with torch.no_grad():
        adapters.up.copy_(torch.randn(3, 7, 2) / math.sqrt(2))
    maps = adapters.up @ adapters.down
    assert torch.allclose(adapters(x, codes)[0], maps[1] @ x[0], atol=1e-5)
    mixed = 0.5 * (maps[0] + maps[2]) @ x[1]
    assert torch.allclose(adapters(x, codes)[1], mixed, atol=1e-5)


def test_a_network_grows_by_a_domain_and_gets_adapters_without_a_change_to_the_others():
    torch.manual_seed(0)
    plain = AnyToManyTranslator(6, 2, width=16, code_channels=8).eval()
    grown = AnyToManyTranslator(6, 3, width=16, code_channels=8, adapter_rank=2).eval()
    grown.load_state_dict(grown.grown(plain.state_dict(), [0, None, 1]))
    frames = torch.randn(1, 6, 32)
    for here, there in ((0, 0), (2, 1)):
        assert torch.equal(grown(frames, 0, here), plain(frames, 0, there))
    with torch.no_grad():
        for own in grown.of_domains():
            own[1] += torch.randn_like(own[1])
    assert torch.equal(grown(frames, 0, 2), plain(frames, 0, 1))
    again = AnyToManyTranslator(6, 3, width=16, code_channels=8, adapter_rank=2).eval()
    again.load_state_dict(again.grown(grown.state_dict(), [1, 0, None]))
    assert torch.equal(again(frames, 0, 0), grown(frames, 0, 1))
    assert len(grown.of_domains()) == 4 + 2 * 5 and len(plain.of_domains()) == 4
