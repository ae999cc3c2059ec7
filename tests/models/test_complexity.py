"""What `voiceconv info` says of a network, against arithmetic on paper."""

from functools import partial

import pytest
import torch
from networks import filled, waves
from torch import nn

from voiceconv.models import Discriminator, PairTranslator, Translator, Verdict, complexity
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


def test_a_network_that_sees_everything_has_no_number_of_frames(monkeypatch):
    monkeypatch.setattr(complexity, "_MOST_FRAMES", 400)
    network = Generator212(8, base_channels=4)
    assert context_frames(network, 8) == 161
    network.exit = nn.Sequential(network.exit, nn.AdaptiveAvgPool2d(1), nn.Upsample(size=(8, 384)))
    assert reach(network, 8) is None
    assert describe(network, 8, 100.0)["context_frames"] is None


class Labelled(Discriminator):
    """One verdict of a whole crop: its mean by the weights of a label."""

    def __init__(self, n_channels: int, n_labels: int) -> None:
        super().__init__()
        self.weights = nn.Embedding(n_labels, n_channels)
        self.entry = nn.Conv1d(n_channels, n_channels, 3, padding=1)

    def forward(self, frames, label=None, loudness=None):
        judged = (self.weights(label)[..., None] * self.entry(frames)).sum(1)  # (B, T)
        return [Verdict(judged.mean(1, keepdim=True) + loudness, [])]

    def default_condition(self):
        return {"label": torch.tensor([1]), "loudness": torch.zeros(1, 1)}


def test_a_discriminator_is_described_under_its_default_condition():
    network = Labelled(8, 3)
    assert describe(network, 8, 100.0) == {
        "parameters": 3 * 8 + 8 * 8 * 3 + 8,
        "macs_per_second": 100 * 8 * 8 * 3,
        "context_frames": None,
    }
    assert PatchDiscriminator(8, base_channels=4).default_condition() == {}


class Average(Translator):
    """Of all domains' own scales, frame by frame."""

    def __init__(self, n_channels: int, n_domains: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(n_channels, n_channels, 5, padding=2)
        self.scales = nn.Parameter(torch.arange(1.0, n_domains + 1)[:, None])

    def forward(self, frames, source, target, **condition):
        return self.mix(frames) * self.scales[target] / self.scales[source]


def test_a_translator_is_described_as_one_direction():
    translator = Average(8, 3)
    ((name, network),) = translator.networks().items()
    assert name == "translator"
    frames = waves(2, 8, 20)
    assert torch.equal(network(frames), translator(frames, 0, 1))
    assert describe(network, 8, 100.0) == {
        "parameters": 8 * 8 * 5 + 8 + 3,
        "macs_per_second": 100 * 8 * 8 * 5,
        "context_frames": 5,
    }


def test_a_network_whose_reach_cannot_be_told_has_no_number_of_frames():
    class Gain(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(8))

        def forward(self, frames):
            return frames * self.gain[:, None]

    assert describe(Gain(), 8, 100.0)["context_frames"] is None


def test_a_pair_translator_is_described_as_one_of_its_generators():
    translator = PairTranslator(8, 3, partial(Generator212, base_channels=4))
    assert translator.networks() == {"generator": translator.generators["0_to_1"]}
