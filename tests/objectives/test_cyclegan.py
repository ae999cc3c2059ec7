"""The CycleGAN objective: its losses are the papers', and each player moves its own networks."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest
import torch
from tiny import (
    N_CHANNELS,
    N_FRAMES,
    NoiseBatches,
    cyclegan,
    frames,
    pair_translator,
    unpaired,
    weights,
)
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.data.batches import Unpaired
from voiceconv.models import Discriminator, Translator, Verdict
from voiceconv.models.maskcyclegan_vc import MaskedGenerator
from voiceconv.objectives import PLAYERS
from voiceconv.objectives.cyclegan import TWO_STEP, CycleGAN, FillingInFrames, WholeFrames


class Scale(Translator):
    """frames -> factor[source, target] * frames; notes what it was asked for."""

    def __init__(self, n_domains: int = 2) -> None:
        super().__init__()
        factors = 1 + torch.arange(n_domains**2, dtype=torch.float32).view(n_domains, n_domains)
        self.factors = nn.Parameter(factors / 10)
        self.calls: list[tuple[int, int, int]] = []
        self.masks: list[Tensor] = []

    def forward(self, frames: Tensor, source: int, target: int, **condition: Tensor) -> Tensor:
        self.calls.append((source, target, len(frames)))
        self.masks += [condition["mask"]] if condition else []
        return self.factors[source, target] * frames


class Mean(Discriminator):
    """Judges by weight * mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, frames: Tensor) -> list[Verdict]:
        return [Verdict(self.weight * frames.mean((1, 2)), [])]


def scaling(n_domains: int = 2, **keywords) -> CycleGAN:
    judged = keywords.pop("judged", TWO_STEP)
    return CycleGAN(Scale(n_domains), Mean, n_domains, weights(judged), judged, **keywords)


def constant(*values: float) -> Unpaired:
    return unpaired(*(torch.full((1, 4, 8), value) for value in values))


def play(objective: CycleGAN, batch: Unpaired, step: int = 0):
    """One step's losses of both players."""
    losses, generated = objective.generator_losses(batch, step)
    detached = {kind: [fake.detach() for fake in fakes] for kind, fakes in generated.items()}
    return losses, objective.discriminator_losses(batch, detached)


def test_losses_by_hand():
    """Factors 0.2 (0 to 1) and 0.3 (1 to 0), verdicts of twice the mean, frames of 1 and of 2."""
    of_generator, of_discriminator = play(scaling(), constant(1.0, 2.0))
    # Converted: 0 -> 1 is 0.2, 1 -> 0 is 0.6. Cycled: 0.06 and 0.12.
    assert {name: loss.item() for name, loss in of_generator.items()} == pytest.approx(
        {
            "adversarial_converted": (0.4 - 1) ** 2 + (1.2 - 1) ** 2,
            "adversarial_cycled": (0.12 - 1) ** 2 + (0.24 - 1) ** 2,
            "cycle": (1 - 0.06) + (2 - 0.12),
            "identity": abs(0.2 * 2 - 2) + abs(0.3 * 1 - 1),
        }
    )
    assert {name: loss.item() for name, loss in of_discriminator.items()} == pytest.approx(
        {
            "adversarial_converted": (2 - 1) ** 2 + 1.2**2 + (4 - 1) ** 2 + 0.4**2,
            "adversarial_cycled": (2 - 1) ** 2 + 0.12**2 + (4 - 1) ** 2 + 0.24**2,
        }
    )


