"""`voiceconv distill train`: what a teacher said to a streaming student."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import class_of
from voiceconv.commands import train
from voiceconv.converter import PARTS
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.data.statistics import read_stats
from voiceconv.data.stores import local
from voiceconv.data.taught import TaughtCrops, fit_scales, read_taught
from voiceconv.errors import InputError
from voiceconv.models import Translator
from voiceconv.models.streaming import StreamingTranslator
from voiceconv.runs.hydra_main import call_hydra, run_training
from voiceconv.runs.settings import STUDENT
from voiceconv.runs.setup import (
    make_objective,
    make_trainer,
    require_same_frames,
    require_same_loudness,
    warn_of_short,
)
from voiceconv.runs.student_validation import StudentValidation
from voiceconv.training.distributed import Ranks
from voiceconv.training.trainer import Trainer

FIXED = tuple(part for part in train.FIXED if part != "batches")  # for a run's whole life


def train_student_command(arguments: Sequence[str]) -> None:
    """Train a streaming model with Hydra's overrides; see `call_hydra`."""
    call_hydra(_hydra_main, arguments, "distill train")


@hydra.main(config_path="pkg://voiceconv.conf", config_name="train_student", version_base="1.3")
def _hydra_main(config: DictConfig) -> None:
    run_training(config, STUDENT, prepare_student_trainer)


def prepare_student_trainer(config: DictConfig, folder: Path, ranks: Ranks = Ranks()) -> Trainer:  # noqa: B008 (frozen)
    """Build the trainer of a configuration in `folder`, without training.

    Raises InputError.
    """
    if not issubclass(class_of(config.translator, Translator), StreamingTranslator):
        raise InputError(
            f"{config.translator._target_} does not stream; override `translator` with streaming"
        )
    dump = local(config.data.dump)
    require_same_frames(config.features, dump / "train")
    require_same_loudness(config.data.loudness, dump / "train")
    utterances, stats = read_taught(dump / "train"), read_stats(dump / "train")
    if utterances.keys() != stats.keys():
        raise InputError(
            f"{dump / 'train'} has the targets {', '.join(utterances)}, its statistics are of "
            f"{', '.join(stats)}; make it by `voiceconv distill pairs`"
        )
    torch.manual_seed(config.seed)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    model = {part: plain[part] for part in PARTS} | {"loudness": config.data.loudness}
    converter = StreamingConverter(model, stats)
    spectrum, n_frames = converter.spectrum, config.data.n_frames
    scales = fit_scales(utterances, spectrum, n_frames)
    network = converter.translator
    network.scale_by(**scales._asdict())
    if config.init_from is not None:
        train.start_from(config.init_from, converter)
    batches = TaughtCrops(
        utterances,
        spectrum,
        network.usual.clone(),
        n_frames,
        config.data.batch_size,
        config.seed,
        ranks.rank,
        ranks.world_size,
    )
    if ranks.is_main:
        warn_of_short(
            batches.n_left_out, f"{batches.n_given} utterances", f"a crop of {n_frames} frames"
        )
    n_channels = converter.representation.n_channels
    objective = make_objective(
        config, network, n_channels, len(stats), ranks.rank, pitches=spectrum.pitches
    )
    val = read_taught(dump / "val") if (dump / "val" / "feats.scp").exists() else {}
    card = {"experiment": config.name, **plain["card"]}
    validator = StudentValidation(
        folder, converter, val, config.validation.n_scored, card, config.trainer.ship == "best"
    )
    return make_trainer(config, folder, ranks, objective, batches, validator, FIXED)
