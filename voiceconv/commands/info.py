"""`voiceconv info`: describe a model, or a configuration that is not trained yet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from voiceconv.build import build
from voiceconv.commands.choices import composed, root_of
from voiceconv.converter.directory import (
    WEIGHTS,
    bundled_models,
    called,
    find_model,
    read_config,
)
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram, Representation
from voiceconv.models import Translator
from voiceconv.models.base import WaveDiscriminator, WaveGenerator
from voiceconv.models.complexity import describe
from voiceconv.models.layers import fold_weight_norm
from voiceconv.runs.hydra_main import quote_path
from voiceconv.runs.settings import CONVERTER, STUDENT, VOCODER, check_settings
from voiceconv.runs.setup import make_objective
from voiceconv.vocoders import directory

SCHEMAS = {"config": CONVERTER, "train_vocoder": VOCODER, "train_student": STUDENT}  # by root


def model_info(model: Path | str | None) -> dict[str, Any]:
    """A model's card: domains, features, networks, size, and the author's statements.

    `model` may also be a neural vocoder.
    """
    try:
        folder = find_model(model)
    except InputError as error:
        try:
            return vocoder_info(directory.find_vocoder(model))
        except InputError:
            raise error from None
    config = read_config(folder)
    weights, card = folder / WEIGHTS, config.get("card") or {}
    return {
        "name": called(folder),
        "domains": config["domains"],
        "features": config["features"],
        "translator": config["translator"],
        "vocoder": config["vocoder"],
        "loudness": config["loudness"],
        "megabytes": round(weights.stat().st_size / 1e6, 2) if weights.exists() else None,
        **card,
        "consent": card.get("consent") or "not stated",
    }


def vocoder_info(folder: Path) -> dict[str, Any]:
    """A vocoder's card: mel, network, size, and the author's statements."""
    config = directory.read_config(folder)
    return {
        "name": called(folder),
        "features": config["features"],
        "generator": config["generator"],
        "megabytes": round((folder / directory.WEIGHTS).stat().st_size / 1e6, 2),
        **config["card"],
    }


def list_models() -> list[dict[str, Any]]:
    """The cards of bundled models and bundled vocoders."""
    vocoders = [vocoder_info(folder) for folder in directory.bundled_vocoders()]
    return [model_info(folder) for folder in bundled_models()] + vocoders


def experiment_info(
    overrides: Sequence[str], config_dir: Path | None = None, n_domains: int = 2
) -> dict[str, Any]:
    """Size, arithmetic and context of a translator's networks and of one discriminator.

    n_domains: what networks that know domains are made for.

    For a vocoder's or a student's experiment only the sizes of its networks, of the generator as it
    ships. Raises InputError for overrides that training would refuse.
    """
    root = root_of(overrides, config_dir)
    config = composed([quote_path(one) for one in overrides], config_dir, root)
    check_settings(config, SCHEMAS[root])
    if root == "train_vocoder":
        return _vocoder_sizes(config)
    representation = build(config.features, Representation)
    n_channels = representation.n_channels
    translator = build(config.translator, Translator, n_channels=n_channels, n_domains=n_domains)
    if root == "train_student":
        n_parameters = sum(p.numel() for p in translator.parameters())
        return {"networks": {"translator": {"parameters": n_parameters}}}
    objective = make_objective(config, translator, n_channels, n_domains)
    return {
        "networks": {
            name: describe(network, n_channels, representation.frames_per_second)
            for name, network in objective.networks().items()
        }
    }


def _vocoder_sizes(config: DictConfig) -> dict[str, Any]:
    extractor = build(config.features, MelSpectrogram)
    generator = build(
        config.generator,
        WaveGenerator,
        n_channels=extractor.n_channels,
        hop_length=extractor.hop_length,
    )
    fold_weight_norm(generator)
    judges = {
        kind: build(node, WaveDiscriminator)
        for kind, node in config.objective.discriminators.items()
    }
    return {
        "networks": {
            str(name): {"parameters": sum(p.numel() for p in network.parameters())}
            for name, network in {"generator": generator, **judges}.items()
        }
    }
