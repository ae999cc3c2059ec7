"""The values that a setting takes: type hints with ranges, as constructors are annotated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_NAMES = {int: "a whole number", float: "a number", str: "text", NoneType: "null"}
_NAMES[bool] = "true or false"


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
    """Whether a plain value, as YAML has it, is one of the hint's; a class stands for a node."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return fits(value, inner[0]) and value in inner[1]
    if origin in (Union, UnionType):
        return any(fits(value, option) for option in inner)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in inner)
    if origin in (Sequence, tuple):
        if not isinstance(value, list | tuple) or (origin is tuple and len(value) != len(inner)):
            return False
        hints = inner if origin is tuple else inner * len(value)
        return all(map(fits, value, hints))
    if origin is Mapping:
        return isinstance(value, Mapping) and all(fits(one, inner[1]) for one in value.values())
    if hint is float:
        return type(value) in (int, float) and -math.inf < value < math.inf  # type: ignore[operator]
    if hint in _NAMES:
        return type(value) is hint
    return isinstance(value, Mapping) and "_target_" in value


def words(hint: Any) -> str:
    """What `fits`, as a part of a sentence."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{words(inner[0])}, {inner[1]}"
    if origin in (Union, UnionType):
        return ", or ".join(dict.fromkeys(map(words, inner)))
    if origin is Literal:
        return " or ".join("null" if one is None else repr(one) for one in inner)
    if origin is tuple:
        return f"a list of {len(inner)}: {', '.join(map(words, inner))}"
    if origin is Sequence:
        return f"a list, each of it {words(inner[0])}"
    if origin is Mapping:
        return f"keys and values, each value {words(inner[1])}"
    return _NAMES.get(hint, "a node with a `_target_`")
