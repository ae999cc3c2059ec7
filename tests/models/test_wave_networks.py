"""What holds for every network of a vocoder."""

import pytest
import torch
from networks import waves
from torch import Tensor, nn

from voiceconv.models.base import WaveGenerator
from voiceconv.models.hifigan import HifiGan, MultiPeriodDiscriminator, MultiScaleDiscriminator
from voiceconv.models.layers import fold_weight_norm
from voiceconv.models.vocos import MultiResolutionDiscriminator, Vocos

HOP = 64
GENERATORS = {
    "hifigan": lambda: HifiGan(6, HOP, (4, 4, 2, 2), (8, 8, 4, 4), 32),
    "hifigan of single rows": lambda: HifiGan(
        6, HOP, (4, 4, 4), (8, 8, 8), 16, (3, 5), [[[1], [2]], [[2], [6]]]
    ),
    "vocos": lambda: Vocos(6, HOP, 4 * HOP, 16, 32, 2),
}
DISCRIMINATORS = {
    "periods": lambda: MultiPeriodDiscriminator((2, 3, 5), base_channels=2),
    "scales": lambda: MultiScaleDiscriminator(base_channels=16),
    "resolutions": lambda: MultiResolutionDiscriminator((256, 128), channels=4),
}
each_generator = pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
each_discriminator = pytest.mark.parametrize("make", DISCRIMINATORS.values(), ids=DISCRIMINATORS)


@each_generator
@pytest.mark.parametrize("n_frames", [1, 2, 33])
def test_a_wave_is_a_hop_for_each_frame(make, n_frames):
    made = make()(waves(2, 6, n_frames))
    assert made.shape == (2, n_frames * HOP)
    assert made.isfinite().all()


@each_generator
@torch.no_grad()
def test_a_frame_is_heard_around_its_centre(make):
    # As far before as after it, to the sample. Whatever hears a frame of no numbers is none itself.
    generator: WaveGenerator = make().double()
    frames = waves(1, 6, 61).double()
    frames[:, :, 30] = torch.nan
    heard = generator(frames)[0].isnan().nonzero()
    middle = (heard.min() + heard.max()) / 2
    assert 0 < heard.min() and heard.max() < 61 * HOP - 1
    assert abs(middle - (30 * HOP + generator.frame_centre)) <= 0.5


@each_generator
@torch.no_grad()
def test_waves_of_a_batch_do_not_meet(make):
    generator = make().double()
    frames = torch.stack((waves(6, 20), waves(6, 20).flip(1))).double()
    apart = torch.cat([generator(item[None]) for item in frames])
    torch.testing.assert_close(generator(frames), apart, atol=1e-12, rtol=0)


@each_generator
def test_no_part_of_a_generator_is_dead(make):
    network = make()
    assert dead(network, network(waves(1, 6, 20))) == []


@each_generator
@torch.no_grad()
def test_folded_weight_norm_is_the_same_wave(make):
    generator = make().double()
    before = generator(waves(1, 6, 20).double())
    fold_weight_norm(generator)
    assert not any("parametrizations" in name for name in generator.state_dict())
    torch.testing.assert_close(generator(waves(1, 6, 20).double()), before, atol=1e-12, rtol=0)


@each_discriminator
def test_no_part_of_a_discriminator_is_dead(make):
    network = make()
    assert dead(network, torch.cat([v.logits.flatten() for v in network(waves(1, 3000))])) == []


@each_discriminator
@torch.no_grad()
def test_logits_have_no_bounds(make):
    network = make()
    fold_weight_norm(network)
    for name, parameter in network.named_parameters():
        if "last" in name:
            parameter.fill_(-7.0 if name.endswith("bias") else 0.0)
    assert all((verdict.logits == -7.0).all() for verdict in network(waves(2, 3000)))


@each_discriminator
@torch.no_grad()
def test_recordings_and_fakes_may_be_judged_in_one_batch(make):
    network = make().double().eval()
    pair = torch.stack((waves(3000), waves(3000).flip(0) ** 2)).double()
    together, apart = network(pair), [network(item[None]) for item in pair]
    for number, verdict in enumerate(together):
        for k, feature in enumerate(verdict.features):
            expected = torch.cat([verdicts[number].features[k] for verdicts in apart])
            torch.testing.assert_close(feature, expected, atol=1e-9, rtol=0)


def dead(network: nn.Module, output: Tensor) -> list[str]:
    """Parameters that the output does not depend on."""
    output.square().mean().backward()
    return [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
