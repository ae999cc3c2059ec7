"""The objective of CUT: contrast by its definition, one-sided, its projections trained."""

import math
from functools import partial

import pytest
import torch
from tiny import OneBatch, differing, learn, trainer
from torch import Tensor
from torch.nn import functional as F

from voiceconv.build import build, build_factory, compose_config
from voiceconv.data.batches import Pooled
from voiceconv.losses.adversarial import discriminator_loss, generator_loss
from voiceconv.losses.contrastive import patch_nce_loss
from voiceconv.models import Discriminator, Translator
from voiceconv.models.cut import CutGenerator, CutTranslator
from voiceconv.models.cyclegan import PatchGan
from voiceconv.objectives.base import PLAYERS
from voiceconv.objectives.cut import CUT

C, T, D = 24, 32, 2
WEIGHTS = {
    "generator": {"adversarial": 1.0, "nce": 0.5, "nce_identity": 0.5},
    "discriminator": {"adversarial": 0.5},
}


def objective(n_domains: int = D, n_places: int = 16, weights=WEIGHTS, seed: int = 0) -> CUT:
    torch.manual_seed(seed)
    make = partial(CutGenerator, base_channels=4, n_residual_blocks=2)
    judge = partial(PatchGan, C, base_channels=4)
    made = CUT(CutTranslator(C, n_domains, make), judge, n_domains, weights, n_places, width=8)
    with torch.no_grad():  # Xavier's gain of 0.02 leaves hardly a number to compare
        for parameter in made.parameters():
            parameter.mul_(20)
    return made


def batch(n_domains: int = D, n_items: int = 2, n_channels: int = C) -> Pooled:
    rng, shape = torch.Generator().manual_seed(1), (2, n_domains, n_items, n_channels)
    drawn = torch.randn(*shape, T + 3, generator=rng)
    own, others = F.avg_pool1d(drawn.flatten(0, 3), 4, 1).mul(2).view(*shape, T)
    return Pooled(own, others, torch.zeros(n_domains, n_items, dtype=torch.long))


# -------------------------------------------------------------------------------- the contrast


