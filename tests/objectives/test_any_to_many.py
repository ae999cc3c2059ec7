"""The any-to-many objective: each loss is what its name says, and one batch can be learnt."""

from functools import partial

import pytest
import torch
from torch import Tensor

from voiceconv.data.batches import Perturbed
from voiceconv.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from voiceconv.losses.contrastive import contrastive_loss
from voiceconv.losses.reconstruction import feature_matching_loss
from voiceconv.models.any_to_many import AnyToManyTranslator, ProjectionDiscriminator
from voiceconv.models.base import Verdict
from voiceconv.objectives.any_to_many import AnyToMany

C, T, D = 6, 32, 2
WEIGHTS = {
    "generator": {
        "identity": 10.0,
        "parallel": 3.0,
        "content": 1.0,
        "adversarial": 1.0,
        "feature_matching": 2.0,
    },
    "discriminator": {"adversarial": 1.0, "penalty": 10.0},
}


def objective(weights=WEIGHTS) -> AnyToMany:
    judge = partial(ProjectionDiscriminator, C, width=8, patch_width=4)
    translator = AnyToManyTranslator(C, D, width=32, code_channels=8, code_noise=0.0)
    return AnyToMany(translator, judge, D, weights)


def crops(n_items: int) -> Tensor:
    return torch.nn.functional.avg_pool1d(torch.randn(n_items, C, T + 3), 4, 1) * 2


@pytest.fixture
def batch() -> Perturbed:
    frames, one = crops(4), crops(3)
    ids = torch.tensor([0, 1, 0, 1])
    scale = torch.linspace(0.5, 1.5, C)[None]
    others, target_ids = crops(2), torch.tensor([1, 0])
    pairs = one, one + 0.1, one - 0.1, torch.tensor([0, 0, 1])
    return Perturbed(frames, ids, 1.1 * frames, scale, others, target_ids, *pairs)


def test_the_generators_losses_by_their_definitions(batch):
    made = objective()
    losses, generated = made.generator_losses(batch, 0)
    translator, judge = made.generator, made.discriminators
    same = translator(batch.bent, 0, batch.domain_ids)
    fake_ids = torch.cat([batch.said_ids, batch.target_ids])
    fake = translator(torch.cat([batch.one, batch.others]), 0, fake_ids)
    of_same, of_real = (judge(some, batch.domain_ids) for some in (same, batch.frames))
    wanted = {
        "identity": ((same - batch.frames).abs() * batch.scale[..., None]).mean(),
        "parallel": ((fake[:3] - batch.said).abs() * batch.scale[..., None]).mean(),
        "content": contrastive_loss(translator.encode(batch.one), translator.encode(batch.other)),
        "adversarial": generator_loss(judge(fake, fake_ids)),
        "feature_matching": feature_matching_loss(of_same, of_real),
    }
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name
    (one,) = generated["converted"]
    assert torch.allclose(one.frames, fake, atol=1e-5)
    assert torch.equal(one.condition["domain_ids"], fake_ids)


def test_the_discriminators_losses_by_their_definitions(batch):
    made = objective()
    _, generated = made.generator_losses(batch, 0)
    fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
    losses = made.discriminator_losses(batch, fakes)
    judge, (fake,) = made.discriminators, fakes["converted"]
    real = batch.frames.clone().requires_grad_()
    verdicts = judge(real, batch.domain_ids), judge(fake.frames, fake.condition["domain_ids"])
    assert losses["adversarial"].item() == pytest.approx(
        discriminator_loss(*verdicts).item(), rel=1e-4
    )
    first = batch.frames[:1].clone().requires_grad_()
    penalty = gradient_penalty(judge(first, batch.domain_ids[:1]), first)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    assert made.chance_levels == {"adversarial": 0.5}


def test_a_linear_judge_is_penalised_by_its_slope():
    """D = mean over patches of 3 x_1 + 4 x_2 has a gradient of length 5 at each item."""
    frames = torch.randn(2, 2, 1, requires_grad=True)
    logits = 3 * frames[:, 0] + 4 * frames[:, 1]
    assert float(gradient_penalty([Verdict(logits, [])], frames)) == pytest.approx(25.0)
    two = [Verdict(logits, []), Verdict(torch.cat([logits, logits], 1), [])]
    assert float(gradient_penalty(two, frames)) == pytest.approx(25.0)


def test_the_weights_name_all_losses():
    without = {**WEIGHTS, "discriminator": {"adversarial": 1.0}}
    with pytest.raises(ValueError, match="weights.discriminator names"):
        objective(without)


def test_a_batch_is_learnt(batch):
    """The answer comes out, and what two voices say gets one code."""
    made = objective()
    players = {"generator": made.generator, "discriminator": made.discriminators}
    optimizers = {name: torch.optim.Adam(p.parameters(), 4e-3) for name, p in players.items()}
    first = None
    for step in range(50):
        losses, generated = made.generator_losses(batch, step)
        optimizers["generator"].zero_grad()
        made.total("generator", losses).backward()
        optimizers["generator"].step()
        fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
        optimizers["discriminator"].zero_grad()
        made.total("discriminator", made.discriminator_losses(batch, fakes)).backward()
        optimizers["discriminator"].step()
        first = first or {name: value.item() for name, value in losses.items()}
    assert losses["identity"].item() < 0.5 * first["identity"]
    assert losses["content"].item() < 0.5 * first["content"]


def test_the_health_monitor_sees_conversions_of_other_voices(batch):
    made = objective()
    ((inputs, outputs),) = made.examples(batch)
    assert torch.equal(inputs, batch.others)
    assert torch.allclose(outputs, made.generator(batch.others, 0, batch.target_ids))
