"""Intelligibility: a speech recogniser's transcript of a conversion against the true text.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, as wave_input.py prepares them; a recogniser gets
16 bit samples of the whole utterance. Both texts are normalised: apostrophes of every kind dropped
("it's" is "its"), compatibility forms unified and case folded without what is invisible (soft
hyphens, joiners), as by Unicode's toNFKC_Casefold, the dot dropped that a folded "İ" leaves above
its i, other punctuation and symbols a space, white space a single space. Numerals stay numerals:
write texts as they are spoken. Chinese, Japanese, Thai, Lao, Khmer and Burmese put no spaces
between words (UAX #29, section 4): beside their characters spaces are dropped, and a text with such
a character has no word error. An error rate is in % of the reference's length, and exceeds 100 with
many insertions. Over a corpus, rates are weighted by these lengths, so the mean is the rate of all
texts together.

Metrics
-------
* character_error: insertions, deletions and substitutions / characters of the reference, spaces
  between words included, as jiwer's `cer` counts; lower is better.
* word_error: the same in words, jiwer's `wer`.
* n_characters, n_words: their weights, the lengths of the reference.

References
----------
Levenshtein 1966; jiwer 4. Unicode 15, section 3.13; UAX #29, "Unicode text segmentation".
Recogniser: PocketSphinx 5 (Huggins-Daines et al. 2006, ICASSP) and the US English models that it
contains. It makes errors on good recordings too, so compare its rates with those of the unconverted
ones.
"""

import re
import shlex
import shutil
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
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.optional import load

# ' ` acute, modifier letters, quotation marks, primes, saltillo, full width
APOSTROPHES = re.compile(
    "['`\u00b4\u02b9-\u02bd\u02c8\u02ca\u02cb\u2018-\u201b\u2032\u2035\ua78b\ua78c\uff07]"
)
INVISIBLE = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # beside Cf
UNSPACED = (  # Thai and Lao; Burmese; Khmer; kana and ideographs
    "\u0e00-\u0eff\u1000-\u109f\uaa60-\uaa7f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
SPACE_BESIDE = re.compile(f"(?<=[{UNSPACED}]) | (?=[{UNSPACED}])")
NO_WORDS = "its script puts no spaces between words; the character error counts"


def normalise(text: str) -> str:
    """Case folded words of letters and digits, single spaces between them."""
    plain = APOSTROPHES.sub("", text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    kept = (
        character if unicodedata.category(character)[0] in "LMN" else " "
        for character in INVISIBLE.sub("", folded).replace("i\u0307", "i")
        if unicodedata.category(character) != "Cf"
    )
    return SPACE_BESIDE.sub("", " ".join("".join(kept).split()))


def validate(reference: str) -> None:
    """Raise ValueError on a text without a character to count."""
    if not normalise(reference):
        raise ValueError(f"the text {reference!r} holds no word to recognise")


def pcm(wave: NDArray[np.floating]) -> bytes:
    """(N,) at 16 kHz -> 16 bit samples at wave_input.py's level, little endian."""
    wave_input.validate(wave)
    return np.round(condition(wave) * 32767).astype("<i2").tobytes()


class Recogniser(ABC):
    """Speech to text, each utterance independent of the earlier ones."""

    @abstractmethod
    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """Wave (N,) at 16 kHz -> the transcript; may be empty."""

    @abstractmethod
    def definition(self) -> dict[str, object]:
        """Its name and version, for the stamp."""


class PocketSphinx(Recogniser):
    """PocketSphinx with its own English models. Raises InputError if `eval` is missing.

    On kathleen's 14 transcribed recordings of `val` its error rates are 12.1% of characters and
    25.6% of words. It takes 0.13 times real time, and 0.26 s per utterance to load.
    """

    # Chosen on the same recordings. A second search through the lattice (fwdflat) takes a third
    # longer and gives 13.5 and 28.0%; 5000 HMMs per frame give the same errors as all, 3000 more.
    OPTIONS: dict[str, Any] = {"fwdflat": False, "maxhmmpf": 5000}

    def __init__(self) -> None:
        self._decoder = load("pocketsphinx", "recognition", "pocketsphinx").Decoder

    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """See Recogniser."""
        # A decoder's scores depend slightly on the last frame of the utterance before, so each
        # utterance gets its own decoder.
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
    """A recogniser command that takes a 16 kHz WAV file and prints a transcript.

    Args:
        command: program and arguments with "{}" for the file; one string is split as in a shell,
            but no shell runs it.
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
        if shutil.which(self._argv[0]) is None:
            raise InputError(
                f"the recogniser {self._argv[0]!r} cannot be run: there is no such program; "
                "install it, or check its path"
            )

    def transcribe(self, wave: NDArray[np.floating]) -> str:
        """See Recogniser. Raises RunError if the command fails."""
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
    """jiwer's error rates. Raises InputError if the extra `eval` is missing."""

    def __init__(self) -> None:
        jiwer = load("jiwer", "an error rate", "jiwer")
        self._words, self._characters = jiwer.process_words, jiwer.process_characters

    def score(self, reference: str, heard: str) -> dict[str, float]:
        """Two texts -> character_error and word_error in %, n_characters, n_words.

        Without word_error and n_words where the reference's script puts no spaces between words.
        """
        validate(reference)
        said, understood = normalise(reference), normalise(heard)
        found = {"character_error": 100 * self._characters(said, understood).cer}
        if re.search(f"[{UNSPACED}]", said):
            return {**found, "n_characters": len(said)}
        return {
            **found,
            "word_error": 100 * self._words(said, understood).wer,
            "n_characters": len(said),
            "n_words": len(said.split()),
        }


def evaluate(
    recogniser: Recogniser, rates: ErrorRates, wave: NDArray[np.floating], reference: str
) -> dict[str, float]:
    """Wave (N,) at 16 kHz and its text -> the error rates and their weights."""
    return rates.score(reference, recogniser.transcribe(wave))


def protocol(recogniser: Recogniser) -> dict[str, object]:
    """The settings of the error rates, for the stamp."""
    return {
        **recogniser.definition(),
        "text": "NFKC case folded, no punctuation, single spaces, none beside scripts without "
        "them; characters include spaces",
        "jiwer": version("jiwer"),
    }
