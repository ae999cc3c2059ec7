"""`voiceconv fit`: folders of recordings to a model, in one command that can be called again."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from omegaconf import DictConfig

from voiceconv.build import compose_config
from voiceconv.data.extract import extract, progress_bar
from voiceconv.data.prepare import Summary, prepare
from voiceconv.data.statistics import write_stats
from voiceconv.errors import RunError
from voiceconv.files import replace_text
from voiceconv.train import prepare_trainer

TRIM = 40.0  # dB below the loudest: silence at both ends is nothing to learn
TRIAL_STEPS = 5
PLAN = "fit.yaml"  # what was decided when the run began, so that a resumed one decides the same


def fit(
    speakers: Path,
    output: Path,
    hours: float,
    experiment: str,
    jobs: int | None,
    say: Callable[[str], None],
    show: Callable[[Summary], None],
) -> None:
    """Prepare, extract, take statistics, train for about `hours`; each goes on where it stopped.

    Leaves OUTPUT/model, and OUTPUT/{data,dump,checkpoints} to go on from. Raises RunError when
    interrupted.
    """
    data, dump = output / "data", output / "dump"
    if not (data / "train" / "wav.scp").exists():
        say("1/4 looking at the recordings")
        show(prepare(speakers, data))
    config = _config(experiment, data, dump, output)
    say("2/4 extracting features")
    features = dict(config.features)
    with progress_bar() as progress:
        extract(
            data, dump, features, jobs, trim=TRIM, loudness=config.data.loudness, progress=progress
        )
    say("3/4 taking statistics")
    write_stats(dump / "train")
    n_steps = _planned_steps(config, output, hours)
    config.trainer.n_steps, config.trainer.decay_start = n_steps, n_steps // 2
    config.objective.identity_steps = n_steps // 10
    say(f"4/4 training: {n_steps:,} steps; Ctrl-C saves, the same command goes on")
    trainer = prepare_trainer(config, output)
    if not trainer.run():
        raise RunError(f"stopped at step {trainer.step} and saved; the same command goes on")


def _config(experiment: str, data: Path, dump: Path, output: Path) -> DictConfig:
    config = compose_config(
        [
            f"experiment={experiment}",
            f"name={experiment}",
            "run_dir=.",
            "data.dump=.",
        ]
    )
    # set here, not as overrides, whose grammar would need quotes for spaces and commas
    config.run_dir, config.data.dump, config.data.waves = str(output), str(dump), str(data)
    return config


def _planned_steps(config: DictConfig, output: Path, hours: float) -> int:
    """How many steps fit into the hours, by the time that a few take; decided once for a run."""
    path = output / PLAN
    if path.exists():
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        if plan["hours"] == hours:
            return int(plan["n_steps"])
    seconds = _seconds_a_step(config)
    n_steps = max(10, int(hours * 3600 / seconds))
    replace_text(path, yaml.safe_dump({"hours": hours, "n_steps": n_steps}))
    return n_steps


def _seconds_a_step(config: DictConfig) -> float:
    """Of a trial that leaves nothing behind. A tenth of all steps have an identity loss, too."""
    seconds = []
    for identity_steps in (0, 10**9):
        trial = config.copy()
        trial.objective.identity_steps = identity_steps
        with tempfile.TemporaryDirectory() as folder:
            trainer = prepare_trainer(trial, Path(folder))
            trainer.train_step()  # the first step allocates
            start = time.monotonic()
            for _ in range(TRIAL_STEPS):
                trainer.train_step()
            seconds.append((time.monotonic() - start) / TRIAL_STEPS)
    return 0.9 * seconds[0] + 0.1 * seconds[1]
