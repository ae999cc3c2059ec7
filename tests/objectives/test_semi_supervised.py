"""Pairs beside unpaired crops: each part takes the steps that it takes alone, to the bit."""

from functools import partial
from typing import Any

import pytest
import torch
from tiny import (
    N_CHANNELS,
    NoiseBatches,
    cyclegan,
    differing,
    frames,
    pair_translator,
    trainer,
    weights,
)
from torch import Tensor, nn

from voiceconv.build import compose_config
from voiceconv.data.batches import Labelled, Paired, SemiPaired
from voiceconv.errors import InputError
from voiceconv.models.base import Discriminator, Translator, Verdict
from voiceconv.models.cyclegan_vc2 import PatchDiscriminator
from voiceconv.objectives import PLAYERS, Objective
from voiceconv.objectives.cyclegan import CycleGAN
from voiceconv.objectives.pix2pix import Pix2Pix
from voiceconv.objectives.semi_supervised import PARTS, PairedL1, SemiSupervised
from voiceconv.runs.setup import make_objective

ONES = {player: dict.fromkeys(PARTS, 1.0) for player in PLAYERS}
L1 = {"generator": {"l1": 10.0}, "discriminator": {}}
PIX2PIX = {"generator": {"adversarial": 1.0, "l1": 20.0}, "discriminator": {"adversarial": 0.5}}


class Beside(Discriminator):
    """Judges frames beside their source, each place by a sum over channels."""

    def __init__(self, n_channels: int = N_CHANNELS) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2 * n_channels, 1, 3, padding=1)

    def forward(self, frames: Tensor, source: Tensor) -> list[Verdict]:
        return [Verdict(self.conv(torch.cat([frames, source], 1)), [])]


class Scale(Translator):
    """frames -> factor[source, target] * frames, 1 to 4 tenths; counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter((1 + torch.arange(4.0).view(2, 2)) / 10)
        self.n_calls = 0

    def forward(self, frames: Tensor, source: int, target: int, **condition: Tensor) -> Tensor:
        self.n_calls += 1
        return self.factors[source, target] * frames


class OneWayScale(Scale):
    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        return [(0, 1)]


class Level(Objective[Labelled]):
    """Of labelled crops, with a network that is no translator's but trained with it."""

    takes = Labelled

    def __init__(self, translator, discriminator, n_domains, weights, seed=0) -> None:
        super().__init__(translator, nn.ModuleList(), weights)
        self.level = nn.Linear(1, 1)

    def player(self, name: str) -> nn.Module:
        if name == "generator":
            return nn.ModuleList([self.generator, self.level])
        return super().player(name)

    def generator_losses(self, batch, step):
        level = self.level(self.generator(batch.frames, 0, 1).mean((1, 2))[:, None])
        return {"level": (level - batch.domain_ids[:, None]).abs().mean()}, {}

    def discriminator_losses(self, batch, generated):
        return {}

    def examples(self, batch):
        return []


def pairs(seed: int, n_items: int = 1) -> Paired:
    """Noise, the second domain's half as large and shifted; n_items may be 0."""
    source = frames(seed, max(1, n_items))[:n_items]
    ids = torch.zeros(n_items, dtype=torch.long)
    return Paired(source, 0.5 * source + 0.2, ids, ids + 1)


class SemiBatches:
    """NoiseBatches, and pairs of their own."""

    def __init__(self, n_pairs: int = 1) -> None:
        self.n_pairs, self.unpaired = n_pairs, NoiseBatches()

    def batch(self, step: int) -> SemiPaired:
        return SemiPaired(self.unpaired.batch(step), self.paired(step))

    def paired(self, step: int) -> Paired:
        return pairs(50_000 + step, self.n_pairs)


class PairBatches(SemiBatches):
    """The pairs of the same steps alone."""

    def batch(self, step: int) -> Paired:
        return self.paired(step)


def judge() -> Discriminator:
    return PatchDiscriminator(N_CHANNELS, base_channels=8)


def paired_l1(**keywords: Any) -> partial[PairedL1]:
    return partial(PairedL1, weights=L1, **keywords)


def pix2pix(**keywords: Any) -> partial[Pix2Pix]:
    given = {"weights": PIX2PIX, "gan_mode": "least_squares", "discriminator": Beside}
    return partial(Pix2Pix, **(given | keywords))


