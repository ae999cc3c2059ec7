"""Networks without torch: the ONNX graphs of `voiceconv export`, run by onnxruntime."""

from itertools import permutations
from pathlib import Path

import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.models.base import Translator, WaveGenerator

GENERATOR = "generator.onnx"
FRAME_CENTRE = "frame_centre"  # key of a generator's metadata


def translator_file(source: int, target: int) -> str:
    """The graph of one direction, by its domain_ids."""
    return f"translator_{source}_to_{target}.onnx"


class Graph:
    """One file, (1, ., T) -> (1, ...), with as many threads as torch has at opening.

    onnxruntime runs no code from the file, and refuses weights in a file outside its folder.

    Raises InputError if onnxruntime is not installed, or if the file is missing, damaged, foreign
    or for other channels.
    """

    def __init__(self, path: Path, n_channels: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError(
                f"{path} is run by onnxruntime, which cannot be imported ({error}); install it "
                "with: pip install 'voiceconv[export]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # errors are raised; do not also print them
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has one class per status and no base class
            raise InputError(
                f"{path} is not readable as an ONNX graph ({str(error).splitlines()[0][:150]}); "
                "export the model again"
            ) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(outputs) != 1 or [one.shape[:-1] for one in inputs] != [[1, n_channels]]:
            raise InputError(
                f"{path} takes {', '.join(str(one.shape) for one in inputs)}, not one array of "
                f"{n_channels} channels; export the model again"
            )
        self._input = inputs[0].name
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, ...), one item at a time."""
        return torch.cat(
            [
                torch.from_numpy(self._session.run(None, {self._input: item[None].numpy()})[0])
                for item in frames
            ]
        )


class OnnxTranslator(Translator):
    """A graph for each direction in `folder`, opened at its first use."""

    def __init__(self, folder: Path, n_channels: int, n_domains: int) -> None:
        super().__init__()
        self._folder, self._n_channels = folder, n_channels
        self._graphs: dict[tuple[int, int], Graph] = {}
        for pair in permutations(range(n_domains), 2):
            if not (folder / translator_file(*pair)).is_file():
                raise InputError(f"{folder} lacks {translator_file(*pair)}; export the model again")

    def forward(self, frames: Tensor, source: int, target: int, **condition: Tensor) -> Tensor:
        """See Translator; any T."""
        pair = source, target
        if pair not in self._graphs:
            self._graphs[pair] = Graph(self._folder / translator_file(*pair), self._n_channels)
        return self._graphs[pair](frames)


class OnnxGenerator(WaveGenerator):
    """The graph of a neural vocoder in `folder`."""

    def __init__(self, folder: Path, n_channels: int, hop_length: int) -> None:
        super().__init__()
        self._graph = Graph(folder / GENERATOR, n_channels)
        self.hop_length = hop_length
        self.frame_centre = int(self._graph.metadata[FRAME_CENTRE])

    def forward(self, frames: Tensor) -> Tensor:
        """See WaveGenerator."""
        return self._graph(frames)
