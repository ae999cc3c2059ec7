"""The validation score of a translator: one number that selects a step of a run.

It is cheap, because it uses the extracted frames of the val split. A step with a conversion that
cannot be scored (it is not finite; for similarity, silent or shorter than 64 ms) has no score: it
is never the best, and patience does not count it. The mean of the others would praise a network
that fails where conversion is hard.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voiceconv import audio
from voiceconv.converter import Converter
from voiceconv.data.dump import read_dump
from voiceconv.features import Features
from voiceconv.metrics.mel_cepstral_distortion import distortion
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, mean_embedding, similarity
from voiceconv.metrics.wave_input import SAMPLE_RATE

ORDER = 24  # mel-cepstra that are compared, beside the level
RANGE = 40 / 20 * np.log(10)  # nepers: frames more than 40 dB below the loudest are left out
Direction = tuple[str, str]  # source, target
Frames = dict[str, dict[str, Tensor]]  # domain -> stem -> (C, T)
log = logging.getLogger(__name__)


class Score(ABC):
    """A measure of a converter; `rule` says in words which of its scores is the best."""

    rule: str

    @abstractmethod
    def __call__(
        self, converter: Converter, converted: Mapping[Direction, Sequence[Tensor]]
    ) -> dict[str, float]:
        """Measures by name, "score" among them: lower is better. Empty, with a warning, if a
        conversion cannot be scored.

        converted: waves (N,) of the fixed validation utterances, as users would get them.
        """


class ParallelScore(Score):
    """Against the target's own readings, where val has such pairs: two distances, both in dB.

    Mel-cepstral distortion, of the features' own mel-cepstra 1 to 24, frames within 40 dB of the
    loudest, warped in time. Global variance (Toda et al. 2007, IEEE Trans. ASLP 15(8), eq. 34): how
    far the coefficients' deviations over an utterance are from the target's. The first alone would
    praise a network that has learnt nothing and speaks a smooth mean: 7.3 dB after 100 steps,
    where 15,000 gave 7.0. For comparing steps of one run: `voiceconv evaluate` measures waves.
    """

    def __init__(self, frames: Frames, n_scored: int, directions: Sequence[Direction]) -> None:
        """n_scored: conversions in all, at least one in each direction."""
        self.frames = frames
        each = max(1, n_scored // len(directions))
        self.pairs = {
            (source, target): sorted(frames[source].keys() & frames[target].keys())[:each]
            for source, target in directions
        }
        n_found = sum(map(len, self.pairs.values()))
        self.rule = (
            f"least mel-cepstral distortion + distance of global variance, over {n_found} "
            "conversions of val"
        )

    def __call__(
        self, converter: Converter, converted: Mapping[Direction, Sequence[Tensor]]
    ) -> dict[str, float]:
        """See Score."""
        distortions: dict[str, float] = {}
        variances: dict[str, float] = {}
        for (source, target), stems in self.pairs.items():
            attempts = [self._cepstra(converter, source, target, stem) for stem in stems]
            pairs = [pair for pair in attempts if pair is not None]
            if len(pairs) < len(stems):
                return {}
            name = f"{source}_to_{target}"
            distortions[name] = float(np.mean([distortion(*pair) for pair in pairs]))
            variances[name] = float(np.mean([_variance_distance(*pair) for pair in pairs]))
        means = [float(np.mean(list(one.values()))) for one in (distortions, variances)]
        return {
            **{f"distortion/{name}": value for name, value in distortions.items()},
            **{f"global_variance/{name}": value for name, value in variances.items()},
            "score": sum(means),
        }

    def _cepstra(
        self, converter: Converter, source: str, target: str, stem: str
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Of the reference and of the conversion, (T, ORDER) each; None if it is not finite."""
        output = _translated(converter, self.frames[source][stem], source, target)
        if not output.isfinite().all():
            _warn(f"{source} to {target}", f"frames of {stem} are NaN or infinite")
            return None
        reference, estimated = (
            _loud(converter.extractor.cepstra(frames))
            for frames in (self.frames[target][stem], output)
        )
        return reference, estimated


