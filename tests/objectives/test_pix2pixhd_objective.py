"""pix2pixHD's objective: scales, feature matching, and a global network that waits."""

from functools import partial

import pytest
import torch
from test_pix2pix_objective import small_objective, smooth_pair
from tiny import detached, halves, learn
from torch import Tensor
from torch.nn import functional as F

from voiceconv.data.batches import Paired
from voiceconv.losses.reconstruction import feature_matching_loss
from voiceconv.models.base import PairTranslator
from voiceconv.models.pix2pixhd import LocalEnhancer, MultiScalePatchGan
from voiceconv.objectives.pix2pixhd import Pix2PixHD

C, T = 24, 32
WEIGHTS = {
    "generator": {"adversarial": 2.0, "feature_matching": 10.0, "l1": 1.0},
    "discriminator": {"adversarial": 1.0},
}


def objective(n_scales: int = 2, weights=WEIGHTS, **keywords) -> Pix2PixHD:
    generator = partial(
        LocalEnhancer, base_channels=2, n_residual_blocks=1, n_downs=1, n_local_blocks=1
    )
    judge = partial(MultiScalePatchGan, C, 4, n_scales)
    return Pix2PixHD(PairTranslator(C, 2, generator), judge, 2, weights, **keywords)


@pytest.fixture
def batch() -> Paired:
    frames = torch.randn(2, C, T)
    return Paired(frames[:1], frames[1:], torch.tensor([0]), torch.tensor([1]))


def test_the_generators_losses_by_their_definitions(batch):
    made = objective(n_scales=3)
    losses, _ = made.generator_losses(batch, 0)
    wanted: dict[str, list[Tensor]] = {"adversarial": [], "feature_matching": [], "l1": []}
    for key, source, target in (
        ("0_to_1", batch.source, batch.target),
        ("1_to_0", batch.target, batch.source),
    ):
        fake = made.translator.generators[key](source)
        judge = made.discriminators[key]
        of_fake, of_real = judge(fake, source), judge(target, source)
        scales = list(zip(of_fake, of_real, strict=True))
        matching = [F.l1_loss(f, r) for a, b in scales for f, r in zip(a[1], b[1], strict=True)]
        assert len(matching) == 3 * 4  # four layers of a judge, not its last
        wanted["feature_matching"].append(torch.stack(matching).sum() / 3)
        squares = [(one.logits - 1).square().mean() for one in of_fake]
        wanted["adversarial"].append(torch.stack(squares).mean())
        wanted["l1"].append((fake - target).abs().mean())
    assert losses.keys() == wanted.keys()
    for name, values in wanted.items():
        assert losses[name].item() == pytest.approx(torch.stack(values).mean().item(), rel=1e-4)


def test_the_discriminators_loss_by_its_definition(batch):
    made = objective()
    _, generated = made.generator_losses(batch, 0)
    fakes = detached(generated)
    losses = made.discriminator_losses(batch, fakes)
    terms = []
    for item, (key, source, target) in enumerate(
        (("0_to_1", batch.source, batch.target), ("1_to_0", batch.target, batch.source))
    ):
        judge = made.discriminators[key]
        fake = fakes["converted"][0].frames[item : item + 1]
        for of_real, of_fake in zip(judge(target, source), judge(fake, source), strict=True):
            real = (of_real.logits - 1).square().mean()
            terms.append(real + of_fake.logits.square().mean())
    assert losses["adversarial"].item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-4)
    assert made.chance_levels == {"adversarial": 0.5}


def test_fact_14_feature_matching_is_0_for_what_is_real_and_moves_the_fake_only(batch):
    judge = MultiScalePatchGan(C, 4)
    real = judge(batch.target, batch.source)
    assert feature_matching_loss(judge(batch.target, batch.source), real).item() == 0
    fake = batch.source.clone().requires_grad_()
    target = batch.target.clone().requires_grad_()
    loss = feature_matching_loss(judge(fake, batch.source), judge(target, batch.source))
    loss.backward()
    assert target.grad is None and fake.grad.abs().max() > 0
    assert all(patches.exit.weight.grad is None for patches in judge.scales)  # the last layer


def test_the_global_network_waits_for_its_step(batch):
    made = objective(fix_global_steps=2)
    for step, learns in ((0, False), (1, False), (2, True)):
        made.player("generator").requires_grad_(True).zero_grad(set_to_none=True)  # the trainer
        losses, _ = made.generator_losses(batch, step)
        made.total("generator", losses).backward()
        for generator in made.translator.generators.values():
            for name, parameter in generator.named_parameters():
                expected = learns or not name.startswith("whole.")
                assert (parameter.grad is not None) == expected, (step, name)


def test_fact_08_the_discriminators_loss_leaves_no_gradient_in_the_generator(batch):
    made = objective()
    _, generated = made.generator_losses(batch, 0)
    fakes = detached(generated)
    made.total("discriminator", made.discriminator_losses(batch, fakes)).backward()
    assert all(parameter.grad is None for parameter in made.player("generator").parameters())


def test_fact_13_the_mode_changes_the_losses(batch):
    found = []
    for gan_mode in ("least_squares", "hinge", "cross_entropy"):
        torch.manual_seed(0)
        losses, _ = objective(gan_mode=gan_mode).generator_losses(batch, 0)
        found.append(round(losses["adversarial"].item(), 3))
    assert len(set(found)) == 3


def test_the_weights_name_all_losses():
    without = {**WEIGHTS, "generator": {"adversarial": 2.0, "l1": 1.0}}
    with pytest.raises(ValueError, match="the losses are .*feature_matching"):
        objective(weights=without)


def test_one_batch_is_overfitted_by_the_small_experiment():
    widths = {"base_channels": 8, "n_downs": 1, "n_residual_blocks": 1, "n_local_blocks": 1}
    tiny = [f"translator.generator.{name}={value}" for name, value in widths.items()]
    made = small_objective("pix2pixhd_small", C, *tiny)
    assert halves(learn(made, smooth_pair(C), (4e-3, 4e-4), 60), "l1")
