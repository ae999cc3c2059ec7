"""`voiceconv fit`: folders of recordings to a model, in one command that can be called again."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import as_override, build, class_of, compose_config
from voiceconv.commands.outcome import measure, table
from voiceconv.commands.train import FIXED, prepare_trainer
from voiceconv.converter import Converter, open_model
from voiceconv.data.extract import LeftOutError, extract
from voiceconv.data.prepare import Summary, prepare
from voiceconv.data.splits import SPLITS
from voiceconv.data.statistics import write_stats
from voiceconv.device import pick_device
from voiceconv.errors import InputError, RunError
from voiceconv.features import Representation
from voiceconv.files import locked, read_mapping, replace_text, require_utf8
from voiceconv.model_folder import BUNDLED
from voiceconv.models import Translator
from voiceconv.objectives import Objective
from voiceconv.progress import progress_bar
from voiceconv.runs.settings import CONVERTER, check_settings
from voiceconv.runs.setup import DEVICE
from voiceconv.schema import Above0, Steps, fits

TRIM = 40.0  # dB below the loudest: silence at both ends is cut
TRIAL_STEPS = 1000  # of the trial's plan; where in it a step is measured:
MEASURED = range(50, TRIAL_STEPS, 100)
SAMPLE = BUNDLED / "sample.wav"
EXPERIMENT = "any_to_many"
PLAN = "fit.yaml"  # the plan of the first call, for resumed ones


class Plan(NamedTuple):
    """The length of a run in hours and steps, and the objective's keywords that depend on it."""

    hours: Above0
    n_steps: Steps
    objective: Mapping[str, Any]


_PLAN = get_type_hints(Plan, include_extras=True)
_ANEW = "delete it to plan anew"


def fit(
    speakers: Path,
    output: Path,
    hours: float,
    experiment: str | None,
    jobs: int | None,
    say: Callable[[str], None],
    show: Callable[[Summary], None],
) -> None:
    """Prepare, extract, compute statistics, train for about `hours`; each step can be resumed.

    experiment: by default that of the run in `output`, or else EXPERIMENT.
    Writes OUTPUT/model, and OUTPUT/{data,dump,checkpoints} for resuming. Raises RunError when
    interrupted.
    """
    require_utf8(output, "TensorBoard")
    config = _config(experiment, output)
    with locked(output, "training in"):
        _extract(config, speakers, jobs, say, show)
        say("3/4 taking statistics")
        domains = sorted(write_stats(Path(config.data.dump) / "train"))
        if len(domains) == 1:
            config.data.targets = domains
        plan = _plan(config, output, hours)
        _apply(plan, config)
        say(f"4/4 training: {plan.n_steps:,} steps; Ctrl-C saves, the same command goes on")
        trainer = prepare_trainer(config, output)
        finished = trainer.run()
    if not finished:
        raise RunError(f"stopped at step {trainer.step} and saved; the same command goes on")
    _say_outcome(output, Path(config.data.waves), say)


def _say_outcome(output: Path, data: Path, say: Callable[[str], None]) -> None:
    """What the model makes of val, where that can be measured."""
    converter = open_model(output)
    if not isinstance(converter, Converter):
        return
    try:
        outcomes = measure(converter, data, SAMPLE)
    except (InputError, RunError) as reason:
        say(f"not measured: {reason}")
        return
    say(f"conversions of {data / 'val' if len(converter.domains) > 1 else SAMPLE}:")
    for line in table(outcomes):
        say(line)


def _extract(
    config: DictConfig,
    speakers: Path,
    jobs: int | None,
    say: Callable[[str], None],
    show: Callable[[Summary], None],
) -> None:
    """The recordings, unless an earlier call has listed them, then their features."""
    data, dump = Path(config.data.waves), Path(config.data.dump)
    if not (data / "train" / "wav.scp").exists():
        say("1/4 looking at the recordings")
        _prepare(config, speakers, data, show)
    else:
        folder = data.parent
        say(f"1/4 going on with the recordings listed in {data}; delete {folder} to start anew")
    say("2/4 extracting features")
    features = dict(config.features)
    loudness = config.data.loudness
    try:
        with progress_bar("extract") as progress:
            extract(data, dump, features, jobs, trim=TRIM, loudness=loudness, progress=progress)
    except LeftOutError as error:  # an evening is not to be lost for a damaged file
        say(f"going on without what failed: {error}")


