"""The loop: what each player's step may touch, at which rate, and how a run ends."""

import copy
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import (
    N_CHANNELS,
    NoiseBatches,
    OneBatch,
    cyclegan,
    differing,
    frames,
    pair_translator,
    trainer,
    unpaired,
    weights,
)
from torch import nn

from voiceconv.errors import RunError
from voiceconv.models.cyclegan_vc import FullDiscriminator, Generator1d
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.models.cyclegan_vc3 import TfanGenerator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator
from voiceconv.objectives import PLAYERS
from voiceconv.objectives.cyclegan import TWO_STEP, CycleGAN, FillingInFrames
from voiceconv.training.trainer import LinearDecay, Trainer

ONE_STEP = ["converted"]


def objective_of(generator, discriminator, judged, **keywords) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(
        pair_translator(generator=generator),
        discriminator,
        2,
        weights(judged),
        judged,
        **keywords,
    )


PATCH = partial(PatchDiscriminator, N_CHANNELS, 8)
FAMILY = {
    "cyclegan_vc": partial(
        objective_of, Generator1d, partial(FullDiscriminator, N_CHANNELS, 32, 8), ONE_STEP
    ),
    "cyclegan_vc2": partial(objective_of, Generator212, PATCH, TWO_STEP),
    "cyclegan_vc3": partial(objective_of, TfanGenerator, PATCH, TWO_STEP),
    "maskcyclegan_vc": partial(
        objective_of, MaskedGenerator, PATCH, TWO_STEP, corruption=FillingInFrames(8)
    ),
}


def same_loss_values(run: Trainer, n_steps: int, name: str) -> list[float]:
    return [run.train_step()[name].item() for _ in range(n_steps)]


# ----------------------------------------------------------------------------------------- learning


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILY)
def test_one_batch_is_overfitted(tmp_path, family):
    """The cycle loss halves within 60 steps; after five in a row below that, the rest is saved."""
    batches = OneBatch(unpaired(frames(0), frames(1)))
    run = trainer(tmp_path, 60, FAMILY[family](), batches, rates=(4e-3, 1e-4))
    cycle: list[float] = []
    while len(cycle) < 60 and not (cycle and max(cycle[-5:]) < 0.5 * cycle[0]):
        cycle += same_loss_values(run, 1, "generator/cycle")
    assert min(cycle[-5:]) < 0.5 * cycle[0]


def test_golden_losses(tmp_path):
    """Noise, seeds and all: the first five steps, computed once on x86-64 with torch 2.11."""
    run = trainer(tmp_path, 10, decay_start=2)
    steps = [run.train_step() for _ in range(5)]
    golden = {
        "generator/cycle": [1.608917, 1.693848, 1.692506, 1.602287, 1.72835],
        "generator/identity": [1.569324, 1.714279, 1.719683, 1.59018, 1.681723],
        "generator/adversarial_converted": [1.99199, 1.790988, 1.670099, 1.892066, 1.880755],
        "discriminator/adversarial_cycled": [2.266814, 2.520526, 2.747448, 2.089753, 2.544767],
        "gradient_norm/generator": [88.856125, 81.189499, 77.029167, 64.337074, 72.029221],
    }
    for name, expected in golden.items():
        assert [step[name].item() for step in steps] == pytest.approx(expected, rel=1e-4), name


def test_bf16_trains_and_stays_near_float32(tmp_path):
    exact, rough = trainer(tmp_path, 4), trainer(tmp_path, 4, precision="bf16")
    for _ in range(4):
        one, other = exact.train_step(), rough.train_step()
        for name, value in one.items():
            assert other[name].item() == pytest.approx(value.item(), rel=0.1, abs=0.02), name
    assert all(p.dtype == torch.float32 for p in rough.objective.parameters())
    assert differing(exact.objective.state_dict(), rough.objective.state_dict())


# --------------------------------------------------------------------------------- the two players


class Watched(nn.Module):
    """An objective that notes which parameters wanted a gradient when each player was asked."""

    def __init__(self, inner: CycleGAN) -> None:
        super().__init__()
        self.inner = inner
        self.seen: list[tuple[str, dict[str, bool]]] = []
        self.fakes_with_gradient: list[bool] = []

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def _note(self, player: str) -> None:
        wanted = {
            name: any(p.requires_grad for p in self.inner.player(name).parameters())
            for name in PLAYERS
        }
        self.seen.append((player, wanted))

    def generator_losses(self, batch, step):
        self._note("generator")
        return self.inner.generator_losses(batch, step)

    def discriminator_losses(self, batch, generated):
        self._note("discriminator")
        fakes = [fake for by_domain in generated.values() for fake in by_domain]
        self.fakes_with_gradient += [fake.frames.requires_grad for fake in fakes]
        return self.inner.discriminator_losses(batch, generated)


