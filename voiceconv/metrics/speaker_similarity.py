"""Similarity of a voice to the target's and to the source's: cosine of speaker embeddings.

Conventions
-----------
Waves are (N,) floating point at 16 kHz, as wave_input.py prepares them: Resemblyzer raises
quiet waves but does not lower loud ones, so without scaling level would influence the embedding.
Embeddings are (256,), of unit length, computed once for all three measures. A speaker, target or
source, is the mean of its training utterances' embeddings, renormalised.

Metrics
-------
* speaker_similarity: cosine of an utterance's embedding to the target's, in [-1, 1]; higher is
  closer. A speaker's own held-out recordings reach 0.88, two different speakers 0.5 to 0.6.
* source_similarity: the same to the source's; lower is better.
* nearer_target: 100 if the utterance is nearer to the target than to the source, else 0; the mean
  over utterances is their share in %.

References
----------
Wan et al. 2018, "Generalized end-to-end loss for speaker verification", ICASSP; weights and
silence removal of Resemblyzer 0.1.4.
"""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from voiceconv.metrics import wave_input
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.optional import load

Embedding = NDArray[np.float64]


class SpeakerEncoder:
    """Resemblyzer's encoder, on the CPU. Raises InputError if the extra `eval` is missing."""

    def __init__(self) -> None:
        resemblyzer = load("resemblyzer", "speaker similarity", "Resemblyzer")
        self._preprocess = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: NDArray[np.floating]) -> Embedding:
        """Wave (N,) at 16 kHz -> (256,) of unit length."""
        wave_input.validate(wave)
        scaled = condition(wave).astype(np.float32)
        voiced = self._preprocess(scaled, SAMPLE_RATE)
        # If the detector finds no speech (a failed conversion, a synthetic voice), the whole wave
        # is embedded: the utterance must count, and must not end the evaluation.
        embedding = self._encoder.embed_utterance(voiced if len(voiced) else scaled)
        return embedding.astype(np.float64)


def validate(target: Embedding, estimated: Embedding) -> None:
    """Raise ValueError unless both are (D,), of one size, finite and not zero."""
    if target.ndim != 1 or target.shape != estimated.shape:
        raise ValueError(
            f"embeddings of shapes {target.shape} and {estimated.shape}; give two of one size (D,)"
        )
    for name, embedding in (("target", target), ("estimated", estimated)):
        if not np.isfinite(embedding).all() or not embedding.any():
            raise ValueError(f"the {name} embedding is zero, NaN or infinite: it has no direction")


def mean_embedding(embeddings: Sequence[Embedding]) -> Embedding:
    """n embeddings (D,) -> (D,) of unit length: the mean of their directions."""
    if not len(embeddings):
        raise ValueError("a mean embedding needs at least one utterance")
    directions = [embedding / np.linalg.norm(embedding) for embedding in embeddings]
    mean = np.mean(directions, axis=0)
    return mean / np.linalg.norm(mean)


def similarity(target: Embedding, estimated: Embedding) -> float:
    """(D,) and (D,) -> the cosine of the angle between them."""
    return float(target @ estimated / (np.linalg.norm(target) * np.linalg.norm(estimated)))


def evaluate(
    target: Embedding | None, estimated: Embedding, source: Embedding | None = None
) -> dict[str, float]:
    """(D,) of an utterance -> similarity to the given speakers; nearer_target if both are given."""
    scores = {}
    for name, speaker in (("speaker_similarity", target), ("source_similarity", source)):
        if speaker is not None:
            validate(speaker, estimated)
            scores[name] = similarity(speaker, estimated)
    if len(scores) == 2:
        nearer = scores["speaker_similarity"] > scores["source_similarity"]
        scores["nearer_target"] = 100.0 if nearer else 0.0
    return scores


def protocol() -> dict[str, object]:
    """The encoder and its version, for the stamp."""
    return {
        "encoder": "Resemblyzer",
        "speaker": "mean of the training utterances' embeddings",
        **{package: version(package) for package in ("Resemblyzer", "librosa")},
    }
