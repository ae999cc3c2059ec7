"""From a configuration to a trainer in its folder: checks, and the files of a run."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from voiceconv.build import build, build_factory, class_of, same_settings
from voiceconv.data.dump import read_loudness, read_yaml
from voiceconv.device import pick_device
from voiceconv.errors import InputError
from voiceconv.features import Representation, differences
from voiceconv.files import read_mapping, replace_text, require_utf8
from voiceconv.models import Discriminator, Translator
from voiceconv.objectives import PLAYERS, Objective
from voiceconv.provenance import write_provenance
from voiceconv.training.distributed import Ranks
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Batches, Trainer, Validator

DEVICE = "trainer.device="  # what a device is given with
log = logging.getLogger(__name__)


def make_objective(
    config: DictConfig,
    translator: Translator,
    n_channels: int,
    n_domains: int,
    rank: int = 0,
    **others: Any,
) -> Objective[Any]:
    """The objective with its players' networks; others: what else it takes. Raises InputError."""
    takes = inspect.signature(class_of(config.objective, Objective)).parameters
    own = {"n_channels": n_channels} if "n_channels" in takes else {}
    return build(
        config.objective,
        Objective,
        translator=translator,
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=n_channels),
        n_domains=n_domains,
        seed=config.seed + rank,
        **own,
        **others,
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
    found = read_loudness(dump)
    if found != loudness:
        raise InputError(
            f"{dump} was extracted at {found} LUFS, data.loudness is {loudness}: give "
            f"data.loudness={'null' if found is None else found}, or extract again"
        )


def _fixed(config: Mapping[str, Any], key: str) -> object:
    """A part that a run may not change; the paths of its data may change. null is as not given."""
    value = config.get(key)
    if key != "data" or not isinstance(value, Mapping):
        return value
    return {
        name: one
        for name, one in value.items()
        if name not in ("dump", "waves") and one is not None
    }


def write_run_files(config: DictConfig, folder: Path, fixed: Sequence[str]) -> None:
    """Write config.yaml and provenance.json; `fixed`: keys that a run may not change.

    Raises InputError where the folder holds a run of another configuration.
    """
    require_utf8(folder, "TensorBoard")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    now: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    if path.exists():
        before = read_mapping(path, "delete it if the run's settings are those of before")
        known = [key for key in fixed if key in before]  # an older version had fewer
        changed = [key for key in known if not same_settings(_fixed(before, key), _fixed(now, key))]
        if changed:
            raise InputError(
                f"{folder} holds a run of another configuration ({', '.join(changed)} differ); "
                "give another run_dir, or the overrides of that run"
            )
    write_provenance(folder / "provenance.json", seed=config.seed)
    replace_text(path, OmegaConf.to_yaml(config, resolve=True))