def _prepare(
    config: DictConfig, speakers: Path, data: Path, show: Callable[[Summary], None]
) -> None:
    summary = prepare(speakers, data, representation=build(config.features, Representation))
    domains = {row.domain for row in summary.rows}
    if len(domains) < 2 and not class_of(config.translator, Translator).any_source:
        for split in SPLITS:  # else the next call would go on with them
            shutil.rmtree(data / split, ignore_errors=True)
        raise InputError(
            f"{speakers} holds the one domain {', '.join(domains)}; {config.name} converts between "
            "two folders, and any_to_many any voice into one"
        )
    show(summary)


def _config(experiment: str | None, output: Path) -> DictConfig:
    """The experiment's configuration with the folders of a run in `output`. Raises InputError."""
    path = output / "config.yaml"
    begun = read_mapping(path, "delete the folder to start anew") if path.exists() else {}
    experiment = experiment or begun.get("name", EXPERIMENT)
    folders = {"run_dir": output, "data.dump": output / "dump", "data.waves": output / "data"}
    config = compose_config(
        [
            f"experiment={experiment}",
            f"name={experiment}",
            *(as_override(key, str(folder)) for key, folder in folders.items()),
        ]
    )
    if begun.get("name") == experiment:  # whatever a later version would choose
        for part in FIXED:
            if part in begun and part != "data":
                config[part] = begun[part]
    check_settings(config, CONVERTER)
    return config


def _plan(config: DictConfig, output: Path, hours: float) -> Plan:
    """The plan for the hours, from the time of a few steps; made once for a run.

    With other hours the run gets another length, but keeps its objective.
    """
    path = output / PLAN
    before = _read_plan(path) if path.exists() else None
    if before and before.hours == hours:
        return before
    n_steps = max(10, int(hours * 3600 / _seconds_a_step(config)))
    plan = Plan(hours, n_steps, before.objective if before else planned(config.objective, n_steps))
    replace_text(path, yaml.safe_dump(plan._asdict()))
    return plan


def planned(objective: DictConfig, n_steps: int) -> dict[str, Any]:
    """What follows from the length of a run: keywords of an objective, and of those inside it."""
    found = dict(class_of(objective, Objective).plan(n_steps))
    for name, part in objective.items():
        is_object = OmegaConf.is_dict(part) and "_target_" in part
        if is_object and issubclass(class_of(part, object), Objective):
            found[str(name)] = planned(part, n_steps)
    return found


def _apply(plan: Plan, config: DictConfig) -> None:
    config.trainer.n_steps, config.trainer.decay_start = plan.n_steps, plan.n_steps // 2
    for name, value in plan.objective.items():
        OmegaConf.update(config.objective, name, value, force_add=True)


def _seconds_a_step(config: DictConfig) -> float:
    """The mean time of steps from all parts of a plan, in a temporary trial."""
    trial, device = config.copy(), pick_device(config.trainer.device, DEVICE)
    _apply(Plan(0.0, TRIAL_STEPS, planned(config.objective, TRIAL_STEPS)), trial)
    with tempfile.TemporaryDirectory() as folder:
        with _unlogged():  # the run itself warns of the same
            trainer = prepare_trainer(trial, Path(folder))
        trainer.train_step()  # the first step allocates
        seconds = []
        for step in MEASURED:
            trainer.step = step
            start = _now(device)
            trainer.train_step()
            seconds.append(_now(device) - start)
    return sum(seconds) / len(seconds)


def _now(device: torch.device) -> float:
    """The time in seconds when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


@contextmanager
def _unlogged() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _read_plan(path: Path) -> Plan:
    """Read a plan; older ones have `identity_steps` at the top. Raises InputError."""
    stated = read_mapping(path, _ANEW)
    if "identity_steps" in stated:
        stated["objective"] = {"identity_steps": stated.pop("identity_steps")}
    if stated.keys() != _PLAN.keys() or not all(fits(stated[key], _PLAN[key]) for key in _PLAN):
        raise InputError(f"{path} is damaged; {_ANEW}")
    return Plan(**stated)