def test_mixed_data_are_of_all_domains_and_reach_the_generators():
    """Brunner et al., as it is meant: in the authors' code the generators have no such term."""
    objective = scaling(judged=["converted", "mixed"])
    batch = unpaired(torch.full((400, 4, 8), 1.0), torch.full((400, 4, 8), 2.0))
    torch.manual_seed(0)
    of_generator, of_discriminator = play(objective, batch)
    converted = (0.4 - 1) ** 2 + (1.2 - 1) ** 2  # as the other discriminators see them, at first
    assert of_generator["adversarial_mixed"].item() == pytest.approx(converted)
    of_generator["adversarial_mixed"].backward()
    assert objective.translator.factors.grad[[0, 1], [1, 0]].abs().min() > 0.1
    real = of_discriminator["adversarial_mixed"].item() - 1.2**2 - 0.4**2
    halves = ((2 - 1) ** 2 + (4 - 1) ** 2) / 2  # of each of the two discriminators
    assert real == pytest.approx(2 * halves, rel=0.05)
    assert set(objective.chance_levels) == {"adversarial_converted", "adversarial_mixed"}


def plain_losses(
    objective: CycleGAN, batch: Unpaired, masks: dict[tuple[int, int], Tensor] | None = None
) -> dict[str, float]:
    """The same sums, one pass of one network for each term."""
    translate = objective.translator
    judges = objective.discriminators
    whole = {} if masks is None else {"mask": torch.ones_like(batch.frames[0])}
    total = dict.fromkeys(
        [f"{p}/adversarial_{k}" for p in PLAYERS for k in TWO_STEP], torch.zeros(())
    ) | {"generator/cycle": torch.zeros(()), "generator/identity": torch.zeros(())}
    domains = range(objective.n_domains)
    n_others = objective.n_domains - 1
    for source, target in permutations(domains, 2):
        x, y = batch.frames[source], batch.frames[target]
        if masks is None:
            fake = translate(x, source, target)
        else:
            mask = masks[source, target]
            fake = translate(x * mask, source, target, mask=mask)
        cycled = translate(fake, target, source)
        total["generator/cycle"] = total["generator/cycle"] + (cycled - x).abs().mean()
        same = translate(y, source, target, **whole)
        total["generator/identity"] = total["generator/identity"] + (same - y).abs().mean()
        for kind, made, domain in (("converted", fake, target), ("cycled", cycled, source)):
            (of_fake,) = judges[kind][domain](made)
            # A domain's fakes from all others are averaged, so a real batch weighs as much.
            for player, aim in zip(PLAYERS, (1.0, 0.0), strict=True):
                name = f"{player}/adversarial_{kind}"
                total[name] = total[name] + (of_fake.logits - aim).square().mean() / n_others
    for kind in TWO_STEP:
        for domain in domains:
            (of_real,) = judges[kind][domain](batch.frames[domain])
            name = f"discriminator/adversarial_{kind}"
            total[name] = total[name] + (of_real.logits - 1).square().mean()
    return {name: value.item() for name, value in total.items()}


def found_losses(objective: CycleGAN, batch: Unpaired, step: int = 0) -> dict[str, float]:
    return {
        f"{player}/{name}": loss.item()
        for player, losses in zip(PLAYERS, play(objective, batch, step), strict=True)
        for name, loss in losses.items()
    }


@pytest.mark.parametrize(("n_domains", "batch_size"), [(2, 1), (2, 3), (3, 2)])
def test_losses_equal_the_plain_computation(n_domains, batch_size):
    """Identity items ride along in one batch, real and fake too: nothing leaks between them."""
    objective = cyclegan(n_domains)
    batch = NoiseBatches(n_domains, batch_size=batch_size).batch(0)
    with torch.no_grad():
        assert found_losses(objective, batch) == pytest.approx(
            plain_losses(objective, batch), rel=1e-5
        )


def test_masked_losses_equal_the_plain_computation():
    """MaskCycleGAN-VC: the mask on the forward conversion only, all ones elsewhere."""
    translator = pair_translator(generator=MaskedGenerator)
    corruption = FillingInFrames(16)
    objective = cyclegan(translator=translator, corruption=corruption, seed=3)
    batch = NoiseBatches(batch_size=2).batch(0)
    masks = {
        pair: corruption(batch.frames[pair[0]], np.random.default_rng([3, 7, *pair]))[1]["mask"]
        for pair in ((0, 1), (1, 0))
    }
    assert all((mask == 0).any() for mask in masks.values())
    with torch.no_grad():
        assert found_losses(objective, batch, step=7) == pytest.approx(
            plain_losses(objective, batch, masks), rel=1e-5
        )


