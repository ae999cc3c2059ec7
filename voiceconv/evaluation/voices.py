"""A voice, from training recordings, and the similarity of an utterance to it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceconv import metrics
from voiceconv.evaluation.measuring import EMBEDDING, F0_STATISTICS, INSTRUMENT, Measured
from voiceconv.evaluation.protocol import Stamp
from voiceconv.files import replace_text
from voiceconv.metrics import music, prosody, speaker_similarity
from voiceconv.metrics.music import Timbre
from voiceconv.metrics.prosody import F0Statistics


@dataclass(frozen=True)
class Voice:
    """The reference data of a voice; each part exists only if a measure needs it."""

    embedding: NDArray[np.float64] | None  # (D,)
    f0: F0Statistics | None
    timbre: Timbre | None = None


def voice_of(utterances: Sequence[Measured]) -> Voice:
    """The utterances of a voice, in a fixed order -> the voice; no F0 if none is voiced."""
    embeddings = [one.embedding for one in utterances if one.embedding is not None]
    contours = [one.contour for one in utterances if one.contour is not None and one.contour.any()]
    timbres = [one.timbre for one in utterances if one.timbre is not None]
    return Voice(
        speaker_similarity.mean_embedding(embeddings) if embeddings else None,
        prosody.f0_statistics(contours) if contours else None,
        music.timbre_of(timbres) if timbres else None,
    )


def nearness(measured: Measured, target: Voice | None, source: Voice | None) -> dict[str, float]:
    """An utterance -> its measures against the target's and the source's voice."""
    scores: dict[str, float] = {}
    if measured.contour is not None and target and target.f0:
        scores |= prosody.evaluate(target.f0, measured.contour)
    if measured.embedding is not None:
        embeddings = [voice.embedding if voice else None for voice in (target, source)]
        scores |= speaker_similarity.evaluate(embeddings[0], measured.embedding, embeddings[1])
    if measured.timbre is not None and target and target.timbre and source and source.timbre:
        scores |= music.evaluate_instrument(target.timbre, source.timbre, measured.timbre)
    return scores


class VoiceCache:
    """A cache of voices, one file each; the file name is a digest of everything a voice depends on.

    Args:
        folder: folder of the cache; None: no cache.
    """

    def __init__(self, folder: Path | str | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def find(self, stamp: Stamp, need: str) -> Voice | None:
        """The voice of the input `need` ("target_train" or "source_train") under a stamp."""
        path = self._path(stamp, need)
        if path is None or not path.exists():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            embedding, f0, timbre = kept["embedding"], kept["f0"], kept["timbre"]
            return Voice(
                embedding and np.array(embedding),
                f0 and F0Statistics(**f0),
                timbre and Timbre(*(np.array(one) for one in timbre)),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # damaged: compute it again

    def keep(self, stamp: Stamp, need: str, voice: Voice) -> None:
        """Write a voice; reading gives the same floats bit for bit."""
        path = self._path(stamp, need)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {
            "embedding": None if voice.embedding is None else voice.embedding.tolist(),
            "f0": voice.f0 and asdict(voice.f0),
            "timbre": voice.timbre
            and [voice.timbre.mean.tolist(), voice.timbre.deviation.tolist()],
        }
        replace_text(path, json.dumps(kept) + "\n")

    def _path(self, stamp: Stamp, need: str) -> Path | None:
        if self.folder is None:
            return None
        common = {k: v for k, v in stamp["common"].items() if k not in _OF_THE_CONVERTED}
        measures = {n: stamp[n] for n in (*EMBEDDING, *F0_STATISTICS, *INSTRUMENT) if n in stamp}
        of = [common, stamp["inputs"][need], measures, _code()]
        key = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()
        return self.folder / f"voice-{key[:32]}.json"


_OF_THE_CONVERTED = ("commit", "utterances", "n_utterances", "seed", "n_resamples")


@cache
def _code() -> str:
    """A digest of the measures' source code: in a source tree it changes without a new version."""
    files = sorted(Path(metrics.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
