"""What every export to ONNX shares."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OPSET = 20  # of ONNX: the first with GELU, and with a Fourier transform whose axis is an input
TOLERANCE = 1e-4  # of a normalised frame's value, of a wave's sample


def forget_origin(model: Any) -> None:
    """Take out where in our source, on which machine, each operator came from."""
    for part in (model, model.graph, *model.graph.all_nodes()):
        part.metadata_props.clear()
        part.doc_string = None


@contextmanager
def quiet() -> Iterator[None]:
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
