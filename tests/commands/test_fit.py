"""`voiceconv fit`: two folders of recordings to a model that convert takes, in one command."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import soundfile
import torch
import yaml
from omegaconf import DictConfig
from tiny_model import RATE, make_cli, record, speech

from voiceconv import build
from voiceconv.commands import fit, outcome
from voiceconv.errors import InputError
from voiceconv.files import locked
from voiceconv.objectives import Objective
from voiceconv.objectives.cyclegan import CycleGAN

SECONDS_A_STEP = fit._seconds_a_step  # most tests guess instead
TINY = [
    "features.sample_rate=16000",
    "features.n_coefficients=24",
    "features.f0_method=dio",
    "translator.generator.base_channels=8",
    "translator.generator.n_residual_blocks=1",
    "discriminator.base_channels=8",
    "data.n_frames=32",
    "validation.n_utterances=1",
]
TINY_ANY = [
    *TINY[:3],
    *TINY[-2:],
    "translator.width=8",
    "discriminator.width=8",
    "discriminator.patch_width=4",
]
NAME = "it's, a “model” = 1"  # nothing that Hydra's grammar would leave alone


@pytest.fixture
def speakers(tmp_path) -> Path:
    for domain in ("high", "low"):
        for number in range(3):
            path = tmp_path / "my speakers" / domain / f"{domain}{number}.wav"
            record(path, speech(domain, 0.8, seed=number))
    return tmp_path / "my speakers"


def in_this_process(tasks, setup, arguments, jobs, retries):
    """As data.workers.run_tasks: a process of its own would take seconds to start."""
    with setup(0, *arguments(0)) as handle:
        for task in tasks:
            error = result = None
            try:
                result = handle(task)
            except InputError as raised:
                error = str(raised)
            yield fit.extract.__globals__["Outcome"](task, 0, error, result)


@pytest.fixture
def voiceconv(monkeypatch, capsys):
    """The command line, in this process, with the small experiment made tiny."""
    monkeypatch.setattr(
        fit, "compose_config", lambda overrides: build.compose_config([*overrides, *TINY])
    )
    monkeypatch.setattr("voiceconv.data.extract.run_tasks", in_this_process)
    monkeypatch.setattr(fit, "_seconds_a_step", lambda config: 0.3)  # of a guess, not of this CPU
    monkeypatch.setattr(fit, "measure", lambda converter, data, stranger: {})
    cli = make_cli(monkeypatch, capsys)

    def call(*words):
        chosen = words[0] != "fit" or "--experiment" in words
        return cli(*words, *(() if chosen else ("--experiment", "cyclegan_vc2_small")))

    return call


def steps(output: Path) -> int:
    return torch.load(output / "checkpoints" / "last.pt", weights_only=True)["step"]


def test_damaged_recordings_are_named_and_left_out(voiceconv, speakers, tmp_path):
    for domain in ("high", "low"):  # the header is in order
        samples = speech(domain, 0.8).numpy().copy()
        samples[100] = float("nan")
        for name in ("nan0.wav", "nan1.wav"):
            soundfile.write(speakers / domain / name, samples, RATE, subtype="FLOAT")
    output = tmp_path / "model"
    said = voiceconv("fit", speakers, "-o", output, "--hours", "0.001", "--jobs", "1")
    assert said.code == 0, said.err
    assert "going on without what failed: 4 of 10 utterances failed" in said.out
    assert steps(output) == 12
    assert (output / "model" / "config.yaml").exists()


@pytest.mark.slow
def test_from_two_folders_to_a_model_and_on(voiceconv, speakers, tmp_path):
    output = tmp_path / NAME
    said = voiceconv("fit", speakers, "-o", output, "--hours", "0.001", "--jobs", "1")
    assert said.code == 0, said.err
    for line in (
        "1/4 looking at the recordings",
        "2/4 extracting features",
        "3/4 taking statistics",
        "4/4 training: 12 steps; Ctrl-C saves, the same command goes on",
        f"done: voiceconv convert IN --target NAME --model {output}",
    ):
        assert line in said.out.splitlines()
    assert steps(output) == 12

    # its model converts
    talk = record(tmp_path / "talk.wav", speech("low", 0.7))
    made = tmp_path / "out.wav"
    assert voiceconv("convert", talk, "--target", "high", "--model", output, "-o", made).code == 0
    assert soundfile.info(made).frames == int(0.7 * RATE)

    # called again, there is nothing left to do
    before = (output / "checkpoints" / "last.pt").stat().st_mtime_ns
    said = voiceconv("fit", speakers, "-o", output, "--hours", "0.001")
    assert said.code == 0, said.err
    assert "1/4 looking at the recordings" not in said.out
    assert (output / "checkpoints" / "last.pt").stat().st_mtime_ns == before

    # with more hours it goes on, by the same objective
    said = voiceconv("fit", speakers, "-o", output, "--hours", "0.002")
    assert said.code == 0, said.err
    assert "4/4 training: 24 steps" in said.out
    assert steps(output) == 24
    shown = yaml.safe_load((output / "config.yaml").read_text())
    assert shown["objective"]["identity_steps"] == 1
    assert shown["trainer"]["decay_start"] == 12


def test_one_folder_is_enough_for_everybody_to_become_that_voice(
    voiceconv, speakers, tmp_path, monkeypatch, capsys
):
    """By the default experiment; the bundled sample's conversion is measured."""
    voiceconv = make_cli(monkeypatch, capsys)
    monkeypatch.setattr(fit, "measure", outcome.measure)
    monkeypatch.setattr(
        fit, "compose_config", lambda overrides: build.compose_config([*overrides, *TINY_ANY])
    )
    shutil.rmtree(speakers / "high")
    output = tmp_path / "model"
    said = voiceconv("fit", speakers, "-o", output, "--jobs", "1", "--hours", "0.001")
    assert said.code == 0, said.err
    assert [line.split()[-3] for line in said.out.splitlines() if line.startswith("this")] == ["1"]
    assert yaml.safe_load((output / "config.yaml").read_text())["data"]["targets"] == ["low"]
    assert yaml.safe_load((output / "model/config.yaml").read_text())["domains"] == ["low"]
    talk = record(tmp_path / "talk.wav", speech("high", 0.7))
    made = tmp_path / "out.wav"
    assert voiceconv("convert", talk, "--target", "low", "--model", output, "-o", made).code == 0
    assert soundfile.info(made).frames == int(0.7 * RATE)


