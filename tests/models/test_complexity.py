"""What `voiceconv info` says of a network, against arithmetic on paper."""

import pytest
import torch
from networks import filled, waves
from torch import nn

from voiceconv.models import complexity
from voiceconv.models.complexity import context_frames, describe, macs_per_frame, reach
from voiceconv.models.cyclegan_vc import FullDiscriminator, Generator1d
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.models.cyclegan_vc3 import TfanGenerator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator


def test_macs_of_the_papers_generator():
    # 7.35 G a second at 22,050 / 256 frames; layer by layer for a frame of 80 rows:
    per_frame = sum(
        (
            80 * 2 * 75 * 128,  # entry 5x15
            40 / 2 * 64 * 25 * 256 + 20 / 4 * 128 * 25 * 512,  # down
            (5120 * 256 + 6 * (256 * 512 * 3 + 256 * 256 * 3) + 256 * 5120) / 4,  # 1-D
            20 / 4 * 256 * 25 * 1024 + 40 / 2 * 128 * 25 * 512,  # up
            80 * 64 * 75,  # exit
        )
    )
    with torch.device("meta"):
        network = MaskedGenerator(80)
    assert macs_per_frame(network, 80) == per_frame
    assert per_frame * 22050 / 256 == pytest.approx(7.354e9, rel=1e-4)


@pytest.mark.parametrize("generator", [Generator1d, Generator212, TfanGenerator, MaskedGenerator])
def test_generators_see_80_frames_to_each_side(generator):
    # 7 + 2 + 4 + 6 x 2 x 4 + 8 + 4 + 7 = 80, shifted by up to 3 by the strides.
    network = generator(8, base_channels=4)
    assert context_frames(network, 8) == 161
    assert reach(network, 8) == [(-81, 77), (-82, 80), (-83, 79), (-80, 78)]


@pytest.mark.parametrize("generator", [Generator1d, Generator212, MaskedGenerator])
def test_beyond_its_reach_nothing_matters(generator):
    network = filled(generator(8, base_channels=4)).double()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, (nn.InstanceNorm1d, nn.InstanceNorm2d)):
                setattr(module, name, nn.Identity())
    for parameter in network.parameters():
        parameter.data /= max(1, parameter[0].numel())
    frames = waves(1, 8, 400).double()
    changed = frames.clone()
    changed[..., 240] += 1
    moved = (network(changed) != network(frames)).any(1)[0].nonzero().flatten()
    # An output frame t sees t - 83 at the earliest and t + 80 at the latest. The furthest effects
    # are too small for float64; that they exist is `reach`'s to show.
    assert 240 - 80 <= int(moved.min()) < 200
    assert 280 < int(moved.max()) <= 240 + 83


def test_discriminators():
    # 1 + 1 + 2 + 4 + 2 x 8 + 8 = 32 to each side; the full one judges its crop as a whole.
    assert context_frames(PatchDiscriminator(8, base_channels=4), 8) == 65
    assert context_frames(FullDiscriminator(8, 64, base_channels=4), 8) == 64


def test_describe_leaves_the_network_as_it_was():
    network = filled(Generator212(8, base_channels=4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = describe(network, 8, 100.0)
    assert found == {
        "parameters": sum(v.numel() for v in before.values()),
        "macs_per_second": 100 * macs_per_frame(network, 8),
        "context_frames": 161,
    }
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


def test_a_network_that_sees_everything_is_told_so(monkeypatch):
    monkeypatch.setattr(complexity, "_MOST_FRAMES", 400)
    network = Generator212(8, base_channels=4)
    network.exit = nn.Sequential(network.exit, nn.AdaptiveAvgPool2d(1), nn.Upsample(size=(8, 384)))
    with pytest.raises(ValueError, match="Generator212 sees more than 384 frames"):
        context_frames(network, 8)
