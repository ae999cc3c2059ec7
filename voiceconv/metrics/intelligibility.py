"""Intelligibility: what a recogniser makes of a conversion, against what was said.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, scaled to a peak of 0.8 (wave_input.py); a recogniser gets
16 bit samples of the whole utterance. Both texts are normalised: compatibility forms unified
(NFKC), lower case, apostrophes dropped ("it's" is "its"), other punctuation and symbols a space,
white space a single space. Numerals stay numerals: write texts as they are spoken. An error rate is
in % of the reference's length and passes 100 where much is inserted. Over a corpus, rates are
weighted by those lengths, so that the mean is the rate of all texts together.

Metrics
-------
* character_error: insertions, deletions and substitutions / characters of the reference, spaces
  between words included, as jiwer's `cer` counts; lower is better.
* word_error: the same in words, jiwer's `wer`.
* n_characters, n_words: the lengths that they are weighted by.

References
----------
Levenshtein 1966; jiwer 4. Recogniser: PocketSphinx 5 (Huggins-Daines et al. 2006, ICASSP) and the
US English models it carries: it errs on good recordings too, so read its rates beside those of the
unconverted ones.
"""

import shlex
import subprocess
import tempfile
import unicodedata
import wave as riff
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceconv.errors import InputError, RunError
from voiceconv.metrics import wave_input
from voiceconv.metrics.wave_input import SAMPLE_RATE, scale_to_peak
from voiceconv.optional import load

APOSTROPHES = "'\u2019\u02bc"


def normalise(text: str) -> str:
    """Lower case, words of letters and digits, single spaces between them."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = (
        character if unicodedata.category(character)[0] in "LMN" else " "
        for character in folded
        if character not in APOSTROPHES
    )
    return " ".join("".join(kept).split())


def validate(reference: str) -> None:
    """Raise ValueError on a text against which nothing can be counted."""
    if not normalise(reference):
        raise ValueError(f"the text {reference!r} holds no word to recognise")


def pcm(wave: NDArray[np.floating]) -> bytes:
    """(N,) at 16 kHz -> 16 bit samples at a peak of 0.8, little endian."""
    wave_input.validate(wave)
    return np.round(scale_to_peak(wave) * 32767).astype("<i2").tobytes()


class Recogniser(ABC):
    """Turns speech into text, utterance by utterance: none depends on those before it."""

    @abstractmethod
    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """Wave (N,) at 16 kHz -> what was said, as the recogniser spells it; may be empty."""

    @abstractmethod
    def definition(self) -> dict[str, object]:
        """What it is, for the stamp."""


class PocketSphinx(Recogniser):
    """PocketSphinx with its own English models. Raises InputError where `eval` is missing.

    On kathleen's 14 transcribed recordings of `val` it errs in 12.1% of characters and 25.6% of
    words, at 0.13 times real time and 0.26 s an utterance to load.
    """

    # Chosen on the same recordings. A second search through the lattice (fwdflat) takes a third
    # longer and errs in 13.5 and 28.0%; 5000 HMMs a frame err as all do, 3000 more.
    OPTIONS: dict[str, Any] = {"fwdflat": False, "maxhmmpf": 5000}

    def __init__(self) -> None:
        self._decoder = load("pocketsphinx", "recognition", "pocketsphinx").Decoder

    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """See Recogniser."""
        # A decoder's scores depend a little on the last frame it heard, in the utterance before:
        # each utterance gets a decoder of its own.
        decoder = self._decoder(loglevel="FATAL", samprate=SAMPLE_RATE, **self.OPTIONS)
        decoder.start_utt()
        decoder.process_raw(pcm(wave), no_search=False, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    def definition(self) -> dict[str, object]:
        """See Recogniser."""
        return {
            "recogniser": "pocketsphinx",
            "pocketsphinx": version("pocketsphinx"),
            "model": "en-us",
            **self.OPTIONS,
        }


class CommandRecogniser(Recogniser):
    """Any recogniser that is given a 16 kHz WAV file and prints a transcript.

    Args:
        command: program and arguments, "{}" standing for the file; split as a shell would if it is
            one string, but no shell runs it.
    """

    def __init__(self, command: str | Sequence[str]) -> None:
        try:
            self._argv = shlex.split(command) if isinstance(command, str) else list(command)
        except ValueError as error:
            raise InputError(f"the recogniser {command!r} cannot be read: {error}") from None
        if not any("{}" in argument for argument in self._argv[1:]):
            raise InputError(
                f"the recogniser {command!r} is not told which file to hear; "
                "write {} where its path belongs"
            )

    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """See Recogniser. Raises RunError where the command fails."""
        samples = pcm(wave)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "utterance.wav"
            with riff.open(str(path), "wb") as file:
                file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
                file.writeframes(samples)
            argv = [argument.replace("{}", str(path)) for argument in self._argv]
            try:
                ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True)
            except OSError as error:
                raise InputError(f"the recogniser {argv[0]!r} cannot be run: {error}") from error
        if ran.returncode:
            last = ran.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RunError(
                f"the recogniser {shlex.join(self._argv)} ended with {ran.returncode}: "
                f"{''.join(last) or 'it says nothing'}"
            )
        return ran.stdout.decode(errors="replace")

    def definition(self) -> dict[str, object]:
        """See Recogniser."""
        return {"recogniser": shlex.join(self._argv)}


class ErrorRates:
    """jiwer's error rates. Raises InputError where the extra `eval` is missing."""

    def __init__(self) -> None:
        jiwer = load("jiwer", "an error rate", "jiwer")
        self._words, self._characters = jiwer.process_words, jiwer.process_characters

    def score(self, reference: str, heard: str) -> dict[str, float]:
        """Two texts -> character_error and word_error in %, n_characters, n_words."""
        validate(reference)
        said, understood = normalise(reference), normalise(heard)
        return {
            "character_error": 100 * self._characters(said, understood).cer,
            "word_error": 100 * self._words(said, understood).wer,
            "n_characters": len(said),
            "n_words": len(said.split()),
        }


def evaluate(
    recogniser: Recogniser, rates: ErrorRates, wave: NDArray[np.floating], reference: str
) -> dict[str, float]:
    """Wave (N,) at 16 kHz and what it says -> the error rates and their weights."""
    return rates.score(reference, recogniser.transcribe(wave))


def protocol(recogniser: Recogniser) -> dict[str, object]:
    """How error rates come about, for the stamp."""
    return {
        **recogniser.definition(),
        "text": "NFKC, lower case, no punctuation, single spaces; characters include spaces",
        "jiwer": version("jiwer"),
    }
