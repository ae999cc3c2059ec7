"""What a run chooses to ship, when it has waited long enough, and what it leaves when it ends."""

import math
import signal

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_trainer import BatchesThat, poison
from tiny import differing, trainer

from voiceconv.errors import RunError
from voiceconv.training.checkpoint import load_checkpoint


def stopping(step):
    """Noise, and a signal before this step."""

    def send(batch):
        signal.raise_signal(signal.SIGTERM)
        return batch

    return BatchesThat(step, send)


class Scores:
    """A validator that has its scores ready, by step."""

    def __init__(self, scores=()):
        self.scores = dict(scores)
        self.measured: list[int] = []
        self.shipped: list[int] = []

    def measure(self, step, translator, tracker):
        assert not (translator.training or torch.is_grad_enabled())
        self.measured.append(step)
        return self.scores.get(step)

    def ship(self, step, translator):
        self.shipped.append(step)


def test_a_finished_run_has_saved_validated_and_does_nothing_more(tmp_path):
    validator = Scores()
    run = trainer(tmp_path, 5, validate_every=2, validator=validator, checkpoint_every=100)
    assert run.run() is True
    assert validator.measured == validator.shipped == [2, 4, 5]
    assert run.network.training
    before = run.checkpoint_path.read_bytes()
    again = trainer(tmp_path, 5, validate_every=2, validator=validator)
    assert again.run() is True
    assert again.step == 5
    assert len(validator.measured) == 3
    assert run.checkpoint_path.read_bytes() == before
    assert [p.name for p in run.checkpoint_path.parent.iterdir()] == ["last.pt"]


SCORES = {1: 3.0, 2: 2.0, 3: math.nan, 4: 2.5, 5: 1.0, 6: 1.0}


@pytest.mark.parametrize(
    ("ship", "scores", "shipped"),
    [
        ("best", SCORES, [1, 2, 5]),
        ("last", SCORES, [1, 2, 3, 4, 5, 6]),
        ("best", {}, [1, 2, 3, 4, 5, 6]),  # without scores the newest is as good as any
        ("best", {2: math.nan, 3: 2.0, 4: math.nan}, [1, 2, 3]),  # nor is what has none better
    ],
)
def test_what_ships(tmp_path, ship, scores, shipped):
    validator = Scores(scores)
    trainer(tmp_path, 6, validate_every=1, validator=validator, ship=ship).run()
    assert validator.shipped == shipped


@pytest.mark.parametrize("ship", ["best", "last"])
def test_a_run_without_validation_ships_its_newest_network_at_the_end(tmp_path, ship):
    validator = Scores(SCORES)
    settings = {"validator": validator, "ship": ship}
    assert trainer(tmp_path, 4, validate_every=0, **settings).run() is True
    assert (validator.measured, validator.shipped) == ([], [4])
    assert trainer(tmp_path, 4, validate_every=0, **settings).run() is True
    assert validator.shipped == [4]  # it was finished


def test_a_best_network_of_before_does_not_keep_the_newest_from_shipping(tmp_path):
    validator = Scores({2: 1.0})
    settings = {"validator": validator, "ship": "best"}
    trainer(tmp_path, 3, validate_every=2, **settings).run()
    trainer(tmp_path, 5, validate_every=0, **settings).run()
    assert (validator.measured, validator.shipped) == ([2, 3], [2, 5])


def test_zero_logs_and_saves_at_the_end_alone(tmp_path):
    run = trainer(tmp_path, 4, log_every=0, checkpoint_every=0, validate_every=0)
    saved: list[int] = []
    save, run.save = run.save, lambda: (saved.append(run.step), save())[1]  # type: ignore
    assert run.run() is True
    assert set(saved) == {4}
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    steps = [one.step for one in events.Scalars("speed/steps_per_second")]
    assert steps == [4]


