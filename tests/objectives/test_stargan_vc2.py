"""StarGAN-VC2's objective: who is judged as whom, and each loss by its definition."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny import halves, learn
from torch import Tensor
from torch.nn import functional as F

from voiceconv.build import build, build_factory, compose_config
from voiceconv.data.batches import Labelled
from voiceconv.models import Discriminator, Translator, Verdict
from voiceconv.models.stargan_vc2 import StarGan2Discriminator, StarGan2Translator
from voiceconv.objectives import Objective
from voiceconv.objectives.base import Fake
from voiceconv.objectives.stargan_vc2 import StarGan2
from voiceconv.training.replay import ReplayPool

C, T, D = 8, 32, 4
WEIGHTS = {
    "generator": {"adversarial": 1.0, "cycle": 10.0, "identity": 5.0},
    "discriminator": {"adversarial": 1.0},
}


class Noting(Discriminator):
    """Judges by 10 * source + target + the mean; notes what it was asked for."""

    def __init__(self, n_domains: int) -> None:
        super().__init__()
        self.asked: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(self, frames: Tensor, source: Tensor, target: Tensor) -> list[Verdict]:
        self.asked.append((frames, source, target))
        logits = 10.0 * source + target + frames.mean((1, 2))
        return [Verdict(logits[:, None], [])]


def objective(**settings) -> StarGan2:
    torch.manual_seed(0)
    judge = settings.pop("discriminator", partial(StarGan2Discriminator, C, base_channels=4))
    translator = StarGan2Translator(C, D, 8, n_blocks=2)
    for block in translator.blocks:  # as after some training: at first all codes are alike
        for table in (block.norm.scale, block.norm.offset):
            torch.nn.init.normal_(table, 1.0, 0.3)
    return StarGan2(translator, judge, D, WEIGHTS, **settings)


def labelled(n_items: int = 4) -> Labelled:
    noise = torch.randn(n_items, C, T + 3, generator=torch.Generator().manual_seed(0))
    return Labelled(2 * F.avg_pool1d(noise, 4, 1), torch.arange(n_items) % D)


def play(made: StarGan2, batch: Labelled, step: int = 0):
    losses, generated = made.generator_losses(batch, step)
    fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
    return losses, made.discriminator_losses(batch, fakes), fakes["converted"][0]


def test_the_generators_losses_by_their_definitions():
    made, batch = objective(), labelled()
    losses, _, fake = play(made, batch, step=3)
    source, target = batch.domain_ids, fake.condition["target"]
    assert torch.equal(fake.condition["source"], source)
    converted = made.translator(batch.frames, source, target)
    (verdict,) = made.discriminators(converted, source, target)
    back = made.translator(converted, target, source)
    same = made.translator(batch.frames, source, source)
    wanted = {
        "adversarial": (verdict.logits - 1).square().mean(),
        "cycle": (back - batch.frames).abs().mean(),
        "identity": (same - batch.frames).abs().mean(),
    }
    assert torch.allclose(fake.frames, converted, atol=1e-5)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_discriminators_loss_by_hand():
    """Two items of domain 1, judged as from their supposed sources, and two fakes from 2 to 0."""
    made = objective(discriminator=Noting)
    batch = Labelled(torch.full((2, C, T), 0.5), torch.tensor([1, 1]))
    fake = Fake(
        torch.full((2, C, T), 0.25),
        {"source": torch.tensor([2, 2]), "target": torch.tensor([0, 0])},
    )
    losses = made.discriminator_losses(batch, {"converted": [fake]})
    ((_, source, _),) = made.discriminators.asked
    real = (10.0 * source[:2] + 1 + 0.5 - 1).square().mean()
    assert losses["adversarial"].item() == pytest.approx(real.item() + (20 + 0 + 0.25) ** 2)
    assert made.chance_levels == {"adversarial": 0.5}


def test_fact_15_real_frames_are_judged_as_from_another_domain():
    made, batch = objective(discriminator=Noting), labelled(32)
    _, _, fake = play(made, batch)
    of_fake, of_both = made.discriminators.asked
    frames, source, target = of_both
    assert torch.equal(frames[:32], batch.frames) and torch.equal(target[:32], batch.domain_ids)
    moves = (source[:32] - target[:32]) % D
    assert set(moves.tolist()) == {1, 2, 3}  # never its own
    for of_what, item in ((source, "source"), (target, "target")):
        assert torch.equal(of_what[32:], fake.condition[item])
    assert torch.equal(of_fake[1], batch.domain_ids)
    assert not (of_fake[1] == of_fake[2]).any()


def test_a_fake_from_the_pool_is_judged_by_its_own_domains():
    made, pool = objective(discriminator=Noting), ReplayPool(2)
    for step in range(8):
        batch = labelled(2) if step % 2 else Labelled(labelled(2).frames, torch.tensor([3, 2]))
        _, generated = made.generator_losses(batch, step)
        detached = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
        made.discriminator_losses(batch, pool(detached, step))
    pairs = {}  # frames -> who they were converted from and to
    for made_now, judged in zip(
        made.discriminators.asked[::2], made.discriminators.asked[1::2], strict=True
    ):
        pairs |= {f.sum().item(): (s.item(), t.item()) for f, s, t in zip(*made_now, strict=True)}
        for frames, source, target in zip(*(one[2:] for one in judged), strict=True):
            assert pairs[frames.sum().item()] == (source.item(), target.item())


def test_fact_07_identity_stops_exactly_at_its_step():
    made, batch = objective(), labelled()
    last, _, before = play(made, batch, step=9_999)
    none, _, _ = play(made, batch, step=10_000)
    assert last["identity"].item() > 0.1 and none["identity"].item() == 0
    made.identity_steps = 0
    without, _, after = play(made, batch, step=9_999)
    assert without["cycle"].item() == pytest.approx(last["cycle"].item(), rel=1e-4)
    assert torch.allclose(before.frames, after.frames, atol=1e-5)
    assert StarGan2.plan(30_000) == {"identity_steps": 3_000}


def test_fact_08_each_players_loss_moves_its_own_networks():
    made, batch = objective(), labelled()
    _, losses, _ = play(made, batch)
    made.total("discriminator", losses).backward()
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminators.parameters())


def test_a_target_is_drawn_among_the_other_domains():
    made, batch = objective(), labelled(32)
    targets = [made.conversions(batch, step, False).target for step in (0, 0, 1)]
    assert set(((targets[0] - batch.domain_ids) % D).tolist()) == {1, 2, 3}
    assert torch.equal(targets[0], targets[1]) and not torch.equal(targets[0], targets[2])
    moves = np.random.default_rng([0, 0]).integers(1, D, 32)
    assert torch.equal(targets[0], (batch.domain_ids + torch.as_tensor(moves)) % D)


def test_the_weights_name_all_losses():
    judge = partial(StarGan2Discriminator, C, base_channels=4)
    weights = {**WEIGHTS, "generator": {"adversarial": 1.0, "cycle": 10.0}}
    with pytest.raises(ValueError, match="weights.generator names"):
        StarGan2(StarGan2Translator(C, D, 8, 1), judge, D, weights)


def built(*overrides: str) -> Objective:
    config = compose_config([*overrides, "data.dump=none"])
    return build(
        config.objective,
        Objective,
        translator=build(config.translator, Translator, n_channels=C, n_domains=D),
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=C),
        n_domains=D,
    )


def test_the_small_one_takes_strangers_and_the_papers_knows_both():
    small, full = (built(f"experiment=stargan_vc2{size}") for size in ("_small", ""))
    assert (small.translator.any_source, full.translator.any_source) == (True, False)
    for made in (small, full):
        assert made.discriminators.conditioned_on == "source and target"


def test_one_batch_is_overfitted():
    torch.manual_seed(0)
    made = built(
        "experiment=stargan_vc2_small",
        "translator.base_channels=16",
        "translator.n_blocks=2",
        "discriminator.base_channels=2",
    )
    batch = Labelled(labelled(2).frames[..., :16], torch.tensor([0, 1]))
    assert halves(learn(made, batch, (0.005, 0.001), 60), "cycle")
