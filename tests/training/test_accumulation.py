"""trainer.accumulate: several batches a step are one large batch in parts."""

import pytest
import torch
from tiny import NoiseBatches, cyclegan, differing, trainer

from voiceconv.data.batches import Unpaired
from voiceconv.objectives import Fake

N_PARTS = 3


class Whole:
    """The parts of a step as one batch."""

    def batch(self, step: int) -> Unpaired:
        parts = [NoiseBatches().batch(N_PARTS * step + part).frames for part in range(N_PARTS)]
        return Unpaired(torch.cat(parts, dim=1))


def test_parts_are_worth_the_whole(tmp_path):
    """Losses and gradient norms of three steps, to rounding: of parameters that moved alike."""
    parts = trainer(tmp_path, 3, cyclegan(), NoiseBatches(), accumulate=N_PARTS)
    whole = trainer(tmp_path, 3, cyclegan(), Whole())
    for _ in range(3):
        one, other = parts.train_step(), whole.train_step()
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value.item() == pytest.approx(other[name].item(), rel=1e-3), name


class Noted(NoiseBatches):
    """Notes which batches were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def batch(self, step: int) -> Unpaired:
        self.asked.append(step)
        return super().batch(step)


def test_batches_follow_from_the_step_and_the_part(tmp_path):
    batches = Noted()
    run = trainer(tmp_path, 3, cyclegan(), batches, accumulate=2)
    run.step = 5
    run.train_step()
    assert batches.asked == [10, 11]


def test_a_discriminator_sees_the_fakes_of_its_own_batch(tmp_path):
    objective, seen = cyclegan(), []
    real = objective.discriminator_losses

    def generator_losses(batch, step):
        losses, _ = type(objective).generator_losses(objective, batch, step)
        marked = [Fake(crops) for crops in batch.frames]  # the batch itself, in place of its fakes
        return losses, {"converted": marked, "cycled": marked}

    def discriminator_losses(batch, generated):
        kinds = generated.values()
        pairs = [zip(batch.frames, fakes, strict=True) for fakes in kinds]
        seen.append(all(torch.equal(a, b.frames) for pair in pairs for a, b in pair))
        return real(batch, generated)

    objective.generator_losses = generator_losses
    objective.discriminator_losses = discriminator_losses
    trainer(tmp_path, 3, objective, accumulate=2).train_step()
    assert seen == [True, True]


def test_a_run_of_parts_resumes_to_the_bit(tmp_path):
    """With a pool of past fakes, whose draws follow from the part, too."""
    settings = {"accumulate": 2, "replay_size": 2}
    whole = trainer(tmp_path / "whole", 4, **settings)
    assert whole.run()
    for n_steps in (2, 4):
        part = trainer(tmp_path / "part", n_steps, **settings, decay_start=4)
        assert part.run()
    assert differing(whole.state_dict(), part.state_dict()) == []
