"""The methods of a listening test: question, scale and form of an answer.

For every method an answer maps stimulus ids to numbers: ratings on the method's scale, or 1 for the
chosen stimulus and 0 for the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One method.

    Args:
        name: name in `--test` and the manifest.
        title: name in a report.
        source: the standard or the paper that describes it.
        measure: name of the mean of its values.
        scale: lowest and highest whole number of an answer; None: the listener chooses one of
            two.
        together: whether one trial shows all systems, instead of one or a pair.
        min_heard: seconds of each stimulus that must be heard before an answer; None: nearly all
            of it.
    """

    name: str
    title: str
    source: str
    measure: str
    scale: tuple[int, int] | None = None
    together: bool = False
    min_heard: float | None = None

    @property
    def is_choice(self) -> bool:
        """Whether the listener chooses one of two stimuli."""
        return self.scale is None

    def check(self, shown: Sequence[str], values: Mapping[str, float]) -> None:
        """Raise ValueError, with one sentence, unless `values` answers a trial of these stimuli."""
        if values.keys() != set(shown):
            raise ValueError(
                f"values for {sorted(values)}, where this trial asks for {sorted(shown)}"
            )
        if self.scale is None:
            if sorted(values.values()) != [0, 1]:
                raise ValueError(
                    f"a choice is 1 for one and 0 for the other, not {list(values.values())}"
                )
            return
        low, high = self.scale
        for stimulus, value in values.items():
            if not (low <= value <= high and value == int(value)):
                raise ValueError(
                    f"{value!r} for {stimulus} is no whole number from {low} to {high}"
                )


METHODS = {
    method.name: method
    for method in [
        Method(
            "mos",
            "mean opinion score",
            "ITU-T P.800 annex B, absolute category rating; crowd practice of ITU-T P.808",
            "MOS",
            scale=(1, 5),
        ),
        Method(
            "similarity",
            "similarity",
            "the Voice Conversion Challenges' same/different scale with sureness, "
            "Toda et al. 2016, Interspeech",
            "similarity",
            scale=(1, 4),
        ),
        Method("ab", "preference", "forced choice between two systems", "share preferred"),
        Method("abx", "discrimination", "ABX, Munson and Gardner 1950, JASA 22", "share correct"),
        Method(
            "mushra",
            "MUSHRA",
            "ITU-R BS.1534-3, multiple stimuli with hidden reference and anchors",
            "MUSHRA score",
            scale=(0, 100),
            together=True,
            min_heard=1.0,
        ),
    ]
}