def semi(paired=None, factors=ONES, **keywords) -> SemiSupervised:
    """Of the networks of tiny.cyclegan(), drawn in the same order."""
    torch.manual_seed(0)
    given: dict[str, Any] = {
        "translator": pair_translator(),
        "discriminator": judge,
        "unpaired": partial(CycleGAN, weights=weights(), identity_steps=3),
    }
    given |= keywords
    return SemiSupervised(n_domains=2, paired=paired or paired_l1(), weights=factors, **given)


def factors(unpaired: float, paired: float) -> dict[str, dict[str, float]]:
    return {player: {"unpaired": unpaired, "paired": paired} for player in PLAYERS}


def scaling(paired=None, **keywords) -> SemiSupervised:
    return semi(paired, translator=keywords.pop("translator", Scale)(), **keywords)


def play(objective: Objective, batch, step: int = 0):
    """One step's losses of both players."""
    losses, generated = objective.generator_losses(batch, step)
    detached = {kind: [fake.detach() for fake in fakes] for kind, fakes in generated.items()}
    return losses, objective.discriminator_losses(batch, detached)


def steps(folder, objective: Objective, batches, n_steps: int = 4):
    """Reports of all steps, and the trainer; the average, the pool and the clip are in use."""
    made = trainer(
        folder, n_steps, objective, batches, ema_decay=0.9, replay_size=2, gradient_clip=5.0
    )
    return [made.train_step() for _ in range(n_steps)], made


def of_part(part: str, report: dict[str, Tensor]) -> dict[str, Tensor]:
    """A report without the other part's losses, by the names that the part has alone."""
    other = {"unpaired": "/paired_", "paired": "/unpaired_"}[part]
    kept = {name: value for name, value in report.items() if other not in name}
    return {name.replace(f"/{part}_", "/"): value for name, value in kept.items()}


def require_same_steps(part: str, alone, together) -> None:
    """Reports, networks, Adam's state, the average and the pool of two runs, to the bit."""
    (one, first), (other, second) = alone, together
    assert differing(one, [of_part(part, report) for report in other]) == []
    own, theirs = first.objective, second.objective.parts[part]
    assert differing(own.state_dict(), theirs.state_dict()) == []
    assert differing(first.network.state_dict(), second.network.state_dict()) == []
    for player in PLAYERS:  # of parameters, which the two optimisers number otherwise
        states = [
            [dict(run.optimizers[player].state[p]) for p in objective.player(player).parameters()]
            for run, objective in ((first, own), (second, theirs))
        ]
        assert differing(*states) == [] and len(states[0]) >= 4
    pool = second.state_dict()["replay"][0]
    renamed = {name.removeprefix(f"{part}_"): fakes for name, fakes in pool.items()}
    assert differing(first.state_dict()["replay"][0], renamed) == [] and pool


@pytest.mark.parametrize("paired", [paired_l1, pix2pix])
def test_fact_31_zero_pairs_are_the_unpaired_objective(tmp_path, paired):
    """From the same seed, without loading anything."""
    alone = steps(tmp_path, cyclegan(identity_steps=3), NoiseBatches())
    together = steps(tmp_path, semi(paired()), SemiBatches(n_pairs=0))
    require_same_steps("unpaired", alone, together)
    assert all(float(report["generator/paired_l1"]) == 0 for report in together[0])
    with_pairs, _ = steps(tmp_path, semi(paired()), SemiBatches(), 2)  # else equality says nothing
    moved = differing(alone[0][1], of_part("unpaired", with_pairs[1]))
    assert "/generator/cycle" in moved


def test_fact_31_without_unpaired_weights_it_is_pix2pix(tmp_path):
    torch.manual_seed(0)
    own = pix2pix()(translator=pair_translator(), n_domains=2)
    made = semi(pix2pix(), factors(0.0, 1.0))
    made.parts["paired"].load_state_dict(own.state_dict())
    before = {name: p.clone() for name, p in made.discriminators["unpaired"].state_dict().items()}
    alone = steps(tmp_path, own, PairBatches(2))
    together = steps(tmp_path, made, SemiBatches(2))
    require_same_steps("paired", alone, together)
    assert differing(before, dict(made.discriminators["unpaired"].state_dict())) == []
    assert float(together[0][3]["generator/paired_l1"]) > 0
    assert float(together[0][3]["generator/unpaired_cycle"]) == 0


