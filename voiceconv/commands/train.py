"""`voiceconv train`: a configuration and an extracted corpus to a run with a model in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, build_factory
from voiceconv.converter import PARTS, Converter, FileConverter, converter_class
from voiceconv.data.crops import UnpairedCrops
from voiceconv.data.dump import read_dump
from voiceconv.data.statistics import read_stats
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, Representation
from voiceconv.models import Discriminator
from voiceconv.objectives import Objective
from voiceconv.runs.file_validation import FileValidation
from voiceconv.runs.hydra_main import call_hydra, run_training
from voiceconv.runs.setup import (
    make_trainer,
    require_counts,
    require_same_frames,
    require_same_loudness,
    warn_of_short,
)
from voiceconv.runs.validation import Validation
from voiceconv.training.distributed import Ranks
from voiceconv.training.trainer import Trainer, Validator

FIXED = (
    "features",
    "translator",
    "discriminator",
    "objective",
    "vocoder",
    "seed",
    "data",
)  # for a run's whole life


def train_command(arguments: Sequence[str]) -> None:
    """Train a converter as Hydra is told; see `call_hydra`."""
    call_hydra(_hydra_main, arguments, "train")


@hydra.main(config_path="pkg://voiceconv.conf", config_name="config", version_base="1.3")
def _hydra_main(config: DictConfig) -> None:
    run_training(config, prepare_trainer)


def prepare_trainer(config: DictConfig, folder: Path, ranks: Ranks = Ranks()) -> Trainer:  # noqa: B008 (frozen)
    """All that a configuration describes, put together for `folder`; nothing is trained yet.

    Raises InputError.
    """
    require_counts(config)
    dump = Path(config.data.dump) / "train"
    representation = build(config.features, Representation)
    require_same_frames(representation, dump)
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
    converter = converter_class(config.features)(model_config(config), stats)
    objective = build(
        config.objective,
        Objective,
        translator=converter.translator,
        discriminator=build_factory(
            config.discriminator, Discriminator, n_channels=representation.n_channels
        ),
        n_domains=len(stats),
        seed=config.seed + ranks.rank,
    )
    validator = _validator(config, folder, converter)
    return make_trainer(config, folder, ranks, objective, batches, validator, FIXED)


def _validator(config: DictConfig, folder: Path, converter: Converter | FileConverter) -> Validator:
    if isinstance(converter, FileConverter):
        return FileValidation(config, folder, converter)
    return Validation(config, folder, converter)


def model_config(config: DictConfig) -> dict[str, Any]:
    """What of a training configuration goes with the model; without a vocoder it is None."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return {part: plain.get(part) for part in PARTS} | {"loudness": plain["data"]["loudness"]}


def read_domains(dump: Path, stats: Mapping[str, DomainStats]) -> dict[str, list[np.ndarray]]:
    """The dump's frames by domain. Raises InputError unless its domains are the statistics'."""
    utterances = read_dump(dump)
    if utterances.keys() != stats.keys():
        raise InputError(
            f"{dump} holds {', '.join(utterances)}, its statistics are of {', '.join(stats)}; run "
            f"`voiceconv stats {dump}` again"
        )
    return utterances
