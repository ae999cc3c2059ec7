"""Losses on numbers that can be worked out by hand."""

import pytest
import torch

from voiceconv.losses.adversarial import discriminator_loss, generator_loss
from voiceconv.losses.reconstruction import l1_loss
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
