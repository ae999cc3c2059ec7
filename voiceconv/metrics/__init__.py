"""Measures of a conversion, one module each: conventions, validate(), the functions, evaluate().

This file has only their table, in the order of columns, so it is cheap to import.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """How a measure is shown, which direction is better, and which inputs it needs."""

    title: str
    unit: str
    better: Literal["lower", "higher", "none"]
    needs: tuple[str, ...] = ()  # out of reference, target_train, source_train, text, copy_of
    of_music: bool = False  # measured only where it is asked for by name


_REFERENCE = ("reference",)
_TARGET = ("target_train",)
_SOURCE = ("source_train",)
_TEXT = ("text",)
_COPY = ("copy_of",)

MEASURES: dict[str, Measure] = {
    "mel_cepstral_distortion": Measure("MCD", "dB", "lower", _REFERENCE),
    "log_f0_rmse": Measure("log F0 RMSE", "cents", "lower", _REFERENCE),
    "log_f0_correlation": Measure("log F0 correlation", "", "higher", _REFERENCE),
    "voicing_error": Measure("voicing error", "%", "lower", _REFERENCE),
    "duration_ratio": Measure("duration ratio", "", "none", _REFERENCE),
    "modulation_spectrum_distance": Measure("modulation spectrum", "dB", "lower", _REFERENCE),
    "speaker_similarity": Measure("similarity", "cosine", "higher", _TARGET),
    "source_similarity": Measure("similarity to source", "cosine", "lower", _SOURCE),
    "nearer_target": Measure("nearer target", "%", "higher", _TARGET + _SOURCE),
    "f0_mean_difference": Measure("F0 mean difference", "cents", "none", _TARGET),
    "f0_spread_ratio": Measure("F0 spread ratio", "", "none", _TARGET),
    "dnsmos": Measure("DNSMOS", "1 to 5", "higher"),
    "dnsmos_signal": Measure("DNSMOS signal", "1 to 5", "higher"),
    "dnsmos_background": Measure("DNSMOS background", "1 to 5", "higher"),
    "character_error": Measure("CER", "%", "lower", _TEXT),
    "word_error": Measure("WER", "%", "lower", _TEXT),
    "stft_distance": Measure("STFT distance", "", "lower", _COPY),
    "pesq": Measure("PESQ", "MOS-LQO", "higher", _COPY),
    "stoi": Measure("STOI", "", "higher", _COPY),
    "f0_error": Measure("F0 error", "cents", "lower", _COPY),
    "copy_voicing_error": Measure("voicing error of the copy", "%", "lower", _COPY),
    "lag": Measure("lag of the copy", "ms", "none", _COPY),
    "loudness": Measure("loudness", "LUFS", "none"),
    "peak": Measure("peak", "dBFS", "none"),
    "clipped": Measure("clipped", "%", "lower"),
    "silence": Measure("silence", "%", "none"),
    "chroma_similarity": Measure("chroma", "cosine", "higher", _COPY, of_music=True),
    "onset_f": Measure("onsets", "F, %", "higher", _COPY, of_music=True),
    "mel_distance": Measure("mel distance", "dB", "lower", _REFERENCE, of_music=True),
    "instrument": Measure("target's instrument", "%", "higher", _TARGET + _SOURCE, of_music=True),
}

# Pooled means: weighted by another value of the utterance, so that long texts count more.
WEIGHTS = {"character_error": "n_characters", "word_error": "n_words"}