def test_it_says_what_came_out(voiceconv, speakers, tmp_path, monkeypatch):
    """Without transcripts nobody asks what was understood."""
    monkeypatch.setattr(fit, "measure", outcome.measure)
    command = ["fit", speakers, "-o", tmp_path / "model", "--hours", "0.001", "--jobs", "1"]
    said = voiceconv(*command)
    assert said.code == 0, said.err
    lines = [line.split() for line in said.out.splitlines()]
    rows = lines[lines.index(["n", "similarity", "DNSMOS"]) + 1 :][:3]
    found = {" ".join(row[:-3]): [float(value) for value in row[-3:]] for row in rows}
    assert list(found) == ["source", "statistics alone", "this model"]
    assert all(n == 2 and -1 <= alike <= 1 < dnsmos < 5 for n, alike, dnsmos in found.values())
    assert found["source"] != found["statistics alone"] != found["this model"]


def test_a_run_keeps_its_experiment(voiceconv, speakers, tmp_path, monkeypatch):
    """Begun with another default, or with --experiment, it needs not be told again."""
    output = tmp_path / "model"
    command = ["fit", speakers, "-o", output, "--jobs", "1"]
    assert voiceconv(*command, "--hours", "0.001").code == 0
    chosen = []
    compose = fit.compose_config
    monkeypatch.setattr(
        fit, "compose_config", lambda words: (chosen.extend(words), compose(words))[1]
    )
    fit.fit(speakers, output, 0.001, None, 1, print, print)
    assert chosen[:2] == ["experiment=cyclegan_vc2_small", "name=cyclegan_vc2_small"]


def test_a_run_keeps_its_features(voiceconv, speakers, tmp_path):
    """Whatever a later version would choose, such as another search for F0."""
    output = tmp_path / "model"
    command = ["fit", speakers, "-o", output, "--jobs", "1"]
    assert voiceconv(*command, "--hours", "0.001").code == 0
    shown = yaml.safe_load((output / "config.yaml").read_text())
    shown["features"]["n_coefficients"] = 20
    (output / "config.yaml").write_text(yaml.safe_dump(shown))
    said = voiceconv(*command, "--hours", "0.002")
    assert said.code == 2
    assert "n_channels" in said.err  # of the dump: 24, of the run: 20