@pytest.mark.parametrize("n_domains", [2, 3])
def test_every_parameter_moves_within_4_steps(n_domains):
    """Port error 5: layers that are made and never called."""
    objective = cyclegan(n_domains)
    optimizers = {p: torch.optim.Adam(objective.player(p).parameters(), lr=1e-2) for p in PLAYERS}
    before = {name: p.detach().clone() for name, p in objective.named_parameters()}
    for step in range(4):
        batch = NoiseBatches(n_domains).batch(step)
        of_generator, generated = objective.generator_losses(batch, step)
        losses = {"generator": of_generator}
        detached = {kind: [fake.detach() for fake in fakes] for kind, fakes in generated.items()}
        losses["discriminator"] = objective.discriminator_losses(batch, detached)
        for player, optimizer in optimizers.items():
            optimizer.zero_grad()
            parameters = list(objective.player(player).parameters())
            total = objective.total(player, losses[player])
            for p, g in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
                p.grad = g
        for optimizer in optimizers.values():
            optimizer.step()
    # Also a bias before an instance norm, whose gradient is mere rounding: Adam scales it up.
    assert [name for name, p in objective.named_parameters() if torch.equal(p, before[name])] == []
    assert len(before) > 100


def test_weights_must_be_those_of_the_losses():
    objective = scaling()
    losses, _ = play(objective, constant(1.0, 2.0))
    assert objective.total("generator", losses).item() == pytest.approx(
        sum(weights()["generator"][name] * loss.item() for name, loss in losses.items())
    )
    missing = {name: loss for name, loss in losses.items() if name != "cycle"}
    for wrong in (missing, losses | {"extra": losses["cycle"]}):
        with pytest.raises(KeyError, match="generator losses .* against weights"):
            objective.total("generator", wrong)
    with pytest.raises(KeyError, match="the players are"):
        CycleGAN(Scale(), Mean, 2, {"generator": weights()["generator"]})


def test_a_loss_without_a_weight_is_an_error():
    """Two-step losses against the weights of one step."""
    with pytest.raises(ValueError, match="weights.generator .* losses are .*adversarial_cycled"):
        CycleGAN(Scale(), Mean, 2, weights(["converted"]), TWO_STEP)
    objective = CycleGAN(Scale(), Mean, 2, weights(["converted"]), ["converted"])
    of_generator, of_discriminator = play(objective, constant(1.0, 2.0))
    for player, losses in zip(PLAYERS, (of_generator, of_discriminator), strict=True):
        objective.total(player, losses)
        with pytest.raises(KeyError, match="one more"):
            objective.total(player, losses | {"one more": losses["adversarial_converted"]})


def test_the_second_adversarial_loss_enters_both_players_steps():
    """Port error 1: there, it reached the discriminators alone."""
    objective = cyclegan()
    of_generator, of_discriminator = play(objective, NoiseBatches().batch(0))
    for player, losses in zip(PLAYERS, (of_generator, of_discriminator), strict=True):
        parameters = list(objective.player(player).parameters())
        gradients = torch.autograd.grad(
            losses["adversarial_cycled"], parameters, allow_unused=True, retain_graph=True
        )
        assert sum(g.abs().sum().item() for g in gradients if g is not None) > 1e-3
    with_it = objective.total("generator", of_generator)
    objective.weights["generator"]["adversarial_cycled"] = 0.0
    without = objective.total("generator", of_generator)
    assert (with_it - without).item() == pytest.approx(
        of_generator["adversarial_cycled"].item(), rel=1e-4
    )


