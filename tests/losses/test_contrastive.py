"""The contrast is low where two codes agree moment by moment, and nowhere else."""

import math

import pytest
import torch

from voiceconv.losses.contrastive import contrastive_loss


def test_codes_that_say_nothing_are_at_chance():
    code = torch.ones(2, 8, 50)
    counted = [3, 4, *[5] * 46, 4, 3]  # frames within 2 of each
    wanted = sum(math.log(50 / n) for n in counted) / 50
    assert float(contrastive_loss(code, code, tolerance=2)) == pytest.approx(wanted, rel=1e-5)


def test_it_is_infonce_of_cosines():
    one, other = torch.eye(3)[None], 2 * torch.eye(3)[None]
    wanted = math.log(math.exp(2) + 2) - 2  # cosine 1 against two of 0, temperature 1/2
    found = contrastive_loss(one, other, temperature=0.5, tolerance=0)
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_a_shift_within_the_tolerance_costs_little_and_a_larger_one_much():
    code = torch.randn(1, 64, 40)
    losses = [
        float(contrastive_loss(code, code.roll(shift, dims=2), tolerance=2)) for shift in (0, 2, 6)
    ]
    assert losses[1] < losses[0] + 0.6 and losses[2] > 5
