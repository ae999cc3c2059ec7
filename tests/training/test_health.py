"""Six illnesses, each planted in a run and each named; a healthy run stays without a finding."""

from functools import partial

import pytest
import torch
from tiny import N_CHANNELS, NoiseBatches, OneBatch, adam, cyclegan, frames, trainer, unpaired
from torch import nn

from voiceconv.models.base import Generator, PairTranslator
from voiceconv.training.health import N_SUDDEN, WINDOW, HealthMonitor
from voiceconv.training.trainer import LinearDecay, Trainer

LOG_EVERY = 5


@pytest.fixture(autouse=True)
def short_windows(monkeypatch):
    """Of 50 steps; by default of 1,000."""
    monkeypatch.setattr("voiceconv.training.health.CHECK_EVERY", LOG_EVERY)


NORMS = {"gradient_norm/generator": 1.0, "gradient_norm/discriminator": 1.0}


class Linear(Generator):
    """Can be the identity, a constant, or anything between."""

    frame_multiple = 1

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_channels, n_channels, 1)

    def forward(self, frames):
        return self.conv(frames)


def objective(**weights):
    """CycleGAN-VC2's losses around a linear network, some of the generator's weights changed."""
    torch.manual_seed(0)
    ill = cyclegan(translator=PairTranslator(N_CHANNELS, 2, Linear))
    ill.weights["generator"] |= weights
    return ill


def said(run, monkeypatch) -> dict[int, list[str]]:
    """Step -> what the doctor said, after the run."""
    findings: dict[int, list[str]] = {}
    monkeypatch.setattr(
        "voiceconv.training.tracker.Tracker.warn",
        lambda self, step, text: findings.setdefault(step, []).append(text),
    )
    run.run()
    return findings


def look(doctor, values):
    return doctor.examine(0, values)


def first_step(findings, words) -> int | None:
    return min((step for step, texts in findings.items() if words in " ".join(texts)), default=None)


def run(folder, ill, batches=None, rates=(2e-4, 1e-4)):
    n_steps = 2 * WINDOW * LOG_EVERY
    return trainer(
        folder, n_steps, ill, batches, rates=rates, log_every=LOG_EVERY, validate_every=10**6
    )


def weightless(ill):
    """Its discriminators say the same of everything, whatever they learn."""
    for discriminator in ill.discriminators["converted"]:
        for parameter in discriminator.parameters():
            nn.init.zeros_(parameter)
    return ill


ILLNESSES = {
    "hands its input on": lambda folder: run(
        folder,
        objective(adversarial_converted=0.0, adversarial_cycled=0.0, identity=50.0),
        rates=(2e-2, 1e-4),
    ),
    "discriminator has won (converted": lambda folder: run(
        folder, objective(), OneBatch(unpaired(frames(0), frames(1))), rates=(0.0, 5e-3)
    ),
    "discriminator is dead (converted": lambda folder: run(folder, weightless(objective())),
    "outputs of unlike inputs are alike": lambda folder: Trainer(
        objective(cycle=0.0, identity=0.0),
        NoiseBatches(),
        {
            "generator": partial(torch.optim.AdamW, lr=1e-3, weight_decay=50.0),
            "discriminator": adam(1e-4),
        },
        LinearDecay(2 * WINDOW * LOG_EVERY),
        folder,
        log_every=LOG_EVERY,
        validate_every=10**6,
    ),
    "the generator's norms explode": lambda folder: run(folder, objective(), rates=(50.0, 1e-4)),
    "a NaN is about to come": lambda folder: run(
        folder, objective(cycle=-10.0, identity=-5.0), rates=(0.5, 1e-4)
    ),
}


@pytest.mark.parametrize("words", ILLNESSES)
def test_an_illness_is_named(tmp_path, monkeypatch, words):
    findings = said(ILLNESSES[words](tmp_path), monkeypatch)
    assert first_step(findings, words) is not None, findings  # within two windows


@pytest.mark.slow
def test_a_healthy_run_is_left_alone(tmp_path, monkeypatch):
    """Windows of 150 steps: in 50 no discriminator has learnt to tell noise from noise."""
    monkeypatch.setattr("voiceconv.training.health.CHECK_EVERY", 15)
    healthy = trainer(tmp_path, 300, rates=(2e-3, 2e-3), log_every=15, validate_every=10**6)
    assert said(healthy, monkeypatch) == {}


