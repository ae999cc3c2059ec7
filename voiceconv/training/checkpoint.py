"""The training state in one file, which is whole or absent and can't run code."""

import errno
import zipfile
from pathlib import Path
from typing import Any

import torch

from voiceconv.errors import InputError, RunError
from voiceconv.files import replacing

State = dict[str, Any]


def save_checkpoint(path: Path, state: State) -> None:
    """Write to a temporary name, sync, rename; remove what a killed writer left half-written.

    Raises RunError, the old file untouched, where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for torn in path.parent.glob(f".{path.stem}.*{path.suffix}"):
        torn.unlink(missing_ok=True)
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # torch, closing its archive, covers what the file said with a RuntimeError of its own.
        said = error.__context__ if isinstance(error.__context__, OSError) else error
        full = isinstance(said, OSError) and said.errno == errno.ENOSPC
        reason = "no space left on the device" if full else _first_line(said)
        raise RunError(
            f"{path}: the checkpoint of step {state.get('step')} could not be written ({reason}); "
            "the one before it is kept: make room and start the same command again"
        ) from error


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> State:
    """Read with weights_only: tensors and plain containers, nothing that runs.

    Raises InputError on a file that is missing, cut, damaged or foreign.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
        state: State = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint") from error
    except OSError as error:
        raise InputError(f"{path} is not readable: {error.strerror}") from error
    except Exception as error:  # a foreign file can make the unpickler raise anything
        raise InputError(  # torch's own sentence would have the safe reading switched off
            f"{path}: not readable as a checkpoint: it is damaged, or of another program; delete "
            "it to start from the beginning"
        ) from error
    return state


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