class Clocked:
    """A trainer whose steps take three seconds with an identity loss, a second without."""

    now = 0.0

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.config, self.folder, self.step = config, folder, 0
        self.taken: list[int] = []

    def train_step(self) -> None:
        self.taken.append(self.step)
        with_identity = self.step < self.config.objective.get("identity_steps", 0)
        Clocked.now += 3.0 if with_identity else 1.0
        self.step += 1


@pytest.fixture
def trials(monkeypatch) -> list[Clocked]:
    """What fit makes to measure a step's time by."""
    made: list[Clocked] = []

    def prepare_trainer(config, folder):
        made.append(Clocked(config, folder))
        return made[-1]

    monkeypatch.setattr(fit.time, "monotonic", lambda: Clocked.now)
    monkeypatch.setattr(fit, "prepare_trainer", prepare_trainer)
    return made


def test_the_time_of_a_step_is_measured_and_leaves_nothing(trials, tmp_path):
    """Steps are counted in hours: 90 of 100 without an identity loss, 10 with one."""
    config = build.compose_config(["experiment=cyclegan_vc2_small", "data.dump=none"])
    plan = fit._plan(config, tmp_path, hours=0.5)
    assert plan == (0.5, 1500, {"identity_steps": 150})  # 1800 s by 1.2 s a step
    (trial,) = trials
    assert trial.taken == [0, *range(50, 1000, 100)]
    assert (trial.config.objective.identity_steps, trial.config.trainer.n_steps) == (100, 1000)
    assert not trial.folder.exists()
    assert config.objective.identity_steps == 3000
    assert fit._plan(config, tmp_path, hours=0.5) == plan  # from fit.yaml
    assert len(trials) == 1


def test_an_objective_inside_another_is_planned_too(trials, tmp_path):
    config = build.compose_config(["experiment=cyclegan_vc2_semi_small", "data.dump=none"])
    plan = fit._plan(config, tmp_path, hours=0.5)
    assert plan.objective == {"unpaired": {"identity_steps": 180}, "paired": {}}  # 1 s a step
    fit._apply(plan, config)
    assert config.objective.unpaired.identity_steps == plan.n_steps // 10
    assert config.objective.unpaired.weights.generator.identity == 5.0
    assert fit._plan(config, tmp_path, hours=0.5) == plan  # from fit.yaml


def test_with_other_hours_the_objective_stays_that_of_the_beginning(trials, tmp_path):
    config = build.compose_config(["experiment=cyclegan_vc2_small", "data.dump=none"])
    assert fit._plan(config, tmp_path, hours=0.5).objective == {"identity_steps": 150}
    assert fit._plan(config, tmp_path, hours=1.0) == (1.0, 3000, {"identity_steps": 150})


def test_the_plan_of_a_run_that_began_before_is_read(trials, tmp_path):
    """Its `identity_steps` stood beside its hours."""
    (tmp_path / "fit.yaml").write_text("hours: 0.5\nidentity_steps: 149\nn_steps: 1499\n")
    config = build.compose_config(["experiment=cyclegan_vc2_small", "data.dump=none"])
    assert fit._plan(config, tmp_path, hours=0.5) == (0.5, 1499, {"identity_steps": 149})
    assert fit._plan(config, tmp_path, hours=1.0) == (1.0, 3000, {"identity_steps": 149})


@pytest.mark.parametrize(
    "content",
    [
        "hours: 0.5\n", "", "3", "hours: x\nn_steps: 3\nobjective: {}\n", "hours: [",
        "hours: 1\nn_steps: 0\nobjective: {}\n", "hours: 1\nn_steps: 3\nobjective: 3\n",
    ],
)  # fmt: skip
def test_a_damaged_plan_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "fit.yaml").write_text(content)
    with pytest.raises(InputError, match="fit.yaml is .*; delete it to plan anew"):
        fit._read_plan(tmp_path / "fit.yaml")


