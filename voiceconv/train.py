"""`voiceconv train`: a configuration and an extracted corpus to a run with a model in it."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from torch.optim import Optimizer

from voiceconv.build import build, build_factory, one_line
from voiceconv.converter import PARTS, Converter
from voiceconv.data.dataset import UnpairedCrops, read_dump, read_yaml
from voiceconv.data.statistics import read_stats
from voiceconv.errors import InputError, RunError
from voiceconv.features import DomainStats, FeatureExtractor, differences
from voiceconv.files import locked, replace_text
from voiceconv.models import Discriminator
from voiceconv.objectives import PLAYERS, Objective
from voiceconv.provenance import write_provenance
from voiceconv.training.distributed import Ranks, joined_ranks
from voiceconv.training.trainer import Batches, Schedule, Trainer, Validator
from voiceconv.validation import Validation

FIXED = (
    "features",
    "translator",
    "discriminator",
    "objective",
    "vocoder",
    "seed",
    "data",
)  # for a run's whole life

log = logging.getLogger(__name__)

Prepare = Callable[[DictConfig, Path, Ranks], Trainer]


def train_command(
    arguments: Sequence[str], command: str = "train", main: Callable[[], None] | None = None
) -> None:
    """Hand the arguments to Hydra: overrides, `-m` and launchers work as its users know them.

    main: a function under `hydra.main`, which has its own configuration; None: a converter's.

    Raises InputError for a configuration that does not compose, RunError for a run that was
    interrupted (it is saved).
    """
    os.environ.setdefault(
        "HYDRA_FULL_ERROR", "1"
    )  # errors come through; the command line says them in one sentence
    sys.argv = [f"voiceconv {command}", *arguments]
    try:
        try:
            (main or _hydra_main)()
        except _Stopped as stopped:
            raise stopped.reason from None
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key} is not given; add {error.full_key}=VALUE") from error
    except (HydraException, OmegaConfBaseException) as error:
        said = one_line(error)
        if "Could not override" in said:  # what Hydra says of the other command's experiments
            said += " `voiceconv train` takes converters, `voiceconv vocoder train` vocoders."
        raise InputError(said) from error


@hydra.main(config_path="pkg://voiceconv.conf", config_name="config", version_base="1.3")
def _hydra_main(config: DictConfig) -> None:
    run_training(config, prepare_trainer)


def run_training(config: DictConfig, prepare: Prepare) -> None:
    """What is under `hydra.main`: train what `prepare` puts together, in Hydra's folder."""
    try:
        _train(config, Path(HydraConfig.get().runtime.output_dir), prepare)
    except (InputError, RunError, OmegaConfBaseException) as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # launchers tell by it which job has failed
        raise _Stopped(error) from error


class _Stopped(BaseException):
    """Takes an error past Hydra, which would print the overrides before our sentence."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


def _train(config: DictConfig, folder: Path, prepare: Prepare) -> None:
    on_cuda = pick_device(config.trainer.device).type == "cuda"
    with joined_ranks(on_cuda) as ranks:
        trainer = prepare(config, folder, ranks)
        with locked(folder, "training in") if ranks.is_main else nullcontext():
            finished = trainer.run()
        if not finished:
            raise RunError(
                f"stopped at step {trainer.step} and saved; the same command goes on from there"
            )


def prepare_trainer(config: DictConfig, folder: Path, ranks: Ranks = Ranks()) -> Trainer:  # noqa: B008 (frozen)
    """All that a configuration describes, put together for `folder`; nothing is trained yet.

    Raises InputError.
    """
    require_counts(config)
    dump = Path(config.data.dump) / "train"
    extractor = build(config.features, FeatureExtractor)
    require_same_frames(extractor, dump)
    require_same_loudness(config.data.loudness, dump)
    stats = read_stats(dump)
    utterances = read_domains(dump, stats)
    batches = UnpairedCrops(
        utterances,
        stats,
        config.data.n_frames,
        config.data.batch_size,
        config.seed,
        ranks.rank,
        ranks.world_size,
    )
    if ranks.is_main:
        for domain, n_left_out in batches.n_left_out.items():
            of = f"{len(utterances[domain])} utterances of {domain!r}"
            warn_of_short(n_left_out, of, f"a crop of {batches.n_frames} frames")
    torch.manual_seed(config.seed)
    converter = Converter(model_config(config), stats)
    objective = build(
        config.objective,
        Objective,
        translator=converter.translator,
        discriminator=build_factory(
            config.discriminator, Discriminator, n_channels=extractor.n_channels
        ),
        n_domains=len(stats),
        seed=config.seed + ranks.rank,
    )
    validator = Validation(config, folder, converter)
    return make_trainer(config, folder, ranks, objective, batches, validator, FIXED)


def make_trainer(
    config: DictConfig,
    folder: Path,
    ranks: Ranks,
    objective: Objective,
    batches: Batches,
    validator: Validator,
    fixed: Sequence[str],
) -> Trainer:
    """The trainer; what the run is of is written last, when all of it could be built.

    fixed: the configuration's keys that stay for a run's whole life. Raises InputError.
    """
    settings = dict(config.trainer)
    trainer = Trainer(
        objective,
        batches,
        {player: build_factory(config.optimizer[player], Optimizer) for player in PLAYERS},
        Schedule(settings.pop("n_steps"), settings.pop("decay_start")),
        folder,
        device=pick_device(settings.pop("device")),
        ranks=ranks,
        validator=validator,
        seed=config.seed,
        **settings,
    )
    if ranks.is_main:
        write_run_files(config, folder, fixed)
    return trainer


def model_config(config: DictConfig) -> dict[str, Any]:
    """What of a training configuration goes with the model."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return {part: plain[part] for part in PARTS} | {"loudness": plain["data"]["loudness"]}


