"""The graphs of a streaming model: a frame in, a frame out, states as inputs and outputs."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voiceconv.commands.graphs import OPSET, TOLERANCE, forget_origin, quiet
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.errors import RunError
from voiceconv.features.causal import Heard
from voiceconv.models.exported import open_session
from voiceconv.models.exported_streaming import step_file
from voiceconv.models.streaming import StreamingTranslator

COMPARED = 200  # frames of a stream in which a graph is compared with torch


class Step(nn.Module):
    """A frame (1, I, 1), a target (1,), states -> cepstra, aperiodicity, voicing, pitch, states."""

    def __init__(self, translator: StreamingTranslator, look_ahead: int) -> None:
        super().__init__()
        self.translator, self.look_ahead = translator, look_ahead

    def forward(self, frame: Tensor, target: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        """See the class."""
        spoken, after = self.translator.step(frame, states, target, self.look_ahead)
        return (*spoken, *after)


def write_steps(converter: StreamingConverter, folder: Path) -> dict[str, dict[str, Any]]:
    """Write a graph for each look-ahead; path -> `look_ahead` in frames and `largest_difference`.

    Raises RunError where a graph differs from torch by more than TOLERANCE.
    """
    graphs = {}
    for look_ahead in converter.translator.look_aheads:
        path = folder / step_file(look_ahead)
        step = Step(converter.translator, look_ahead)
        _write(step, path)
        difference = _difference(step, converter, path)
        if not difference <= TOLERANCE:
            raise RunError(
                f"{path.name} differs from torch by {difference:.2g} in {COMPARED} frames, more "
                f"than {TOLERANCE:g}; nothing is written: use the torch model"
            )
        graphs[path.name] = {"look_ahead": look_ahead, "largest_difference": difference}
    return graphs


def _write(step: Step, path: Path) -> None:
    frame = torch.zeros(1, step.translator.n_inputs, 1)
    states = step.translator.start(step.look_ahead)
    names = [f"state_{number}" for number in range(len(states))]
    said = ["cepstra", "aperiodicity", "voicing", "pitch"]
    with torch.no_grad(), quiet():
        program: Any = torch.onnx.export(
            step,
            (frame, torch.zeros(1, dtype=torch.long), states),
            dynamo=True,
            input_names=["frame", "target", *names],
            output_names=[*said, *(f"{name}_after" for name in names)],
            opset_version=OPSET,
            verbose=False,
        )
    forget_origin(program.model)
    program.save(path, external_data=False)


@torch.no_grad()
def _difference(step: Step, converter: StreamingConverter, path: Path) -> float:
    """The largest over a stream of noise that comes and goes, each engine on its own states."""
    spectrum, session = converter.spectrum, open_session(path)
    rng = torch.Generator().manual_seed(COMPARED)
    n_samples = COMPARED * spectrum.hop_length
    swell = torch.sin(torch.arange(n_samples) / n_samples * 20).square()
    wave = 0.1 * swell * torch.randn(n_samples, generator=rng)
    heard = spectrum.frames(spectrum.windows(wave)[None], Heard.nothing(), step.translator.usual)[0]
    ours = theirs = step.translator.start(step.look_ahead)
    names = [one.name for one in session.get_inputs()]
    worst = 0.0
    for number in range(COMPARED):
        frame = heard[..., number : number + 1]
        target = torch.tensor([number % len(converter.domains)])
        wanted = step(frame, target, list(ours))
        inputs = [frame, target, *theirs]
        given = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        found = [torch.from_numpy(one) for one in session.run(None, given)]
        pairs = zip(wanted, found, strict=True)
        worst = max(worst, *(float((a - b).abs().max()) for a, b in pairs if a.numel()))
        ours, theirs = list(wanted[4:]), found[4:]
    return worst
