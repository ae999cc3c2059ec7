"""Statistics of an unseen speaker, from the recording to be converted."""

from collections.abc import Callable

import torch
from torch import Tensor

from voiceconv.converter.chunks import spread_parts
from voiceconv.features import DomainStats, FeatureExtractor, Features

N_PARTS, PART = 6, 10.0  # at most a minute is listened to, in parts of seconds spread over the wave
PAUSE = 50.0  # dB below the loudest frame: pauses longer than training's would bend the statistics
SAME_VOICE = 0.17  # seen: a domain's own utterances 0.03 to 0.16, other voices from 0.19


def own_stats(
    extractor: FeatureExtractor,
    wave: Tensor,
    extract: Callable[[Tensor], Features] | None = None,
) -> DomainStats:
    """Wave (N,) at training's loudness -> statistics of its frames, long pauses left out.

    extract: the extractor's, or one that brings a wave to that loudness first.
    """
    extract = extract or extractor.extract
    parts = spread_parts(wave, extractor.sample_rate, N_PARTS, PART)
    return DomainStats.fit(_sounding(extract(part), part, extractor) for part in parts)


def distance(one: DomainStats, other: DomainStats) -> float:
    """Jeffreys' divergence between two domains' Gaussians, averaged over channels."""
    ratio = (one.frames_std / other.frames_std).square()
    offset = (one.frames_mean - other.frames_mean).square()
    spread = one.frames_std.square().reciprocal() + other.frames_std.square().reciprocal()
    return float((0.5 * (ratio + ratio.reciprocal() - 2 + offset * spread)).mean())


def _sounding(features: Features, wave: Tensor, extractor: FeatureExtractor) -> Features:
    """Frames within PAUSE of the loudest one."""
    hop_length, n_frames = extractor.hop_length, features.frames.shape[1]
    padded = torch.nn.functional.pad(wave, (hop_length // 2, hop_length))
    power = padded[: n_frames * hop_length].view(n_frames, hop_length).square().mean(1)
    kept = power >= power.max() * 10 ** (-PAUSE / 10)
    return Features(
        features.frames[:, kept],
        None if features.f0 is None else features.f0[kept],
        None if features.aperiodicity is None else features.aperiodicity[:, kept],
    )
