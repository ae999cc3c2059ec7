"""What a run shows on the way.

Fixed validation utterances, converted as users will convert, and the model as it stands.
"""

import copy
import logging
from itertools import permutations
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from voiceconv import audio
from voiceconv.converter import Converter
from voiceconv.data.manifest import Utterance, read_data_dir
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram
from voiceconv.models import Translator
from voiceconv.training.tracker import Tracker

ROW_HEIGHT = 4  # pixels: 80 rows alone would make a strip of an image
log = logging.getLogger(__name__)


class Validation:
    """Called by the trainer.

    Audio and spectrograms of fixed utterances to TensorBoard, and `<folder>/model`.
    """

    def __init__(self, config: DictConfig, folder: Path, converter: Converter) -> None:
        self.config = config
        self.folder = folder
        self.converter = converter
        self.spectrogram = MelSpectrogram(converter.sample_rate)  # mel-cepstra show nothing
        self.utterances = self._pick(config.data.waves, config.validation.n_utterances)

    def __call__(self, step: int, translator: Translator, tracker: Tracker) -> None:
        """Write the model with this translator and show what it does."""
        self.converter.translator = copy.deepcopy(translator).cpu().eval()
        self.converter.save_pretrained(self.folder / "model", self._card(step))
        if tracker.writer is None:
            return
        for source, target in permutations(self.converter.domains, 2):
            for number, utterance in enumerate(self.utterances.get(source, [])):
                wave = self._read(utterance)
                if wave is None:
                    continue
                converted = self.converter.convert(wave, target=target, source=source)
                cycled = self.converter.convert(converted, target=source, source=target)
                name = f"{source}_to_{target}/{number}"
                tracker.writer.add_audio(name, converted[None], step, self.converter.sample_rate)
                for kind, shown in (("source", wave), ("converted", converted), ("cycled", cycled)):
                    tracker.writer.add_image(
                        f"{name}/{kind}", self._picture(shown), step, dataformats="HW"
                    )

    def _read(self, utterance: Utterance) -> Tensor | None:
        """(N,); None for a file that extraction, too, has left out."""
        start, rate = utterance.start or 0.0, self.converter.sample_rate
        try:
            return audio.read(utterance.path, rate, start, utterance.end).samples
        except InputError as error:
            log.warning("no validation audio of %s: %s", utterance.id, error)
            return None

    def _picture(self, wave: Tensor) -> Tensor:
        """(N,) -> log-mel spectrogram as an image (H, T) in 0..1, low channels below."""
        frames = self.spectrogram.extract(wave).frames
        low, high = frames.min(), frames.max()
        picture = ((frames - low) / (high - low).clamp_min(1e-6)).flip(0)
        return picture.repeat_interleave(ROW_HEIGHT, 0)

    def _card(self, step: int) -> dict[str, object]:
        card = self.config.card
        return {
            "experiment": self.config.name,
            "steps": step,
            "data": card.data,
            "licence": card.licence,
        }

    def _pick(self, waves: str | None, n_utterances: int) -> dict[str, list[Utterance]]:
        """The first utterances of each domain in the val split, in the order of their ids."""
        if waves is None or not (Path(waves) / "val" / "wav.scp").exists():
            log.info("no validation audio: data.waves names no data directory with a val split")
            return {}
        picked: dict[str, list[Utterance]] = {}
        for utterance in read_data_dir(Path(waves) / "val"):
            if len(picked.setdefault(utterance.domain, [])) < n_utterances:
                picked[utterance.domain].append(utterance)
        return picked
