"""What holds for the networks of every family; `fact_NN` names a regression test of the fact sheet.

Numbers that are a family's own are in its own test files; docs/families.md lists all.
"""

from functools import cache

import pytest
import torch
from test_config import discriminator_of, tiny
from torch import Tensor, nn

from voiceconv.build import build, compose_config
from voiceconv.models import Discriminator, Translator

EXPERIMENTS = [
    "stargan_vc_small",
    "stargan_vc2",
    "stargan_vc2_small",
    "unit_small",
    "munit",
    "munit_small",
    "cut_small",
    "cyclegan",
    "pix2pix_small",
    "pix2pixhd_small",
]
# Noise of training alone, which the papers have.
QUIET = {
    "unit_small": ["translator.code_noise=0.0"],
    "pix2pix_small": ["translator.generator.dropout=0.0"],
}


@cache
def networks(experiment: str, n_channels: int) -> tuple[Translator, Discriminator]:
    """Tiny ones, of two domains."""
    quiet = QUIET.get(experiment, [])
    config = compose_config([f"experiment={experiment}", *tiny(experiment), *quiet])
    torch.manual_seed(3)
    translator = build(config.translator, Translator, n_channels=n_channels, n_domains=2)
    return translator, discriminator_of(config.discriminator, n_channels)


def smooth(n_items: int, n_channels: int, n_frames: int) -> Tensor:
    """Frames that change slowly, as speech does."""
    torch.manual_seed(n_frames)
    noise = torch.randn(n_items, n_channels, n_frames + 3)
    return nn.functional.avg_pool1d(noise, 4, 1) * 2


@torch.no_grad()
def converted(experiment: str, frames: Tensor) -> Tensor:
    translator = networks(experiment, frames.shape[1])[0].eval()
    return translator(frames, 0, 1)


@torch.no_grad()
def judged(judge: Discriminator, frames: Tensor) -> list[Tensor]:
    told = {
        name: value.expand(len(frames), *value.shape[1:])
        for name, value in judge.default_condition().items()
    }
    return [verdict.logits for verdict in judge(frames, **told)]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_02_any_number_of_frames_comes_back(experiment):
    for n_frames in (1, 2, 3, 5, 16, 31, 130, 300):
        made = converted(experiment, smooth(1, 36, n_frames))
        assert made.shape == (1, 36, n_frames) and made.isfinite().all()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_02_padding_repeats_the_last_frame(experiment):
    frames = smooth(1, 36, 125)
    longer = torch.cat([frames, frames[..., -1:].expand(-1, -1, 3)], 2)
    made = converted(experiment, frames)
    assert torch.allclose(made, converted(experiment, longer)[..., :125], atol=1e-5)


@pytest.mark.parametrize("n_channels", [36, 64, 80, 84])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_03_any_number_of_rows_is_taken(experiment, n_channels):
    frames = smooth(1, n_channels, 64)
    assert converted(experiment, frames).shape == frames.shape
    logits = judged(networks(experiment, n_channels)[1], frames)
    assert all(one.numel() >= 1 and one.isfinite().all() for one in logits)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_05_a_discriminator_takes_any_number_of_frames(experiment):
    for n_frames in (32, 33, 64, 100, 257):
        logits = judged(networks(experiment, 36)[1], smooth(2, 36, n_frames))
        assert all(len(one) == 2 for one in logits)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_17_training_and_conversion_are_one_network(experiment):
    frames, (translator, _) = smooth(2, 36, 64), networks(experiment, 36)
    with torch.no_grad():
        trained = translator.train()(frames, 0, 1)
    assert torch.equal(trained, converted(experiment, frames))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_18_two_conversions_are_equal_to_the_bit(experiment):
    config = compose_config([f"experiment={experiment}", *tiny(experiment)])
    translator = build(config.translator, Translator, n_channels=36, n_domains=2).eval()
    frames = smooth(1, 36, 64)
    with torch.no_grad():
        assert torch.equal(translator(frames, 0, 1), translator(frames, 0, 1))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_23_an_item_does_not_depend_on_others(experiment):
    frames = smooth(3, 36, 64)
    frames[1:] *= 50
    alone, together = converted(experiment, frames[:1]), converted(experiment, frames)
    assert torch.allclose(alone, together[:1], atol=1e-4)
    judge = networks(experiment, 36)[1]
    for one, many in zip(judged(judge, frames[:1]), judged(judge, frames), strict=True):
        assert torch.allclose(one, many[:1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fact_25_an_output_has_no_bounds(experiment):
    """A tanh would hold it in [-1, 1], however large the last weights are."""
    translator = networks(experiment, 36)[0]
    state = {name: value.clone() for name, value in translator.state_dict().items()}
    with torch.no_grad():
        for parameter in translator.parameters():
            parameter.mul_(30.0)
        largest = converted(experiment, smooth(1, 36, 64)).abs().max()
    translator.load_state_dict(state)
    assert largest > 1.5