def test_the_second_adversarial_loss_has_discriminators_of_its_own():
    """Port error 2: there, the same ones judged both."""
    objective = cyclegan()
    _, losses = play(objective, NoiseBatches().batch(0))
    for kind in TWO_STEP:
        moved = {
            name.split(".")[0]
            for name, gradient in zip(
                dict(objective.discriminators.named_parameters()),
                torch.autograd.grad(
                    losses[f"adversarial_{kind}"],
                    list(objective.discriminators.parameters()),
                    allow_unused=True,
                    retain_graph=True,
                ),
                strict=True,
            )
            if gradient is not None
        }
        assert moved == {kind}
    owned = [p for judges in objective.discriminators.values() for p in judges.parameters()]
    assert len({p.data_ptr() for p in owned}) == len(owned)
    assert [len(judges) for judges in objective.discriminators.values()] == [2, 2]


def test_one_step_judges_what_was_converted_alone():
    objective = scaling(judged=["converted"])
    of_generator, of_discriminator = play(objective, constant(1.0, 2.0))
    assert sorted(of_generator) == ["adversarial_converted", "cycle", "identity"]
    assert sorted(of_discriminator) == ["adversarial_converted"]
    assert list(objective.discriminators) == ["converted"]


@pytest.mark.parametrize("judged", [[], ["converted", "blended"]])
def test_unknown_kinds_are_refused(judged):
    with pytest.raises(ValueError, match="it takes one or more of"):
        CycleGAN(Scale(), Mean, 2, weights(), judged)


def test_identity_ends_at_its_step():
    objective = scaling(identity_steps=5)
    for step, expected in ((0, 2.3), (4, 2.3), (5, 0.0), (6, 0.0)):
        losses, _ = objective.generator_losses(constant(1.0, 2.0), step)
        assert losses["identity"].item() == pytest.approx(expected)
        assert list(losses) == [*weights()["generator"]]  # the names never change


def test_fakes_are_computed_once():
    """Two conversions, with the identity items in the same pass, and two ways back; none after."""
    objective = scaling(identity_steps=5)
    _, generated = objective.generator_losses(constant(1.0, 2.0), step=0)
    translator = objective.translator
    assert sorted(translator.calls) == [(0, 1, 1), (0, 1, 2), (1, 0, 1), (1, 0, 2)]
    translator.calls.clear()
    objective.discriminator_losses(constant(1.0, 2.0), generated)
    assert translator.calls == []
    objective.generator_losses(constant(1.0, 2.0), step=5)
    assert sorted(translator.calls) == [(0, 1, 1), (0, 1, 1), (1, 0, 1), (1, 0, 1)]


def test_three_domains_go_into_each_other_and_back():
    objective = scaling(n_domains=3)
    _, generated = objective.generator_losses(constant(1.0, 2.0, 3.0), step=0)
    forward = [(a, b, 2) for a, b in permutations(range(3), 2)]
    back = [(b, a, 1) for a, b in permutations(range(3), 2)]
    assert sorted(objective.translator.calls) == sorted(forward + back)
    # A domain's fakes come from both others: 0 gets 0.4 * 2 from 1 and 0.7 * 3 from 2.
    assert generated["converted"][0].frames[:, 0, 0].tolist() == pytest.approx([0.8, 2.1])
    # And its own frames return from both: by 1, 0.2 and 0.4; by 2, 0.3 and 0.7.
    assert generated["cycled"][0].frames[:, 0, 0].tolist() == pytest.approx([0.08, 0.21])


def test_conversions_of_one_step_are_not_conversions_of_the_next():
    """The mask is a function of the seed and the step."""
    drawn = {}
    for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
        objective = scaling(corruption=FillingInFrames(8), seed=seed)
        objective.generator_losses(unpaired(frames(0), frames(1)), step)
        masks = torch.cat(objective.translator.masks)
        if (seed, step) in drawn:
            assert torch.equal(drawn[seed, step], masks)
        drawn[seed, step] = masks
    assert len({tuple(mask.flatten().tolist()) for mask in drawn.values()}) == 3