@pytest.mark.parametrize("own", [False, True])
def test_a_part_whose_weights_are_0_is_not_computed(own):
    """By its factor, or by its own weights: only the pairs go through the translator, both ways."""
    none = {player: dict.fromkeys(some, 0.0) for player, some in weights().items()}
    unpaired = partial(CycleGAN, weights=none if own else weights())
    made = scaling(factors=ONES if own else factors(0.0, 1.0), unpaired=unpaired)
    of_generator, of_discriminator = play(made, SemiBatches().batch(0))
    assert made.generator.n_calls == 2
    losses = of_generator | of_discriminator
    zeros = {name for name, loss in losses.items() if loss.item() == 0}
    kinds = {f"unpaired_adversarial_{kind}" for kind in ("converted", "cycled")}
    assert zeros == kinds | {"unpaired_cycle", "unpaired_identity"}
    assert made.chance_levels == {}
    frames_in, _ = made.examples(SemiBatches().batch(0))[0]
    assert torch.equal(frames_in, SemiBatches().batch(0).paired.source)


def test_the_losses_are_the_parts_own():
    made, batch = semi(pix2pix(), factors(0.5, 3.0)), SemiBatches(2).batch(0)
    for player, losses, *own in zip(
        PLAYERS,
        play(made, batch),
        *(play(made.parts[p], getattr(batch, p)) for p in PARTS),
        strict=True,
    ):
        named = {
            f"{p}_{name}": v for p, some in zip(PARTS, own, strict=True) for name, v in some.items()
        }
        assert differing(named, losses) == []
        totals = [made.parts[p].total(player, some) for p, some in zip(PARTS, own, strict=True)]
        wanted = 0.5 * totals[0] + 3.0 * totals[1]
        assert made.total(player, losses).item() == pytest.approx(wanted.item(), rel=1e-6)
    assert made.chance_levels == {
        "unpaired_adversarial_converted": 1.0,
        "unpaired_adversarial_cycled": 1.0,
        "paired_adversarial": 0.5,
    }


def test_the_l1_of_pairs_by_hand():
    """Factors 0.2 (0 to 1) and 0.3 (1 to 0); one pair 1 beside 2, another 3 beside 1."""
    source, target = (
        torch.tensor(some).view(2, 1, 1).expand(2, 4, 8) for some in ([1.0, 3.0], [2.0, 1.0])
    )
    ids = torch.tensor([0, 0])
    batch = SemiPaired(NoiseBatches().batch(0), Paired(source, target, ids, ids + 1))
    there, back = (2 - 0.2) + (1 - 0.6), (1 - 0.6) + (3 - 0.3)
    for translator, wanted in ((Scale, (there + back) / 4), (OneWayScale, there / 2)):
        made = scaling(translator=translator, factors=factors(0.0, 1.0))
        losses, _ = play(made, batch)
        assert losses["paired_l1"].item() == pytest.approx(wanted)
        assert made.total("generator", losses).item() == pytest.approx(10 * wanted)


def test_the_l1_of_pairs_finds_each_items_domains():
    """Three domains, one translator of each direction: an item of 0 and 2 beside one of 1 and 2."""
    made = paired_l1()(translator=pair_translator(3), discriminator=judge, n_domains=3)
    x = frames(1, 4)
    batch = Paired(x[:2], x[2:], torch.tensor([0, 1]), torch.tensor([2, 2]))
    directions = [(x[0], x[2], 0, 2), (x[2], x[0], 2, 0), (x[1], x[3], 1, 2), (x[3], x[1], 2, 1)]
    wanted = torch.stack(
        [(made.generator(a[None], i, j)[0] - b).abs().mean() for a, b, i, j in directions]
    ).mean()
    loss, _ = made.generator_losses(batch, 0)
    assert loss["l1"].item() == pytest.approx(wanted.item(), rel=1e-6)
    assert len(made.examples(batch)) == 4


