"""`voiceconv fit`: two folders of recordings to a model that convert takes, in one command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from tiny_model import RATE, make_cli, record, speech

from voiceconv import build
from voiceconv.commands import fit
from voiceconv.errors import InputError

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
            try:
                handle(task)
                error = None
            except InputError as raised:
                error = str(raised)
            yield fit.extract.__globals__["Outcome"](task, 0, error)


@pytest.fixture
def voiceconv(monkeypatch, capsys):
    """The command line, in this process, with the small experiment made tiny."""
    monkeypatch.setattr(
        fit, "compose_config", lambda overrides: build.compose_config([*overrides, *TINY])
    )
    monkeypatch.setattr("voiceconv.data.extract.run_tasks", in_this_process)
    monkeypatch.setattr(fit, "_seconds_a_step", lambda config: 0.3)  # of a guess, not of this CPU
    return make_cli(monkeypatch, capsys)


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


def test_the_time_of_a_step_is_measured_and_leaves_nothing(speakers, tmp_path, monkeypatch):
    """Steps are counted in hours: 90 of 100 without an identity loss, 10 with one."""
    clock = iter([0.0, 5.0, 100.0, 115.0])  # trials of 5 steps: a second and three seconds a step
    monkeypatch.setattr(fit.time, "monotonic", lambda: next(clock))

    class Trainer:
        def train_step(self):
            pass

    seen = []

    def prepare_trainer(config, folder):
        seen.append((config.objective.identity_steps, folder))
        return Trainer()

    monkeypatch.setattr(fit, "prepare_trainer", prepare_trainer)
    config = build.compose_config(["experiment=cyclegan_vc2_small", "data.dump=none"])
    plan = fit._plan(config, tmp_path, hours=0.5)
    assert plan == (0.5, 1499, 149)  # 1800 s by 1.2 s a step, which is no binary number
    assert [steps for steps, _ in seen] == [0, 10**9]
    assert not any(folder.exists() for _, folder in seen)
    assert config.objective.identity_steps == 3000
    assert fit._plan(config, tmp_path, hours=0.5) == plan  # from fit.yaml: the clock has run out


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
    for _ in range(2):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for line in process.stdout:
            if line.startswith("4/4"):
                break
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        last = err.splitlines()[-1]
        assert last.startswith("voiceconv: error: stopped at step ")
        assert "Traceback" not in err
        reached.append(steps(output))
        assert f"step {reached[-1]} and saved" in last
    assert 0 < reached[0] < reached[1]
