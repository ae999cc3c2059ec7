"""What `voiceconv info` says of a model, or of a configuration that is not yet trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, build_factory, compose_config
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor
from voiceconv.model_directory import WEIGHTS, bundled_models, find_model, read_config
from voiceconv.models import Discriminator, Generator
from voiceconv.models.complexity import describe
from voiceconv.vocoders import Vocoder


def model_info(model: Path | str | None) -> dict[str, Any]:
    """A model's card: domains, features, networks, size, and what its maker stated."""
    folder = find_model(model)
    config = read_config(folder)
    weights = folder / WEIGHTS
    return {
        "name": folder.parent.name if folder.name == "model" else folder.name,
        "domains": config["domains"],
        "features": config["features"],
        "translator": config["translator"],
        "vocoder": config["vocoder"],
        "loudness": config["loudness"],
        "megabytes": round(weights.stat().st_size / 1e6, 2) if weights.exists() else None,
        **(config.get("card") or {}),
    }


def list_models() -> list[dict[str, Any]]:
    """The bundled models' cards."""
    return [model_info(folder) for folder in bundled_models()]


def experiment_info(overrides: Sequence[str], config_dir: Path | None = None) -> dict[str, Any]:
    """Size, arithmetic and reach of one direction's generator and one discriminator."""
    config = _compose(overrides, config_dir)
    extractor = build(config.features, FeatureExtractor)
    n_channels = extractor.n_channels
    generator = build_factory(config.translator.generator, Generator)(n_channels=n_channels)
    discriminator = build(config.discriminator, Discriminator, n_channels=n_channels)
    return {
        "networks": {
            name: describe(network, n_channels, extractor.frames_per_second)
            for name, network in (("generator", generator), ("discriminator", discriminator))
        }
    }


def features_node(choice: str, config_dir: Path | None = None) -> dict[str, Any]:
    """The extractor's node of `experiment=NAME`, or of a features group by its name."""
    override = choice if "=" in choice else f"features={choice}"
    node: dict[str, Any] = OmegaConf.to_container(  # type: ignore[assignment]
        _compose([override], config_dir).features, resolve=True
    )
    return node


def copy_vocoder(features: str) -> Vocoder[Any]:
    """The vocoder, with its extractor, that belongs to a features group by its name."""
    vocoders = {"world": "world", "mel": "griffin_lim"}
    if features not in vocoders:
        raise InputError(f"no features {features!r}; choose from {', '.join(vocoders)}")
    config = _compose([f"features={features}", f"vocoder={vocoders[features]}"], None)
    extractor = build(config.features, FeatureExtractor)
    return build(config.vocoder, Vocoder, extractor=extractor)


def _compose(overrides: Sequence[str], config_dir: Path | None) -> DictConfig:
    """A configuration to look at: what only a run needs is filled in."""
    return compose_config([*overrides, "name=info", "run_dir=info", "data.dump=none"], config_dir)
