"""What each setting of a training may be, checked before any data is read.

A section states its settings here; a node's settings are those of its constructor.
"""

import difflib
import inspect
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Optional, get_args, get_origin, get_type_hints

import torch
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from voiceconv.build import class_of
from voiceconv.data.crops import Crops
from voiceconv.errors import InputError
from voiceconv.features import Representation
from voiceconv.models import Discriminator, Translator
from voiceconv.models.base import Generator, WaveGenerator
from voiceconv.objectives import PLAYERS, Objective
from voiceconv.schema import MAPPINGS, Above0, Count, Range, Some, Step, Steps, Text, fits, words
from voiceconv.training.speed import Switch
from voiceconv.training.trainer import Precision, Ship
from voiceconv.vocoders import Vocoder

Note = str | int | float | None  # for a card
MOMENTUM = Annotated[float, Range(0, below=1)]
OF_OPTIMIZERS = {  # torch has no upper limit of a rate
    "lr": Annotated[float, Range(above=0, most=1)],
    "betas": tuple[MOMENTUM, MOMENTUM],
}
NETWORKS = (Translator, Generator, Discriminator, WaveGenerator)
FOLLOWING = {"n_channels", "n_domains"}  # of these, from features and dump: no node states them
TRAINER = {
    "n_steps": Steps,
    "decay_start": Step | None,
    "device": str,
    "accumulate": Count,
    "precision": Precision,
    "speed": list[Switch],
    "gradient_clip": Above0 | None,
    "ema_decay": Annotated[float, Range(above=0, below=1)] | None,
    "replay_size": Some,
    "warmup_steps": Some,
    "log_every": Step,
    "checkpoint_every": Step,
    "validate_every": Step,
    "ship": Ship,
    "patience": Count | None,
}
COMMON: dict[str, Any] = {
    "run_dir": Text,
    "name": str | None,
    "seed": Annotated[int, Range(0, most=2**32 - 1)],
    "card": {"data": Note, "licence": Note},
    "features": Representation,
    "objective": Objective,
    "optimizer": dict.fromkeys(PLAYERS, Optimizer),
    "trainer": TRAINER,
    "init_from": Text | None,
}
DATA = {
    "dump": Text,
    "n_frames": Count,
    "batch_size": Count,
    "loudness": Annotated[float, Range(-70, most=0)] | None,
}
CARD = COMMON["card"] | {"consent": Note}  # a vocoder gives nobody's voice
CONVERTER = COMMON | {
    "card": CARD,
    "translator": Translator,
    "discriminator": Discriminator,
    "batches": Crops,
    "vocoder": Vocoder | None,
    "data": DATA | {"waves": Text | None, "targets": list[Text] | None},
    "validation": {"n_utterances": Some, "n_directions": Count, "n_scored": Count},
}
VOCODER = COMMON | {
    "generator": WaveGenerator,
    "data": DATA,
    "validation": {"n_utterances": Some, "n_scored": Count},
}
STUDENT = COMMON | {
    "card": CARD,
    "translator": Translator,
    "discriminator": Discriminator,
    "vocoder": Vocoder,
    "data": DATA,
    "validation": {"n_scored": Some},
}

_MARKS = {"_target_": str, "_partial_": bool, "_convert_": str, "_recursive_": bool}  # of a node
_NAMED = re.compile(r"\$\{(\w+)")  # in interpolations: settings, resolvers
PATHS = {"run_dir", "data.dump", "data.waves", "init_from", "vocoder.model"}