def test_patience_ends_a_run_for_good(tmp_path):
    validator = Scores(SCORES | {3: 2.1})
    run = trainer(tmp_path, 6, validate_every=1, validator=validator, ship="best", patience=2)
    assert run.run() is True
    assert (run.step, run.best.step, run.best.score) == (4, 2, 2.0)
    again = trainer(tmp_path, 6, validate_every=1, validator=validator, ship="best", patience=2)
    assert again.run() is True
    assert (again.step, validator.measured) == (4, [1, 2, 3, 4])
    longer = trainer(tmp_path, 6, validate_every=1, validator=validator, ship="best", patience=3)
    assert longer.run() is True
    assert (longer.step, longer.best.step, validator.shipped) == (6, 5, [1, 2, 5])


def test_a_run_stopped_where_validation_was_due_makes_up_for_it(tmp_path):
    validator = Scores(SCORES)
    settings = {"validate_every": 2, "validator": validator, "ship": "best", "log_every": 10**6}
    stopped = trainer(tmp_path, 6, batches=stopping(3), **settings)
    assert stopped.run() is False
    assert (stopped.step, validator.measured) == (4, [2])
    assert trainer(tmp_path, 6, **settings).run() is True
    assert validator.measured == [2, 4, 6]


class Raises(Scores):
    """A validator that fails at this step, as where the disk is full."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def measure(self, step, translator, tracker):
        if step == self.step:
            raise RunError("no space left on the device")
        return super().measure(step, translator, tracker)


def test_a_validation_that_fails_at_the_last_step_costs_no_step(tmp_path):
    settings = {"checkpoint_every": 100, "validate_every": 100, "ema_decay": 0.9}
    whole = trainer(tmp_path / "whole", 5, validator=Scores(), **settings)
    assert whole.run() is True
    failed = trainer(tmp_path / "failed", 5, validator=Raises(5), **settings)
    with pytest.raises(RunError, match="no space left"):
        failed.run()
    assert load_checkpoint(failed.checkpoint_path)["step"] == 5
    validator = Scores()
    again = trainer(tmp_path / "failed", 5, validator=validator, **settings)
    assert again.run() is True
    assert (validator.measured, validator.shipped) == ([5], [5])
    assert differing(again.state_dict(), whole.state_dict()) == []
    assert differing(load_checkpoint(again.checkpoint_path), whole.state_dict()) == []


def test_nothing_is_measured_of_a_run_that_has_failed(tmp_path):
    """The step before validation need be no step that is logged."""
    validator = Scores()
    run = trainer(
        tmp_path, 8, batches=BatchesThat(3, poison), validate_every=4, validator=validator
    )
    with pytest.raises(RunError, match="step 4: .* is not finite"):
        run.run()
    assert validator.measured == []


def test_a_run_that_is_shortened_ships_what_it_has(tmp_path):
    assert trainer(tmp_path, 10, batches=stopping(3)).run() is False
    validator = Scores({4: 1.0})
    for _ in range(2):  # the second one does nothing more
        shorter = trainer(tmp_path, 3, validator=validator, ship="best")
        assert shorter.run() is True
    assert (shorter.step, shorter.best.step) == (4, 4)
    assert validator.measured == validator.shipped == [4]


def test_patience_that_ends_where_a_stopped_run_goes_on_is_kept(tmp_path):
    validator = Scores({2: 1.0, 4: 2.0})
    settings = {"validate_every": 2, "validator": validator, "ship": "best", "patience": 1}
    assert trainer(tmp_path, 6, batches=stopping(3), **settings).run() is False
    for _ in range(2):
        resumed = trainer(tmp_path, 6, **settings)
        assert resumed.run() is True
    assert (resumed.step, validator.measured) == (4, [2, 4])


def test_a_finished_run_called_again_keeps_its_last_points(tmp_path):
    for _ in range(2):
        trainer(tmp_path, 4, log_every=1, validate_every=2, validator=Scores()).run()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("generator/cycle")] == [1, 2, 3, 4]
