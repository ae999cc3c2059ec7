"""Validation of a vocoder during training, by copies of val, and the model that ships."""

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from voiceconv.audio import resample
from voiceconv.errors import InputError
from voiceconv.metrics import copy_synthesis, wave_input
from voiceconv.metrics.wave_input import SAMPLE_RATE
from voiceconv.models.base import WaveGenerator
from voiceconv.models.layers import fold_weight_norm
from voiceconv.runs.history import History
from voiceconv.training.tracker import Tracker
from voiceconv.vocoders.directory import write_vocoder

LOWEST_PESQ = 1.04  # a silent copy, a NaN, or one in which PESQ hears nothing: as bad as can be
WARN = "no PESQ ({}): the newest vocoder ships, and patience does not end the run"


class VocoderValidation:
    """Called by the trainer.

    Distances of copies to their recordings go to TensorBoard, PESQ among them, which decides what
    ships, to `<folder>/validation.json`, too; the newest vocoder to `<folder>/last` where it need
    not be the one that ships, in `<folder>/model`.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        utterances: Sequence[tuple[np.ndarray, np.ndarray]],
        n_scored: int,
        n_heard: int,
        with_last: bool,
    ) -> None:
        """config: a vocoder directory's; utterances: frames (T, C) and waves (N,) of val.

        n_scored: utterances, spread over val; n_heard: of them, in TensorBoard.
        """
        self.folder = folder
        self.config = dict(config)
        self.sample_rate: int = config["features"]["sample_rate"]
        chosen = np.linspace(0, len(utterances) - 1, min(n_scored, len(utterances)))
        self.utterances = [utterances[int(i)] for i in chosen]
        self.n_heard = n_heard
        self.with_last = with_last
        self._why_none: str | None = None
        try:
            self._pesq: copy_synthesis.Pesq | None = copy_synthesis.Pesq()
        except InputError as error:
            self._pesq, self._why_none = None, str(error)
        if not self.utterances:
            self._why_none = "the dump's val has no utterance"
        rule = f"greatest PESQ over {len(self.utterances)} copies of val"
        self.history = History(folder, rule if self._pesq and self.utterances else None)

    def measure(self, step: int, network: nn.Module, tracker: Tracker) -> float | None:
        """Make, show and score copies; return minus PESQ, None if there is none."""
        began = time.monotonic()
        generator = _shipped(network)
        if self.with_last:
            self._write(self.folder / "last", step, generator)
        measures = self._measure(step, generator, tracker)
        if tracker.writer is not None:
            for name, value in measures.items():
                tracker.writer.add_scalar(f"validation/{name}", value, step)
            tracker.writer.add_scalar("validation/seconds", time.monotonic() - began, step)
        if self._why_none and self.with_last:
            tracker.warn(step, WARN.format(self._why_none))
            self._why_none = None
        if "pesq" not in measures:
            return None
        score = -measures["pesq"]
        self.history.record(step, {**measures, "score": score})
        return score

    def ship(self, step: int, network: nn.Module) -> None:
        """Write `<folder>/model`."""
        self._write(self.folder / "model", step, _shipped(network))

    def _measure(self, step: int, generator: WaveGenerator, tracker: Tracker) -> dict[str, float]:
        """Means over the copies."""
        found: dict[str, list[float]] = {}
        for number, (frames, wave) in enumerate(self.utterances):
            spoken = generator(torch.from_numpy(np.array(frames).T)[None])[0]
            spoken = spoken[generator.frame_centre :]
            if tracker.writer is not None and number < self.n_heard:
                tracker.writer.add_audio(f"copy/{number}", spoken[None], step, self.sample_rate)
            pair = [
                resample(one, self.sample_rate, SAMPLE_RATE).double().numpy()
                for one in (torch.from_numpy(np.array(wave)), spoken)
            ]
            for name, value in self._compare(*pair).items():
                found.setdefault(name, []).append(value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _compare(self, recording: np.ndarray, spoken: np.ndarray) -> dict[str, float]:
        if not _is_usable(recording):
            return {}
        if not _is_usable(spoken):
            return {"pesq": LOWEST_PESQ} if self._pesq else {}
        original, copied = copy_synthesis.match(recording, spoken)
        measures = {"stft_distance": copy_synthesis.stft_distance(original, copied)}
        if self._pesq is None:
            return measures
        pesq = self._pesq.score(original, copied)
        return {**measures, "pesq": LOWEST_PESQ if pesq is None else pesq}

    def _write(self, folder: Path, step: int, generator: WaveGenerator) -> None:
        card = {**self.config["card"], "steps": step}
        write_vocoder(folder, {**self.config, "card": card}, generator.state_dict())


def _is_usable(wave: np.ndarray) -> bool:
    """Whether a wave (N,) at 16 kHz has values: it is finite, long enough and not silent."""
    try:
        wave_input.validate(wave)
    except ValueError:
        return False
    return True


def _shipped(network: nn.Module) -> WaveGenerator:
    """A copy as it is used: on the CPU, weight norm folded."""
    assert isinstance(network, WaveGenerator)
    generator = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    fold_weight_norm(generator)
    return generator
