"""What a run of frames without audio shows on the way, and what of it ships: the newest model."""

import copy
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from voiceconv.converter import FileConverter
from voiceconv.data.stores import local
from voiceconv.features import Features
from voiceconv.models import Translator
from voiceconv.runs.scores import read_val, spread
from voiceconv.runs.validation import NO_SCORE, ROW_HEIGHT, model_card
from voiceconv.training.tracker import Tracker

WHY_NO_SCORE = "scores are of audio, and these features have none"


class FileValidation:
    """Called by the trainer.

    Pictures of val's frames go to TensorBoard, as they are, converted, and there and back again;
    the newest model to `<folder>/last` where scores are asked for, and to `<folder>/model`.
    """

    def __init__(self, config: DictConfig, folder: Path, converter: FileConverter) -> None:
        self.config = config
        self.folder = folder
        self.converter = converter
        self.directions = spread(converter.directions, config.validation.n_directions)
        frames = read_val(local(config.data.dump) / "val", converter.domains)
        n_shown = config.validation.n_utterances
        self.frames = {domain: list(some.values())[:n_shown] for domain, some in frames.items()}
        settings = config.trainer
        self._is_asked_for = settings.ship == "best" or settings.patience is not None

    def measure(self, step: int, network: nn.Module, tracker: Tracker) -> float | None:
        """Show what this translator does; there is no score."""
        self._take(network)
        if self.config.trainer.ship == "best":
            self.converter.save_pretrained(self.folder / "last", model_card(self.config, step))
        self._show(step, tracker)
        if self._is_asked_for:
            tracker.warn(step, NO_SCORE.format(WHY_NO_SCORE))
        self._is_asked_for = False
        return None

    def ship(self, step: int, network: nn.Module) -> None:
        """Write `<folder>/model`."""
        self._take(network)
        self.converter.save_pretrained(self.folder / "model", model_card(self.config, step))

    def _take(self, network: nn.Module) -> None:
        assert isinstance(network, Translator)
        self.converter.translator = copy.deepcopy(network).cpu().eval()

    @torch.no_grad()
    def _show(self, step: int, tracker: Tracker) -> None:
        if tracker.writer is None:
            return
        for source, target in self.directions:
            for number, frames in enumerate(self.frames.get(source, [])):
                shown = {"source": frames, "converted": self._translated(frames, source, target)}
                if (target, source) in self.converter.directions:
                    shown["cycled"] = self._translated(shown["converted"], target, source)
                name = f"{source}_to_{target}/{number}"
                for kind, one in shown.items():
                    picture = self.converter.representation.picture(one)
                    picture = picture.repeat_interleave(ROW_HEIGHT, 0)
                    tracker.writer.add_image(f"{name}/{kind}", picture, step, dataformats="HW")

    def _translated(self, frames: Tensor, source: str, target: str) -> Tensor:
        """(C, T) of `source` -> (C, T) of `target`."""
        stats = self.converter.stats[source]
        return self.converter.translate(Features(frames), stats, source, target).frames
