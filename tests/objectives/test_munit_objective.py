"""MUNIT's objective: each loss is what its name says, in both modes; a batch is learnt."""

from functools import partial

import pytest
import torch
from tiny import detached, halves, learn
from torch import Tensor

from voiceconv.data.batches import Unpaired
from voiceconv.models.munit import MunitDiscriminator, MunitTranslator
from voiceconv.objectives.munit import Munit
from voiceconv.objectives.unit import partners

C, T = 16, 30
WEIGHTS = {
    "generator": {
        "adversarial": 3.0,
        "reconstruction": 10.0,
        "style": 1.0,
        "content": 1.0,
        "cycle": 0.0,
        "own_style": 0.0,
    },
    "discriminator": {"adversarial": 3.0},
}
ALL = {**WEIGHTS, "generator": {**WEIGHTS["generator"], "cycle": 10.0, "own_style": 1.0}}
MODES = pytest.mark.parametrize("separate", [True, False])


def objective(n_domains: int = 2, weights=ALL, separate: bool = False, width: int = 4) -> Munit:
    torch.manual_seed(0)
    translator = MunitTranslator(
        C, n_domains, width, n_residual_blocks=1, n_style=3, n_hidden=8, separate=separate
    )
    judge = partial(MunitDiscriminator, C, base_channels=4)
    return Munit(translator, judge, n_domains, weights)