def require_counts(config: DictConfig) -> None:
    """Raise InputError for a number of steps, frames or the like that can't be one."""
    lowest = dict.fromkeys(("data.n_frames", "data.batch_size", "trainer.n_steps"), 1)
    lowest |= {f"trainer.{what}_every": 1 for what in ("log", "checkpoint", "validate")}
    lowest |= {"validation.n_scored": 1, "validation.n_utterances": 0, "seed": 0}
    if config.trainer.patience is not None:
        lowest["trainer.patience"] = 1
    for key, least in lowest.items():
        value = OmegaConf.select(config, key)
        if not isinstance(value, int) or value < least:
            raise InputError(f"{key} is {value!r}; it takes a whole number, {least} or more")


def warn_of_short(n_left_out: int, of: str, what: str) -> None:
    """Say how many utterances training goes without: on the terminal and in train.log."""
    if n_left_out:
        log.warning(
            f"{n_left_out} of {of} are shorter than {what} and are left out; lower data.n_frames "
            "to use them"
        )


def require_same_frames(extractor: FeatureExtractor, dump: Path) -> None:
    """Raise InputError where a dump holds other frames than the experiment's."""
    found = build(read_yaml(dump / "features.yaml"), FeatureExtractor).definition
    if differing := differences(extractor.definition, found):
        raise InputError(
            f"{dump} was extracted with other features than this experiment's: "
            f"{'; '.join(differing)}; extract with this experiment into another directory"
        )


def require_same_loudness(loudness: float | None, dump: Path) -> None:
    """Raise InputError where a dump was brought to another loudness than the model will expect."""
    found = read_yaml(dump / "processing.yaml").get("loudness")
    if found != loudness:
        raise InputError(
            f"{dump} was extracted at {found} LUFS, data.loudness is {loudness}: give "
            f"data.loudness={'null' if found is None else found}, or extract again"
        )


def read_domains(dump: Path, stats: Mapping[str, DomainStats]) -> dict[str, list[np.ndarray]]:
    """The dump's frames by domain. Raises InputError unless its domains are the statistics'."""
    utterances = read_dump(dump)
    if utterances.keys() != stats.keys():
        raise InputError(
            f"{dump} holds {', '.join(utterances)}, its statistics are of {', '.join(stats)}; run "
            f"`voiceconv stats {dump}` again"
        )
    return utterances


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"trainer.device={name}: no CUDA device is there; use trainer.device=cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"trainer.device={name} is no device; use auto, cpu or cuda") from error


def _fixed(config: DictConfig, key: str) -> object:
    """What may not change in a run; where its data lie may, they can have moved."""
    value = config.get(key)
    if key != "data" or not isinstance(value, DictConfig):
        return value
    return {name: one for name, one in value.items() if name not in ("dump", "waves")}


def write_run_files(config: DictConfig, folder: Path, fixed: Sequence[str]) -> None:
    """config.yaml and provenance.json; `fixed` are the keys that stay for a run's whole life.

    Raises InputError where the folder holds a run of another configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    OmegaConf.resolve(config)
    if path.exists():
        before = DictConfig(OmegaConf.load(path))
        changed = [key for key in fixed if _fixed(before, key) != _fixed(config, key)]
        if changed:
            raise InputError(
                f"{folder} holds a run of another configuration ({', '.join(changed)} differ); "
                "give another run_dir, or the overrides of that run"
            )
    replace_text(path, OmegaConf.to_yaml(config))
    write_provenance(folder / "provenance.json", seed=config.seed)