def features(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def test_fact_16_the_positive_is_on_the_diagonal():
    """As the authors have it: it comes first, and the diagonal of the others is masked."""
    query, key = features(4, 3, 10, 6).unbind()[:2]
    one, other = F.normalize(query, dim=2), F.normalize(key, dim=2)
    positive = (one * other).sum(2, keepdim=True)
    negatives = one @ other.transpose(1, 2)
    masked = torch.where(torch.eye(10, dtype=torch.bool), -torch.inf, negatives)
    logits = torch.cat([positive, masked], 2).flatten(0, 1) / 0.07
    wanted = F.cross_entropy(logits, torch.zeros(30, dtype=torch.long))
    assert patch_nce_loss(query, key).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_fact_16_equal_places_cost_least():
    query = features(1, 8, 64)
    assert patch_nce_loss(query, query).item() < 0.01
    assert patch_nce_loss(query, query.roll(1, dims=1)).item() > 5


def test_fact_16_the_order_of_places_says_nothing():
    query, key = features(2, 3, 10, 6).unbind()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    moved = patch_nce_loss(query[:, order], key[:, order])
    assert moved.item() == pytest.approx(patch_nce_loss(query, key).item(), rel=1e-6)
    assert patch_nce_loss(query, key[:, order]).item() != pytest.approx(moved.item(), rel=1e-2)


def test_fact_16_the_masked_diagonal_never_wins():
    """All cosines -1: a mask of -10 after the temperature would be above -1 / 0.07."""
    query = torch.ones(1, 50, 4)
    assert patch_nce_loss(query, -query).item() == pytest.approx(math.log(50), rel=1e-6)


def test_fact_16_items_are_apart_and_any_number_of_them_will_do():
    query, key = features(2, 5, 10, 6).unbind()
    alone = [patch_nce_loss(q[None], k[None]).item() for q, k in zip(query, key, strict=True)]
    assert patch_nce_loss(query, key).item() == pytest.approx(sum(alone) / 5, rel=1e-5)


def test_keys_are_constants():
    query, key = (one.requires_grad_() for one in features(2, 1, 4, 3).unbind())
    patch_nce_loss(query, key).backward()
    assert key.grad is None and query.grad.abs().sum() > 0


# ------------------------------------------------------------------------------- the objective


def contrast(made: CUT, target: int, inputs: Tensor, outputs: Tensor) -> float:
    """The mean over planes of cross-entropy over all places."""
    generator, heads = made.translator.generators[target], made.projections[target].heads
    losses = []
    for plane, other, head in zip(
        generator.features(outputs), generator.features(inputs), heads, strict=True
    ):
        query, key = (
            F.normalize(head(one.flatten(2).transpose(1, 2)), dim=2) for one in (plane, other)
        )
        logits = query @ key.transpose(1, 2) / 0.07
        right = torch.arange(logits.shape[1]).expand(len(logits), -1)
        losses.append(F.cross_entropy(logits.flatten(0, 1), right.flatten()).item())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("n_items", [1, 3])
def test_the_generators_losses_by_their_definitions(n_items):
    """With all places: a plane has 24 x 32 at most."""
    made, given = objective(n_places=1000), batch(n_items=n_items)
    losses, generated = made.generator_losses(given, 0)
    wanted = dict.fromkeys(losses, 0.0)
    for target in range(D):
        fake = made.translator(given.others[target], 0, target)
        same = made.translator(given.frames[target], 0, target)
        wanted["adversarial"] += generator_loss(made.discriminators[target](fake)).item()
        wanted["nce"] += contrast(made, target, given.others[target], fake)
        wanted["nce_identity"] += contrast(made, target, given.frames[target], same)
        assert torch.allclose(generated["converted"][target].frames, fake, atol=1e-5)
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(wanted, rel=1e-4)
    assert losses["nce"].item() != pytest.approx(losses["nce_identity"].item(), rel=1e-4)


def test_the_discriminators_loss_by_its_definition():
    made, given = objective(), batch()
    _, generated = made.generator_losses(given, 0)
    fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
    losses = made.discriminator_losses(given, fakes)
    wanted = sum(
        discriminator_loss(judge(own), judge(fake.frames)).item()
        for judge, own, fake in zip(
            made.discriminators, given.frames, fakes["converted"], strict=True
        )
    )
    assert {name: loss.item() for name, loss in losses.items()} == {
        "adversarial": pytest.approx(wanted, rel=1e-4)
    }
    assert made.chance_levels == {"adversarial": 1.0}


def test_fact_08_each_step_leaves_gradients_in_its_own_player():
    made, given = objective(), batch()
    for moving in PLAYERS:
        for player in PLAYERS:
            made.player(player).requires_grad_(player == moving)
        made.zero_grad()
        losses, generated = made.generator_losses(given, 0)
        if moving == "discriminator":
            fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
            losses = made.discriminator_losses(given, fakes)
        made.total(moving, losses).backward()
        for player in PLAYERS:
            gradients = [p.grad is not None for p in made.player(player).parameters()]
            assert all(gradients) if player == moving else not any(gradients)


def test_places_are_the_steps_own_and_each_comes_once():
    made, planes = objective(n_places=16), [torch.zeros(2, 3, 6, 8), torch.zeros(2, 3, 3, 4)]
    wide, narrow = made._places(planes, 0, 5)
    assert len(wide) == len(set(wide.tolist())) == 16 and wide.max() < 48
    assert sorted(narrow.tolist()) == list(range(12))
    assert torch.equal(wide, objective(seed=1)._places(planes, 0, 5)[0])
    for target, step in ((1, 5), (0, 6)):
        assert not torch.equal(wide, made._places(planes, target, step)[0])


def test_fact_27_the_projections_are_there_from_the_start():
    """They belong to the generator's optimiser, and not to what ships."""
    made = objective()
    owned = {id(p) for p in made.player("generator").parameters()}
    assert {id(p) for p in made.projections.parameters()} <= owned
    assert owned.isdisjoint(id(p) for p in made.player("discriminator").parameters())
    assert [len(one.heads) for one in made.projections] == [5, 5]
    assert not [name for name in made.translator.state_dict() if "projections" in name]
    before = set(made.state_dict())
    made.generator_losses(batch(), 0)
    assert set(made.state_dict()) == before


def test_fact_27_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    """The projections' optimiser goes on, too."""

    def run(folder: str, n_steps: int):
        settings = {"ema_decay": 0.9, "checkpoint_every": 1, "log_every": 1}
        made = trainer(
            tmp_path / folder, n_steps, objective(), OneBatch(batch(n_items=1)), 4, **settings
        )
        made.run()
        return made

    whole = run("whole", 4)
    run("parts", 2)
    resumed = run("parts", 4)
    assert differing(whole.objective.state_dict(), resumed.objective.state_dict()) == []
    start = objective().projections.state_dict()
    assert differing(start, resumed.objective.projections.state_dict())


def test_a_lone_target_gets_the_pool():
    made, given = objective(1), batch(1)
    losses, generated = made.generator_losses(given, 0)
    assert generated["converted"][0].frames.shape == (2, C, T)
    ((inputs, outputs),) = made.examples(given)
    assert torch.equal(inputs, given.others[0])
    assert torch.allclose(outputs, generated["converted"][0].frames, atol=1e-5)
    assert made.chance_levels == {"adversarial": 0.5}


def test_the_weights_name_all_losses():
    without = {**WEIGHTS, "generator": {"adversarial": 1.0, "nce": 1.0}}
    with pytest.raises(ValueError, match="weights.generator names"):
        objective(weights=without)


def test_one_batch_is_overfitted():
    """The small experiment's weights: places of the output are found among those of the input."""
    small = ["translator.generator.base_channels=8", "translator.generator.n_residual_blocks=2"]
    tiny = [*small, "discriminator.base_channels=4", "objective.n_places=64"]
    config = compose_config(["experiment=cut_small", "data.dump=none", *tiny])
    torch.manual_seed(0)
    made = build(
        config.objective,
        CUT,
        translator=build(config.translator, Translator, n_channels=36, n_domains=1),
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=36),
        n_domains=1,
    )
    assert made.weights == WEIGHTS
    with torch.no_grad():  # less to learn than from Xavier's start with its gain of 0.02
        for parameter in made.player("generator").parameters():
            parameter.mul_(20)
    given = batch(1, 1, 36)
    course = learn(made, given, (2e-3, 2e-3), 60, betas=(0.9, 0.999))
    contrasts = [losses["nce"] + losses["nce_identity"] for losses in course]
    assert contrasts[-1] < 0.5 * contrasts[0]
    assert contrasts[-1] < 0.7 * 2 * math.log(64)  # of the value at chance
