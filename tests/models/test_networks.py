"""What holds for every network of the family: mostly errors of popular ports, turned round."""

import copy
from functools import partial

import pytest
import torch
from networks import DISCRIMINATORS, GENERATORS, N_FRAMES, filled, waves

from voiceconv.models.base import PairTranslator
from voiceconv.models.cyclegan_vc import FullDiscriminator, Generator1d
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.models.cyclegan_vc3 import TfanGenerator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator

each_generator = pytest.mark.parametrize("generator", GENERATORS)
each_discriminator = pytest.mark.parametrize("discriminator", DISCRIMINATORS)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: Generator1d(24), 38_055_704),
        (lambda: Generator212(36), 14_999_233),
        (lambda: Generator212(80), 16_449_473),
        (lambda: MaskedGenerator(80), 16_459_073),
        (lambda: TfanGenerator(80), 27_321_665),
        (lambda: PatchDiscriminator(80), 5_729_281),
        (lambda: FullDiscriminator(24), 21_885_953),
    ],
)
def test_parameters_at_the_papers_sizes(network, expected):
    with torch.device("meta"):
        assert sum(p.numel() for p in network().parameters()) == expected


@each_generator
@pytest.mark.parametrize("n_channels", [8, 36, 80])  # port errors 8 and 9: 36 or 80 built in
@pytest.mark.parametrize("n_frames", [1, 4, 30, 32, 77])
def test_a_pair_translator_keeps_shape_for_any_number_of_frames(generator, n_channels, n_frames):
    def tiny(n_channels):
        return generator(n_channels, base_channels=4, n_residual_blocks=1)

    translator = PairTranslator(n_channels, 2, tiny)
    converted = translator(waves(2, n_channels, n_frames), 0, 1)
    assert converted.shape == (2, n_channels, n_frames)
    assert torch.isfinite(converted).all()


@pytest.mark.parametrize("generator", [Generator212, TfanGenerator, MaskedGenerator])
def test_channels_that_do_not_divide_by_four_are_refused(generator):
    with pytest.raises(ValueError, match="n_channels 34 must divide by 4"):
        generator(34)