def test_each_player_moves_while_the_other_is_frozen(tmp_path):
    watched = Watched(cyclegan())
    trainer(tmp_path, 3, watched).train_step()
    assert watched.seen == [
        ("generator", {"generator": True, "discriminator": False}),
        ("discriminator", {"generator": False, "discriminator": True}),
    ]
    assert watched.fakes_with_gradient == [False] * 4


def test_a_players_loss_leaves_no_gradient_with_the_other(tmp_path):
    run = trainer(tmp_path, 3)
    gradients: dict[str, list[bool]] = {}
    for player, optimizer in run.optimizers.items():
        other = run.objective.player(*(p for p in PLAYERS if p != player))

        def step(*args, player=player, other=other, **keywords):
            gradients[player] = [p.grad is not None for p in other.parameters()]

        optimizer.step = step
    run.train_step()
    # The discriminators have none yet when the generator moves; no generator gets a second one.
    assert not any(gradients["generator"])
    before = [p.grad.clone() for p in run.objective.player("generator").parameters()]
    batch = NoiseBatches().batch(0)
    with torch.no_grad():
        _, generated = run.objective.generator_losses(batch, 0)
    run._update("discriminator", lambda part: run.objective.discriminator_losses(batch, generated))
    after = [p.grad for p in run.objective.player("generator").parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_each_step_moves_its_player_and_no_other(tmp_path):
    """A player whose rate is 0 stays where it is to the bit."""
    for rates, still in (((2e-4, 0.0), "discriminator"), ((0.0, 1e-4), "generator")):
        run = trainer(tmp_path, 3, rates=rates)
        before = copy.deepcopy(run.objective.state_dict())
        run.train_step()
        moved = differing(before, run.objective.state_dict())
        prefix = {"generator": "/translator", "discriminator": "/discriminators"}
        assert moved
        assert not [name for name in moved if name.startswith(prefix[still])]


def test_discriminators_learn_alone_while_they_warm_up(tmp_path):
    """The generator and its average stand still for two steps, and move in the third."""
    run = trainer(tmp_path, 3, cyclegan(), NoiseBatches(), ema_decay=0.5, warmup_steps=2)
    generator, average, judges = run.objective.generator, run.network, run.objective.discriminators
    first = [copy.deepcopy(part.state_dict()) for part in (generator, average, judges)]
    reports = [run.train_step() for _ in range(2)]
    assert not any(name.startswith("generator/") for report in reports for name in report)
    assert differing(first[0], generator.state_dict()) == []
    assert differing(first[1], average.state_dict()) == []
    assert len(differing(first[2], judges.state_dict())) == len(first[2])
    run.train_step()
    assert len(differing(first[0], generator.state_dict())) == len(first[0])


def test_optimizers_own_one_player_each(tmp_path):
    run = trainer(tmp_path)
    for player, optimizer in run.optimizers.items():
        owned = {p.data_ptr() for group in optimizer.param_groups for p in group["params"]}
        assert owned == {p.data_ptr() for p in run.objective.player(player).parameters()}


# ------------------------------------------------------------------------------------------- rates


def test_rates_stay_then_fall_to_0():
    schedule = LinearDecay(n_steps=100, decay_start=60)
    found = [schedule.factor(step) for step in (0, 59, 60, 70, 80, 99, 100)]
    assert found == [1.0, 1.0, 1.0, 0.75, 0.5, 0.025, 0.0]
    assert [LinearDecay(100).factor(step) for step in (0, 50, 99)] == [1.0, 1.0, 1.0]


def rates(run: Trainer) -> tuple[float, float]:
    generator, discriminator = (run.optimizers[p].param_groups[0]["lr"] for p in PLAYERS)
    return generator, discriminator


def test_each_players_rate_falls_from_its_own(tmp_path):
    """Port error 3: the discriminators' decay went to the generator's optimiser."""
    run = trainer(tmp_path, 6, decay_start=2, rates=(2e-4, 1e-4))
    found = []
    for _ in range(6):
        run.train_step()
        found.append(rates(run))
    factors = [1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert found == [pytest.approx((2e-4 * f, 1e-4 * f)) for f in factors]
    assert run._learning_rates_now() == {
        "learning_rate/generator": pytest.approx(0.5e-4),
        "learning_rate/discriminator": pytest.approx(0.25e-4),
    }


def test_a_resumed_run_keeps_the_rates(tmp_path):
    """Port error 10: resuming started them anew."""
    run = trainer(tmp_path, 6, decay_start=2)
    for _ in range(5):
        run.train_step()
    run.save()
    resumed = trainer(tmp_path, 6, decay_start=2)
    resumed.run()
    assert rates(resumed) == pytest.approx((0.5e-4, 0.25e-4))
    # The optimiser's second moments came along: Adam has counted all six steps.
    states = resumed.optimizers["discriminator"].state.values()
    assert {int(state["step"]) for state in states} == {6}


# ---------------------------------------------------------------------------- clipping and average


def test_gradients_are_clipped_to_the_bound_for_each_player(tmp_path):
    run = trainer(tmp_path, 3, gradient_clip=0.01)
    norms: dict[str, float] = {}
    for player, optimizer in run.optimizers.items():

        def step(*args, player=player, optimizer=optimizer, **keywords):
            of_player = [p.grad for g in optimizer.param_groups for p in g["params"]]
            norms[player] = torch.stack([g.norm() for g in of_player]).norm().item()

        optimizer.step = step
    report = run.train_step()
    assert norms == {player: pytest.approx(0.01, rel=1e-3) for player in PLAYERS}
    # What is shown is the norm before.
    assert report["gradient_norm/generator"] > 0.1


def test_gradients_are_left_alone_without_a_bound(tmp_path):
    run = trainer(tmp_path, 3)
    report = run.train_step()
    for player in PLAYERS:
        gradients = [p.grad for p in run.objective.player(player).parameters()]
        norm = torch.stack([g.norm() for g in gradients]).norm().item()
        assert norm == pytest.approx(report[f"gradient_norm/{player}"].item(), rel=1e-4)


def test_the_average_is_exponential_and_ships(tmp_path):
    """a <- d a + (1 - d) p with d = min(0.3, (1 + n) / (10 + n)) at step n."""
    run = trainer(tmp_path, 5, ema_decay=0.3, rates=(1e-2, 1e-4))
    name = "generators.0_to_1.entry.conv.weight"
    expected = dict(run.objective.translator.named_parameters())[name].detach().clone()
    for decay in (1 / 10, 2 / 11, 3 / 12, 0.3, 0.3):
        run.train_step()
        now = dict(run.objective.translator.named_parameters())[name].detach()
        expected = decay * expected + (1 - decay) * now
    average = dict(run.network.named_parameters())[name]
    torch.testing.assert_close(average, expected, rtol=1e-5, atol=1e-7)
    assert run.network is not run.objective.translator
    assert not average.requires_grad
    assert (average - now).abs().max() > 1e-4


def test_without_an_average_the_translator_ships(tmp_path):
    run = trainer(tmp_path)
    assert run.network is run.objective.translator


# ------------------------------------------------------------------------------------- how it ends


def test_everything_is_logged(tmp_path, monkeypatch):
    monkeypatch.setattr("voiceconv.training.health.CHECK_EVERY", 2)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer(tmp_path, 4, log_every=2).run()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    names = [f"generator/{name}" for name in weights()["generator"]]
    names += [f"discriminator/{name}" for name in weights()["discriminator"]]
    names += [
        f"{group}/{player}" for group in ("gradient_norm", "learning_rate") for player in PLAYERS
    ]
    names += [f"health/{player}_growth" for player in PLAYERS]
    names += [f"health/{what}" for what in ("change", "variety", "largest_output")]
    assert sorted(events.Tags()["scalars"]) == sorted([*names, "speed/steps_per_second"])
    assert [event.step for event in events.Scalars("generator/cycle")] == [2, 4]
    assert events.Scalars("learning_rate/generator")[0].value == pytest.approx(2e-4)


class BatchesThat(NoiseBatches):
    """Noise, and something that happens before one step."""

    def __init__(self, step: int, happens) -> None:
        super().__init__()
        self.step, self.happens = step, happens

    def batch(self, step: int):
        made = super().batch(step)
        return self.happens(made) if step == self.step else made


def poison(batch):
    first, second = batch.frames
    return unpaired(first.index_fill(2, torch.tensor([3]), float("nan")), second)


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_nan_names_the_loss_and_keeps_the_last_good_checkpoint(tmp_path, log_every):
    run = trainer(
        tmp_path, 20, batches=BatchesThat(5, poison), checkpoint_every=2, log_every=log_every
    )
    with pytest.raises(RunError, match=r"step 6: generator/.*cycle.* is not finite.*last\.pt"):
        run.run()
    saved = torch.load(run.checkpoint_path, weights_only=True)
    assert saved["step"] == 4
    assert all(value.isfinite().all() for value in saved["objective"].values())


def test_a_nan_before_the_first_checkpoint_says_that_there_is_none(tmp_path):
    run = trainer(tmp_path, 20, batches=BatchesThat(0, poison), log_every=1)
    with pytest.raises(RunError, match="step 1: .*no checkpoint yet"):
        run.run()
    assert not run.checkpoint_path.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_the_same_call_goes_on(tmp_path, number):
    def send(batch):
        signal.raise_signal(number)
        return batch

    handler = signal.getsignal(number)
    run = trainer(tmp_path / "cut", 6, batches=BatchesThat(2, send), checkpoint_every=100)
    assert run.run() is False
    assert run.step == 3
    assert torch.load(run.checkpoint_path, weights_only=True)["step"] == 3
    assert signal.getsignal(number) is handler
    resumed = trainer(tmp_path / "cut", 6)
    assert resumed.run() is True
    whole = trainer(tmp_path / "whole", 6)
    whole.run()
    assert differing(resumed.state_dict(), whole.state_dict()) == []


def test_a_launchers_own_handler_gets_its_signal_when_the_run_is_saved(tmp_path):
    """Slurm warns a job by SIGUSR2, and submitit puts it back into the queue: after the save."""
    run = trainer(tmp_path, 50, log_every=0, checkpoint_every=0)
    saved: list[bool] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: saved.append(run.checkpoint_path.exists()))
    try:
        step = run.train_step

        def interrupted() -> dict:
            if run.step == 2:
                signal.raise_signal(signal.SIGUSR2)
                assert saved == []
            return step()

        run.train_step = interrupted
        assert not run.run()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert saved == [True]
    assert run.step == 3


def test_a_run_under_nohup_goes_on(tmp_path):
    def hang_up(batch):
        signal.raise_signal(signal.SIGHUP)
        return batch

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run = trainer(tmp_path, 3, batches=BatchesThat(1, hang_up))
        assert run.run() is True and run.step == 3
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_lost_terminal_which_hangs_up_twice_saves(tmp_path):
    def hang_up_twice(batch):
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
            time.sleep(0.001)
        return batch

    run = trainer(tmp_path, 6, batches=BatchesThat(2, hang_up_twice), checkpoint_every=100)
    assert run.run() is False
    assert torch.load(run.checkpoint_path, weights_only=True)["step"] == 3


def test_a_run_that_is_over_says_why(tmp_path, caplog):
    trainer(tmp_path, 3).run()
    assert caplog.messages == []
    assert trainer(tmp_path, 2).run() is True
    said = f"nothing is left to train: {tmp_path} is at step 3, trainer.n_steps="
    more = " ends it; give more (fit: --hours)"
    assert caplog.messages == [f"{said}2{more}"]
    assert trainer(tmp_path, 3).run() is True
    assert caplog.messages[1:] == [f"{said}3{more}"]


def test_a_second_signal_acts_at_once(tmp_path):
    def send_twice(batch):
        signal.raise_signal(signal.SIGINT)
        while not run._signals.received:  # two that come at once are one
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)
        return batch

    run = trainer(tmp_path, 6, batches=BatchesThat(2, send_twice))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            run.run()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.step == 2


