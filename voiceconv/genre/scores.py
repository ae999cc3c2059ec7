"""How far a conversion of genres goes, and what it keeps. Brunner et al. 2018, equations 8 to 10.

A converts x_A to B, xhat_B, and back, xtilde_A. The published P are rates of hard decisions; both
these and the means of probabilities are given here. A phrase that became silent is no conversion:
it counts as of the source genre.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.converter import FileConverter
from voiceconv.errors import InputError
from voiceconv.evaluation.bootstrap import summary
from voiceconv.features.piano_roll import SOUNDS
from voiceconv.genre.classifier import Classifier
from voiceconv.genre.phrases import (
    OCTAVE,
    Phrases,
    check_definition,
    chroma,
    chroma_similarity,
    note_f,
    read_phrases,
    transposed,
)
from voiceconv.genre.texture import texture

Convert = Callable[[Tensor, str, str], Tensor]  # phrases, source, target -> phrases of 0 and 1
AT_ONCE = 32  # phrases that are converted together


class Row(NamedTuple):
    """One system in one direction: rates and mean probabilities of the source genre, in %.

    Each of `rates` and `probabilities`: source, converted, cycled. kept: note F-measure and chroma
    similarity to the source, in %, means over phrases with 95% bootstrap intervals over songs;
    texture: by name, of source, conversion, and the target's phrases of this split; see texture.py:
    overlaps are with the target's training phrases.
    """

    system: str
    source: str
    target: str
    n_phrases: int
    rates: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    kept: dict[str, dict[str, float]]
    texture: dict[str, tuple[float, float, float]]

    @property
    def strength(self) -> float:
        """Of the rates, in %."""
        return strength(*self.rates)

    def cells(self) -> dict[str, list[str]]:
        """As text: rates, probabilities, kept (mean and interval of each), texture (three each)."""
        return {
            "rates": [_listed(self.rates)],
            "probabilities": [_listed(self.probabilities)],
            "strength": [f"{self.strength:.1f}"],
            "kept": [
                f"{one['mean']:.1f} [{one['low']:.1f}, {one['high']:.1f}]"
                for one in self.kept.values()
            ],
            "texture": [_listed(three) for three in self.texture.values()],
        }


def _listed(figures: Sequence[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in figures)


class Example(NamedTuple):
    """A phrase of a song, and what becomes of it.

    rolls: (C, T) of 0 and 1 of "source", "converted" and "cycled"; likely: of each, how likely it
    is of the source genre, in %.
    """

    song: str
    source: str
    target: str
    rolls: dict[str, Tensor]
    likely: dict[str, float]


def strength(source: float, converted: float, cycled: float) -> float:
    """P of the source genre in source, conversion and cycle -> S of one way, equation 8."""
    return 0.5 * ((source - converted) + (cycled - converted))


def score(
    dump: Path, classifier: Classifier, models: Mapping[str, Path], split: str = "test"
) -> list[Row]:
    """Each system, both ways, on the phrases of a split: copying, baselines, and models.

    Raises InputError where genres of dump, classifier and models are not the same.
    """
    test = read_phrases(dump / split)
    train = {domain: phrases.rolls for domain, phrases in read_phrases(dump / "train").items()}
    if sorted(test) != sorted(classifier.domains):
        raise InputError(
            f"{dump} has the genres {', '.join(test)}, and the classifier "
            f"{', '.join(classifier.domains)}; train one of this dump"
        )
    systems: dict[str, Convert] = {
        "copy": lambda phrases, source, target: phrases,
        "transposition": Transposition(train),
        "nearest phrase": NearestPhrase(train),
    }
    if reserved := sorted(systems.keys() & models.keys()):
        raise InputError(f"{reserved[0]} is the name of a baseline; give the model another")
    systems |= {name: Network(model, classifier.domains) for name, model in models.items()}
    first, second = classifier.domains
    return [
        _measure(name, convert, classifier, test, source, target, train[target])
        for name, convert in systems.items()
        for source, target in ((first, second), (second, first))
    ]


def examples(
    dump: Path, classifier: Classifier, convert: Convert, n: int, split: str = "test"
) -> list[Example]:
    """Both ways, n phrases at even places of the split's."""
    first, second = classifier.domains
    test, found = read_phrases(dump / split), []
    for domain, target in ((first, second), (second, first)):
        rolls, songs, names = test[domain]
        chosen = torch.linspace(0, len(rolls) - 1, min(n, len(rolls))).round().long()
        converted = convert(rolls[chosen], domain, target)
        stages = {"source": rolls[chosen], "converted": converted}
        stages["cycled"] = convert(converted, target, domain)
        likely = {kind: 100 * _likely(classifier, some, domain) for kind, some in stages.items()}
        found += [
            Example(
                names[songs[place]], domain, target,
                {kind: some[number] for kind, some in stages.items()},
                {kind: float(some[number]) for kind, some in likely.items()},
            )
            for number, place in enumerate(chosen.tolist())
        ]  # fmt: skip
    return found


