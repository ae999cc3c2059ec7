"""The models of the allow list, opened once; for the programs, which have torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voiceconv.converter import Converter, converter_class, open_model
from voiceconv.converter.directory import (
    DEFAULT,
    bundled_models,
    called,
    digest,
    find_model,
    read_config,
)
from voiceconv.errors import InputError
from voiceconv.hub import hub_name
from voiceconv.provenance.note import CONVERTED
from voiceconv.provenance.stamp import Stamp


def allowed(given: Sequence[str]) -> dict[str, str]:
    """Names for clients -> models: those that are given, then the bundled ones, of sound.

    Raises InputError where two have one name, and for a model of another kind of files.
    """
    models: dict[str, str] = {}
    for one in given:
        name = _name(one)
        if models.setdefault(name, one) != one:
            raise InputError(f"--model {models[name]} and {one}: both are {name!r}; rename one")
        if not _is_of_sound(find_model(one)):
            raise InputError(f"--model {one} is no model of sound; choose another")
    bundled = {DEFAULT: DEFAULT} | {path.name: path.name for path in bundled_models()}
    return models | {
        name: name for name in bundled if name not in models and _is_of_sound(find_model(name))
    }


def _is_of_sound(folder: Path) -> bool:
    return converter_class(read_config(folder)["features"]) is Converter


class Models:
    """Models by their names, each opened at its first use and kept."""

    def __init__(self, given: Sequence[str]) -> None:
        self._models = allowed(given)
        self._opened: dict[str, tuple[Converter, str]] = {}  # with the digest of its folder

    def __getitem__(self, name: str) -> Converter:
        return self._open(name)[0]

    def _open(self, name: str) -> tuple[Converter, str]:
        if name not in self._opened:
            folder = find_model(self._models[name])
            converter = open_model(folder)
            assert isinstance(converter, Converter), name
            self._opened[name] = converter, digest(folder)
        return self._opened[name]

    def stamp(self, name: str, **facts: object) -> Stamp:
        """What writes a conversion by a model; facts: what its note says of it, too."""
        return Stamp(CONVERTED, {"model": name, "sha256": self._open(name)[1], **facts})

    def described(self) -> list[dict[str, Any]]:
        """What clients are told of each."""
        return [describe(name, self[name]) for name in self._models]


def describe(name: str, converter: Converter) -> dict[str, Any]:
    """One entry of /api/models; times in ms."""
    targets = sorted({target for _, target in converter.directions})
    latency = converter.stream(targets[0]).latency if converter.streams else None
    return {
        "name": name,
        "targets": targets,
        "sample_rate": converter.sample_rate,
        "streams": converter.streams,
        "look_aheads": [round(1000 * one) for one in converter.look_aheads],
        "latency": None if latency is None else round(1000 * latency, 1),
        "consent": converter.config["card"].get("consent"),
    }


def _name(model: str) -> str:
    on_hub = hub_name(model)
    if on_hub is not None:
        return on_hub.repository.partition("/")[2]
    return called(Path(model))
