"""Find features and vocoders by the names that users give."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, class_of, compose_config, options
from voiceconv.converter.directory import find_model, read_model
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor, Representation
from voiceconv.models import Translator
from voiceconv.models.streaming import StreamingTranslator
from voiceconv.vocoders import Vocoder
from voiceconv.vocoders.directory import find_vocoder, read_vocoder
from voiceconv.vocoders.fitting import fitting_vocoder, plain_vocoders

NEURAL = "voiceconv.vocoders.neural.NeuralVocoder"


def features_node(choice: str, config_dir: Path | None = None) -> dict[str, Any]:
    """The extractor's node: an option of `features`, `experiment=NAME`, a neural vocoder's own.

    An experiment is a converter's or a vocoder's. Raises InputError.
    """
    node: dict[str, Any] = _nodes(choice, config_dir)["features"]
    return node


def open_features(choice: str, config_dir: Path | None = None) -> Representation:
    """What `features_node` says, built. Raises InputError."""
    return build(features_node(choice, config_dir), Representation)


def open_vocoder(
    features: str | None = None, vocoder: str | None = None, model: str | None = None
) -> Vocoder[Any]:
    """Open a vocoder with its extractor, for copy-synthesis.

    Args:
        features: as features_node takes them; None: the neural vocoder's own, or the model's.
        vocoder: an option of `vocoder` that needs no weights, as `griffin_lim` and `world` do, or
            a neural one as NeuralVocoder takes it; None: the one that goes with the features, with
            the experiment or in the model.
        model: the conversion model that is asked where nothing else is said.

    Raises InputError for an unknown name, and for a vocoder of other features.
    """
    plain = plain_vocoders() if vocoder is not None else {}
    if features is None and vocoder is not None and vocoder not in plain:
        features = str(find_vocoder(vocoder))
    nodes = _nodes(features) if features is not None else read_model(find_model(model))[0]
    if not issubclass(class_of(nodes["features"], Representation), FeatureExtractor):
        raise InputError(f"{features or model} is of files without a wave; resynth is for audio")
    extractor = build(nodes["features"], FeatureExtractor)
    if vocoder in plain:
        node = plain[vocoder]
    elif vocoder is not None:
        node = {"_target_": NEURAL, "model": vocoder}
    elif "vocoder" in nodes:
        node = nodes["vocoder"]
    elif features in options("features"):
        raise InputError(f"no vocoder makes waves of {features} features; name one with --vocoder")
    else:
        raise InputError(f"{features} trains a vocoder and has none; name one with --vocoder")
    return build(node, Vocoder, extractor=extractor)


def composed(
    overrides: Sequence[str], config_dir: Path | None = None, root: str = "config"
) -> DictConfig:
    """Compose a configuration for inspection; keys that only a run needs are filled in."""
    filled = ["name=info", "run_dir=info", "data.dump=none"]
    return compose_config([*overrides, *filled], config_dir, root)


def is_student(config: DictConfig) -> bool:
    """Whether `voiceconv distill train` is what trains it."""
    node = config.get("translator")
    return node is not None and issubclass(class_of(node, Translator), StreamingTranslator)


def root_of(overrides: Sequence[str], config_dir: Path | None = None) -> str:
    """The training that has the chosen experiment: `config` where a converter's has it or none."""
    chosen = [one for one in overrides if one.startswith(("experiment=", "generator="))]
    for root in ("config", "train_vocoder"):
        with suppress(InputError):
            config = composed(chosen, config_dir, root)
            return "train_student" if is_student(config) else root
    return "config"


def _nodes(choice: str, config_dir: Path | None = None) -> dict[str, Any]:
    """`features` and the `vocoder` that goes with them, if one does."""
    groups = options("features", config_dir)
    if choice in groups:
        features = _plain(composed([f"features={choice}"], config_dir))["features"]
        vocoder = fitting_vocoder(class_of(features, Representation))
        return {"features": features} | ({} if vocoder is None else {"vocoder": vocoder})
    if choice.startswith("experiment="):
        return _plain(composed([choice], config_dir, root_of([choice], config_dir)))
    try:
        folder = find_vocoder(choice)
    except InputError:
        raise InputError(
            f"no features {choice!r}; choose from {', '.join(groups)}, experiment=NAME, or name a "
            "vocoder that was trained on them"
        ) from None
    return {
        "features": read_vocoder(folder)[0]["features"],
        "vocoder": {"_target_": NEURAL, "model": str(folder)},
    }


def _plain(config: DictConfig) -> dict[str, Any]:
    plain: dict[str, Any] = {
        key: OmegaConf.to_container(config[key], resolve=True)
        for key in ("features", "vocoder")
        if key in config
    }
    return plain
