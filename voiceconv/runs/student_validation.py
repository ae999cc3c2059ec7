"""Validation of a streaming student during training, by what its teacher says, and what ships."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voiceconv.converter.streaming import StreamingConverter
from voiceconv.data.taught import Utterance, cut, n_usable, together
from voiceconv.models.streaming import StreamingTranslator, f0_of
from voiceconv.runs.history import History
from voiceconv.training.tracker import Tracker

TO_DB = 10 / np.log(10) * np.sqrt(2)  # of a mel-cepstral distance (Kubichek 1993)
OFF = 0.06  # nepers, a semitone: an F0 that is further off is counted as wrong


class StudentValidation:
    """Called by the trainer.

    Distances to the teacher's features go to TensorBoard and `<folder>/validation.json`, the newest
    model to `<folder>/last` where it need not be the one that ships, in `<folder>/model`.
    """

    def __init__(
        self,
        folder: Path,
        converter: StreamingConverter,
        utterances: Mapping[str, Sequence[Utterance]],
        n_scored: int,
        card: Mapping[str, object],
        with_last: bool,
    ) -> None:
        """utterances: of val, by target; n_scored of them, spread over val, are scored."""
        self.folder, self.converter, self.card = folder, converter, dict(card)
        self.with_last = with_last
        every = [
            (converter.domains.index(target), one)
            for target, some in utterances.items()
            for one in some
        ]
        places = np.linspace(0, len(every) - 1, min(n_scored, len(every)))
        self.scored = [every[int(place)] for place in places]
        rule = f"least mel-cepstral distortion from the teacher over {len(self.scored)} of val"
        self.history = History(folder, rule if self.scored else None)

    def measure(self, step: int, network: nn.Module, tracker: Tracker) -> float | None:
        """Show and record the distances; the distortion, or None without val."""
        if self.with_last:
            self._write(self.folder / "last", step, network)
        if not self.scored:
            return None
        measures = self._measure(network)
        if tracker.writer is not None:
            for name, value in measures.items():
                tracker.writer.add_scalar(f"validation/{name}", value, step)
        score = measures["mel_cepstral_distortion"]
        if not np.isfinite(score):
            return None
        self.history.record(step, {**measures, "score": score})
        return score

    def ship(self, step: int, network: nn.Module) -> None:
        """Write `<folder>/model`."""
        self._write(self.folder / "model", step, network)

    @torch.no_grad()
    def _measure(self, network: nn.Module) -> dict[str, float]:
        """Means over the utterances, at the default look-ahead: dB, and shares of frames."""
        network = copy.deepcopy(network).cpu().eval()
        assert isinstance(network, StreamingTranslator)
        spectrum, found = self.converter.spectrum, []
        for target, one in self.scored:
            crop = cut(one, spectrum, 0, n_usable(one, spectrum))
            batch = together([crop], [target], spectrum, network.usual)
            said = network.speak(batch.heard, target)[network.look_ahead]
            n_frames = said.cepstra.shape[2]
            counts = batch.counts[0, :n_frames] > 0
            distance = (said.cepstra - batch.frames[..., :n_frames])[0, 1:].square().sum(0).sqrt()
            f0, wanted = f0_of(said, spectrum.pitches)[0], batch.f0[0, :n_frames]
            both = counts & (f0 > 0) & (wanted > 0)
            found.append(
                [
                    TO_DB * float(distance[counts].mean()),
                    float(((f0 > 0) != (wanted > 0))[counts].double().mean()),
                    float(((f0 / wanted)[both].log().abs() > OFF).double().mean()),
                ]
            )
        names = ("mel_cepstral_distortion", "voicing_error", "f0_off_by_a_semitone")
        return dict(zip(names, np.nanmean(np.array(found), 0).tolist(), strict=True))

    def _write(self, folder: Path, step: int, network: nn.Module) -> None:
        converter = copy.copy(self.converter)
        converter.translator = copy.deepcopy(network).cpu().eval()  # type: ignore[assignment]
        converter.save_pretrained(folder, {**self.card, "steps": step})
