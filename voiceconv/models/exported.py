"""Networks without torch: the ONNX graphs of `voiceconv export`, run by onnxruntime."""

import json
from collections.abc import Collection, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.files import printable, read_text, require_utf8
from voiceconv.models.base import DomainId, Translator, WaveGenerator
from voiceconv.optional import load

EXPORT = "export.json"  # beside the graphs: what is in them
TRANSLATOR = "translator.onnx"  # of a network that all directions share
GENERATOR = "generator.onnx"
MARKS = ("shared", "any_source")  # of a translator, see there
FRAME_CENTRE = "frame_centre"  # key of a generator's metadata


def translator_file(source: int, target: int) -> str:
    """The graph of one direction, by its domain_ids."""
    return f"translator_{source}_to_{target}.onnx"


def open_session(path: Path) -> Any:
    """A session of onnxruntime, with as many threads as torch has now.

    It runs no code from the file, and refuses weights in a file outside its folder. Raises
    InputError if onnxruntime is not installed, or if the file is missing, damaged or foreign.
    """
    onnxruntime = load("onnxruntime", printable(path), "onnxruntime", extra="export")
    require_utf8(path, "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # errors are raised; do not also print them
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one class per status and no base class
        raise InputError(
            f"{path} is not readable as an ONNX graph ({str(error).splitlines()[0][:150]}); "
            "export the model again"
        ) from error


class Graph:
    """One file: frames (1, C, T), further inputs by name, (1, ...) each -> (1, ...).

    Raises InputError as `open_session` does, and for other channels.
    """

    def __init__(self, path: Path, n_channels: int, names: Collection[str] = ()) -> None:
        self._session = open_session(path)
        inputs = self._session.get_inputs()
        if (
            len(self._session.get_outputs()) != 1
            or [one.shape[:-1] for one in inputs[:1]] != [[1, n_channels]]
            or {*names} != {other.name for other in inputs[1:]}
        ):
            taken = ", ".join(f"{one.name} {one.shape}" for one in inputs) or "nothing"
            wanted = ", ".join((f"frames of {n_channels} channels", *names))
            raise InputError(f"{path} takes {taken}, not {wanted}; export the model again")
        self._path, self._input = path, inputs[0].name
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __call__(self, frames: Tensor, **others: Tensor) -> Tensor:
        """(B, C, T), each other (B, ...) -> (B, ...), one item at a time."""
        return torch.cat([self._run(item, others, n) for n, item in enumerate(frames)])

    def _run(self, frames: Tensor, others: Mapping[str, Tensor], item: int) -> Tensor:
        inputs = {name: value[item : item + 1].numpy() for name, value in others.items()}
        try:
            (output,) = self._session.run(None, {self._input: frames[None].numpy(), **inputs})
        except Exception as error:  # of an input's type, say
            raise InputError(
                f"{self._path} does not run ({str(error).splitlines()[0][:150]}); export the model "
                "again"
            ) from error
        return torch.from_numpy(output)


class OnnxTranslator(Translator):
    """The graphs in `folder`: one for each direction, or one for all; opened at first use.

    export.json lists the directions, and the inputs of a graph beside the frames.
    """

    is_export = True

    def __init__(self, folder: Path, n_channels: int, n_domains: int) -> None:
        super().__init__()
        stated = _stated(folder / EXPORT, n_domains)
        self._folder, self._n_channels = folder, n_channels
        self._is_one: bool = stated["shared"]
        self.any_source = stated["any_source"]
        self._condition = stated["condition"]
        self._directions: list[tuple[int, int]] = stated["directions"]
        self._graphs: dict[str, Graph] = {}
        for pair in self._directions:
            if not (folder / self._file(*pair)).is_file():
                raise InputError(f"{folder} lacks {self._file(*pair)}; export the model again")

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator; any T."""
        name, n_items = self._file(int(source), int(target)), len(frames)
        others = {key: _each(value, n_items) for key, value in condition.items()}
        if self._is_one:
            ids = {"source": source, "target": target}
            others |= {key: _each(torch.as_tensor(value), n_items) for key, value in ids.items()}
        if name not in self._graphs:
            self._graphs[name] = Graph(self._folder / name, self._n_channels, others)
        return self._graphs[name](frames, **others)

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator."""
        return self._directions

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return self._condition

    def _file(self, source: int, target: int) -> str:
        return TRANSLATOR if self._is_one else translator_file(source, target)


def _stated(path: Path, n_domains: int) -> dict[str, Any]:
    """What export.json says of the translator; an older version's says nothing.

    Raises InputError where it is damaged.
    """
    pairs = list(permutations(range(n_domains), 2)) or [(0, 0)]
    try:
        written = json.loads(read_text(path))
        stated: dict[str, Any] = {
            **dict.fromkeys(MARKS, False),
            "condition": {},
            "directions": pairs,
        }
        stated |= written.get("translator", {})
        stated["condition"] = {key: torch.tensor(v) for key, v in stated["condition"].items()}
        stated["directions"] = [pairs[pairs.index((s, t))] for s, t in stated["directions"]]
        if all(isinstance(stated[mark], bool) for mark in MARKS):
            return stated
    except (OSError, InputError, ValueError, TypeError, AttributeError, RuntimeError):
        pass
    raise InputError(f"{path} is damaged; export the model again")


def _each(value: Tensor, n_items: int) -> Tensor:
    """A scalar, or (1, ...), for each item: (B, ...)."""
    value = value.reshape(1) if value.ndim == 0 else value
    return value.expand(n_items, *value.shape[1:])


class OnnxGenerator(WaveGenerator):
    """The graph of a neural vocoder in `folder`."""

    def __init__(self, folder: Path, n_channels: int, hop_length: int) -> None:
        super().__init__()
        self._graph = Graph(folder / GENERATOR, n_channels)
        self.hop_length = hop_length
        centre = self._graph.metadata.get(FRAME_CENTRE, "")
        if not centre.isdecimal():
            raise InputError(
                f"{folder / GENERATOR} does not say where its frames are centred "
                f"({FRAME_CENTRE}={centre!r}); export the model again"
            )
        self.frame_centre = int(centre)

    def forward(self, frames: Tensor) -> Tensor:
        """See WaveGenerator."""
        return self._graph(frames)