class UnpairedScore(Score):
    """Cycle error minus speaker similarity, for val splits without a sentence in common.

    Cycle error: mean |frames - there and back again|, of normalised frames. Similarity: cosine of
    Resemblyzer's embeddings of converted utterances to the target's mean. The first alone would
    praise a network that changes nothing, the second one that forgets what was said.
    """

    def __init__(
        self,
        frames: Frames,
        n_scored: int,
        directions: Sequence[Direction],
        waves: Mapping[str, Sequence[Tensor]],
        rate: int,
    ) -> None:
        """frames, waves (N,) at `rate`: val's, by domain. InputError without the extra `eval`."""
        self.directions = list(directions)
        each = max(1, n_scored // len(directions))
        self._encoder = SpeakerEncoder()
        heard = {
            domain: [one for wave in some if (one := self._embed(wave, rate, domain)) is not None]
            for domain, some in waves.items()
        }
        self._targets = {domain: mean_embedding(some) for domain, some in heard.items()}
        n_heard = sum(map(len, heard.values()))
        self.rule = (
            f"least cycle error minus speaker similarity on val, {each} utterances and {n_heard} "
            f"recordings in {len(directions)} directions"
        )
        self.frames = {name: list(some.values())[:each] for name, some in frames.items()}
        self._n_waves = {domain: len(some) for domain, some in waves.items()}

    def __call__(
        self, converter: Converter, converted: Mapping[Direction, Sequence[Tensor]]
    ) -> dict[str, float]:
        """See Score."""
        errors, cosines = [], []
        for source, target in self.directions:
            for frames in self.frames[source]:
                there = _translated(converter, frames, source, target)
                back = _translated(converter, there, target, source)
                spread = converter.stats[source].frames_std[:, None]
                if not back.isfinite().all():
                    _warn(f"{source} to {target}", "frames there and back are NaN or infinite")
                    return {}
                errors.append(float(((back - frames).abs() / spread).mean()))
            attempts = [
                self._embed(wave, converter.sample_rate, f"{source} to {target}")
                for wave in converted.get((source, target), ())
            ]
            found = [embedding for embedding in attempts if embedding is not None]
            if len(found) < self._n_waves[source]:
                return {}
            cosines += [similarity(self._targets[target], embedding) for embedding in found]
        error, cosine = float(np.mean(errors)), float(np.mean(cosines))
        return {"cycle_error": error, "similarity": cosine, "score": error - cosine}

    def _embed(self, wave: Tensor, rate: int, of: str) -> np.ndarray | None:
        """(N,) -> (D,); None, with a warning, for a wave without a voice."""
        try:
            return self._encoder.embed(audio.resample(wave, rate, SAMPLE_RATE).numpy())
        except ValueError as reason:
            _warn(of, str(reason))
            return None


def _warn(of: str, reason: str) -> None:
    log.warning("no validation score of %s: %s", of, reason)


def spread(directions: Sequence[Direction], most: int) -> list[Direction]:
    """At most `most` directions, which cover as many domains as possible: ten domains have 90.

    Each round takes every source once and every target once.
    """
    if len(directions) <= most:
        return list(directions)
    names = sorted({name for direction in directions for name in direction})
    number = {name: n for n, name in enumerate(names)}

    def turn(direction: Direction) -> tuple[int, int]:
        source, target = (number[name] for name in direction)
        return (target - source) % len(number), source

    return sorted(directions, key=turn)[:most]


def read_val(dump: Path, domains: Sequence[str]) -> Frames:
    """The utterances of an extracted val split; none where a domain has none."""
    if not (dump / "feats.scp").exists():
        return {}
    utterances = read_dump(dump)
    frames: Frames = {
        domain: {
            stem: torch.from_numpy(np.array(matrix).T)
            for stem, matrix in utterances.get(domain, {}).items()
        }
        for domain in domains
    }
    return frames if all(frames.values()) else {}


def _translated(converter: Converter, frames: Tensor, source: str, target: str) -> Tensor:
    """(C, T) of `source` -> (C, T) of `target`."""
    features = Features(frames)
    return converter.translate(features, converter.stats[source], source, target).frames


def _variance_distance(reference: np.ndarray, estimated: np.ndarray) -> float:
    """(T, K) and (U, K) -> mean over K of |20 log10| of the ratio of their deviations over time."""
    deviations = [np.maximum(one.std(0), 1e-6) for one in (reference, estimated)]
    return float(np.abs(20 * np.log10(deviations[1] / deviations[0])).mean())


def _loud(cepstra: Tensor) -> np.ndarray:
    """(K, T) -> (T', ORDER) float64 of the frames within RANGE of the loudest."""
    loud = cepstra[0] > cepstra[0].max() - RANGE
    return cepstra[1 : ORDER + 1, loud].T.double().numpy()