def test_it_is_said_once_and_again_when_it_comes_back():
    doctor = HealthMonitor(objective(), unpaired(frames(0, 4), frames(1, 4)))
    lost = NORMS | {"discriminator/adversarial_converted": 1.0}
    fine = NORMS | {"discriminator/adversarial_converted": 0.5}
    new = [bool(look(doctor, lost)[1]) for _ in range(WINDOW + 5)]
    assert new == [False] * (WINDOW - 1) + [True] + [False] * 5
    assert look(doctor, fine)[1] == []
    new = [bool(look(doctor, lost)[1]) for _ in range(WINDOW)]
    assert new == [False] * (WINDOW - 1) + [True]


def test_figures_by_hand():
    ill = objective()
    for generator in ill.translator.generators.values():
        nn.init.eye_(generator.conv.weight[:, :, 0])
        generator.conv.weight.data *= 0.75
        nn.init.zeros_(generator.conv.bias)
    doctor = HealthMonitor(ill, unpaired(frames(0, 4), frames(1, 4)))
    figures, findings = look(doctor, NORMS)
    assert figures["health/change"] == pytest.approx(0.25, abs=1e-6)
    assert figures["health/variety"] == pytest.approx(0.75, abs=1e-6)
    largest = max(float(frames(seed, 4).abs().max()) for seed in (0, 1))
    assert figures["health/largest_output"] == pytest.approx(0.75 * largest, abs=1e-5)
    assert figures["health/generator_growth"] == 1.0
    assert findings == []
    for generator in ill.translator.generators.values():
        generator.conv.weight.data *= 12
    assert look(doctor, NORMS)[0]["health/generator_growth"] == pytest.approx(12, rel=1e-5)


def test_a_gradient_that_jumps_is_an_explosion_only_when_it_stays():
    doctor = HealthMonitor(objective(), unpaired(frames(0, 4), frames(1, 4)))
    norms = [1.0] * 10 + [20.0] + [1.0] * 5 + [20.0] * N_SUDDEN
    found = [look(doctor, NORMS | {"gradient_norm/generator": norm})[1] for norm in norms]
    assert [bool(one) for one in found] == [False] * (len(norms) - 1) + [True]
    assert found[-1][0].illness == "exploding generator"


@pytest.mark.parametrize("domain", [0, 1])
def test_a_nan_is_seen_in_whichever_direction(domain):
    ill = objective()
    doctor = HealthMonitor(ill, unpaired(frames(0, 4), frames(1, 4)))
    nn.init.constant_([*ill.translator.generators.values()][domain].conv.bias, float("nan"))
    assert [found.illness for found in look(doctor, NORMS)[1]] == ["NaN ahead"]


def test_it_looks_at_as_much_of_large_batches(tmp_path):
    """Distances of all pairs of 1,000 crops would fill a GPU."""
    probe = trainer(tmp_path, batches=NoiseBatches(batch_size=3))._probe()
    assert probe.frames.shape[:2] == (2, 4)


def test_being_watched_changes_nothing(tmp_path):
    watched = trainer(tmp_path / "a", 6, log_every=1)
    left_alone = trainer(tmp_path / "b", 6, log_every=10**6)
    watched.run(), left_alone.run()
    for one, other in zip(
        watched.objective.parameters(), left_alone.objective.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_checks_are_apart_however_often_a_run_is_logged(tmp_path, monkeypatch):
    monkeypatch.setattr("voiceconv.training.health.CHECK_EVERY", 4)
    seen: list[int] = []
    examine = HealthMonitor.examine

    def noted(self, step, values):
        seen.append(step)
        return examine(self, step, values)

    monkeypatch.setattr(HealthMonitor, "examine", noted)
    trainer(tmp_path, 10, log_every=1).run()
    assert seen == [4, 8]


def test_a_loss_that_begins_is_no_explosion():
    """A vocoder's waves come thousands of steps late, and with them losses and gradients."""
    doctor = HealthMonitor(objective(), unpaired(frames(0, 4), frames(1, 4)))
    first = {"generator/cycle": 1.0, "generator/mel": 0.0, "gradient_norm/generator": 1.0}
    later = {"generator/cycle": 1.0, "generator/mel": 9.0, "gradient_norm/generator": 50.0}
    found = [finding for _ in range(20) for finding in look(doctor, first)[1]]
    found += [finding for _ in range(20) for finding in look(doctor, later)[1]]
    assert found == []
    grown = later | {"gradient_norm/generator": 600.0}
    assert [f.illness for _ in range(4) for f in look(doctor, grown)[1]] == ["exploding generator"]
