"""A model for onnxruntime: `voiceconv export MODEL -o DIR`.

DIR is a model's directory with one ONNX graph for each direction in place of the weights, and one
in place of a neural vocoder's; export.json says how near to torch they are. Each takes any number
of frames: the padding that a network needs is part of its graph.
"""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voiceconv import __version__
from voiceconv.commands.export_streaming import write_steps
from voiceconv.commands.graphs import OPSET, TOLERANCE, forget_origin, quiet
from voiceconv.converter import FrameConverter, open_model
from voiceconv.converter.directory import (
    CARD,
    CONFIG,
    STATS,
    VOCODER,
    engine_of,
    find_model,
)
from voiceconv.converter.novelty import NOVELTY
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.errors import InputError, RunError
from voiceconv.files import appearing, replace_text
from voiceconv.models.base import Direction, Translator
from voiceconv.models.exported import (
    EXPORT,
    FRAME_CENTRE,
    GENERATOR,
    MARKS,
    TRANSLATOR,
    Graph,
    translator_file,
)
from voiceconv.models.exported_streaming import SIZES
from voiceconv.optional import load
from voiceconv.progress import Progress
from voiceconv.vocoders import directory
from voiceconv.vocoders.neural import NeuralVocoder

FORMAT = 1
TRACED = 37  # frames, of which nothing in a graph may be left
LENGTHS = (1, 2, 5, 16, 31, 64, 250)  # frames at which a graph is compared with torch
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")

Draw = Callable[[int], dict[str, Tensor]]  # a number of frames -> inputs by name, frames first


def export(
    model: Path | str | None,
    output: Path,
    progress: Progress | None = None,
    streaming: bool = False,
) -> dict[str, dict[str, Any]]:
    """Write the directory; return path -> properties of each graph, with `largest_difference`.

    A streaming model's graphs take one frame and its states (`export_streaming`); streaming: refuse
    any other model.

    Raises InputError for a model that is an export, for an output that is there already and where
    packages are missing, RunError where a graph differs from torch by more than TOLERANCE; then
    nothing is written.
    """
    for package in PACKAGES[1:]:
        load(package, "an export", package, extra="export")
    folder = find_model(model)
    if engine_of(folder) == "onnx":
        raise InputError(f"{folder} is an export; export the model that it was made of")
    converter = open_model(folder)
    if streaming and not isinstance(converter, StreamingConverter):
        raise InputError(f"{folder} does not stream; leave --streaming out")
    translator = converter.translator
    pairs = translator.directions(len(converter.domains))
    files = {TRANSLATOR: pairs}  # graph -> the directions that it is compared with torch in
    if not translator.shared:
        files = {translator_file(*pair): [pair] for pair in pairs}
    graphs: dict[str, dict[str, Any]] = {}
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with appearing(output) as scratch:
        for name in (CONFIG, STATS, CARD, NOVELTY):
            if name not in (CARD, NOVELTY) or (folder / name).exists():
                shutil.copyfile(folder / name, scratch / name)
        if isinstance(converter, StreamingConverter):
            graphs |= write_steps(converter, scratch)
            files = {}
        for name, directions in files.items():
            graphs[name] = _write_translator(converter, directions, scratch / name)
            if progress:
                progress(len(graphs), len(files))
        if isinstance(converter.vocoder, NeuralVocoder):
            graphs[f"{VOCODER}/{GENERATOR}"] = _write_vocoder(
                converter.vocoder, partial(_spoken, converter), scratch / VOCODER
            )
        versions = {"voiceconv": __version__, **{name: version(name) for name in PACKAGES}}
        stated = {"format": FORMAT, "opset": OPSET, "versions": versions, "graphs": graphs}
        stated["translator"] = {
            **{mark: getattr(translator, mark) for mark in MARKS},
            "directions": pairs,
            "condition": {name: v.tolist() for name, v in translator.default_condition().items()},
        }
        if isinstance(converter, StreamingConverter):
            sizes = {name: getattr(converter.translator, name) for name in SIZES}
            stated["streaming"] = sizes | {"usual": converter.translator.usual.tolist()}
        replace_text(scratch / EXPORT, json.dumps(stated, indent=2) + "\n")
    return graphs


def _write_translator(
    converter: FrameConverter, directions: Sequence[tuple[int, int]], path: Path
) -> dict[str, Any]:
    """The graph of a direction, or the one of all, which then takes the domain_ids."""
    translator = converter.translator
    condition = translator.default_condition()
    ids = ("source", "target") if translator.shared else ()
    network: nn.Module = Direction(translator, *directions[0])
    if ids or condition:
        network = NamedInputs(translator, directions[0])
    draws = [
        partial(_drawn, converter, dict(zip(ids, map(torch.tensor, zip(pair)), strict=False)))
        for pair in directions
    ]
    stated = (
        {}
        if translator.shared
        else {
            role: converter.domains[domain_id]
            for role, domain_id in zip(("source", "target"), directions[0], strict=True)
        }
    )
    return {**stated, "largest_difference": write_graph(network, draws, path)}