def test_the_factors_of_pairs_fall_in_a_straight_line():
    made = scaling(pix2pix(), paired_decay=(4, 8))
    found = {}
    for step in (0, 4, 5, 6, 7, 8, 9):
        losses, _ = play(made, SemiBatches().batch(0), step)
        found[step] = made.weights["generator"]["paired_l1"], made.weights["discriminator"]
        assert (losses["paired_l1"].item() > 0) == (step < 8)
        assert made.weights["generator"]["unpaired_cycle"] == 10
        assert ("paired_adversarial" in made.chance_levels) == (step < 8)  # it does not judge then
    shares = [value / 20 for value, _ in found.values()]
    assert shares == [1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert found[6][1]["paired_adversarial"] == 0.25
    sudden = scaling(paired_decay=(5, 5))
    shown = [play(sudden, SemiBatches().batch(0), step)[0]["paired_l1"] > 0 for step in (4, 5)]
    assert shown == [True, False]
    with pytest.raises(ValueError, match=r"paired_decay is \[8, 4\]; its first step is"):
        scaling(paired_decay=(8, 4))


def test_factors_are_of_the_two_parts():
    with pytest.raises(ValueError, match="weights.generator names .* losses are .*unpaired"):
        semi(factors={player: {"unpaired": 1.0} for player in PLAYERS})
    with pytest.raises(ValueError, match="weights.generator names .'l2'.; the losses are .'l1'."):
        semi(partial(PairedL1, weights={"generator": {"l2": 1.0}, "discriminator": {}}))


def test_a_batch_of_another_kind_is_refused_in_a_sentence():
    labelled = Labelled(frames(0), torch.tensor([0]))
    with pytest.raises(
        InputError, match="objective.unpaired trains on Unpaired batches, and b.* L"
    ):
        play(scaling(), SemiPaired(labelled, pairs(1)))


def test_a_family_of_labelled_crops_keeps_the_networks_it_trains_beside_the_translator():
    own = {"generator": {"level": 1.0}, "discriminator": {}}
    made = scaling(unpaired=partial(Level, weights=own), paired=pix2pix())
    batch = SemiPaired(Labelled(frames(0, 2), torch.tensor([0, 1])), pairs(1))
    losses, _ = play(made, batch)
    assert sorted(losses) == ["paired_adversarial", "paired_l1", "unpaired_level"]
    trained = list(made.player("generator").parameters())
    assert len(trained) == 3 and made.parts["unpaired"].level.weight in set(trained)
    gradients = torch.autograd.grad(made.total("generator", losses), trained)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert {p for p in made.parameters() if p.ndim == 3} <= set(
        made.player("discriminator").parameters()
    )


def test_a_part_may_state_its_own_discriminator():
    """Without its channels, which are those of the frames."""
    node = partial(Pix2Pix, weights=PIX2PIX, discriminator=Beside)
    made = semi(node, n_channels=6)
    kinds = {type(judges) for judges in made.discriminators["paired"].values()}
    assert kinds == {Beside} and made.discriminators["paired"]["0_to_1"].conv.in_channels == 12
    converted = made.discriminators["unpaired"]["converted"]
    assert {type(one) for one in converted} == {PatchDiscriminator}
    assert isinstance(made.networks()["discriminator"], PatchDiscriminator)


def test_the_experiment_has_the_unpaired_ones_networks_and_weights():
    overrides = ["name=x", "data.dump=x", "discriminator.base_channels=8"]
    made = []
    for name in ("cyclegan_vc2_small", "cyclegan_vc2_semi_small"):
        config = compose_config([f"experiment={name}", *overrides])
        torch.manual_seed(0)
        made.append(make_objective(config, pair_translator(), N_CHANNELS, 2))
    own, both = made
    assert differing(own.state_dict(), both.parts["unpaired"].state_dict()) == []
    assert both.parts["unpaired"].identity_steps == own.identity_steps == 3000
    for player in PLAYERS:
        kept = {f"unpaired_{name}": weight for name, weight in own.weights[player].items()}
        assert kept.items() <= both.weights[player].items()
    assert both.weights["generator"]["paired_l1"] == 10


def test_an_interrupted_run_is_the_uninterrupted_one(tmp_path):
    def run(folder: str, n_steps: int):
        made = semi(pix2pix(), paired_decay=(1, 3))
        return trainer(tmp_path / folder, n_steps, made, SemiBatches(), replay_size=2)

    whole, parts = run("whole", 4), run("parts", 4)
    whole.run()
    for _ in range(2):
        parts.train_step()
    parts.save()
    again = run("parts", 4)
    again.run()
    assert differing(whole.state_dict(), again.state_dict()) == []


def test_a_batch_is_learnt():
    """The experiment's objective: L1 of the pairs falls by half."""
    config = compose_config(
        ["experiment=cyclegan_vc2_semi_small", "name=x", "data.dump=x"]
        + ["discriminator.base_channels=8"]
    )
    torch.manual_seed(0)
    made = make_objective(config, pair_translator(), N_CHANNELS, 2)
    batch = SemiBatches(2).batch(0)
    optimizer = torch.optim.Adam(made.player("generator").parameters(), 4e-3)
    found = []
    for step in range(36):
        losses, _ = made.generator_losses(batch, step)
        optimizer.zero_grad()
        made.total("generator", losses).backward()
        optimizer.step()
        found.append(losses["paired_l1"].item())
    assert found[-1] < 0.5 * found[0]
