"""Recordings of one voice, of any length and number, as utterances: features of their phrases."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv import audio
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance
from voiceconv.features import FeatureExtractor, Features
from voiceconv.progress import Progress

SILENT = 40.0  # dB below the loudest 10 ms
GAP = 0.3  # seconds of silence at which a recording may be cut
PAUSE = 1.0  # seconds of silence that no phrase keeps
LONGEST, SHORTEST = 12.0, 0.7  # seconds of a phrase
MARGIN = 0.05  # seconds of silence that it keeps at both ends


class Clips(NamedTuple):
    """Features by phrase, and how many seconds they are together."""

    phrases: dict[str, Features]
    seconds: float


def read_clips(
    recordings: Sequence[Utterance],
    extractor: FeatureExtractor,
    loudness: float | None,
    progress: Progress,
) -> Clips:
    """The phrases of recordings, each brought to the loudness, analysed; long silences left out.

    loudness: in LUFS, as `extract` takes it. Raises InputError for what cannot be read.
    """
    found: dict[str, Features] = {}
    n_samples = 0
    progress(0, len(recordings))
    for number, recording in enumerate(recordings):
        wave = read_wave(recording, extractor.sample_rate).samples
        for part in phrases(wave, extractor.sample_rate):
            said = wave[part]
            n_samples += len(said)
            if loudness is not None:
                said = said * audio.loudness_gain(said, extractor.sample_rate, loudness)
            found[f"{number}-{part.start}"] = extractor.extract(said)
        progress(number + 1, len(recordings))
    return Clips(found, n_samples / extractor.sample_rate)


def phrases(wave: Tensor, sample_rate: int) -> Iterator[slice]:
    """Parts of a wave (N,) between silences, of SHORTEST to LONGEST seconds each."""
    spans: list[list[int]] = []
    for start, end in _sounding(wave, sample_rate):
        if spans:
            gap, length = start - spans[-1][1], end - spans[-1][0]
            if gap < GAP * sample_rate or (
                gap < PAUSE * sample_rate and length <= LONGEST * sample_rate
            ):
                spans[-1][1] = end
                continue
        spans.append([start, end])
    margin = round(MARGIN * sample_rate)
    for first, last in spans:
        start, end = max(first - margin, 0), min(last + margin, len(wave))
        if end - start < SHORTEST * sample_rate:
            continue
        n_parts = -int(-(end - start) // (LONGEST * sample_rate))
        cuts = [start + (end - start) * n // n_parts for n in range(n_parts + 1)]
        yield from (slice(*some) for some in zip(cuts, cuts[1:], strict=False))


def _sounding(wave: Tensor, sample_rate: int) -> Iterator[tuple[int, int]]:
    """Runs of 10 ms blocks of (N,) that are no silence, in samples."""
    hop = max(sample_rate // 100, 1)
    blocks = torch.nn.functional.pad(wave, (0, -len(wave) % hop)).view(-1, hop)
    power = blocks.square().mean(1)
    if not len(power) or power.max() == 0:
        return
    loud = (power > power.max() * 10 ** (-SILENT / 10)).numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        yield int(start) * hop, min(int(end) * hop, len(wave))
