"""The values that a setting takes: type hints with ranges, as constructors are annotated."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_NAMES = {int: "a whole number", float: "a number", str: "text", NoneType: "null"}
_NAMES[bool] = "true or false"
_LISTS = (list, tuple, Sequence, Collection, Iterable)
MAPPINGS = (dict, Mapping)
_WITH_NODES = ("voiceconv", "torch")  # packages with classes that nodes describe


@dataclass(frozen=True)
class Range:
    """The limits of a number; `least` and `most` belong to it, `above` and `below` do not."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        said = {
            f"{self.least} or more": self.least,
            f"above {self.above}": self.above,
            f"at most {self.most}": self.most,
            f"below {self.below}": self.below,
        }
        return " and ".join(words for words, limit in said.items() if math.isfinite(limit))


@dataclass(frozen=True)
class Filled:
    """The limit of a text."""

    def __contains__(self, value: str) -> bool:
        return bool(value)

    def __str__(self) -> str:
        return "not empty"


Text = Annotated[str, Filled()]
Count = Annotated[int, Range(1, most=2**20)]  # of channels, frames, layers: a tensor's size
Some = Annotated[int, Range(0, most=2**20)]  # the same, or none
Above0 = Annotated[float, Range(above=0)]
Step = Annotated[int, Range(0)]  # of a run
Steps = Annotated[int, Range(1)]  # its length
Weights = Mapping[str, Mapping[str, Annotated[float, Range(0)]]]  # player -> loss -> factor


def fits(value: object, hint: Any) -> bool:
    """Whether a plain value, as YAML has it, is one of the hint's.

    A class of ours or of torch stands for a node. A hint that is not known here takes all values:
    the constructor judges.
    """
    kind, inner = _taken_apart(hint)
    if kind is Annotated:
        return fits(value, inner[0]) and all(value in limit for limit in inner[1:])
    if kind is Union:
        return any(fits(value, option) for option in inner)
    if kind is Literal:
        return any(value == one and type(value) is type(one) for one in inner)
    if kind is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(inner):
            return False
        return all(map(fits, value, inner))
    if kind is Sequence:
        return isinstance(value, list | tuple) and all(fits(one, inner[0]) for one in value)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(fits(one, inner[0]) for one in value.values())
    if kind is float:
        return type(value) in (int, float) and -math.inf < value < math.inf  # type: ignore[operator]
    if kind in _NAMES:
        return type(value) is kind
    return kind is not Callable or (isinstance(value, Mapping) and "_target_" in value)


def words(hint: Any) -> str:
    """What `fits`, as a part of a sentence."""
    kind, inner = _taken_apart(hint)
    if kind is Annotated:
        return ", ".join([words(inner[0]), *map(str, inner[1:])])
    if kind is Union:
        return ", or ".join(dict.fromkeys(map(words, inner)))
    if kind is Literal:
        return " or ".join("null" if one is None else repr(one) for one in inner)
    if kind is tuple:
        return f"a list of {len(inner)}: {', '.join(map(words, inner))}"
    if kind is Sequence:
        return f"a list, each of it {words(inner[0])}"
    if kind is Mapping:
        return f"keys and values, each value {words(inner[0])}"
    return _NAMES.get(kind, "a node with a `_target_`" if kind is Callable else "a value")


def _taken_apart(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The kind of a hint, and what is in it.

    Lists of any length are of kind Sequence, mappings Mapping, what a node describes Callable.
    """
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        return Annotated, (inner[0], *(one for one in inner[1:] if isinstance(one, Range | Filled)))
    if origin is UnionType:
        return Union, inner
    if origin in _LISTS and not (origin is tuple and inner and Ellipsis not in inner):
        return Sequence, inner[:1] or (Any,)
    if origin in MAPPINGS:
        return Mapping, inner[1:] or (Any,)
    has_node = isinstance(origin, type) and origin.__module__.split(".")[0] in _WITH_NODES
    return (Callable if has_node else origin), inner
