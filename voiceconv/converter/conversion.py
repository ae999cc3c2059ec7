"""What a conversion did beside the network's part: whose statistics, and how far F0 moved."""

import math
from dataclasses import replace
from typing import Literal, NamedTuple

from voiceconv.converter.novelty import Verdict
from voiceconv.features import DomainStats, Features

LARGEST = 24.0  # semitones by which F0 may be moved on top: beyond them it is nobody's voice
Known = Literal["named", "recognised", "unseen"]


class Conversion(NamedTuple):
    """One conversion, as `voiceconv.converter` logs it at level INFO: it is the record's message.

    source: the domain whose network is used; its statistics are, too, unless the voice is unseen.
        None where one network takes any voice, and this one is unseen.
    f0_move: semitones from the mean of the source's log F0 to the target's, None without F0.
    semitones: what was asked for on top.
    verdict: how near the recording is to speech, None where the model or the recording does not
        tell.
    """

    source: str | None
    known: Known
    f0_move: float | None
    semitones: float
    verdict: Verdict | None = None

    def __str__(self) -> str:
        sources = {
            "named": f"source {self.source}, as named",
            "recognised": f"source {self.source}, recognised",
            "unseen": f"source unseen: its own statistics, the network of {self.source}",
        }
        if self.source is None:
            sources["unseen"] = "source unseen: its own statistics"
        heard = f"; {self.verdict}" if self.verdict else ""
        if self.f0_move is None:
            return f"{sources[self.known]}; no F0 to move{heard}"
        extra = f" and {self.semitones:+.1f} on top" if self.semitones else ""
        return f"{sources[self.known]}; F0 moved by {self.f0_move:+.1f} semitones{extra}{heard}"

    @property
    def as_json(self) -> dict[str, object]:
        """By name, with the verdict's parts; None for what is not known."""
        verdict = self.verdict or (None, None, None)
        said = self._asdict() | dict(zip(Verdict._fields, verdict, strict=True))
        return {name: value for name, value in said.items() if name != "verdict"}


def f0_move(source: DomainStats, target: DomainStats) -> float | None:
    """Semitones between two domains' mean log F0, None where one of them has none."""
    semitones = float(target.log_f0[0] - source.log_f0[0]) * 12 / math.log(2)
    return semitones if math.isfinite(semitones) else None


def transposed(features: Features, semitones: float) -> Features:
    """The same with F0 moved; frames and aperiodicity stay."""
    if not semitones or features.f0 is None:
        return features
    f0 = features.f0 * 2 ** (semitones / 12)
    return replace(features, tracks={**features.tracks, "f0": f0})
