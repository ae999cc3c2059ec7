"""pix2pix's objective: its losses by definition, for one direction, both, and many domains."""

import math
from collections.abc import Callable
from functools import partial
from itertools import permutations

import pytest
import torch
from tiny import detached, halves, learn, pair_translator
from torch import Tensor, nn

from voiceconv.build import build, build_factory, compose_config
from voiceconv.data.batches import Paired
from voiceconv.losses.adversarial import (
    GAN_MODES,
    cross_entropy_discriminator_loss,
    cross_entropy_generator_loss,
)
from voiceconv.models.base import Discriminator, DomainId, PairTranslator, Translator, Verdict
from voiceconv.models.pix2pix import OneWayTranslator, UnetGenerator
from voiceconv.objectives import Objective
from voiceconv.objectives.base import Fake
from voiceconv.objectives.pix2pix import Pix2Pix

C, T = 16, 32
WEIGHTS = {"generator": {"adversarial": 1.0, "l1": 100.0}, "discriminator": {"adversarial": 0.5}}
quiet = partial(UnetGenerator, base_channels=4, n_downs=3, dropout=0.0)


class Slope(Discriminator):
    """Judges by a * frames + b * source, at `n_scales` equal scales."""

    def __init__(self, n_scales: int = 1) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.randn(2))
        self.n_scales = n_scales

    def forward(self, frames: Tensor, source: Tensor) -> list[Verdict]:  # type: ignore[override]
        logits = (self.slopes[0] * frames + self.slopes[1] * source).mean(1, keepdim=True)
        return [Verdict(logits, [frames])] * self.n_scales


class Shared(Translator):
    """frames * (1 + source + 10 target), by domain_ids of items; notes that it got tensors."""

    shared = True

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[DomainId, DomainId]] = []

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        self.calls.append((source, target))
        return frames * (1 + source + 10 * target)[:, None, None]  # type: ignore[index]


def pairs(source_ids: list[int], target_ids: list[int]) -> Paired:
    shape = (len(source_ids), C, T)
    ids = torch.tensor(source_ids), torch.tensor(target_ids)
    return Paired(torch.randn(shape), torch.randn(shape), *ids)


def objective(
    n_domains: int = 2,
    translator: Translator | None = None,
    judge: Callable[[], Discriminator] = Slope,
    **keywords,
) -> Pix2Pix:
    made = PairTranslator(C, n_domains, quiet) if translator is None else translator
    return Pix2Pix(made, judge, n_domains, WEIGHTS, **keywords)


def test_the_generators_losses_by_their_definitions_for_each_item():
    made, batch = objective(n_domains=3), pairs([0, 0, 1, 0], [2, 1, 2, 2])
    losses, generated = made.generator_losses(batch, 0)
    wanted: dict[str, list[Tensor]] = {"adversarial": [], "l1": []}
    fakes = []
    for ours, theirs, turned in ((batch.source, batch.target, 1), (batch.target, batch.source, -1)):
        for item in range(4):
            pair = (int(batch.source_ids[item]), int(batch.target_ids[item]))[::turned]
            one = slice(item, item + 1)
            fake = made.translator(ours[one], *pair)
            judge = made.discriminators[f"{pair[0]}_to_{pair[1]}"]
            wanted["adversarial"].append(
                -torch.log(torch.sigmoid(judge(fake, ours[one])[0].logits)).mean()
            )
            wanted["l1"].append((fake - theirs[one]).abs().mean())
            fakes.append(fake)
    for name, values in wanted.items():
        assert losses[name].item() == pytest.approx(torch.stack(values).mean().item(), rel=1e-4)
    (kept,) = generated["converted"]
    assert torch.allclose(kept.frames, torch.cat(fakes), atol=1e-5)
    assert torch.equal(kept.condition["source"], torch.cat([batch.source, batch.target]))
    assert kept.condition["source_ids"].tolist() == [0, 0, 1, 0, 2, 1, 2, 2]
    assert kept.condition["target_ids"].tolist() == [2, 1, 2, 2, 0, 0, 1, 0]