@each_generator
def test_no_part_of_a_generator_is_dead(generator):
    # Port error 5: a layer that is built, saved and trained on, and never called.
    network = filled(generator(8, base_channels=4, n_residual_blocks=2))
    network(waves(1, 8, N_FRAMES)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@each_discriminator
def test_no_part_of_a_discriminator_is_dead(discriminator):
    network = filled(discriminator(8, base_channels=4))
    sum(v.logits.square().mean() for v in network(waves(1, 8, N_FRAMES))).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@each_discriminator
def test_logits_have_no_bounds(discriminator):
    # Port error 6: a sigmoid under a least-squares loss.
    network = discriminator(8, base_channels=4)
    with torch.no_grad():
        network.exit.weight.zero_()
        for logit in (-7.0, 3.5):
            network.exit.bias.fill_(logit)
            verdicts = network(waves(2, 8, N_FRAMES))
            assert all(torch.all(v.logits == logit) for v in verdicts)


def test_patch_discriminator_judges_eighths_and_hands_over_its_features():
    (verdict,) = PatchDiscriminator(16, base_channels=4)(waves(2, 16, 64))
    assert verdict.logits.shape == (2, 1, 2, 8)
    assert [tuple(f.shape[1:]) for f in verdict.features] == [
        (2, 16, 64),
        (4, 8, 32),
        (8, 4, 16),
        (16, 2, 8),
        (16, 2, 8),
    ]


def test_full_discriminator_gives_one_number_and_wants_its_own_length():
    network = FullDiscriminator(24, n_frames=32, base_channels=4)
    (verdict,) = network(waves(3, 24, 32))
    assert verdict.logits.shape == (3, 1)
    assert tuple(verdict.features[-1].shape) == (3, 32, 6, 2)
    with pytest.raises(ValueError, match="crops of 40 frames .* n_frames=32"):
        network(waves(1, 24, 40))


@each_generator
def test_eval_is_train(generator):
    # Port error 13: instance norm with running statistics.
    network = generator(8, base_channels=4)
    frames = waves(2, 8, N_FRAMES)
    before = copy.deepcopy(network.state_dict())
    trained = network.train()(frames)
    assert torch.equal(trained, network.eval()(frames))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@each_generator
def test_items_of_a_batch_do_not_meet(generator):
    # What lets the objective send forward conversions and identities through in one batch.
    network = generator(8, base_channels=4).double()
    frames = torch.stack((waves(8, N_FRAMES), waves(8, N_FRAMES).flip(1))).double()
    together = network(frames)
    apart = torch.cat([network(item[None]) for item in frames])
    torch.testing.assert_close(together, apart, atol=1e-12, rtol=0)


@each_generator
def test_each_ordered_pair_has_weights_of_its_own(generator):
    translator = PairTranslator(8, 3, lambda n_channels: generator(n_channels, base_channels=4))
    assert sorted(translator.generators) == [
        f"{a}_to_{b}" for a in range(3) for b in range(3) if a != b
    ]
    translator(waves(1, 8, N_FRAMES), 2, 0).sum().backward()
    moved = {n.split(".")[1] for n, p in translator.named_parameters() if p.grad is not None}
    assert moved == {"2_to_0"}


def test_padding_for_the_multiple_repeats_the_last_frame_and_is_cut_again():
    translator = PairTranslator(8, 2, lambda n_channels: Generator212(n_channels, base_channels=4))
    frames = waves(1, 8, 30)
    padded = torch.cat([frames, frames[..., -1:].expand(-1, -1, 2)], dim=-1)
    assert torch.equal(translator(frames, 0, 1), translator(padded, 0, 1)[..., :30])


def test_a_residual_pair_adds_what_it_is_given():
    """Also where frames are padded, and where a mask goes with them."""
    small = {"base_channels": 4, "n_residual_blocks": 1}
    for generator, condition in (
        (Generator212, {}),
        (MaskedGenerator, {"mask": torch.ones(1, 8, 30)}),
    ):
        plain = PairTranslator(8, 2, partial(generator, **small))
        residual = PairTranslator(8, 2, partial(generator, **small), residual=True)
        residual.load_state_dict(plain.state_dict())
        frames = waves(1, 8, 30)
        difference = residual(frames, 1, 0, **condition) - plain(frames, 1, 0, **condition)
        torch.testing.assert_close(difference, frames)


@each_generator
@pytest.mark.parametrize("n_frames", [1, 2, 5, 8])
def test_a_few_frames_are_converted_to_the_precision_of_many(generator, n_frames):
    translator = PairTranslator(8, 2, lambda n_channels: generator(n_channels, base_channels=4))
    exact = copy.deepcopy(translator).double()
    frames = torch.randn(64, 8, n_frames)
    found, wanted = translator(frames, 0, 1), exact(frames.double(), 0, 1)
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=0)  # of two rows: 1e-2


GOLDEN = {  # first channel, frames 0, 10, 20 and 30, of `filled` networks on `waves`: made once
    "Generator1d": [-1.44966666, -0.0464657346, 0.146247784, 0.655077835],
    "Generator212": [-0.583467733, -0.300738538, -0.627440553, -0.345895726],
    "TfanGenerator": [-14600.3416, -24748.9366, 626.485863, -821.184867],
    "MaskedGenerator": [-0.801406349, -0.367386971, -1.18962543, -1.04572338],
}


@each_generator
def test_output_is_what_it_was(generator):
    network = filled(generator(8, base_channels=4, n_residual_blocks=2)).double()
    found = network(waves(1, 8, N_FRAMES).double())[0, 0, ::10].tolist()
    assert found == pytest.approx(GOLDEN[generator.__name__], rel=1e-6)
