"""Statistics of an unseen speaker, from the recording to be converted."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from voiceconv.converter.chunks import spread_parts
from voiceconv.features import DomainStats, FeatureExtractor, Features
from voiceconv.features.stats import PAUSE

N_PARTS, PART = 6, 10.0  # at most a minute is listened to, in parts of seconds spread over the wave
LOUD = 25.0  # dB below the loudest frame: vowels and voiced consonants
SAME_VOICE = 0.17  # seen: a domain's own utterances 0.03 to 0.16, other voices from 0.19


def listen(
    extractor: FeatureExtractor, wave: Tensor, gain: float = 1.0
) -> list[tuple[Tensor, Features]]:
    """Wave (N,) -> parts of it, (n,) each, with their features; `gain` brings it to loudness.

    Of a wave of up to a minute, the one part is all of it.
    """
    parts = spread_parts(wave, extractor.sample_rate, N_PARTS, PART)
    return [(part, extractor.extract(part * gain)) for part in parts]


def own_stats(extractor: FeatureExtractor, heard: Iterable[tuple[Tensor, Features]]) -> DomainStats:
    """Parts of a wave with their features -> statistics of the frames, long pauses left out."""
    return extractor.fit(_sounding(features, part, extractor) for part, features in heard)


def keep_intervals(own: DomainStats, target: DomainStats) -> DomainStats:
    """The same with the target's deviation of log F0, so that F0 is moved and not stretched.

    One recording's deviation says more of what is said in it than of who speaks: those of one
    speaker lie between 0.5 and 1.8 of the speaker's own, and a melody's is wider than any.
    """
    return replace(own, log_f0=torch.stack([own.log_f0[0], target.log_f0[1]]))


def voiced_share(extractor: FeatureExtractor, heard: Iterable[tuple[Tensor, Features]]) -> float:
    """Share of the frames of parts of a wave, within LOUD of the loudest, with F0; 1 without F0."""
    n_frames = n_voiced = 0
    for part, features in heard:
        f0 = _sounding(features, part, extractor, LOUD).f0
        if f0 is None:
            return 1.0
        n_frames, n_voiced = n_frames + len(f0), n_voiced + int((f0 > 0).sum())
    return n_voiced / max(n_frames, 1)


def distance(one: DomainStats, other: DomainStats) -> float:
    """Jeffreys' divergence between two domains' Gaussians, averaged over channels."""
    ratio = (one.frames_std / other.frames_std).square()
    offset = (one.frames_mean - other.frames_mean).square()
    spread = one.frames_std.square().reciprocal() + other.frames_std.square().reciprocal()
    return float((0.5 * (ratio + ratio.reciprocal() - 2 + offset * spread)).mean())


def _sounding(
    features: Features, wave: Tensor, extractor: FeatureExtractor, depth: float = PAUSE
) -> Features:
    """Frames within `depth` dB of the loudest one."""
    hop_length, n_frames = extractor.hop_length, features.frames.shape[1]
    padded = torch.nn.functional.pad(wave, (hop_length // 2, hop_length))
    power = padded[: n_frames * hop_length].view(n_frames, hop_length).square().mean(1)
    kept = power >= power.max() * 10 ** (-depth / 10)
    return features.at(kept)