def crops(n_domains: int) -> Unpaired:
    noise = torch.randn(n_domains * 2, C, T + 3, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.avg_pool1d(noise, 4, 1) * 2
    return Unpaired(smooth.unflatten(0, (n_domains, 2)))


def conversions(made: Munit, batch: Unpaired, step: int, random: dict[int, Tensor]):
    """By its definition, each of a step's: source, target, frames, content, style, fake."""
    network = made.translator
    for source, target in enumerate(partners(made.n_domains, 0, step)):
        frames = batch.frames[source]
        style = random.get(target, network.styles[target].expand(2, -1))
        content = network.encode(frames, source)
        fake = network.decode(content, style, target)[..., :T]
        yield source, target, frames, content, style, fake


@pytest.mark.parametrize("n_domains", [2, 3])
@MODES
def test_the_losses_by_their_definitions(n_domains, separate):
    made, batch = objective(n_domains, separate=separate), crops(n_domains)
    network = made.translator
    torch.manual_seed(7)
    losses, generated = made.generator_losses(batch, step=3)
    torch.manual_seed(7)
    targets = partners(n_domains, 0, 3) if separate else []
    random = {target: torch.randn(2, 3) for target in targets}
    wanted = dict.fromkeys(ALL["generator"], 0.0)
    for source, target, frames, content, style, fake in conversions(made, batch, 3, random):
        own = network.encode_style(frames, source)
        of_fake = network.encode(fake, target)
        same = network.decode(content, own, source)[..., :T]
        back = network.decode(of_fake, own, source)[..., :T]
        logits = [verdict.logits for verdict in made.discriminators[target](fake)]
        wanted["adversarial"] += sum((one - 1).square().mean() for one in logits) / 3
        wanted["reconstruction"] += (same - frames).abs().mean()
        wanted["style"] += (network.encode_style(fake, target) - style).abs().mean()
        wanted["content"] += (of_fake - content).abs().mean()
        wanted["cycle"] += (back - frames).abs().mean()
        wanted["own_style"] += (own - network.styles[source]).abs().mean()
        assert torch.allclose(generated["converted"][target].frames, fake, atol=1e-5)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_discriminators_loss_by_its_definition():
    made, batch = objective(3), crops(3)
    _, generated = made.generator_losses(batch, 0)
    told = made.discriminator_losses(batch, detached(generated))
    wanted = 0.0
    for judge, real, fake in zip(
        made.discriminators, batch.frames, generated["converted"], strict=True
    ):
        for one, other in zip(judge(real), judge(fake.frames), strict=True):
            wanted += ((one.logits - 1).square().mean() + other.logits.square().mean()) / 3
    assert told["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)
    assert made.chance_levels == {"adversarial": 1.5}


def test_a_weight_of_0_leaves_two_losses_out():
    made, batch = objective(weights=WEIGHTS, separate=True), crops(2)
    losses, _ = made.generator_losses(batch, 0)
    left_out = ("cycle", "own_style")
    assert [losses[name].item() for name in left_out] == [0.0, 0.0]
    both, _ = objective(separate=True).generator_losses(batch, 0)
    assert all(both[name].item() > 0.01 for name in left_out)
    for name in ("adversarial", "reconstruction", "style", "content"):
        assert losses[name].item() == pytest.approx(both[name].item(), rel=1e-6)
    made.total("generator", losses).backward()
    assert all(p.grad is not None for p in made.generator.parameters())


def test_the_mean_styles_of_separate_domains_follow_their_crops():
    made, batch = objective(separate=True), crops(2)
    network = made.translator
    with torch.no_grad():
        now = [network.encode_style(crops, d).mean(0) for d, crops in enumerate(batch.frames)]
    wanted = torch.zeros(2, 3)
    for step, decay in ((0, 1 / 10), (1, 2 / 11), (5000, 0.99)):
        made.generator_losses(batch, step)
        wanted = decay * wanted + (1 - decay) * torch.stack(now)
        assert torch.allclose(network.styles, wanted, atol=1e-5)
    assert not network.styles.requires_grad and "styles" in network.state_dict()


def test_the_styles_of_one_autoencoder_stay_what_was_drawn():
    made, batch = objective(), crops(2)
    drawn = made.translator.styles.clone()
    made.generator_losses(batch, 0)
    assert torch.equal(made.translator.styles, drawn)
    assert (drawn[0] - drawn[1]).abs().max() > 0.1


def test_fakes_of_separate_autoencoders_have_new_styles_at_each_step():
    batch = crops(2)
    for separate, alike in ((True, False), (False, True)):
        made = objective(separate=separate)
        fakes = [made.generator_losses(batch, 0)[1]["converted"][0].frames for _ in range(2)]
        assert torch.equal(*fakes) == alike


def test_fact_08_neither_player_leaves_a_gradient_in_the_other():
    made, batch = objective(), crops(2)
    made.discriminators.requires_grad_(False)
    losses, generated = made.generator_losses(batch, 0)
    made.total("generator", losses).backward()
    made.discriminators.requires_grad_(True)
    assert all(p.grad is None for p in made.discriminators.parameters())
    made.generator.zero_grad(set_to_none=True)
    judged = made.discriminator_losses(batch, detached(generated))
    made.total("discriminator", judged).backward()
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminators.parameters())


@MODES
def test_a_batch_is_learnt(separate):
    weights = {**ALL, "generator": {**ALL["generator"], "cycle": 0.0}}
    made = objective(separate=separate, width=8, weights=weights)
    batch = Unpaired(crops(2).frames[:, :1])
    assert halves(learn(made, batch, (4e-3, 1e-4), 50), "reconstruction")


def test_the_health_monitor_sees_each_domain_converted():
    made, batch = objective(3), crops(3)
    examples = made.eval().examples(batch)
    assert len(examples) == 3
    for source, (inputs, outputs) in enumerate(examples):
        assert torch.equal(inputs, batch.frames[source])
        assert torch.equal(outputs, made.generator(inputs, source, (source + 1) % 3))


def test_a_lone_domain_and_missing_weights_are_refused():
    with pytest.raises(ValueError, match="between 2 domains or more, not 1"):
        objective(1)
    with pytest.raises(ValueError, match="weights.generator.own_style is 0"):
        objective(weights=WEIGHTS)
    with pytest.raises(ValueError, match="weights.discriminator names"):
        objective(weights={**WEIGHTS, "discriminator": {}})