def test_the_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "a 'b' ü\n"
    assert trainer(folder, 2).run() is True
    assert (Path(folder) / "checkpoints" / "last.pt").exists()


class LateGame(CycleGAN):
    """Discriminators do not play before step 2."""

    def discriminator_losses(self, batch, generated):
        losses = super().discriminator_losses(batch, generated)
        if self.now < 2:
            return {name: batch.frames.new_zeros(()) for name in losses}
        return losses

    def generator_losses(self, batch, step):
        self.now = step
        return super().generator_losses(batch, step)


def test_a_player_whose_losses_are_constants_stands_still(tmp_path):
    """Neither its parameters nor its optimiser's averages move, and nothing is said of it."""
    torch.manual_seed(0)
    objective = LateGame(
        pair_translator(),
        partial(PatchDiscriminator, n_channels=N_CHANNELS, base_channels=8),
        2,
        weights(),
    )
    run = trainer(tmp_path, 3, objective)
    before = {name: p.clone() for name, p in objective.discriminators.named_parameters()}
    for _ in range(2):
        report = run.train_step()
        assert not [name for name in report if "discriminator" in name]
    assert run.optimizers["discriminator"].state_dict()["state"] == {}
    for name, parameter in objective.discriminators.named_parameters():
        assert torch.equal(parameter, before[name])
    assert run.train_step()["gradient_norm/discriminator"] > 0
