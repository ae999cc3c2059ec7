"""Configuration to objects: the only file that knows Hydra's instantiate.

A node names a class by `_target_` and its keywords; the constructor is the schema. Only classes of
this package and torch's optimisers are built, so a model from an unknown author can't run code.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from voiceconv.errors import InputError

PACKAGES = ("features", "models", "objectives", "vocoders")
BATCHES = ("data.crops", "data.perturbed", "data.semi_paired")
ALLOWED = tuple(f"voiceconv.{package}." for package in (*PACKAGES, *BATCHES)) + ("torch.optim.",)

_ABSENT = object()  # equal to nothing else

T = TypeVar("T")


def build(node: Mapping[str, Any] | DictConfig, expect: type[T], **dependencies: Any) -> T:
    """Build the object that a node describes.

    dependencies: keywords that code passes and the node must not repeat.

    Raises InputError if a `_target_` is foreign or no class, if the class is no `expect`, if the
    keywords do not fit, or if an interpolation is left.
    """
    plain = _plain(node)
    if plain.get("_partial_"):
        raise InputError(f"{plain.get('_target_')} is left half made by `_partial_`; take it out")
    built: T = _instantiate(plain, expect, dependencies)
    return built


def build_factory(
    node: Mapping[str, Any] | DictConfig, expect: type[T], **dependencies: Any
) -> Callable[..., T]:
    """Like `build`, but return a factory: the caller adds the missing arguments.

    The caller may call it several times. The factory raises InputError if keywords do not fit.
    """
    plain = {**_plain(node), "_partial_": True}
    make: Callable[..., T] = _instantiate(plain, expect, dependencies)

    def factory(*arguments: Any, **keywords: Any) -> T:
        try:
            return make(*arguments, **keywords)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{plain['_target_']} could not be built: {_first_line(error)}"
            ) from error

    return factory


def class_of(node: Mapping[str, Any] | DictConfig, expect: type[T]) -> type[T]:
    """The class that a node names. Raises InputError if it is foreign, or no `expect`."""
    name = node.get("_target_")
    if not isinstance(name, str):
        raise InputError(f"configuration {node} names no class: it needs a `_target_`")
    cls = _resolve(name)
    if not issubclass(cls, expect):
        raise InputError(f"{name} is no {expect.__name__}; name a class that is")
    return cls


def same_settings(one: object, other: object) -> bool:
    """Whether two plain configurations say the same: what a node leaves out, its class decides."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return one == other
    target = one.get("_target_")
    alike = isinstance(target, str) and target == other.get("_target_")
    defaults = _defaults(str(target)) if alike else {}
    return all(
        same_settings(
            one.get(key, defaults.get(key, _ABSENT)), other.get(key, defaults.get(key, _ABSENT))
        )
        for key in {*one, *other}
    )


def _defaults(target: str) -> dict[str, Any]:
    """What a class takes for keywords that are not given, as a configuration has it."""
    parameters = inspect.signature(_resolve(target)).parameters.values()
    given = {one.name: one.default for one in parameters if one.default is not one.empty}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in given.items()}


def _instantiate(plain: dict[str, Any], expect: type, dependencies: Mapping[str, Any]) -> Any:
    _refuse_interpolations(plain)
    for target in _targets(plain):
        _resolve(target)
    cls: type = class_of(plain, expect)
    if repeated := sorted(plain.keys() & dependencies.keys()):
        raise InputError(
            f"{plain['_target_']} gets {', '.join(repeated)} from voiceconv; take it out of the "
            "configuration"
        )
    try:
        # Code's own arguments bypass Hydra, which would convert dataclasses and arrays.
        make = instantiate({**plain, "_partial_": True}, _convert_="all")
        return partial(make, **dependencies) if plain.get("_partial_") else make(**dependencies)
    except Exception as error:  # as in Hydra: a constructor fails by its keywords
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, InputError):  # its sentence is complete
            raise cause from None
        accepted = [p for p in inspect.signature(cls).parameters if p not in dependencies]
        raise InputError(
            f"{plain['_target_']} could not be built: {_first_line(cause)} (it takes "
            f"{', '.join(accepted)})"
        ) from error


def compose_config(
    overrides: Sequence[str] = (), config_dir: Path | None = None, root: str = "config"
) -> DictConfig:
    """The configuration that `voiceconv train` would run with these overrides.

    config_dir: a further folder with configuration groups, as Hydra's own `--config-dir`. root:
    `train_vocoder` for `voiceconv vocoder train`. Raises InputError.
    """
    with _hydra():
        return compose(root, [*overrides, *_search(config_dir)])


def options(group: str, config_dir: Path | None = None) -> list[str]:
    """The sorted options of a configuration group, such as NAME in `features=NAME`.

    config_dir: as compose_config takes it. Raises InputError.
    """
    with _hydra():
        loader = GlobalHydra.instance().config_loader()
        found: list[str] = loader.get_group_options(
            group, config_name="config", overrides=_search(config_dir)
        )
    return sorted(found)


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra with our configuration; its exceptions become InputError."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("voiceconv.conf", version_base="1.3"):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(one_line(error)) from error
    except (TypeError, ValueError, AttributeError) as error:  # what Hydra did not expect
        raise InputError(f"the overrides make no configuration: {one_line(error)}") from error


def _search(config_dir: Path | None) -> list[str]:
    if config_dir is None:
        return []
    place = quoted(f"file://{config_dir.resolve()}")
    return [f"hydra.searchpath=[{place}]"]


def as_override(key: str, text: str) -> str:
    """`key=text` in Hydra's grammar, where nothing in the text has a meaning, `${` included."""
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return f"{key}={quoted(escaped)}"


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar; `${...}` in it is an interpolation."""
    return QuotedString(text, Quote.single).with_quotes()


def one_line(error: Exception) -> str:
    """A message of Hydra or OmegaConf, of several lines, as one sentence."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _plain(node: Mapping[str, Any] | DictConfig) -> dict[str, Any]:
    if isinstance(node, DictConfig):
        return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]
    return dict(node)


def _refuse_interpolations(node: object) -> None:
    """Raise InputError if a tree of plain containers contains `${...}`.

    Hydra would resolve it, and `${oc.create:...}` makes a node that `_targets` never saw.
    """
    if isinstance(node, str) and "${" in node:
        raise InputError(f"configuration holds {node!r}; write the value itself")
    children = [*node, *node.values()] if isinstance(node, Mapping) else node
    if isinstance(children, list | tuple):
        for child in children:
            _refuse_interpolations(child)


def _targets(node: object) -> Iterator[str]:
    """Every `_target_` in a tree of plain containers, used by a constructor or not."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield str(node["_target_"])
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _targets(value)


def _resolve(target: str) -> type:
    if not target.startswith(ALLOWED):
        raise InputError(
            f"configuration asks for {target!r}; only classes of "
            f"{', '.join(p.rstrip('.') for p in ALLOWED)} are built: do "
            "not use this model unless you know why it asks"
        )
    module, _, name = target.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"configuration asks for {target!r}, which this version of voiceconv does not have"
        ) from error
    # A module also holds what it imports, such as functools.partial.
    if not isinstance(cls, type) or cls.__module__.split(".")[0] in sys.stdlib_module_names:
        raise InputError(f"configuration asks for {target!r}, which is no class of these packages")
    return cls
