"""StarGAN-VC's objective: its losses are the paper's, each by its definition."""

import math
from functools import partial

import pytest
import torch
from tiny import halves, learn
from torch import Tensor
from torch.nn import functional as F

from voiceconv.build import build, build_factory, compose_config
from voiceconv.data.batches import Labelled
from voiceconv.models import Discriminator, Translator
from voiceconv.models.base import Verdict
from voiceconv.models.stargan_vc import (
    StarGanClassifier,
    StarGanDiscriminator,
    StarGanTranslator,
)
from voiceconv.objectives import Objective
from voiceconv.objectives.stargan_vc import (
    CHANCE_LEVEL,
    StarGan,
    classification_loss,
    discriminator_loss,
    generator_loss,
)

C, T, D = 12, 32, 3
WEIGHTS = {
    "generator": {"adversarial": 1.0, "classification": 2.0, "cycle": 3.0, "identity": 4.0},
    "discriminator": {"adversarial": 1.0, "classification": 1.0},
}


def objective(n_domains: int = D, seed: int = 0) -> StarGan:
    torch.manual_seed(0)
    return StarGan(
        StarGanTranslator(C, n_domains, base_channels=4),
        partial(StarGanDiscriminator, C, base_channels=4),
        partial(StarGanClassifier, base_channels=2),
        n_domains,
        WEIGHTS,
        seed,
    )


def labelled(n_items: int = 4) -> Labelled:
    noise = torch.randn(n_items, C, T + 3, generator=torch.Generator().manual_seed(0))
    return Labelled(2 * F.avg_pool1d(noise, 4, 1), torch.arange(n_items) % D)


def verdicts(*logits: float) -> list[Verdict]:
    return [Verdict(torch.tensor(logits).view(1, 1, 1, -1), [])]


def test_the_generators_losses_by_their_definitions():
    made, batch = objective(), labelled()
    losses, generated = made.generator_losses(batch, 5)
    (fake,) = generated["converted"]
    target = fake.condition["domain_ids"]
    translator, source = made.translator, batch.domain_ids
    converted = translator(batch.frames, source, target)
    logits = made.judge(converted, target)[0].logits
    log_p = made.classifier(converted).log_softmax(1)
    back = translator(converted, target, source)
    wanted = {
        "adversarial": -logits.sigmoid().log().mean(),
        "classification": -torch.stack([log_p[n, t].mean() for n, t in enumerate(target)]).mean(),
        "cycle": (back - batch.frames).abs().mean(),
        "identity": (translator(batch.frames, source, source) - batch.frames).abs().mean(),
    }
    assert torch.allclose(fake.frames, converted, atol=1e-5)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_discriminators_losses_by_their_definitions():
    made, batch = objective(), labelled()
    _, generated = made.generator_losses(batch, 0)
    fakes = {"converted": [generated["converted"][0].detach()]}
    losses = made.discriminator_losses(batch, fakes)
    (fake,) = fakes["converted"]
    real, fooled = (
        made.judge(frames, ids)[0].logits.sigmoid().log().mean((1, 2, 3)).exp()
        for frames, ids in (
            (batch.frames, batch.domain_ids),
            (fake.frames, fake.condition["domain_ids"]),
        )
    )
    wanted = -real.log().mean() - (1 - fooled).log().mean()
    assert losses["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)
    log_p = made.classifier(batch.frames).log_softmax(1)
    own = torch.stack([log_p[n, of].mean() for n, of in enumerate(batch.domain_ids)])
    assert losses["classification"].item() == pytest.approx(-own.mean().item(), rel=1e-4)


def test_a_judges_probability_is_the_product_of_its_sigmoids():
    """Its root, to be exact: sigmoids of 0.5 and 0.8 multiply to 0.4."""
    logits = (0.0, math.log(4))
    assert generator_loss(verdicts(*logits)).item() == pytest.approx(-math.log(0.4) / 2)
    loss = discriminator_loss(verdicts(*logits), verdicts(*logits))
    assert loss.item() == pytest.approx(-math.log(0.4) / 2 - math.log(1 - math.sqrt(0.4)))


def test_fact_10_no_loss_depends_on_the_number_of_frames():
    real, fake = 1.5, -0.7
    for n in (1, 4, 64):
        losses = (
            generator_loss(verdicts(*[fake] * n)),
            discriminator_loss(verdicts(*[real] * n), verdicts(*[fake] * n)),
            classification_loss(
                torch.tensor([[[real], [fake]]]).expand(1, 2, n), torch.tensor([0])
            ),
        )
        wanted = (
            math.log(1 + math.exp(-fake)),
            math.log(1 + math.exp(-real)) + math.log(1 + math.exp(fake)),
            math.log(1 + math.exp(fake - real)),
        )
        assert [loss.item() for loss in losses] == pytest.approx(wanted, rel=1e-5), n


def test_the_chance_level_is_the_least_loss_of_one_verdict_for_all():
    losses = [discriminator_loss(verdicts(x), verdicts(x)).item() for x in (-0.1, 0.0, 0.1)]
    assert losses[1] == pytest.approx(CHANCE_LEVEL) == pytest.approx(2 * math.log(2))
    assert losses[1] < min(losses[0], losses[2])
    assert objective().chance_levels == {"adversarial": CHANCE_LEVEL}


def test_a_judge_that_is_quite_sure_and_wrong_still_learns():
    logits = torch.tensor([[30.0, 40.0]], requires_grad=True)
    loss = discriminator_loss(verdicts(0.0), [Verdict(logits, [])])
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2) + 30 + math.log(2), rel=1e-3)
    assert logits.grad.sum().item() == pytest.approx(1.0, rel=1e-3)  # as a sigmoid's cross-entropy


