"""A model for onnxruntime: `voiceconv export MODEL -o DIR`.

DIR is a model's directory with one ONNX graph for each direction in place of the weights, and one
in place of a neural vocoder's; export.json says how near to torch they are. Each takes any number
of frames: the padding that a network needs is part of its graph.
"""

import json
import logging
import math
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from itertools import permutations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voiceconv import __version__
from voiceconv.converter import Converter
from voiceconv.converter.directory import (
    CARD,
    CONFIG,
    EXPORT,
    STATS,
    VOCODER,
    engine_of,
    find_model,
)
from voiceconv.errors import InputError, RunError
from voiceconv.files import appearing, replace_text
from voiceconv.models.base import Direction
from voiceconv.models.exported import FRAME_CENTRE, GENERATOR, Graph, translator_file
from voiceconv.optional import load
from voiceconv.vocoders import directory
from voiceconv.vocoders.neural import NeuralVocoder

FORMAT = 1
OPSET = 20  # of ONNX: the first with GELU, and with a Fourier transform whose axis is an input
TRACED = 37  # frames, of which nothing in a graph may be left
LENGTHS = (1, 2, 5, 16, 31, 64, 250)  # frames at which a graph is compared with torch
TOLERANCE = 1e-4  # of a normalised frame's value, of a wave's sample
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")

Progress = Callable[[int, int], None]  # graphs done, and in all


def export(
    model: Path | str | None, output: Path, progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Write the directory; return path -> properties of each graph, with `largest_difference`.

    Raises InputError for a model that is an export, for an output that is there already and where
    packages are missing, RunError where a graph differs from torch by more than TOLERANCE; then
    nothing is written.
    """
    for package in PACKAGES[1:]:
        load(package, "an export", package, extra="export")
    folder = find_model(model)
    if engine_of(folder) == "onnx":
        raise InputError(f"{folder} is an export; export the model that it was made of")
    converter = Converter.from_pretrained(folder)
    pairs = list(permutations(range(len(converter.domains)), 2))
    graphs: dict[str, dict[str, Any]] = {}
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with appearing(output) as scratch:
        for name in (CONFIG, STATS, CARD):
            shutil.copyfile(folder / name, scratch / name)
        for source, target in pairs:
            name = translator_file(source, target)
            graphs[name] = _write_direction(converter, source, target, scratch / name)
            if progress:
                progress(len(graphs), len(pairs))
        if isinstance(converter.vocoder, NeuralVocoder):
            graphs[f"{VOCODER}/{GENERATOR}"] = _write_vocoder(
                converter.vocoder, partial(_spoken, converter), scratch / VOCODER
            )
        versions = {"voiceconv": __version__, **{name: version(name) for name in PACKAGES}}
        stated = {"format": FORMAT, "opset": OPSET, "versions": versions, "graphs": graphs}
        replace_text(scratch / EXPORT, json.dumps(stated, indent=2) + "\n")
    return graphs


def _write_direction(converter: Converter, source: int, target: int, path: Path) -> dict[str, Any]:
    network = Direction(converter.translator, source, target)
    return {
        "source": converter.domains[source],
        "target": converter.domains[target],
        "largest_difference": write_graph(network, partial(_noise, converter), path),
    }


def _write_vocoder(
    vocoder: NeuralVocoder, draw: Callable[[int], Tensor], folder: Path
) -> dict[str, Any]:
    folder.mkdir()
    for name in (directory.CONFIG, directory.CARD):
        shutil.copyfile(vocoder.folder / name, folder / name)
    centre = {FRAME_CENTRE: str(vocoder.generator.frame_centre)}
    difference = write_graph(vocoder.generator, draw, folder / GENERATOR, centre)
    return {"largest_difference": difference}


def write_graph(
    network: nn.Module,
    draw: Callable[[int], Tensor],
    path: Path,
    metadata: dict[str, str] | None = None,
) -> float:
    """Write (1, C, T) -> (1, ...) for any T; the largest difference from torch. Raises RunError.

    draw: frames (1, C, T) for a T, to trace and to compare by.
    """
    frames = torch.export.Dim("frames", min=1)
    with torch.no_grad(), _quiet():
        program: Any = torch.onnx.export(
            network,
            (draw(TRACED),),
            dynamo=True,
            dynamic_shapes=({2: frames},),
            input_names=["frames"],
            output_names=["output"],
            opset_version=OPSET,
            verbose=False,
        )
    _forget_origin(program.model)
    program.model.metadata_props.update(metadata or {})
    program.save(path, external_data=False)
    n_channels = draw(1).shape[1]
    worst = max((_difference(network, Graph(path, n_channels), draw(n)), n) for n in LENGTHS)
    if not worst[0] <= TOLERANCE:
        raise RunError(
            f"{path.name} differs from torch by {worst[0]:.2g} at {worst[1]} frames, more than "
            f"{TOLERANCE:g}; nothing is written: use the torch model, or other versions of "
            f"{', '.join(PACKAGES[1:])}"
        )
    return worst[0]


def _difference(network: nn.Module, graph: Graph, frames: Tensor) -> float:
    """The largest, over all values; infinite where shapes differ, too."""
    with torch.no_grad():
        wanted, found = network(frames), graph(frames)
    if wanted.shape != found.shape:
        return math.inf
    return float((wanted - found).abs().max())


def _noise(converter: Converter, n_frames: int) -> Tensor:
    """Normalised frames (1, C, T): the same for the same number of them."""
    rng = torch.Generator().manual_seed(n_frames)
    return torch.randn(1, converter.extractor.n_channels, n_frames, generator=rng)


def _spoken(converter: Converter, n_frames: int) -> Tensor:
    """The same at a domain's levels, as a vocoder gets them."""
    return converter.stats[converter.domains[0]].denormalize(_noise(converter, n_frames))


def _forget_origin(model: Any) -> None:
    """Take out where in our source, on which machine, each operator came from."""
    for part in (model, model.graph, *model.graph.all_nodes()):
        part.metadata_props.clear()
        part.doc_string = None


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter notes which optional packages it does without, and warns of its own calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
