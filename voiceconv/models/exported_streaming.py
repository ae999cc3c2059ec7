"""A streaming network without torch: the graphs of one frame that `voiceconv export` writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.files import read_text
from voiceconv.models.base import DomainId
from voiceconv.models.exported import EXPORT, open_session
from voiceconv.models.streaming import Spoken, StreamingTranslator

SIZES = ("n_inputs", "look_aheads")  # in export.json beside `usual`


def step_file(look_ahead: int) -> str:
    """The graph of a look-ahead, in frames."""
    return f"step_{look_ahead}.onnx"


class OnnxStreamingTranslator(StreamingTranslator):
    """The graphs in `folder`, one for each look-ahead, opened at first use.

    Each takes a frame (1, n_inputs, 1), the target (1,) and the states by name, and gives what is
    said of a frame and the states after. export.json has the sizes and what is `usual`.
    """

    is_export = True

    def __init__(self, folder: Path, n_channels: int, n_domains: int) -> None:
        try:
            stated = json.loads(read_text(folder / EXPORT))["streaming"]
            usual = torch.tensor(stated["usual"], dtype=torch.float32)
            sizes = {name: stated[name] for name in SIZES}
            super().__init__(n_channels, n_domains, **sizes, n_mels=len(usual), width=1)
        except (OSError, InputError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise InputError(f"{folder / EXPORT} is damaged; export the model again") from error
        for name in ("entry", "trunk", "heads"):  # the graphs have the weights
            delattr(self, name)
        self.usual = usual
        self._folder = folder
        self._sessions: dict[int, Any] = {}

    def start(self, look_ahead: int, n_items: int = 1) -> list[Tensor]:
        """See StreamingTranslator; n_items is 1."""
        inputs = self._session(look_ahead).get_inputs()[2:]
        return [torch.zeros(one.shape) for one in inputs]

    def step(
        self, frames: Tensor, states: Sequence[Tensor], target: DomainId, look_ahead: int
    ) -> tuple[Spoken, list[Tensor]]:
        """See StreamingTranslator; one frame (1, n_inputs, 1)."""
        session = self._session(look_ahead)
        given: dict[str, np.ndarray] = {
            "frame": frames.numpy(),
            "target": np.array([int(target)], dtype=np.int64),
        }
        names = [one.name for one in session.get_inputs()[2:]]
        given |= {name: state.numpy() for name, state in zip(names, states, strict=True)}
        made = [torch.from_numpy(one) for one in session.run(None, given)]
        return Spoken(*made[:4]), made[4:]

    def _session(self, look_ahead: int) -> Any:
        if look_ahead not in self._sessions:
            path = self._folder / step_file(look_ahead)
            session = open_session(path)
            inputs = session.get_inputs()
            wanted = [1, self.n_inputs, 1]
            states = [one.shape for one in inputs[2:]]
            if (
                [one.name for one in inputs[:2]] != ["frame", "target"]
                or inputs[0].shape != wanted
                or not all(isinstance(size, int) for shape in states for size in shape)
                or len(session.get_outputs()) != len(Spoken._fields) + len(states)
            ):
                raise InputError(f"{path} takes no frames of {wanted}; export the model again")
            self._sessions[look_ahead] = session
        return self._sessions[look_ahead]
