"""UNIT's objective: each loss is what its name says, for two domains or more; a batch is learnt."""

import math
from functools import partial

import pytest
import torch
from tiny import detached, halves, learn
from torch import Tensor

from voiceconv.data.batches import Unpaired
from voiceconv.losses.adversarial import (
    cross_entropy_discriminator_loss,
    cross_entropy_generator_loss,
)
from voiceconv.models.base import Verdict
from voiceconv.models.unit import UnitDiscriminator, UnitTranslator
from voiceconv.objectives.unit import Unit, partners

C, T = 16, 30
WEIGHTS = {
    "generator": {
        "adversarial": 10.0,
        "reconstruction": 20.0,
        "cycle": 20.0,
        "kl": 0.1,
        "kl_cycle": 0.1,
    },
    "discriminator": {"adversarial": 10.0},
}


def objective(n_domains: int = 2, weights=WEIGHTS, noise: float = 0.0, width: int = 4) -> Unit:
    torch.manual_seed(0)
    translator = UnitTranslator(C, n_domains, width, n_residual_blocks=1, code_noise=noise)
    judge = partial(UnitDiscriminator, C, base_channels=4)
    return Unit(translator, judge, n_domains, weights)


def crops(n_domains: int) -> Unpaired:
    noise = torch.randn(n_domains * 2, C, T + 3, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.avg_pool1d(noise, 4, 1) * 2
    return Unpaired(smooth.unflatten(0, (n_domains, 2)))


def test_each_domain_is_a_source_and_a_target_once_and_all_pairs_come():
    pairs = set()
    for step in range(40):
        targets = partners(4, 0, step)
        assert sorted(targets) == [0, 1, 2, 3]
        assert all(source != target for source, target in enumerate(targets))
        assert targets == partners(4, 0, step)
        pairs |= set(enumerate(targets))
    assert len(pairs) == 12
    assert [partners(2, 0, step) for step in range(5)] == [[1, 0]] * 5
    assert [partners(4, 0, step) for step in range(9)] != [partners(4, 1, s) for s in range(9)]


@pytest.mark.parametrize("n_domains", [2, 3])
def test_the_losses_by_their_definitions(n_domains):
    made, batch = objective(n_domains), crops(n_domains)
    losses, generated = made.generator_losses(batch, step=3)
    translator, judge = made.generator, made.discriminators
    wanted = dict.fromkeys(WEIGHTS["generator"], 0.0)
    of_judges = 0.0
    for source, target in enumerate(partners(n_domains, 0, 3)):
        frames = batch.frames[source]
        fake = translator(frames, source, target)
        logits = judge(fake, target)[0].logits.double()
        wanted["adversarial"] += -logits.sigmoid().log().mean()
        wanted["reconstruction"] += (translator(frames, source, source) - frames).abs().mean()
        wanted["cycle"] += (translator(fake, target, source) - frames).abs().mean()
        wanted["kl"] += translator.encode(frames, source).square().mean()
        wanted["kl_cycle"] += translator.encode(fake, target).square().mean()
        real = judge(batch.frames[target], target)[0].logits.double()
        of_judges += -real.sigmoid().log().mean() - (1 - logits.sigmoid()).log().mean()
        assert torch.allclose(generated["converted"][target].frames, fake, atol=1e-6)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name
    told = made.discriminator_losses(batch, detached(generated))
    assert told["adversarial"].item() == pytest.approx(of_judges.item(), rel=1e-4)


def test_fact_09_kl_is_the_mean_square_of_the_drawn_code_once_per_domain():
    """With noise of variance 1, kl is mean(mu^2) + 1 for each domain, on average."""
    made, batch = objective(noise=1.0), Unpaired(torch.randn(2, 4, C, 128))
    with torch.no_grad():
        losses, _ = made.generator_losses(batch, 0)
        made.eval()
        means = [made.generator.encode(crops, d) for d, crops in enumerate(batch.frames)]
    wanted = sum(mean.square().mean().item() + 1 for mean in means)
    assert losses["kl"].item() == pytest.approx(wanted, rel=0.02)


def test_fact_09_the_code_counts_its_direct_term_twice():
    """0.1 of ours is 0.1 + 0.1 of the mean over both domains' codes together."""
    made, batch = objective(), crops(2)
    losses, _ = made.generator_losses(batch, 0)
    codes = torch.cat([made.generator.encode(frames, d) for d, frames in enumerate(batch.frames)])
    together = codes.square().mean()
    assert 0.1 * losses["kl"].item() == pytest.approx(0.1 * together.item() * 2, rel=1e-5)


@pytest.mark.parametrize("name", WEIGHTS["generator"])
def test_fact_09_a_weight_of_0_switches_a_loss_off(name):
    weights = {**WEIGHTS, "generator": {**WEIGHTS["generator"], name: 0.0}}
    made = objective(weights=weights)
    losses, _ = made.generator_losses(crops(2), 0)
    total = made.total("generator", losses)
    others = sum(weights["generator"][one] * losses[one] for one in losses if one != name)
    assert total.item() == pytest.approx(others.item(), rel=1e-6)
    total.backward()
    assert all(p.grad.isfinite().all() for p in made.generator.parameters())


def test_cross_entropy_at_chance_and_of_two_logits():
    made = [Verdict(torch.tensor([0.0, math.log(3)]), [])]  # S(D) = 1/2, 3/4
    fooled = cross_entropy_generator_loss(made).item()
    assert fooled == pytest.approx(-math.log(0.5 * 0.75) / 2)
    told = cross_entropy_discriminator_loss(made, made).item()
    assert told == pytest.approx(-math.log(0.5 * 0.75) / 2 - math.log(0.5 * 0.25) / 2)
    level = 2 * math.log(2)
    assert objective(3).chance_levels == {"adversarial": pytest.approx(3 * level)}


def test_fact_08_neither_player_leaves_a_gradient_in_the_other():
    made, batch = objective(), crops(2)
    made.discriminators.requires_grad_(False)
    losses, generated = made.generator_losses(batch, 0)
    made.total("generator", losses).backward()
    made.discriminators.requires_grad_(True)
    assert all(p.grad is not None for p in made.generator.parameters())
    assert all(p.grad is None for p in made.discriminators.parameters())
    made.generator.zero_grad(set_to_none=True)
    judged = made.discriminator_losses(batch, detached(generated))
    made.total("discriminator", judged).backward()
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminators.parameters())


def test_a_batch_is_learnt():
    made, batch = objective(noise=1.0, width=8), Unpaired(crops(2).frames[:, :1])
    assert halves(learn(made, batch, (8e-3, 3e-4), 60), "reconstruction", "cycle")


def test_the_health_monitor_sees_each_domain_converted():
    made, batch = objective(3), crops(3)
    examples: list[tuple[Tensor, Tensor]] = made.eval().examples(batch)
    assert len(examples) == 3
    for source, (inputs, outputs) in enumerate(examples):
        assert torch.equal(inputs, batch.frames[source])
        assert torch.equal(outputs, made.generator(inputs, source, (source + 1) % 3))


def test_a_lone_domain_and_missing_weights_are_refused():
    with pytest.raises(ValueError, match="between 2 domains or more, not 1"):
        objective(1)
    with pytest.raises(ValueError, match="weights.discriminator names"):
        objective(weights={**WEIGHTS, "discriminator": {}})