def check_settings(config: DictConfig, schema: Mapping[str, Any]) -> None:
    """Check each setting's name, type and range. Raises InputError with the first wrong one.

    A key at the top that an interpolation names is an author's own, and may be anything.

    schema: CONVERTER, VOCODER or STUDENT.
    """
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    own = set(_NAMED.findall(OmegaConf.to_yaml(config))) - schema.keys()
    check_value({name: one for name, one in plain.items() if name not in own}, schema, "")
    warmup, n_steps = config.trainer.warmup_steps, config.trainer.n_steps
    if warmup and warmup >= n_steps:
        raise InputError(
            f"trainer.warmup_steps={warmup} leaves none of the {n_steps} steps for the generator; "
            "give fewer, or more trainer.n_steps"
        )
    patience, every = config.trainer.patience, config.trainer.validate_every
    if patience is not None and not every:
        raise InputError(
            f"trainer.patience is {patience} validations, and trainer.validate_every=0 makes none; "
            "give trainer.patience=null or another trainer.validate_every"
        )


def check_value(value: object, hint: Any, key: str) -> None:
    """Check a plain value, and what is in it. Raises InputError, which names the key.

    hint: as in `schema.fits`, or a mapping of names to hints, which is a section.
    """
    if isinstance(hint, Mapping) and isinstance(value, Mapping):
        _check_section(value, hint, key)
    elif isinstance(value, Mapping) and "_target_" in value and fits(value, hint):
        _check_node(value, _kind(hint), key)
    elif isinstance(value, Mapping) and get_origin(hint) in MAPPINGS:
        for name, one in value.items():
            check_value(one, get_args(hint)[1], f"{key}.{name}")
    elif isinstance(hint, Mapping) or not fits(value, hint):
        wanted = f"the settings {', '.join(hint)}" if isinstance(hint, Mapping) else words(hint)
        said = "null" if value is None else repr(value)
        raise InputError(f"{key} is {said}; it takes {wanted}")


def _check_section(section: Mapping[str, Any], hints: Mapping[str, Any], key: str) -> None:
    _refuse_unknown(section, hints, key)
    for name, hint in hints.items():
        full = f"{key}.{name}" if key else name
        if name in section:
            check_value(section[name], hint, full)
        elif isinstance(hint, Mapping) or not fits(None, hint):
            raise InputError(f"{full} is not given; add {full}=VALUE")


def _check_node(node: Mapping[str, Any], expect: type, key: str) -> None:
    for name in node.keys() & _MARKS.keys():
        check_value(node[name], _MARKS[name], f"{key}.{name}")
    given = {name: value for name, value in node.items() if name not in _MARKS}
    try:
        cls: type = class_of(node, expect)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    parameters = inspect.signature(cls).parameters
    hints = _hints(cls) | (OF_OPTIMIZERS if issubclass(cls, Optimizer) else {})
    following = FOLLOWING if issubclass(cls, NETWORKS) else set()
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        _refuse_unknown(given, [name for name in parameters if name not in following], key)
    for name, value in given.items():
        check_value(value, hints.get(name, Any), f"{key}.{name}")
    if issubclass(cls, Optimizer):  # torch has ranges of its own
        try:
            cls([torch.nn.Parameter(torch.zeros(1, 1))], **given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{key} is no {cls.__name__}: {error}") from error


def _refuse_unknown(given: Iterable[str], known: Collection[str], key: str) -> None:
    """Raise InputError for a name that is not known, with the nearest one and all of them."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise InputError(
                f"there is no setting {key and key + '.'}{name}{guess}; {key or 'a training'} "
                f"takes {', '.join(known)}"
            )


@cache
def _hints(cls: type) -> dict[str, Any]:
    """The constructor's, which take their default; none where they name what only a type checker
    sees.
    """
    try:
        hints = get_type_hints(cls.__init__, include_extras=True)  # type: ignore[misc]
    except (NameError, TypeError, AttributeError):
        return {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is None and name in hints:
            hints[name] = Optional[hints[name]]  # noqa: UP045 (of any hint)
    return hints


def _kind(hint: Any) -> type:
    """The class of a node: of `Translator`, of `Vocoder | None`, of `Callable[..., Generator]`."""
    options = [hint, *get_args(hint)]
    found = [one for one in options if isinstance(one, type) and one is not type(None)]
    return found[0] if found else object