def _likely(classifier: Classifier, phrases: Tensor, domain: str) -> Tensor:
    """Phrases (N, C, T) -> how likely each is of a genre (N,); a silent one is of the source's."""
    return torch.where(phrases.flatten(1).any(1), classifier.probability(phrases, domain), 1.0)


def _measure(
    name: str,
    convert: Convert,
    classifier: Classifier,
    test: Mapping[str, Phrases],
    source: str,
    target: str,
    learnt: Tensor,
) -> Row:
    """One row. learnt: the target's phrases of training, (N, C, T)."""
    phrases, songs, _ = test[source]
    converted = convert(phrases, source, target)
    stages = (phrases, converted, convert(converted, target, source))
    likely = [_likely(classifier, one, source) for one in stages]
    rates = [100 * float((one > 0.5).float().mean()) for one in likely]
    means = [100 * float(one.mean()) for one in likely]
    kept = {"note F": note_f(phrases, converted), "chroma": chroma_similarity(phrases, converted)}
    before, after, own = (texture(one, learnt) for one in (phrases, converted, test[target].rolls))
    return Row(
        name, source, target, len(phrases),
        (rates[0], rates[1], rates[2]), (means[0], means[1], means[2]),
        {measure: _over_songs(100 * values, songs) for measure, values in kept.items()},
        {aspect: (before[aspect], after[aspect], own[aspect]) for aspect in own},
    )  # fmt: skip


def _over_songs(values: Tensor, songs: Tensor) -> dict[str, float]:
    """Values and songs (N,) -> their mean, resampled by songs; a song weighs as its phrases do."""
    groups = [values[songs == song] for song in songs.unique()]
    means = [float(one.mean()) for one in groups]
    return summary(means, weights=[float(len(one)) for one in groups])


class Transposition:
    """The one shift, of all, after which a genre's pitch classes are most like the other's."""

    def __init__(self, train: Mapping[str, Tensor]) -> None:
        self.classes = {name: chroma(some).sum((0, 2)) for name, some in train.items()}

    def __call__(self, phrases: Tensor, source: str, target: str) -> Tensor:
        """See Convert."""
        own, wanted = self.classes[source], self.classes[target]
        shifts = range(-OCTAVE // 2 + 1, OCTAVE // 2 + 1)
        alike = [float(F.cosine_similarity(own.roll(n), wanted, dim=0)) for n in shifts]
        return transposed(phrases, shifts[alike.index(max(alike))])


class NearestPhrase:
    """The target's training phrase whose chroma, bar by bar, is most like the source's."""

    def __init__(self, train: Mapping[str, Tensor]) -> None:
        self.train = train
        self.chroma = {name: _directions(some) for name, some in train.items()}

    def __call__(self, phrases: Tensor, source: str, target: str) -> Tensor:
        """See Convert."""
        return self.train[target][(_directions(phrases) @ self.chroma[target].T).argmax(1)]


def _directions(phrases: Tensor) -> Tensor:
    """(N, C, T) -> (N, 12 * bars): each bar's chroma of length 1."""
    return F.normalize(chroma(phrases), dim=1).flatten(1)


class Network:
    """A trained model of piano rolls."""

    def __init__(self, model: Path, domains: list[str]) -> None:
        self.converter = FileConverter.from_pretrained(model)
        check_definition(self.converter.representation, str(model))
        for domain in domains:
            self.converter.check_domains(domain)

    def __call__(self, phrases: Tensor, source: str, target: str) -> Tensor:
        """See Convert."""
        places = [self.converter.domains.index(domain) for domain in (source, target)]
        with torch.no_grad():
            made = [self.converter.translator(part, *places) for part in phrases.split(AT_ONCE)]
        return (torch.cat(made) >= SOUNDS).float()
