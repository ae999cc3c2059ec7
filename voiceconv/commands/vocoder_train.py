"""`voiceconv vocoder train`: a configuration and an extracted corpus with waves to a vocoder."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build
from voiceconv.data.archive import read_scp
from voiceconv.data.segments import WaveSegments, read_segments_dump
from voiceconv.data.stores import local
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram
from voiceconv.models.base import SpectralGenerator, WaveGenerator
from voiceconv.models.layers import load_folded
from voiceconv.objectives.vocoder import Vocoding
from voiceconv.runs.hydra_main import call_hydra, run_training
from voiceconv.runs.settings import VOCODER
from voiceconv.runs.setup import (
    make_trainer,
    require_same_frames,
    require_same_loudness,
    warn_of_short,
)
from voiceconv.runs.vocoder_validation import VocoderValidation
from voiceconv.training.distributed import Ranks
from voiceconv.training.trainer import Trainer
from voiceconv.vocoders.directory import find_vocoder, read_vocoder

FIXED = ("features", "generator", "objective", "seed", "data", "init_from")  # for a run's life


def train_vocoder_command(arguments: Sequence[str]) -> None:
    """Train a vocoder with Hydra's overrides; see `call_hydra`."""
    call_hydra(_hydra_main, arguments, "vocoder train")


@hydra.main(config_path="pkg://voiceconv.conf", config_name="train_vocoder", version_base="1.3")
def _hydra_main(config: DictConfig) -> None:
    run_training(config, VOCODER, prepare_vocoder_trainer)


def prepare_vocoder_trainer(config: DictConfig, folder: Path, ranks: Ranks = Ranks()) -> Trainer:  # noqa: B008 (frozen)
    """Build the trainer of a configuration in `folder`, without training.

    Raises InputError.
    """
    dump = local(config.data.dump)
    extractor = build(config.features, MelSpectrogram)
    require_same_frames(config.features, dump / "train")
    require_same_loudness(config.data.loudness, dump / "train")
    torch.manual_seed(config.seed)
    generator = make_generator(config, extractor)
    utterances = read_segments_dump(dump / "train")
    batches = WaveSegments(
        utterances,
        extractor.hop_length,
        config.data.n_frames,
        config.data.batch_size,
        config.seed,
        ranks.rank,
        ranks.world_size,
        generator.frame_centre,
    )
    if ranks.is_main:
        segment = f"a segment of {batches.n_frames} frames"
        warn_of_short(batches.n_left_out, f"{len(utterances)} utterances", segment)
    objective = build(
        config.objective, Vocoding, generator=generator, mel=all_frequencies(extractor)
    )
    require_long_segments(config.data.n_frames, objective.shortest, extractor.hop_length)
    validator = VocoderValidation(
        folder,
        vocoder_config(config, extractor),
        read_val(dump / "val", extractor),
        config.validation.n_scored,
        config.validation.n_utterances,
        with_last=config.trainer.ship == "best",
    )
    return make_trainer(config, folder, ranks, objective, batches, validator, FIXED)


def require_long_segments(n_frames: int, shortest: int, hop_length: int) -> None:
    """Raise InputError if training segments have fewer samples than the losses need."""
    if n_frames * hop_length < shortest:
        raise InputError(
            f"data.n_frames is {n_frames}, {n_frames * hop_length} samples; the losses take "
            f"{-(-shortest // hop_length)} frames or more"
        )


def read_val(dump: Path, extractor: MelSpectrogram) -> list[tuple[np.ndarray, np.ndarray]]:
    """The scored utterances; empty without val. Raises InputError for another mel."""
    if not (dump / "feats.scp").exists() or not read_scp(dump / "feats.scp"):
        return []
    require_same_frames(extractor.spec.node, dump)
    return read_segments_dump(dump)


def make_generator(config: DictConfig, extractor: MelSpectrogram) -> WaveGenerator:
    """A new network, or that of `init_from`. Raises InputError for another network or mel."""
    generator = build(
        config.generator,
        WaveGenerator,
        n_channels=extractor.n_channels,
        hop_length=extractor.hop_length,
    )
    if config.init_from is None:
        if isinstance(generator, SpectralGenerator):
            generator.start_from(*extractor.log_magnitude_map())
        return generator
    folder = find_vocoder(config.init_from)
    known, weights = read_vocoder(folder)
    differing = extractor.spec.difference(build(known["features"], MelSpectrogram).spec)
    if differing:
        raise InputError(
            f"init_from={folder} speaks another mel: {'; '.join(differing)}; begin with one of "
            "the experiment's"
        )
    try:
        load_folded(generator, weights)
    except RuntimeError as error:
        raise InputError(
            f"init_from={folder} holds another network than {config.generator._target_} of this "
            f"experiment ({str(error).splitlines()[-1].strip()[:120]}); override `generator` too"
        ) from error
    return generator


def all_frequencies(extractor: MelSpectrogram) -> torch.nn.Module:
    """The mel for the losses: the extractor's, up to half the sample rate."""
    node = extractor.spec.node | {"f_min": 0.0, "f_max": extractor.sample_rate / 2}
    return build(node, MelSpectrogram).log_mel


def vocoder_config(config: DictConfig, extractor: MelSpectrogram) -> dict[str, Any]:
    """The part of a training configuration that ships with the vocoder, without its steps."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    card = {"experiment": plain["name"], **plain["card"]}
    return {
        "features": extractor.spec.node,
        "generator": copy.deepcopy(plain["generator"]),
        "card": card,
    }
