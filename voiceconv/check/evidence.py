"""The input of the rules, and their findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voiceconv.check.corpus import Item
from voiceconv.check.measure import Measurements

# 128 frames of 5 ms: `data.n_frames` of the default experiment.
CROP_SECONDS = 0.64
# The papers of the family train on 81 sentences of each speaker, about 5 minutes (VCC 2018).
LEAST_MINUTES = 5.0


@dataclass(frozen=True)
class Case:
    """One utterance of a finding, its value, and a note, for example the other speaker."""

    item: Item
    figure: float
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """A fault of a speaker: rule, worst value, limit, remedy.

    cases: the utterances with the fault, worst first; for a finding about the whole speaker (not
        is_of_utterances), a few of the worst as examples, or none.
    """

    rule: str
    speaker: str
    figure: float  # the worst one
    unit: str
    limit: float
    remedy: str
    is_mendable: bool
    cases: tuple[Case, ...] = ()
    is_of_utterances: bool = True


@dataclass(frozen=True)
class Needs:
    """The requirements of the experiment; sample_rate None: any."""

    crop_seconds: float = CROP_SECONDS
    sample_rate: int | None = None
    minutes: float = LEAST_MINUTES


@dataclass(frozen=True)
class Evidence:
    """The input of all rules."""

    measured: Mapping[Item, Measurements]
    unreadable: Mapping[Item, str]
    matches: Sequence[tuple[Item, Item, float]]  # pairs of one recording; share of differing bits
    needs: Needs = Needs()

    def by_speaker(self) -> dict[str, dict[Item, Measurements]]:
        """Speaker -> measurements of each utterance."""
        speakers: dict[str, dict[Item, Measurements]] = {}
        for item, measured in self.measured.items():
            speakers.setdefault(item.utterance.domain, {})[item] = measured
        return dict(sorted(speakers.items()))


def usual_rate(evidence: Evidence) -> int:
    """The most common sample rate in Hz by duration; if two are equal, the higher."""
    seconds: dict[int, float] = {}
    for m in evidence.measured.values():
        seconds[m.sample_rate] = seconds.get(m.sample_rate, 0.0) + m.seconds
    return max(seconds, key=lambda rate: (seconds[rate], rate), default=0)
