"""UNIT's networks: the published sizes, what domains share, and when there is noise."""

import pytest
import torch

from voiceconv.models.unit import UnitDiscriminator, UnitTranslator

C, T = 36, 30


def translator(n_domains: int = 2, **keywords) -> UnitTranslator:
    torch.manual_seed(0)
    return UnitTranslator(C, n_domains, base_channels=4, n_residual_blocks=1, **keywords)


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def reached(network: torch.nn.Module, output: torch.Tensor) -> list[torch.nn.Parameter]:
    """The parameters that an output depends on."""
    network.zero_grad(set_to_none=True)
    output.square().sum().backward()
    return [parameter for parameter in network.parameters() if parameter.grad is not None]


def common(one: list, other: list) -> list:
    return [parameter for parameter in one if any(parameter is another for another in other)]


def same_tensors(one, other) -> bool:
    one, other = list(one), list(other)
    return len(one) == len(other) > 0 and len(common(one, other)) == len(one)


def test_fact_01_both_domains_have_the_codes_numbers_of_parameters():
    with torch.device("meta"):
        made, judge = UnitTranslator(80, 2), UnitDiscriminator(80, 2)
    # own: 7x7, two 3x3 of stride 2, three blocks of two 3x3; shared: one such block on each side
    block = 2 * (9 * 256 * 256 + 256)
    encoder = 49 * 64 + 64 + 9 * 64 * 128 + 128 + 9 * 128 * 256 + 256 + 3 * block
    decoder = 3 * block + 9 * 256 * 128 + 128 + 9 * 128 * 64 + 64 + 64 + 1
    assert count(made) == 2 * (encoder + decoder) + 2 * block == 18_004_482
    assert count(judge) == 25_227_521
    with torch.device("meta"):
        assert count(UnitTranslator(80, 5)) == 5 * (encoder + decoder) + 2 * block
        own = 49 * 64 + 64 + 9 * 64 * 128 + 128
        assert count(UnitDiscriminator(80, 5)) == 25_227_521 + 3 * own


def test_all_encoders_and_all_decoders_share_one_block():
    made, frames = translator(3), torch.randn(1, C, T)
    encoders = [reached(made, made.encode(frames, domain)) for domain in (0, 2)]
    assert same_tensors(common(*encoders), made.shared_encoder.parameters())
    code = made.encode(frames, 0).detach()
    decoders = [reached(made, made.decode(code, domain)) for domain in (0, 2)]
    assert same_tensors(common(*decoders), made.shared_decoder.parameters())


def test_all_judges_share_their_upper_layers():
    judge, frames = UnitDiscriminator(C, 3, base_channels=4), torch.randn(1, C, T)
    paths = [reached(judge, judge(frames, domain)[0].logits) for domain in (0, 2)]
    shared = [*judge.shared.parameters(), *judge.exit.parameters()]
    assert len(shared) == 10 and same_tensors(common(*paths), shared)
    assert [len(path) for path in paths] == [4 + 10, 4 + 10]


def test_a_judge_halves_the_plane_at_each_of_six_layers():
    (verdict,) = UnitDiscriminator(C, 2, base_channels=2)(torch.randn(2, C, 130), 1)
    planes = [(18, 65), (9, 33), (5, 17), (3, 9), (2, 5), (1, 3)]
    assert [tuple(feature.shape[2:]) for feature in verdict.features] == planes
    assert verdict.logits.shape == (2, 1, 1, 3)


def test_fact_18_only_training_draws_noise():
    made, frames = translator(), torch.randn(1, C, T)
    assert not torch.equal(made(frames, 0, 1), made(frames, 0, 1))
    made.eval()
    assert torch.equal(made(frames, 0, 1), made(frames, 0, 1))


@pytest.mark.parametrize("deviation", [1.0, 0.5])
def test_the_noise_has_the_stated_deviation(deviation):
    made, frames = translator(code_noise=deviation), torch.randn(8, C, 128)
    with torch.no_grad():
        noise = made.encode(frames, 0) - made.eval().encode(frames, 0)
    assert noise.shape == (8, 16, 9, 32)
    assert noise.std().item() == pytest.approx(deviation, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.02 * deviation)


def test_without_noise_training_is_conversion():
    made, frames = translator(code_noise=0.0), torch.randn(1, C, T)
    assert torch.equal(made(frames, 0, 1), made.eval()(frames, 0, 1))


def test_a_conversion_is_the_sources_code_in_the_targets_decoder():
    made, frames = translator(3).eval(), torch.randn(2, C, T)
    code = made.encode(frames, 2)
    assert torch.equal(made(frames, 2, 1), made.decode(code, 1)[..., :T])
    assert made.decode(code, 1).shape == (2, C, 32)  # whole codes, of four frames each


def test_a_model_of_other_domains_gives_a_start():
    """Domains (a, b) there, (b, new, a) here."""
    there, here = translator(2), translator(3)
    torch.nn.init.constant_(here.decoders[1][-1].weight, 0.5)
    grown = here.grown(there.state_dict(), [1, None, 0])
    here.load_state_dict(grown)
    frames = torch.randn(1, C, T)
    assert torch.equal(here.eval()(frames, 0, 2), there.eval()(frames, 1, 0))
    assert torch.equal(here.decoders[1][-1].weight, torch.full((1, 4, 1, 1), 0.5))


def test_a_model_of_another_size_is_refused():
    wider = UnitTranslator(C, 2, base_channels=8, n_residual_blocks=1)
    deeper = UnitTranslator(C, 2, base_channels=4, n_residual_blocks=2)
    for other in (wider, deeper):
        with pytest.raises(ValueError, match=r"\w+\.\d.* is .*, here "):
            translator().grown(other.state_dict(), [0, 1])
