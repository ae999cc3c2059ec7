"""What a model makes of the val split, beside statistics alone: voice, naturalness and words.

The end of `fit`.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from voiceconv import audio
from voiceconv.audio import resample
from voiceconv.baselines.registry import UNTOUCHED
from voiceconv.converter import Converter
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.errors import InputError, RunError
from voiceconv.metrics.intelligibility import ErrorRates, PocketSphinx, evaluate
from voiceconv.metrics.naturalness import Dnsmos
from voiceconv.metrics.speaker_similarity import (
    Embedding,
    SpeakerEncoder,
    mean_embedding,
    similarity,
)
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.progress import progress_bar
from voiceconv.runs.scores import spread

N_DIRECTIONS, N_CONVERTED = 6, 4  # directions, recordings of each; 24 take about two minutes
N_HEARD = 20  # recordings of a target, for its voice
LONGEST = 15.0  # seconds that are heard of a recording
UNFIT = 40.0  # % of the sources' characters: a recogniser that errs more knows another language
SYSTEMS = ("source", "statistics alone", "this model")
log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Means over n conversions; the character error rate in %, None where no recogniser fits."""

    similarity: float
    dnsmos: float
    character_error: float | None
    n: int


class _Example(NamedTuple):
    """A recording, its domain if the model has it, and where it goes."""

    recording: Utterance
    source: str | None
    target: str


def measure(converter: Converter, data: Path, stranger: Path) -> dict[str, Outcome]:
    """Outcomes of the unconverted source, of statistics alone and of a model.

    Args:
        converter: the model.
        data: has `train` and `val`, as `voiceconv prepare` writes them.
        stranger: a recording of somebody else, which a model of a single domain converts.

    What cannot be read or measured is left out, and named. Raises InputError if the extra `eval` is
    missing, or if nothing is left.
    """
    plain = Converter(converter.config | {"translator": UNTOUCHED}, converter.stats)
    plain.translator.any_source = converter.translator.any_source
    ear = _Ear(converter, data)
    examples = _examples(converter, data, stranger)
    found: dict[str, list[_Heard]] = {name: [] for name in SYSTEMS}
    with progress_bar("listen") as progress:
        for number, (recording, source, target) in enumerate(examples):
            progress(number, len(examples))
            try:
                wave = _read(recording, converter.sample_rate)
                found["source"].append(ear.hear(wave, target, recording.text))
                for name, one in (("statistics alone", plain), ("this model", converter)):
                    made = one.convert(wave, target, source)
                    found[name].append(ear.hear(made, target, recording.text))
            except (InputError, RunError, ValueError) as error:  # silent; shorter than a sound
                log.warning("%s to %s is not measured: %s", recording.id, target, error)
    if not all(found.values()):
        raise InputError(f"{data}/val holds nothing that can be measured; add recordings")
    wrong = _mean_error(found["source"])
    fits = wrong is not None and wrong <= UNFIT
    return {
        name: Outcome(
            float(np.mean([one.similarity for one in heard])),
            float(np.mean([one.dnsmos for one in heard])),
            _mean_error(heard) if fits else None,
            len(heard),
        )
        for name, heard in found.items()
    }


def table(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Lines."""
    with_words = all(one.character_error is not None for one in outcomes.values())
    yield f"{'':16}   n  similarity  DNSMOS{'  CER %' if with_words else ''}"
    for name, one in outcomes.items():
        words = f"  {one.character_error:5.1f}" if with_words else ""
        yield f"{name:16}  {one.n:2}  {one.similarity:10.3f}  {one.dnsmos:6.2f}{words}"


class _Heard(NamedTuple):
    similarity: float
    dnsmos: float
    character_error: float | None  # %, None without a text


class _Ear:
    """The measures of conversions into a model's domains."""

    def __init__(self, converter: Converter, data: Path) -> None:
        self._rate = converter.sample_rate
        self._encoder, self._naturalness = SpeakerEncoder(), Dnsmos()
        self._recogniser, self._rates = PocketSphinx(), ErrorRates()
        train = read_data_dir(data / "train")
        self._voices = {
            target: mean_embedding(
                list(islice(self._embeddings([u for u in train if u.domain == target]), N_HEARD))
            )
            for target in converter.domains
        }

    def _embeddings(self, recordings: Iterable[Utterance]) -> Iterator[Embedding]:
        """Of what can be read and is no silence."""
        for recording in recordings:
            with suppress(InputError, ValueError):
                yield self._encoder.embed(_read(recording, SAMPLE_RATE).numpy())

    def hear(self, wave: Tensor, target: str, text: str | None) -> _Heard:
        """(N,) at the model's rate -> its measures.

        Raises ValueError for a wave that a measure cannot take.
        """
        heard = condition(resample(wave, self._rate, SAMPLE_RATE).double().numpy())
        error = None
        if text:
            error = evaluate(self._recogniser, self._rates, heard, text)["character_error"]
        alike = similarity(self._voices[target], self._encoder.embed(heard))
        return _Heard(alike, self._naturalness.score(heard)["dnsmos"], error)


def _examples(converter: Converter, data: Path, stranger: Path) -> list[_Example]:
    """Recordings of val in some directions; a stranger's, where there is a single domain."""
    if len(converter.domains) == 1:
        return [_Example(Utterance(stranger.stem, "", stranger), None, converter.domains[0])]
    val = read_data_dir(data / "val")
    return [
        _Example(one, source, target)
        for source, target in spread(converter.directions, N_DIRECTIONS)
        for one in [one for one in val if one.domain == source][:N_CONVERTED]
    ]


def _read(recording: Utterance, sample_rate: int) -> Tensor:
    """Its first seconds (N,), at most LONGEST, at `sample_rate`."""
    start = recording.start or 0.0
    end = min(recording.end or math.inf, start + LONGEST)
    if recording.end is None and audio.probe(recording.path).seconds <= end:
        return read_wave(recording, sample_rate).samples
    return read_wave(replace(recording, end=end), sample_rate).samples


def _mean_error(heard: Iterable[_Heard]) -> float | None:
    errors = [one.character_error for one in heard if one.character_error is not None]
    return float(np.mean(errors)) if errors else None
