"""What the rules are given, and what they say."""

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
    """One utterance of a finding: how bad it is there, and with whom, where that matters."""

    item: Item
    figure: float
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, how bad and what to do.

    cases: the utterances that it is about, worst first; of a finding about the speaker as a whole
        (not is_of_utterances), the worst few as examples, or none.
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
    """What the experiment asks of the data; sample_rate None: any."""

    crop_seconds: float = CROP_SECONDS
    sample_rate: int | None = None
    minutes: float = LEAST_MINUTES


@dataclass(frozen=True)
class Evidence:
    """All that rules look at."""

    measured: Mapping[Item, Measurements]
    unreadable: Mapping[Item, str]
    matches: Sequence[tuple[Item, Item, float]]  # recordings that are one; share of differing bits
    needs: Needs = Needs()

    def by_speaker(self) -> dict[str, dict[Item, Measurements]]:
        """Speaker -> what was measured of each utterance."""
        speakers: dict[str, dict[Item, Measurements]] = {}
        for item, measured in self.measured.items():
            speakers.setdefault(item.utterance.domain, {})[item] = measured
        return dict(sorted(speakers.items()))


def usual_rate(evidence: Evidence) -> int:
    """The sample rate in Hz that most of the sound has; of equals the higher."""
    seconds: dict[int, float] = {}
    for m in evidence.measured.values():
        seconds[m.sample_rate] = seconds.get(m.sample_rate, 0.0) + m.seconds
    return max(seconds, key=lambda rate: (seconds[rate], rate), default=0)