class NamedInputs(nn.Module):
    """A translator as the function that a graph is: frames (1, C, T), then others by name.

    direction: the domain_ids where `source` and `target` are not among the names.
    """

    def __init__(self, translator: Translator, direction: tuple[int, int]) -> None:
        super().__init__()
        self.translator, self.direction = translator, direction

    def forward(self, frames: Tensor, others: Mapping[str, Tensor]) -> Tensor:
        """(1, C, T) -> (1, C, T)."""
        named = dict(others)
        source = named.pop("source", self.direction[0])
        target = named.pop("target", self.direction[1])
        converted: Tensor = self.translator(frames, source, target, **named)
        return converted


def _write_vocoder(vocoder: NeuralVocoder, draw: Draw, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    for name in (directory.CONFIG, directory.CARD):
        shutil.copyfile(vocoder.folder / name, folder / name)
    centre = {FRAME_CENTRE: str(vocoder.generator.frame_centre)}
    difference = write_graph(vocoder.generator, [draw], folder / GENERATOR, centre)
    return {"largest_difference": difference}


def write_graph(
    network: nn.Module,
    draws: Sequence[Draw],
    path: Path,
    metadata: dict[str, str] | None = None,
) -> float:
    """Write frames (1, C, T), others -> (1, ...) for any T; the largest difference from torch.

    draws: inputs by name, frames first, for a T: the first to trace by, all to compare by.
    Raises RunError where a graph differs by more than TOLERANCE.
    """
    traced = draws[0](TRACED)
    others = _others(traced)
    any_length = {2: torch.export.Dim("frames", min=1)}
    with torch.no_grad(), quiet():
        program: Any = torch.onnx.export(
            network,
            (traced["frames"],),
            kwargs={"others": others} if others else {},
            dynamo=True,
            dynamic_shapes=(
                {"frames": any_length, "others": _lengths(others)} if others else (any_length,)
            ),
            input_names=list(traced),
            output_names=["output"],
            opset_version=OPSET,
            verbose=False,
        )
    forget_origin(program.model)
    program.model.metadata_props.update(metadata or {})
    program.save(path, external_data=False)
    graph = Graph(path, traced["frames"].shape[1], others)
    worst = max((_difference(network, graph, draw(n)), n) for draw in draws for n in LENGTHS)
    if not worst[0] <= TOLERANCE:
        raise RunError(
            f"{path.name} differs from torch by {worst[0]:.2g} at {worst[1]} frames, more than "
            f"{TOLERANCE:g}; nothing is written: use the torch model, or other versions of "
            f"{', '.join(PACKAGES[1:])}"
        )
    return worst[0]


def _others(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in inputs.items() if name != "frames"}


def _lengths(others: Mapping[str, Tensor]) -> dict[str, Any]:
    """Their dimensions that may change: the frames of a reference."""
    return {
        name: {2: torch.export.Dim(f"{name}_frames", min=1)} if value.ndim == 3 else None
        for name, value in others.items()
    }


def _arguments(inputs: Mapping[str, Tensor]) -> tuple[Any, ...]:
    """As a network takes them: frames, and the others as a mapping, where there are some."""
    others = _others(inputs)
    return (inputs["frames"], others) if others else (inputs["frames"],)


def _difference(network: nn.Module, graph: Graph, inputs: dict[str, Tensor]) -> float:
    """The largest, over all values; infinite where shapes differ, too."""
    with torch.no_grad():
        wanted, found = network(*_arguments(inputs)), graph(**inputs)
    if wanted.shape != found.shape:
        return math.inf
    return float((wanted - found).abs().max())


def _drawn(converter: FrameConverter, ids: dict[str, Tensor], n_frames: int) -> dict[str, Tensor]:
    """Normalised frames (1, C, T), domain_ids (1,), conditions near their defaults, by name."""
    rng = torch.Generator().manual_seed(n_frames)
    condition = {}
    for name, value in converter.translator.default_condition().items():
        if value.ndim == 3:  # a reference, as many frames again
            value = value[..., :1].expand(-1, -1, n_frames + 3)
        noise = torch.randn(value.shape, generator=rng) if value.is_floating_point() else 0
        condition[name] = value + noise
    return {"frames": _noise(converter, n_frames), **ids, **condition}


def _noise(converter: FrameConverter, n_frames: int) -> Tensor:
    """Normalised frames (1, C, T): the same for the same number of them."""
    rng = torch.Generator().manual_seed(n_frames)
    return torch.randn(1, converter.representation.n_channels, n_frames, generator=rng)


def _spoken(converter: FrameConverter, n_frames: int) -> dict[str, Tensor]:
    """The same at a domain's levels, as a vocoder gets them."""
    stats = converter.stats[converter.domains[0]]
    return {"frames": stats.denormalize(_noise(converter, n_frames))}