def test_fact_06_the_class_of_the_fake_moves_the_generator():
    made = objective()
    losses, _ = made.generator_losses(labelled(), 0)
    losses["classification"].backward()
    without = [n for n, p in made.translator.named_parameters() if p.grad is None]
    assert without == []
    assert sum(p.grad.abs().sum().item() for p in made.translator.parameters()) > 1e-3


def test_fact_06_the_classifier_learns_from_real_frames_alone():
    made, batch = objective(), labelled()
    _, generated = made.generator_losses(batch, 0)
    (fake,) = generated["converted"]
    frames = fake.frames.detach().requires_grad_()
    losses = made.discriminator_losses(batch, {"converted": [fake._replace(frames=frames)]})
    losses["classification"].backward()
    assert frames.grad is None
    assert all(p.grad is not None for p in made.classifier.parameters())


def test_fact_08_each_players_loss_moves_its_own_networks():
    made, batch = objective(), labelled()
    _, generated = made.generator_losses(batch, 0)
    fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
    made.total("discriminator", made.discriminator_losses(batch, fakes)).backward()
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminators.parameters())


def test_a_target_is_never_the_source_and_depends_on_seed_and_step():
    batch = labelled(16)

    def targets(seed: int, step: int) -> Tensor:
        made = objective(seed=seed).conversions(batch, step, with_identity=False)
        return made.target

    drawn = targets(0, 7)
    assert not (drawn == batch.domain_ids).any()
    assert set(((drawn - batch.domain_ids) % D).tolist()) == {1, 2}
    assert torch.equal(drawn, targets(0, 7))
    assert not torch.equal(drawn, targets(0, 8))
    assert not torch.equal(drawn, targets(1, 7))


def test_one_domain_is_too_few_and_all_losses_have_weights():
    with pytest.raises(ValueError, match="2 domains or more, not 1"):
        objective(n_domains=1)
    judge, classifier = partial(StarGanDiscriminator, C), StarGanClassifier
    weights = {**WEIGHTS, "discriminator": {"adversarial": 1.0}}
    with pytest.raises(ValueError, match="weights.discriminator names"):
        StarGan(StarGanTranslator(C, D, 4), judge, classifier, D, weights)


def test_the_health_monitor_sees_each_item_as_the_next_domain():
    made, batch = objective(), labelled()
    ((inputs, outputs),) = made.examples(batch)
    assert torch.equal(inputs, batch.frames)
    target = torch.tensor([1, 2, 0, 1])
    assert torch.allclose(outputs, made.translator(batch.frames, 0, target))
    assert sorted(made.networks()) == ["classifier", "discriminator", "translator"]


def built(*overrides: str) -> Objective:
    config = compose_config([*overrides, "data.dump=none"])
    return build(
        config.objective,
        Objective,
        translator=build(config.translator, Translator, n_channels=C, n_domains=D),
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=C),
        n_domains=D,
    )


def test_one_batch_is_overfitted():
    torch.manual_seed(0)
    made = built(
        "experiment=stargan_vc_small",
        "translator.base_channels=4",
        "discriminator.base_channels=2",
        "objective.classifier.base_channels=1",
    )
    batch = Labelled(labelled(2).frames[..., :16], torch.tensor([0, 1]))
    assert halves(learn(made, batch, (0.01, 0.001), 60), "identity")
