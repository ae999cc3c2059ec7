"""All that decides the next step, in one file that is whole or absent and can't run code."""

import errno
import pickle
from pathlib import Path
from typing import Any

import torch

from voiceconv.errors import InputError, RunError
from voiceconv.files import replacing

State = dict[str, Any]


def save_checkpoint(path: Path, state: State) -> None:
    """Write to a temporary name, sync, rename.

    Raises RunError, the old file untouched, where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        full = getattr(error, "errno", None) == errno.ENOSPC or "file write failed" in str(error)
        reason = "no space left on the device" if full else str(error).splitlines()[0]
        raise RunError(
            f"{path}: the checkpoint of step {state.get('step')} could not be written ({reason}); "
            "the one before it is "
            "kept: make room and start the same command again"
        ) from error


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> State:
    """Read with weights_only: tensors and plain containers, nothing that runs."""
    try:
        state: State = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(
            f"{path}: not readable as a checkpoint ({str(error).splitlines()[0]}); delete it to "
            "start from the beginning"
        ) from error
    return state