def test_a_second_fit_in_a_folder_changes_nothing(voiceconv, speakers, tmp_path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out", "training in"):
        said = voiceconv("fit", speakers, "-o", tmp_path / "out", "--hours", "0.001")
        assert said.code == 2 and "another process is training in" in said.err
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_settings_of_an_experiment_are_checked_before_recordings_are_read(
    monkeypatch, capsys, speakers, tmp_path
):
    wrong = [*TINY_ANY, "trainer.gradient_clip=0"]
    monkeypatch.setattr(fit, "compose_config", lambda given: build.compose_config([*given, *wrong]))
    said = make_cli(monkeypatch, capsys)("fit", speakers, "-o", tmp_path / "out")
    assert said.code == 2 and "trainer.gradient_clip is 0; it takes a number" in said.err
    assert not (tmp_path / "out").exists()


class TwoStep(CycleGAN):
    """An objective to which the length of a run says nothing, and that has no identity_steps."""

    plan = Objective.plan

    def __init__(self, **keywords: Any) -> None:
        super().__init__(identity_steps=0, **keywords)


def test_an_objective_without_identity_steps_is_fitted(voiceconv, speakers, tmp_path, monkeypatch):
    module = ModuleType("voiceconv.objectives.two_step")
    module.TwoStep = TwoStep
    monkeypatch.setitem(sys.modules, "voiceconv.objectives.two_step", module)
    changes = ["objective._target_=voiceconv.objectives.two_step.TwoStep"]
    changes += ["~objective.identity_steps", *TINY]
    monkeypatch.setattr(
        fit, "compose_config", lambda overrides: build.compose_config([*overrides, *changes])
    )
    # A real trial, and a guess of what it finds.
    monkeypatch.setattr(fit, "_seconds_a_step", lambda config: SECONDS_A_STEP(config) and 0.3)
    output = tmp_path / "model"
    said = voiceconv("fit", speakers, "-o", output, "--hours", "0.001", "--jobs", "1")
    assert said.code == 0, said.err
    assert steps(output) == 12
    plan = yaml.safe_load((output / "fit.yaml").read_text())
    assert plan == {"hours": 0.001, "n_steps": 12, "objective": {}}
    assert "identity_steps" not in yaml.safe_load((output / "config.yaml").read_text())["objective"]


def test_utterances_shorter_than_a_crop_are_said_once(voiceconv, speakers, tmp_path, monkeypatch):
    """By the run itself, and not by the trial before it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for number in range(4):  # one of which is in val or test
        record(speakers / "low" / f"short{number}.wav", speech("low", 0.3, seed=9 + number))
    monkeypatch.setattr(
        fit,
        "compose_config",
        lambda overrides: build.compose_config([*overrides, *TINY, "data.n_frames=100"]),
    )
    monkeypatch.setattr(fit, "MEASURED", [0])
    monkeypatch.setattr(fit, "_seconds_a_step", lambda config: SECONDS_A_STEP(config) and 0.36)
    said = voiceconv("fit", speakers, "-o", tmp_path / "model", "--hours", "0.001", "--jobs", "1")
    assert said.code == 0, said.err
    assert [line for line in said.err.splitlines() if "left out" in line] == [
        "voiceconv: 3 of 5 utterances of 'low' are shorter than a crop of 100 frames and are left "
        "out; lower data.n_frames to use them"
    ]


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("CI") == "true",
    reason="oneDNN's gemm convolution (torch 2.11) corrupted the heap in about one of six runs",
)
def test_a_signal_saves_and_the_same_command_goes_on(speakers, tmp_path):
    """The real command with the real small experiment, on its way to far more steps."""
    output = tmp_path / NAME
    command = [Path(sys.executable).with_name("voiceconv"), "fit", speakers, "-o", output]
    command += ["--hours", "1", "--jobs", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    for record_name in ("a", "b"):  # longer than the experiment's crop of 128 frames
        for domain in ("high", "low"):
            path = speakers / domain / f"{record_name}.wav"
            record(path, speech(domain, 1.5))
    reached = []
    for n_before in range(2):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for line in process.stdout:
            if line.startswith("4/4"):
                break
        # The run takes its signals before it opens its event file.
        while len(list(output.glob("tensorboard/*"))) <= n_before and process.poll() is None:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        last = err.splitlines()[-1]
        assert last.startswith("voiceconv: error: stopped at step ")
        assert "Traceback" not in err
        reached.append(steps(output))
        assert f"step {reached[-1]} and saved" in last
    assert 0 < reached[0] < reached[1]
