"""Run `voiceconv train` and `voiceconv vocoder train` under Hydra."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from voiceconv.build import one_line, quoted
from voiceconv.device import pick_device
from voiceconv.errors import InputError, RunError
from voiceconv.files import locked
from voiceconv.runs.settings import PATHS, check_settings
from voiceconv.runs.setup import DEVICE
from voiceconv.training.distributed import Ranks, joined_ranks
from voiceconv.training.trainer import Trainer

Prepare = Callable[[DictConfig, Path, Ranks], Trainer]


def call_hydra(main: Callable[[], None], arguments: Sequence[str], command: str) -> None:
    """Hand the arguments to Hydra: overrides, `-m` and launchers work as its users know them.

    Paths need no quotes of Hydra's grammar, except in a sweep.

    main: a function under `hydra.main`, which names its own configuration.

    Raises InputError for a configuration that does not compose, RunError for a run that was
    interrupted (it is saved).
    """
    os.environ.setdefault(
        "HYDRA_FULL_ERROR", "1"
    )  # errors come through; the command line says them in one sentence
    is_sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    given = arguments if is_sweep else [quote_path(one) for one in arguments]
    sys.argv = [f"voiceconv {command}", *given]
    try:
        if reason := _reason(main, is_sweep):
            raise reason
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key} is not given; add {error.full_key}=VALUE") from error
    except (HydraException, OmegaConfBaseException) as error:
        said = one_line(error)
        if "Could not override" in said:  # what Hydra says of the other command's experiments
            said += " `voiceconv train` takes converters, `voiceconv vocoder train` vocoders."
        raise InputError(said) from error


def quote_path(override: str) -> str:
    """`run_dir=a=b, c` -> `run_dir='a=b, c'`: the override of a path, in Hydra's grammar.

    Quoted ones, null and other settings stay; `${...}` is still an interpolation.
    """
    key, is_override, text = override.partition("=")
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    if not is_override or key.lstrip("+") not in PATHS or is_quoted or text in ("", "null", "???"):
        return override
    return f"{key}={quoted(text)}"


def _reason(main: Callable[[], None], is_sweep: bool) -> Exception | None:
    """Why it stopped; raised by the caller, outside of `except`, it keeps its own cause alone."""
    try:
        main()
    except _Stopped as stopped:
        return stopped.reason
    except (TypeError, ValueError, AttributeError) as error:
        if is_sweep:  # a job's own
            raise
        return ConfigCompositionException(f"the overrides make no configuration: {error}")
    return None


def run_training(config: DictConfig, schema: Mapping[str, Any], prepare: Prepare) -> None:
    """What is under `hydra.main`: train what `prepare` puts together, in Hydra's folder.

    schema: as check_settings takes it.
    """
    try:
        check_settings(config, schema)
        _train(config, Path(HydraConfig.get().runtime.output_dir), prepare)
    except Exception as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # launchers tell by it which job has failed
        raise _Stopped(error) from error


class _Stopped(BaseException):
    """Takes an error past Hydra, which would print the overrides before our sentence."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


def _train(config: DictConfig, folder: Path, prepare: Prepare) -> None:
    on_cuda = pick_device(config.trainer.device, DEVICE).type == "cuda"
    with joined_ranks(on_cuda) as ranks:
        with locked(folder, "training in") if ranks.is_main else nullcontext():
            trainer = prepare(config, folder, ranks)
            finished = trainer.run()
        if not finished:
            raise RunError(
                f"stopped at step {trainer.step} and saved; the same command goes on from there"
            )
