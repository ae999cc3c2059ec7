"""How far a recording lies from the speech that a model has learned from: a percentile, in words.

Three measures: the Mahalanobis distance of its `Traits`, its pitch, and how much of another pitch
is in it. A percentile is a rank among recordings of speakers that were held out: each speaker's are
measured against all the others'. What is farther than LIMIT of them is out of the domain.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor

from voiceconv.converter.traits import GROUPS, Traits
from voiceconv.errors import InputError
from voiceconv.files import replacing
from voiceconv.model_folder import load_tensors, save_tensors

NOVELTY = "novelty.safetensors"
LIMIT = 95.0  # percentile: so the rate of false alarms is 5% or less
LEAST_SPEAKERS, LEAST_RECORDINGS = 3, 50
SHRINKAGE = 0.1  # of correlations towards none
FARTHEST = 8.0  # deviations; beyond them, one measure says no more
_KINDS = ("distance", "pitch", "second")
_WORDS = {  # of the group with the largest part in a distance, where it is below, and above
    "spectrum": ("its average spectrum is not a voice's, as over a telephone",) * 2,
    "variety": (
        "its sounds differ less than those of speech, as in noise",
        "its sounds differ more than those of speech",
    ),
    "speed": (
        "it changes more slowly than speech, as music and echoes do",
        "it changes faster than speech, as noise and damaged recordings do",
    ),
    "envelope": ("its level rises and falls unlike that of speech",) * 2,
    "voicing": (
        "no pitch in {unvoiced:.0f}% of its loud parts, as in a whisper or in noise",
        "its pitch comes and goes unlike a voice's",
    ),
    "pitch": ("its pitch of {pitch:.0f} Hz is unusual",) * 2,
    "intonation": (
        "its pitch moves less than a voice's",
        "its pitch moves more than a voice's, as in singing or with several voices",
    ),
    "breath": (
        "its pitch is purer than a voice's, as of an instrument",
        "its voice is noisier than others",
    ),
}


class Verdict(NamedTuple):
    """How a recording compares with speech.

    percentile: of held-out speakers' recordings that are nearer. reason: in words, where it is out
    of the domain.
    """

    percentile: float
    is_out_of_domain: bool
    reason: str | None = None

    def __str__(self) -> str:
        if self.percentile >= 100:
            return "farther than all held-out recordings"
        shown = math.floor(10 * self.percentile) / 10
        return f"farther than {shown:g}% of held-out recordings"


@dataclass(frozen=True)
class Novelty:
    """The traits of a model's speech, and how held-out speakers' recordings compare.

    mean, scale: (K,). precision: (K, K), of the standardised measures. held_out: (n, 3): distance,
    pitch in Hz and share of a second pitch of n recordings.
    """

    mean: Tensor
    scale: Tensor
    precision: Tensor
    held_out: Tensor

    @classmethod
    def fit(cls, speakers: Mapping[str, Sequence[Traits]]) -> "Novelty":
        """Of recordings by speaker; every speaker counts the same.

        Raises InputError where there are too few to tell what speakers have in common.
        """
        speakers = {name: some for name, some in speakers.items() if some}
        n = sum(map(len, speakers.values()))
        if len(speakers) < LEAST_SPEAKERS or n < LEAST_RECORDINGS:
            raise InputError(
                f"{n} recordings of {len(speakers)} speakers do not tell what a new one may be "
                f"like; give at least {LEAST_RECORDINGS} of {LEAST_SPEAKERS}"
            )
        held_out = []
        for name, some in speakers.items():
            others = cls._of(other for key, other in speakers.items() if key != name)
            held_out += [others.measure(one) for one in some]
        return replace(cls._of(speakers.values()), held_out=torch.stack(held_out))

    @classmethod
    def _of(cls, speakers: Iterable[Sequence[Traits]]) -> "Novelty":
        """Without anything held out."""
        tables = [torch.stack([one.measures for one in some]).double() for some in speakers]
        table = torch.cat(tables)
        weight = torch.cat([torch.full((len(one), 1), 1 / len(one)) for one in tables]).double()
        known = ~table.isnan()
        weights = weight * known
        total = weights.sum(0).clamp_min(1e-12)
        mean = (weights * table.nan_to_num()).sum(0) / total
        offset = (table - mean).nan_to_num()
        scale = ((weights * offset.square()).sum(0) / total).sqrt()
        scale = torch.where(scale > 1e-6, scale, 1.0)
        standard = offset / scale
        correlation = (weight * standard).T @ standard / weight.sum() * (1 - SHRINKAGE)
        correlation.fill_diagonal_(1.0)
        precision = torch.linalg.inv(correlation)
        none = torch.zeros(0, len(_KINDS))
        return cls(mean.float(), scale.float(), precision.float(), none)

    def measure(self, found: Traits) -> Tensor:
        """(3,): distance, pitch, second pitch."""
        standard = self._standard(found)
        distance = (standard @ self.precision @ standard / len(standard)).clamp_min(0).sqrt()
        return torch.tensor([float(distance), found.pitch, found.second])

    def judge(self, found: Traits) -> Verdict:
        """Compare a recording. Its rank is that of its largest among the three measures."""
        measured = self.measure(found)
        ranks = (self.held_out[:, None] < self.held_out).float().mean(1).amax(1)  # of each
        rank = (self.held_out < measured).float().mean(0).amax()
        percentile = 100 * float((ranks < rank).float().mean())
        if percentile <= LIMIT:
            return Verdict(percentile, False)
        return Verdict(percentile, True, self._reason(found, measured))

    def _reason(self, found: Traits, measured: Tensor) -> str:
        limits = self.held_out.quantile(LIMIT / 100, 0).clamp_min(1e-3)
        kind = _KINDS[int((measured / limits).argmax())]
        if kind == "pitch":
            return f"its pitch of {found.pitch:.0f} Hz is higher than theirs, as a child's"
        if kind == "second":
            return (
                f"{100 * found.second:.0f}% of its voiced parts have a second pitch, as of two "
                "speakers or of music"
            )
        standard = self._standard(found)
        parts = (standard * (self.precision @ standard)).split(list(GROUPS.values()))
        group = list(GROUPS)[int(torch.stack([part.sum() for part in parts]).argmax())]
        sign = standard.split(list(GROUPS.values()))[list(GROUPS).index(group)].sum()
        words = _WORDS[group][int(sign > 0)]
        return words.format(unvoiced=100 * (1 - found.voiced), pitch=found.pitch)

    def _standard(self, found: Traits) -> Tensor:
        """(K,) deviations from the mean; 0 where nothing was measured."""
        standard = (found.measures - self.mean) / self.scale
        return standard.nan_to_num(0.0).clamp(-FARTHEST, FARTHEST)

    def save(self, folder: Path) -> None:
        """Write NOVELTY in a model's folder, whole or not at all."""
        with replacing(folder / NOVELTY) as temporary:
            save_tensors(
                {field.name: getattr(self, field.name).contiguous() for field in fields(self)},
                temporary,
            )

    @classmethod
    def load(cls, folder: Path) -> "Novelty | None":
        """The inverse of save; None where a model has none. Raises InputError for damage."""
        path = folder / NOVELTY
        try:
            tensors = load_tensors(path)
            numbers = [tensors[field.name] for field in fields(cls)]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError) as error:
            raise InputError(
                f"{path} is not readable ({error}); run `voiceconv calibrate` again, or delete it"
            ) from error
        n = sum(GROUPS.values())
        shapes = [tuple(one.shape) for one in numbers]
        if not all(one.is_floating_point() and one.isfinite().all() for one in numbers):
            raise InputError(
                f"{path} has values that are no numbers; run `voiceconv calibrate` again"
            )
        wanted = [(n,), (n,), (n, n), (max(1, len(numbers[3])), len(_KINDS))]
        if shapes != wanted:
            raise InputError(
                f"{path} is of another version ({shapes}); run `voiceconv calibrate` again"
            )
        return cls(*numbers)