def test_the_discriminators_loss_by_its_definition_even_of_fakes_of_other_directions():
    """Such fakes come from a pool: what describes a fake chooses its judge."""
    made, batch = objective(n_domains=3), pairs([0, 1], [1, 2])
    other = pairs([0, 0, 2, 1], [2, 1, 0, 0])
    ids = {"source_ids": other.source_ids, "target_ids": other.target_ids}
    generated = {"converted": [Fake(other.target, {"source": other.source, **ids})]}
    losses = made.discriminator_losses(batch, generated)

    def judged(frames: Tensor, source: Tensor, key: str) -> Tensor:
        return torch.sigmoid(made.discriminators[key](frames[None], source[None])[0].logits)

    real = [
        judged(batch.target[i], batch.source[i], key) for i, key in enumerate(("0_to_1", "1_to_2"))
    ]
    real += [
        judged(batch.source[i], batch.target[i], key) for i, key in enumerate(("1_to_0", "2_to_1"))
    ]
    keys = ("0_to_2", "0_to_1", "2_to_0", "1_to_0")
    fake = [judged(other.target[i], other.source[i], key) for i, key in enumerate(keys)]
    wanted = -torch.cat(real).log().mean() - (1 - torch.cat(fake)).log().mean()
    assert losses["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_one_way_learns_the_batchs_directions_only():
    made = objective(translator=OneWayTranslator(C, 2, quiet), both=False)
    batch = pairs([0, 0], [1, 1])
    losses, generated = made.generator_losses(batch, 0)
    fake = made.translator(batch.source, 0, 1)
    assert list(made.discriminators) == ["0_to_1"]
    assert torch.allclose(generated["converted"][0].frames, fake, atol=1e-5)
    assert losses["l1"].item() == pytest.approx((fake - batch.target).abs().mean().item(), rel=1e-4)
    ((inputs, outputs),) = made.examples(batch)
    assert torch.equal(inputs, batch.source) and torch.allclose(outputs, fake, atol=1e-5)


def test_the_way_back_needs_a_translator_that_has_it():
    with pytest.raises(ValueError, match=r"does not convert \[\(1, 0\)\].*objective.both=false"):
        objective(translator=OneWayTranslator(C, 2, quiet))


def test_a_shared_translator_gets_the_domain_ids_of_all_items_at_once():
    translator = Shared()
    made, batch = objective(3, translator), pairs([0, 1], [2, 2])
    _, generated = made.generator_losses(batch, 0)
    ((source_ids, target_ids),) = translator.calls
    assert source_ids.tolist() == [0, 1, 2, 2] and target_ids.tolist() == [2, 2, 0, 1]
    scales = torch.tensor([21.0, 22.0, 3.0, 13.0])[:, None, None]
    frames = torch.cat([batch.source, batch.target])
    assert torch.allclose(generated["converted"][0].frames, scales * frames)


def test_networks_of_another_paper_can_be_trained():
    """CycleGAN-VC2's: the gradient reaches the generator of each direction."""
    made = objective(translator=pair_translator())
    losses, _ = made.generator_losses(pairs([0], [1]), 0)
    made.total("generator", losses).backward()
    for generator in made.translator.generators.values():
        assert all(parameter.grad is not None for parameter in generator.parameters())


def test_the_health_monitor_sees_every_direction():
    made, batch = objective(3), pairs([0, 1, 0], [1, 2, 1])
    examples = made.examples(batch)
    assert [len(inputs) for inputs, _ in examples] == [2, 1, 2, 1]
    inputs, outputs = examples[2]
    assert torch.equal(inputs, batch.target[[0, 2]])
    assert torch.allclose(outputs, made.translator(batch.target[[0, 2]], 1, 0), atol=1e-5)


def test_fact_08_each_loss_leaves_the_other_player_alone():
    made, batch = objective(), pairs([0], [1])
    _, generated = made.generator_losses(batch, 0)
    losses = made.discriminator_losses(batch, detached(generated))
    made.total("discriminator", losses).backward()
    assert all(p.grad is None for p in made.player("generator").parameters())
    assert all(p.grad is not None for p in made.player("discriminator").parameters())


def test_fact_12_with_three_equal_scales_the_weighted_sum_is_three_times_one_scale():
    batch, totals = pairs([0], [1]), []
    for n_scales in (1, 3):
        torch.manual_seed(0)
        made = objective(judge=partial(Slope, n_scales))
        made.weights["generator"] = {"adversarial": float(n_scales), "l1": 0.0}
        losses, _ = made.generator_losses(batch, 0)
        totals.append(made.total("generator", losses).item())
    assert totals[1] == pytest.approx(3 * totals[0])


def test_fact_13_the_mode_changes_the_losses():
    batch, found = pairs([0], [1]), []
    for gan_mode in GAN_MODES:
        torch.manual_seed(0)
        made = objective(gan_mode=gan_mode)
        losses, generated = made.generator_losses(batch, 0)
        judged = made.discriminator_losses(batch, detached(generated))
        found.append((losses["adversarial"].item(), judged["adversarial"].item()))
        assert made.chance_levels == {"adversarial": GAN_MODES[gan_mode].chance_level}
    assert all(
        abs(a - b) > 0.01
        for one, other in permutations(found, 2)
        for a, b in zip(one, other, strict=True)
    )
    with pytest.raises(ValueError, match="gan_mode is 'wasserstein'"):
        objective(gan_mode="wasserstein")


def test_cross_entropy_by_hand():
    """Logits log 3 and 0 are probabilities 3/4 and 1/2."""
    real, fake = ([Verdict(torch.tensor(some), [])] for some in ([math.log(3), 0.0], [math.log(3)]))
    of_real = -(math.log(3 / 4) + math.log(1 / 2)) / 2
    assert float(cross_entropy_generator_loss(real)) == pytest.approx(of_real)
    wanted = of_real - math.log(1 / 4)
    assert float(cross_entropy_discriminator_loss(real, fake)) == pytest.approx(wanted)
    assert float(cross_entropy_generator_loss([*real, *fake])) == pytest.approx(
        (of_real - math.log(3 / 4)) / 2
    )


def test_the_weights_name_all_losses():
    with pytest.raises(ValueError, match="weights.generator names"):
        Pix2Pix(PairTranslator(C, 2, quiet), Slope, 2, {**WEIGHTS, "generator": {"l1": 1.0}})


def test_one_batch_is_overfitted_by_the_small_experiment():
    made = small_objective("pix2pix_small", 36, "translator.generator.base_channels=8")
    assert halves(learn(made, smooth_pair(36), (4e-3, 4e-4), 60), "l1")


def small_objective(experiment: str, n_channels: int, *overrides: str) -> Objective:
    """An experiment's objective of two domains, its judges narrow."""
    config = compose_config(
        [f"experiment={experiment}", "data.dump=none", "discriminator.base_channels=4", *overrides]
    )
    return build(
        config.objective,
        Objective,
        translator=build(config.translator, Translator, n_channels=n_channels, n_domains=2),
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=n_channels),
        n_domains=2,
    )


def smooth_pair(n_channels: int) -> Paired:
    frames = torch.nn.functional.avg_pool1d(torch.randn(2, n_channels, T + 3), 4, 1) * 2
    return Paired(frames[:1], frames[1:], torch.tensor([0]), torch.tensor([1]))
