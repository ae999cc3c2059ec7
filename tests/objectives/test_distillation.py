"""What a student's losses are of known differences, and that they can be learnt."""

import math

import pytest
import torch

from voiceconv.data.batches import Taught
from voiceconv.models.any_to_many import ProjectionDiscriminator
from voiceconv.models.streaming import StreamingTranslator
from voiceconv.objectives.distillation import Distillation

PITCHES = 60 * 2 ** (torch.arange(128) / 36)
NAMES = ("spectrum", "aperiodicity", "voicing", "pitch", "adversarial", "feature_matching")


def make(**weights: float) -> Distillation:
    torch.manual_seed(0)
    network = StreamingTranslator(
        12, 2, n_inputs=20, n_mels=4, n_bands=1, width=24, dilations=[1, 2], look_aheads=[0, 1]
    )
    given = dict.fromkeys(NAMES, 1.0) | weights
    return Distillation(
        network,
        lambda n_domains: ProjectionDiscriminator(12, n_domains, width=8, patch_width=4),
        2,
        {"generator": given, "discriminator": {"adversarial": 1.0}},
        PITCHES,
    )


def batch(seed: int = 0) -> Taught:
    rng = torch.Generator().manual_seed(seed)
    heard = torch.randn(4, 20, 24, generator=rng)
    f0 = torch.where(heard[:, 0] > 0, 120.0 * 2 ** heard[:, 1].clamp(-0.5, 0.5), 0.0)
    frames = 0.5 * heard[:, :12].cumsum(1)
    ids = torch.tensor([0, 1, 0, 1])
    return Taught(heard, frames, f0, -20 + heard[:, :1], torch.ones(4, 24), ids)


def test_the_spectrum_loss_is_in_db():
    """c_0 off by ln 2 is 6.02 dB everywhere, off by d in c_1 is 2/pi of that on average."""
    objective, given = make(), batch()
    spoken = objective.translator.speak(given.heard, given.target_ids)[0]
    for channel, wanted in ((0, 6.0206), (1, 6.0206 * 2 / math.pi)):
        off = torch.zeros_like(given.frames)
        off[:, channel] = math.log(2)
        exact = spoken._replace(
            cepstra=given.frames + off, aperiodicity=given.aperiodicity + 3 * (channel == 0)
        )
        losses = objective._distances(exact, given)
        assert losses["spectrum"].item() == pytest.approx(wanted, rel=1e-3)
        assert losses["aperiodicity"].item() == pytest.approx(3.0 * (channel == 0), abs=1e-4)


def test_silence_does_not_count():
    objective, given = make(), batch()
    counts = torch.ones(4, 24)
    counts[:, 12:] = 0
    wild = given.frames.clone()
    wild[..., 12:] += 100
    one, other = (
        objective.generator_losses(
            Taught(
                *[*given.tensors()[:1], frames, *given.tensors()[2:4], counts, given.target_ids]
            ),
            0,
        )[0]
        for frames in (given.frames, wild)
    )
    assert torch.equal(one["spectrum"], other["spectrum"])


def test_pitch_is_right_where_the_probabilities_are_at_f0():
    objective = make()
    shares = objective._shares(torch.tensor([[PITCHES[40].item(), 100.0, 1000.0]]))
    assert shares.sum(1) == pytest.approx(torch.ones(1, 3).numpy())
    assert shares[0, :, 0].argmax() == 40 and shares[0, :, 2].argmax() == 127
    mean = (shares[0, :, 1] * torch.arange(128)).sum()
    assert mean.item() == pytest.approx(36 * math.log2(100 / 60), abs=0.01)


def test_one_batch_can_be_learnt():
    objective, given = make(adversarial=0.0, feature_matching=0.0), batch()
    optimizer = torch.optim.Adam(objective.generator.parameters(), 0.01)
    seen = []
    for step in range(150):
        losses, _ = objective.generator_losses(given, step)
        seen.append({name: float(loss) for name, loss in losses.items()})
        optimizer.zero_grad()
        objective.total("generator", losses).backward()
        optimizer.step()
    assert seen[-1]["spectrum"] < 0.25 * seen[0]["spectrum"]
    assert seen[-1]["voicing"] < 0.2 and seen[-1]["pitch"] < 2.0 < seen[0]["pitch"]


def test_without_a_weight_nobody_judges():
    silent, given = make(adversarial=0.0, feature_matching=0.0), batch()
    losses, generated = silent.generator_losses(given, 0)
    assert generated == {} and losses["adversarial"] == 0 and silent.chance_levels == {}
    assert silent.discriminator_losses(given, {})["adversarial"] == 0
    objective = make()
    losses, generated = objective.generator_losses(given, 0)
    assert losses.keys() == set(NAMES) and losses["feature_matching"] > 0
    fakes = {name: [one.detach() for one in some] for name, some in generated.items()}
    assert objective.discriminator_losses(given, fakes)["adversarial"] > 0
    assert objective.examples(given)[0][1].shape == (4, 12, 23)


def test_every_head_learns():
    objective, given = make(), batch()
    losses, _ = objective.generator_losses(given, 0)
    objective.total("generator", losses).backward()
    for head in objective.translator.heads.values():
        assert head.exit.weight.grad.abs().max() > 0
