"""Choose a vocoder of the configuration that accepts given features."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from voiceconv.build import class_of, compose_config, options
from voiceconv.features import Representation
from voiceconv.vocoders.base import Vocoder


def plain_vocoders() -> dict[str, dict[str, Any]]:
    """The vocoders without weights: name in `vocoder=NAME` -> node."""
    return {name: node for name, node in _nodes().items() if not _class(node).has_weights}


def fitting_vocoder(representation: type[Representation]) -> dict[str, Any] | None:
    """The node of the vocoder that accepts a representation's features; None if there is none.

    A vocoder without weights is preferred, then one that is not made for streams, then one for
    exactly this class of features over one for a base class.
    """
    fitting = [node for node in _nodes().values() if issubclass(representation, _class(node).takes)]
    return min(fitting, key=_order, default=None)


def _order(node: dict[str, Any]) -> tuple[bool, bool, int]:
    cls = _class(node)
    return cls.has_weights, cls.is_causal, -len(cls.takes.__mro__)


def _class(node: dict[str, Any]) -> type[Vocoder[Any]]:
    return class_of(node, Vocoder)


def _nodes() -> dict[str, dict[str, Any]]:
    return {name: _node(name) for name in options("vocoder")}


def _node(name: str) -> dict[str, Any]:
    config: DictConfig = compose_config(root=f"vocoder/{name}").vocoder
    return OmegaConf.to_container(config)  # type: ignore[return-value]
