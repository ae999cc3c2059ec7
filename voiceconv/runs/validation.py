"""Validation of a converter during training, and the model that ships.

Fixed validation utterances are converted as for users; a score is computed.
"""

import copy
import logging
import math
import time
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor, nn

from voiceconv import audio
from voiceconv.converter import Converter
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.data.stores import local
from voiceconv.errors import InputError, RunError
from voiceconv.features import MelSpectrogram
from voiceconv.features.base import as_picture
from voiceconv.models import Translator
from voiceconv.runs.history import History
from voiceconv.runs.scores import (
    Direction,
    ParallelScore,
    Score,
    UnpairedScore,
    read_val,
    spread,
)
from voiceconv.training.tracker import Tracker

ROW_HEIGHT = 4  # pixels: 80 rows alone would make a strip of an image
NO_SCORE = "no validation score ({}): the newest model ships, and patience does not end the run"
NOT_SCORED = "a conversion cannot be scored: this step cannot become the model that ships"
log = logging.getLogger(__name__)


def model_card(config: DictConfig, step: int) -> dict[str, object]:
    """What a run's configuration says of the model."""
    return {
        "experiment": config.name,
        "steps": step,
        "data": config.card.data,
        "licence": config.card.licence,
        "consent": config.card.get("consent"),
    }


class Validation:
    """Called by the trainer.

    Audio, spectrograms and scores go to TensorBoard, scores to `<folder>/validation.json`, the
    newest model to `<folder>/last` where it need not be the one that ships, in `<folder>/model`.
    """

    def __init__(self, config: DictConfig, folder: Path, converter: Converter) -> None:
        self.config = config
        self.folder = folder
        self.converter = converter
        self.directions = spread(converter.directions, config.validation.n_directions)
        self.spectrogram = MelSpectrogram(converter.sample_rate)  # mel-cepstra show nothing
        self.waves = self._read_waves(config.data.waves, config.validation.n_utterances)
        chosen = self._choose_score(config.validation.n_scored)
        self.score = chosen if isinstance(chosen, Score) else None
        self._why_none = chosen if isinstance(chosen, str) else None
        self.history = History(folder, self.score.rule if self.score else None)

    def measure(self, step: int, network: nn.Module, tracker: Tracker) -> float | None:
        """Convert, show and score with this translator; a lower score is better, None: no score."""
        began = time.monotonic()
        self._take(network)
        if self.config.trainer.ship == "best":
            self.converter.save_pretrained(self.folder / "last", model_card(self.config, step))
        converted = self._convert(step, tracker)
        if self.score is None:
            self._warn_once(step, tracker)
            return None
        measures = self.score(self.converter, converted)
        if "score" not in measures:
            tracker.warn(step, NOT_SCORED)
            return None
        self.history.record(step, measures)
        if tracker.writer is not None:
            for name, value in measures.items():
                tracker.writer.add_scalar(f"validation/{name}", value, step)
            tracker.writer.add_scalar("validation/seconds", time.monotonic() - began, step)
        return measures["score"]

    def ship(self, step: int, network: nn.Module) -> None:
        """Write `<folder>/model`."""
        self._take(network)
        self.converter.save_pretrained(self.folder / "model", model_card(self.config, step))

    def _warn_once(self, step: int, tracker: Tracker) -> None:
        settings = self.config.trainer
        if self._why_none and (settings.ship == "best" or settings.patience is not None):
            tracker.warn(step, NO_SCORE.format(self._why_none))
        self._why_none = None

    def _take(self, network: nn.Module) -> None:
        assert isinstance(network, Translator)
        self.converter.translator = copy.deepcopy(network).cpu().eval()

    def _convert(self, step: int, tracker: Tracker) -> dict[Direction, list[Tensor]]:
        """Conversions of the fixed utterances by direction, which TensorBoard gets, too."""
        converted: dict[Direction, list[Tensor]] = {}
        for source, target in self.directions:
            for number, wave in enumerate(self.waves.get(source, [])):
                output = self._converted(wave, source, target)
                if output is None:
                    continue
                converted.setdefault((source, target), []).append(output)
                if tracker.writer is None:
                    continue
                name, rate = f"{source}_to_{target}/{number}", self.converter.sample_rate
                tracker.writer.add_audio(name, output[None], step, rate)
                shown = {"source": wave, "converted": output}
                if (target, source) in self.converter.directions:
                    cycled = self._converted(output, target, source)
                    shown |= {} if cycled is None else {"cycled": cycled}
                for kind, sound in shown.items():
                    picture = self._picture(sound)
                    tracker.writer.add_image(f"{name}/{kind}", picture, step, dataformats="HW")
        return converted

    def _converted(self, wave: Tensor, source: str, target: str) -> Tensor | None:
        """(N,) -> (N,), as for users; None, with a warning, where this network cannot."""
        try:
            named = source if source != target else None  # a lone target's is anybody's
            output = self.converter.convert(
                wave, target, named, name=f"validation audio of {source}"
            )
            if not output.isfinite().all():
                raise RunError("it is NaN or infinite")
        except (InputError, RunError) as error:
            log.warning("no validation audio of %s to %s: %s", source, target, error)
            return None
        return output

    def _choose_score(self, n_scored: int) -> Score | str:
        """The score for parallel val, else the unpaired score, else the reason for none."""
        if len(self.converter.domains) == 1:
            return "a lone target has no conversions to be compared with"
        frames = read_val(local(self.config.data.dump) / "val", self.converter.domains)
        if not frames:
            return f"{self.config.data.dump}/val has no utterance of every domain"
        parallel = ParallelScore(frames, n_scored, self.directions)
        if all(parallel.pairs.values()):
            return parallel
        if set(self.waves) != set(self.converter.domains):
            return "no sentence is said twice in val, and data.waves has no val of every domain"
        back = {(target, source) for source, target in self.directions}
        if not back <= set(self.converter.directions):
            return "no sentence is said twice in val, and no network converts back"
        try:
            rate = self.converter.sample_rate
            return UnpairedScore(frames, n_scored, self.directions, self.waves, rate)
        except (InputError, ValueError) as error:  # no package; a recording without a voice
            return str(error)

    def _picture(self, wave: Tensor) -> Tensor:
        """(N,) -> log-mel spectrogram as an image (H, T) in 0..1, low channels below."""
        frames = self.spectrogram.extract(wave).frames
        return as_picture(frames).repeat_interleave(ROW_HEIGHT, 0)

    def _read_waves(self, waves: str | None, n_utterances: int) -> dict[str, list[Tensor]]:
        """The first readable utterances of each domain in the val split, in the order of ids."""
        if waves is None or not (Path(waves) / "val" / "wav.scp").exists():
            log.info("no validation audio: data.waves names no data directory with a val split")
            return {}
        read: dict[str, list[Tensor]] = {}
        for utterance in read_data_dir(Path(waves) / "val"):
            if len(read.get(utterance.domain, [])) < n_utterances:
                wave = self._read(utterance)
                if wave is not None:
                    read.setdefault(utterance.domain, []).append(wave)
        return read

    def _read(self, utterance: Utterance) -> Tensor | None:
        """(N,); None for a file that extraction, too, has left out, and for silence."""
        try:
            wave = read_wave(utterance, self.converter.sample_rate).samples
        except InputError as error:
            log.warning("no validation audio of %s: %s", utterance.id, error)
            return None
        if audio.level(wave, self.converter.sample_rate) == -math.inf:
            log.warning("no validation audio of %s: it is silent", utterance.id)
            return None
        return wave
