"""Losses on numbers that can be worked out by hand."""

import pytest
import torch

from voiceconv.losses.adversarial import (
    GAN_MODES,
    discriminator_loss,
    generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
)
from voiceconv.losses.reconstruction import feature_matching_loss, l1_loss
from voiceconv.models import Verdict


def verdicts(*scales: list[float]) -> list[Verdict]:
    return [Verdict(torch.tensor(logits, requires_grad=True), []) for logits in scales]


@pytest.mark.parametrize(
    ("logits", "expected"),
    [([1.0, 1.0], 0.0), ([0.0], 1.0), ([2.0, 5.0, 5.0], 11.0), ([-1.0, 1.0], 2.0)],
)
def test_generator_loss_by_hand(logits, expected):
    """Mean of (D - 1)^2: for 2, 5, 5 it is (1 + 16 + 16) / 3."""
    assert generator_loss(verdicts(logits)).item() == expected


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        ([1.0, 1.0], [0.0, 0.0], 0.0),
        ([0.0], [1.0], 2.0),
        ([2.0, 5.0, 5.0], [1.0, 3.0], 16.0),  # (1 + 16 + 16) / 3 + (1 + 9) / 2
    ],
)
def test_discriminator_loss_by_hand(real, fake, expected):
    assert discriminator_loss(verdicts(real), verdicts(fake)).item() == expected


def test_scales_count_alike_however_many_patches_they_have():
    assert generator_loss(verdicts([3.0] * 10, [1.0])).item() == 2.0  # (4 + 0) / 2
    real, fake = verdicts([2.0] * 5, [1.0]), verdicts([0.0] * 5, [3.0])
    assert discriminator_loss(real, fake).item() == 5.0  # (1 + 0) / 2 + (0 + 9) / 2


def test_unequal_scales_are_an_error():
    with pytest.raises(ValueError, match="shorter|longer"):
        discriminator_loss(verdicts([1.0], [1.0]), verdicts([1.0]))


def test_gradients_reach_the_logits():
    (of_fake,) = fake = verdicts([3.0, 1.0])
    generator_loss(fake).backward()
    assert of_fake.logits.grad.tolist() == [2.0, 0.0]  # 2 (D - 1) / 2
    (of_real,), (of_fake,) = real, fake = verdicts([3.0]), verdicts([2.0])
    discriminator_loss(real, fake).backward()
    assert of_real.logits.grad.tolist() == [4.0]  # 2 (3 - 1)
    assert of_fake.logits.grad.tolist() == [4.0]  # 2 * 2


def test_logits_are_not_squashed():
    """Port error 6: a sigmoid under least squares keeps every loss under 1."""
    assert generator_loss(verdicts([11.0])).item() == 100.0


def test_l1_by_hand():
    estimate = torch.tensor([[1.0, -2.0], [0.0, 4.0]], requires_grad=True)
    loss = l1_loss(estimate, torch.tensor([[0.0, -2.0], [3.0, 0.0]]))
    assert loss.item() == 2.0  # (1 + 0 + 3 + 4) / 4
    loss.backward()
    assert estimate.grad.tolist() == [[0.25, 0.0], [-0.25, 0.25]]


def test_equal_frames_cost_nothing():
    x = torch.randn(2, 3, 4)
    assert l1_loss(x, x).item() == 0.0


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        ([1.0, 2.0], [-1.0, -5.0], 0.0),  # beyond the margin nothing is gained
        ([0.0], [0.0], 2.0),  # undecided
        ([0.5, -1.0], [0.0, 1.0], 2.75),  # (0.5 + 2) / 2 + (1 + 2) / 2
    ],
)
def test_hinge_losses_by_hand(real, fake, expected):
    assert hinge_discriminator_loss(verdicts(real), verdicts(fake)).item() == expected
    assert hinge_generator_loss(verdicts([3.0, 0.5, -1.0])).item() == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("name", GAN_MODES)
def test_the_best_that_always_says_the_same_is_at_chance_level(name):
    """No constant verdict loses less: the doctor compares with that."""
    game = GAN_MODES[name]
    losses = [
        game.discriminator_loss(verdicts([c]), verdicts([c])).item()
        for c in torch.linspace(-2, 2, 81).tolist()
    ]
    assert min(losses) == pytest.approx(game.chance_level)


def test_feature_matching_by_hand():
    """Layers are summed, parts averaged, and what is real gets no gradient."""
    real = [torch.ones(2, 3, requires_grad=True), torch.zeros(4)]
    fake = [torch.full((2, 3), 3.0, requires_grad=True), torch.full((4,), -1.0)]
    nothing = torch.zeros(1)
    loss = feature_matching_loss(
        [Verdict(nothing, fake), Verdict(nothing, fake[:1])],
        [Verdict(nothing, real), Verdict(nothing, real[:1])],
    )
    assert loss.item() == ((2 + 1) + 2) / 2
    loss.backward()
    assert real[0].grad is None
    torch.testing.assert_close(fake[0].grad, torch.full((2, 3), 1 / 6))
