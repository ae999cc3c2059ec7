"""`baseline:NAME`: each is a converter, made from a dump or from the bundled model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voiceconv.baselines.knn import NearestFrames
from voiceconv.baselines.untouched import CopySynthesis, PitchShift
from voiceconv.build import build, class_of
from voiceconv.converter import Converter
from voiceconv.converter.directory import find_model, read_model
from voiceconv.data.dump import read_loudness, read_yaml
from voiceconv.data.pairs import Corpus
from voiceconv.data.statistics import read_stats
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, Representation, World
from voiceconv.vocoders.fitting import fitting_vocoder

# The node of a translator that changes nothing.
UNTOUCHED = {"_target_": "voiceconv.models.identity.IdentityTranslator"}


def _copy(dump: Path | None) -> Converter:
    return CopySynthesis(*_parts(dump))


def _statistics(dump: Path | None) -> Converter:
    return Converter(*_parts(dump))


def _f0shift(dump: Path | None) -> Converter:
    return _of_world(PitchShift(*_parts(dump)), "f0shift moves F0")


def _gmm(dump: Path | None) -> Converter:
    from voiceconv.baselines.gmm import MixtureTranslator  # scikit-learn: 1.5 s, for this one alone

    converter, corpus = _learning(dump, "gmm")
    corpus.require_pairs()
    domains = converter.domains
    converter.translator = MixtureTranslator(
        lambda source, target: corpus.pairs(domains[source], domains[target])
    )
    return converter


def _knn(dump: Path | None) -> Converter:
    converter, corpus = _learning(dump, "knn")
    converter.translator = NearestFrames(lambda domain: corpus.train(converter.domains[domain]))
    return converter


def open_baseline(name: str, dump: Path | None = None) -> Converter:
    """The converter of a baseline.

    dump: folder of an extracted corpus; it gives features, loudness and statistics. Without it the
    bundled model gives them, if the baseline needs no training frames.
    Raises InputError for an unknown name, and for a dump that is missing or does not fit.
    """
    if name not in BASELINES:
        raise InputError(f"no baseline {name!r}; choose from {', '.join(BASELINES)}")
    return BASELINES[name](dump)


BASELINES: Mapping[str, Callable[[Path | None], Converter]] = {
    "copy": _copy,
    "statistics": _statistics,
    "f0shift": _f0shift,
    "gmm": _gmm,
    "knn": _knn,
}


def _parts(dump: Path | None) -> tuple[dict[str, Any], dict[str, DomainStats]]:
    """The configuration and statistics of a converter whose translator changes nothing."""
    if dump is None:
        config, stats, _ = read_model(find_model(None))
    else:
        config, stats = _config(dump / "train"), read_stats(dump / "train")
    return config | {"translator": UNTOUCHED}, stats


def _config(train: Path) -> dict[str, Any]:
    """The features and loudness of an extracted split, and a fitting vocoder."""
    features = read_yaml(train / "features.yaml")
    if not issubclass(class_of(features, Representation), FeatureExtractor):
        raise InputError(f"{train} is of files without a wave, and baselines are of sound")
    extractor = build(features, FeatureExtractor)
    vocoder = fitting_vocoder(type(extractor))
    if vocoder is None:
        raise InputError(f"{train}: no vocoder makes waves of {type(extractor).__name__} features")
    return {
        "features": features,
        "vocoder": vocoder,
        "loudness": read_loudness(train),
    }


def _learning(dump: Path | None, name: str) -> tuple[Converter, Corpus]:
    """A converter without its translator, and the corpus that the translator learns from."""
    if dump is None:
        raise InputError(
            f"baseline:{name} learns from an extracted corpus; give the folder that "
            "`voiceconv extract` has written with --dump"
        )
    converter = _of_world(Converter(*_parts(dump)), f"{name} maps mel-cepstra")
    return converter, Corpus(dump, converter.stats)


def _of_world(converter: Converter, what: str) -> Converter:
    """Raise InputError unless the converter's features are WORLD's."""
    if not isinstance(converter.extractor, World):
        raise InputError(
            f"baseline:{what}, which {type(converter.extractor).__name__} features have not; "
            "extract with --features world"
        )
    return converter
