"""From a configuration to a trainer in its folder: checks, and the files of a run."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from voiceconv.build import build, build_factory
from voiceconv.data.dump import read_yaml
from voiceconv.device import pick_device
from voiceconv.errors import InputError
from voiceconv.features import Representation, differences
from voiceconv.files import replace_text, require_utf8
from voiceconv.models import Discriminator, Translator
from voiceconv.objectives import PLAYERS, Objective
from voiceconv.provenance import write_provenance
from voiceconv.training.distributed import Ranks
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Batches, Trainer, Validator

DEVICE = "trainer.device="  # what a device is given with
log = logging.getLogger(__name__)


def make_objective(
    config: DictConfig, translator: Translator, n_channels: int, n_domains: int, rank: int = 0
) -> Objective[Any]:
    """The objective with its players' networks. Raises InputError."""
    return build(
        config.objective,
        Objective,
        translator=translator,
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=n_channels),
        n_domains=n_domains,
        seed=config.seed + rank,
    )


def make_trainer(
    config: DictConfig,
    folder: Path,
    ranks: Ranks,
    objective: Objective,
    batches: Batches,
    validator: Validator,
    fixed: Sequence[str],
) -> Trainer:
    """Build the trainer; write config.yaml and provenance.json only when everything was built.

    fixed: keys of the configuration that a run may not change. Raises InputError.
    """
    settings = dict(config.trainer)
    trainer = Trainer(
        objective,
        batches,
        {player: build_factory(config.optimizer[player], Optimizer) for player in PLAYERS},
        LinearDecay(settings.pop("n_steps"), settings.pop("decay_start")),
        folder,
        device=pick_device(settings.pop("device"), DEVICE),
        ranks=ranks,
        validator=validator,
        seed=config.seed,
        **settings,
    )
    if ranks.is_main:
        write_run_files(config, folder, fixed)
    return trainer


def require_counts(config: DictConfig) -> None:
    """Raise InputError for a number of steps, frames or the like that can't be one."""
    lowest = dict.fromkeys(("data.n_frames", "data.batch_size", "trainer.n_steps"), 1)
    lowest |= {f"trainer.{what}_every": 0 for what in ("log", "checkpoint", "validate")}
    lowest |= {"validation.n_scored": 1, "validation.n_utterances": 0, "seed": 0}
    lowest["trainer.replay_size"] = 0
    lowest |= {"validation.n_directions": 1} if "n_directions" in config.validation else {}
    if config.trainer.patience is not None:
        lowest["trainer.patience"] = 1
    for key, least in lowest.items():
        value = OmegaConf.select(config, key)
        if not isinstance(value, int) or value < least:
            raise InputError(f"{key} is {value!r}; it takes a whole number, {least} or more")
    if config.trainer.patience is not None and not config.trainer.validate_every:
        raise InputError(
            f"trainer.patience is {config.trainer.patience} validations, and "
            "trainer.validate_every=0 makes none; give trainer.patience=null or another "
            "trainer.validate_every"
        )


def warn_of_short(n_left_out: int, of: str, what: str) -> None:
    """Say how many utterances training goes without: on the terminal and in train.log."""
    if n_left_out:
        log.warning(
            f"{n_left_out} of {of} are shorter than {what} and are left out; lower data.n_frames "
            "to use them"
        )


def require_same_frames(features: Mapping[str, Any] | DictConfig, dump: Path) -> None:
    """Raise InputError where a split of a dump holds other frames than the experiment's node."""
    there = read_yaml(dump / "features.yaml")
    if features == there:
        return
    wanted, found = (build(node, Representation).definition for node in (features, there))
    if differing := differences(wanted, found):
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


def _fixed(config: DictConfig, key: str) -> object:
    """A part that a run may not change; the paths of its data may change."""
    value = config.get(key)
    if key != "data" or not isinstance(value, DictConfig):
        return value
    return {name: one for name, one in value.items() if name not in ("dump", "waves")}


def write_run_files(config: DictConfig, folder: Path, fixed: Sequence[str]) -> None:
    """Write config.yaml and provenance.json; `fixed`: keys that a run may not change.

    Raises InputError where the folder holds a run of another configuration.
    """
    require_utf8(folder, "TensorBoard")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    OmegaConf.resolve(config)
    if path.exists():
        before = DictConfig(OmegaConf.load(path))
        known = [key for key in fixed if key in before]  # an older version had fewer
        changed = [key for key in known if _fixed(before, key) != _fixed(config, key)]
        if changed:
            raise InputError(
                f"{folder} holds a run of another configuration ({', '.join(changed)} differ); "
                "give another run_dir, or the overrides of that run"
            )
    replace_text(path, OmegaConf.to_yaml(config))
    write_provenance(folder / "provenance.json", seed=config.seed)
