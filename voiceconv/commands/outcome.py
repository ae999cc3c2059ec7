"""What a model makes of the val split, beside statistics alone: voice, naturalness and words."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from voiceconv.audio import read, resample
from voiceconv.converter import Converter
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import read_data_dir
from voiceconv.errors import InputError
from voiceconv.metrics.intelligibility import ErrorRates, PocketSphinx, evaluate
from voiceconv.metrics.naturalness import Dnsmos
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, mean_embedding, similarity
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.progress import progress_bar

N_CONVERTED = 8  # recordings of each direction
N_HEARD = 20  # recordings of a target, for its voice
UNFIT = 40.0  # % of the sources' characters: a recogniser that errs more knows another language
SYSTEMS = ("source", "statistics alone", "this model")
UNTOUCHED = {"_target_": "voiceconv.models.identity.IdentityTranslator"}


class Outcome(NamedTuple):
    """Means over conversions; the character error rate in %, None where no recogniser fits."""

    similarity: float
    dnsmos: float
    character_error: float | None


class _Example(NamedTuple):
    """A recording (N,) at the model's rate, its domain if the model has it, and where it goes."""

    wave: Tensor
    source: str | None
    target: str
    text: str | None


def measure(converter: Converter, data: Path, stranger: Path) -> dict[str, Outcome]:
    """Outcomes of the unconverted source, of statistics alone and of a model.

    Args:
        converter: the model.
        data: has `train` and `val`, as `voiceconv prepare` writes them.
        stranger: a recording of somebody else, which a model of a single domain converts.

    Raises InputError if the extra `eval` is missing, or if nothing can be measured.
    """
    ear = _Ear(converter, data)
    plain = Converter(converter.config | {"translator": UNTOUCHED}, converter.stats)
    examples = _examples(converter, data, stranger)
    found = []
    with progress_bar("listen") as progress:
        for number, (wave, source, target, text) in enumerate(examples):
            progress(number, len(examples))
            made = [wave, *(one.convert(wave, target, source) for one in (plain, converter))]
            with suppress(ValueError):  # silent, or shorter than a sound
                found.append([ear.hear(one, target, text) for one in made])
    if not found:
        raise InputError(f"{data}/val has nothing that can be measured")
    means = np.mean(found, axis=0)
    fits = np.isfinite(found).all() and means[0, 2] <= UNFIT
    return {
        name: Outcome(float(alike), float(natural), float(error) if fits else None)
        for name, (alike, natural, error) in zip(SYSTEMS, means, strict=True)
    }


def table(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Lines."""
    with_words = all(one.character_error is not None for one in outcomes.values())
    yield f"{'':16}  similarity  DNSMOS{'  CER %' if with_words else ''}"
    for name, one in outcomes.items():
        words = f"  {one.character_error:5.1f}" if with_words else ""
        yield f"{name:16}  {one.similarity:10.3f}  {one.dnsmos:6.2f}{words}"


class _Ear:
    """The measures of conversions into a model's domains."""

    def __init__(self, converter: Converter, data: Path) -> None:
        self._rate = converter.sample_rate
        self._encoder, self._naturalness = SpeakerEncoder(), Dnsmos()
        self._recogniser, self._rates = PocketSphinx(), ErrorRates()
        self._voices = {}
        for target in converter.domains:
            own = [one for one in read_data_dir(data / "train") if one.domain == target]
            waves = [read_wave(one, SAMPLE_RATE).samples.numpy() for one in own[:N_HEARD]]
            self._voices[target] = mean_embedding([self._encoder.embed(one) for one in waves])

    def hear(self, wave: Tensor, target: str, text: str | None) -> tuple[float, float, float]:
        """(N,) -> similarity, DNSMOS, and the character error rate in %, NaN without a text.

        Raises ValueError for a wave that a measure cannot take.
        """
        heard = condition(resample(wave, self._rate, SAMPLE_RATE).double().numpy())
        return (
            similarity(self._voices[target], self._encoder.embed(heard)),
            self._naturalness.score(heard)["dnsmos"],
            evaluate(self._recogniser, self._rates, heard, text)["character_error"]
            if text
            else math.nan,
        )


def _examples(converter: Converter, data: Path, stranger: Path) -> list[_Example]:
    """Recordings of val in every direction; of a stranger, where there is a single domain."""
    if len(converter.domains) == 1:
        wave = read(stranger, converter.sample_rate).samples
        return [_Example(wave, None, converter.domains[0], None)]
    val = read_data_dir(data / "val")
    return [
        _Example(read_wave(one, converter.sample_rate).samples, source, target, one.text)
        for source, target in converter.directions
        for one in [one for one in val if one.domain == source][:N_CONVERTED]
    ]