def test_nothing_is_masked_on_the_way_back_nor_in_identity_items():
    objective = scaling(corruption=FillingInFrames(16))
    shown = []
    for step in range(20):
        objective.translator.masks.clear()
        objective.translator.calls.clear()
        objective.generator_losses(unpaired(frames(0), frames(1)), step)
        # Only the two forward passes name a mask; item 0 converts, item 1 is the identity item.
        assert [len(mask) for mask in objective.translator.masks] == [2, 2]
        assert len(objective.translator.calls) == 4
        assert all((mask[1] == 1).all() for mask in objective.translator.masks)
        shown += [mask[0].mean().item() for mask in objective.translator.masks]
    assert min(shown) < 0.6 < max(shown)


def test_a_mask_hides_one_run_of_frames_in_all_channels():
    rng = np.random.default_rng(0)
    x = torch.ones(4, 3, 20)
    lengths, starts = [], []
    for _ in range(300):
        masked, condition = FillingInFrames(6)(x, rng)
        mask = condition["mask"]
        assert mask.shape == x.shape
        assert torch.equal(masked, mask)  # x is all ones
        for item in mask:
            assert (item == item[0]).all()
            hidden = (item[0] == 0).nonzero()[:, 0]
            lengths.append(len(hidden))
            starts += [hidden[0].item()] if len(hidden) == 6 else []
            assert len(hidden) == 0 or hidden[-1] - hidden[0] == len(hidden) - 1
    # Uniform over 0..6: 1200 draws, 171 of each expected, deviation 12.
    counts = np.bincount(lengths, minlength=7)
    assert len(counts) == 7
    assert (np.abs(counts - 1200 / 7) < 5 * 12).all()
    assert (min(starts), max(starts)) == (0, 14)


def test_a_mask_is_no_longer_than_the_crop():
    rng = np.random.default_rng(0)
    hidden = [
        int((FillingInFrames(32)(torch.ones(1, 2, 8), rng)[1]["mask"][0, 0] == 0).sum())
        for _ in range(200)
    ]
    assert (min(hidden), max(hidden)) == (0, 8)


def test_whole_frames_are_left_alone():
    x = frames(0)
    assert WholeFrames()(x, np.random.default_rng(0)) == (x, {})


def test_shapes_of_what_is_handed_on():
    _, generated = cyclegan(3).generator_losses(NoiseBatches(3, batch_size=2).batch(0), 0)
    assert list(generated) == list(TWO_STEP)
    for fakes in generated.values():
        assert [fake.frames.shape for fake in fakes] == [(4, N_CHANNELS, N_FRAMES)] * 3


def test_a_generator_is_told_by_no_other_domains_loss():
    """Freezing: with the discriminators frozen, the generator's losses leave no gradient there."""
    objective = cyclegan()
    for moving, other in (PLAYERS, PLAYERS[::-1]):
        objective.zero_grad(set_to_none=True)
        for player in PLAYERS:
            objective.player(player).requires_grad_(player == moving)
        losses = dict(zip(PLAYERS, play(objective, NoiseBatches().batch(0)), strict=True))
        objective.total(moving, losses[moving]).backward()
        assert all(p.grad is None for p in objective.player(other).parameters())
        assert all(p.grad is not None for p in objective.player(moving).parameters())


def test_l1_is_a_mean_over_everything():
    """The cycle loss does not grow with the crop: what its weight of 10 supposes."""
    short, long = (
        scaling().generator_losses(unpaired(torch.ones(1, 4, n), torch.ones(1, 4, n)), 0)[0][
            "cycle"
        ]
        for n in (8, 64)
    )
    assert short.item() == pytest.approx(long.item())
    assert short.item() == pytest.approx(
        2 * F.l1_loss(torch.tensor(0.06), torch.tensor(1.0)).item()
    )


def test_partial_of_a_discriminator_makes_a_new_one_each_time():
    made = partial(Mean)
    objective = CycleGAN(Scale(), made, 3, weights())
    assert len(list(objective.discriminators.parameters())) == 6
