"""Find copies of a recording, independent of level, sample rate, encoding and cut ends.

Haitsma and Kalker 2002, "A highly robust audio fingerprinting system", ISMIR: a word of 32 bits for
each frame, each bit the sign of an energy difference between neighbouring bands, differenced in
time. Changed for speech, which is short and fast: frames of 128 ms (there 370) every 8 ms, bands up
to 3.4 kHz (there 2), logarithmic energies, differences over 32 ms; frames more than 30 dB under the
loudest are not compared, because a codec changes silence.

Two readings of one sentence, by one or two speakers, are no duplicates: their bits differ like
those of any two recordings.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000  # Hz
HOP = 128  # samples: 8 ms
_N_FFT = 2048  # samples
_N_BITS = 32
_LOWEST, _HIGHEST = 200.0, 3400.0  # Hz: what telephones, codecs and 8 kHz recordings keep
_LAG = 4  # frames over which energies are differenced
_DYNAMIC_RANGE = 30.0  # dB
_BLOCK = 1024  # frames transformed at once: memory stays bounded over an hour of sound

# Two recordings are copies up to this share of differing bits. Over cc0_speech, re-encoding
# (Vorbis, Opus, MP3), a level 20 dB lower, 8 kHz, a shift and noise at 20 dB SNR reach 0.25; two
# different sentences have at least 0.39 at their best offset. Haitsma and Kalker use 0.35.
HIGHEST_BIT_ERROR = 0.30
_LEAST_OVERLAP = 0.5  # share of the shorter one's sounding frames: finds an extracted sentence, too
_LEAST_FRAMES = 40  # 0.3 s: fewer words can agree by chance
# Two words are near if three of their four bytes are equal. An Opus copy differs in 15% of the
# bits: 1 word in 180 is equal, but 1 in 13 is near.
_LEAST_HITS = 3  # a pair is compared if it has as many near words at one offset
_REACH = 16  # near words further apart in the sorted index are not paired (silence, hum)
_SLACK = 2  # offsets tried around that of the hits, in frames


class Fingerprint(NamedTuple):
    """words (T,) uint32, and sounding (T,) bool: the words that are compared."""

    words: NDArray[np.uint32]
    sounding: NDArray[np.bool_]


class Match(NamedTuple):
    """Copies: indices `first` < `second` of the recordings, and the share of differing bits."""

    first: int
    second: int
    bit_error: float


def fingerprint(wave: NDArray[np.floating]) -> Fingerprint:
    """Wave (N,) at 16 kHz -> T = (N - 2048) // 128 - 3 words; none of a wave under 0.2 s."""
    frames = np.lib.stride_tricks.sliding_window_view(
        np.pad(wave, (0, max(_N_FFT - len(wave), 0))), _N_FFT
    )[::HOP]  # (T + lag, n_fft)
    edges = np.geomspace(_LOWEST, _HIGHEST, _N_BITS + 2) / SAMPLE_RATE * _N_FFT
    bins = np.round(edges).astype(int)
    window = np.hanning(_N_FFT)
    energies, totals = [], []
    for start in range(0, len(frames), _BLOCK):
        power = np.abs(np.fft.rfft(frames[start : start + _BLOCK] * window)) ** 2
        energies.append(np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1) / np.diff(bins))
        totals.append(power.sum(1))
    energy = np.log(np.concatenate(energies) + 1e-12)  # (T + lag, 33)
    total = np.concatenate(totals)[_LAG:]
    slope = energy[:, :-1] - energy[:, 1:]
    bits = slope[_LAG:] > slope[:-_LAG]  # (T, 32)
    words = (bits @ (1 << np.arange(_N_BITS, dtype=np.uint64))).astype(np.uint32)
    loudest = total.max(initial=0.0)
    return Fingerprint(words, total > loudest * 10 ** (-_DYNAMIC_RANGE / 10))


def find_matches(prints: Sequence[Fingerprint]) -> list[Match]:
    """All pairs of copies; time grows with n log n, not with the number of pairs."""
    matches = []
    for first, second, offset in _candidates(prints):
        error = min(
            bit_error(prints[first], prints[second], offset + slack)
            for slack in range(-_SLACK, _SLACK + 1)
        )
        if error <= HIGHEST_BIT_ERROR:
            matches.append(Match(first, second, error))
    best: dict[tuple[int, int], Match] = {}
    for match in matches:
        pair = (match.first, match.second)
        if pair not in best or match.bit_error < best[pair].bit_error:
            best[pair] = match
    return sorted(best.values())


def bit_error(one: Fingerprint, other: Fingerprint, offset: int) -> float:
    """Share of differing bits with frame t of `one` beside frame t + offset of `other`.

    1.0 if they overlap too little.
    """
    start, stop = max(0, -offset), min(len(one.words), len(other.words) - offset)
    if stop <= start:
        return 1.0
    here, there = slice(start, stop), slice(start + offset, stop + offset)
    compared = one.sounding[here] & other.sounding[there]
    n_compared = int(compared.sum())
    n_shorter = min(int(one.sounding.sum()), int(other.sounding.sum()))
    if n_compared < max(_LEAST_FRAMES, _LEAST_OVERLAP * n_shorter):
        return 1.0
    differing = np.bitwise_count(one.words[here][compared] ^ other.words[there][compared])
    return float(differing.mean()) / _N_BITS


def _candidates(prints: Sequence[Fingerprint]) -> list[tuple[int, int, int]]:
    """(first, second, offset) of pairs with near words at that offset, through sorted indices."""
    if not prints:
        return []
    places = [np.flatnonzero(p.sounding) for p in prints]
    owner = np.repeat(np.arange(len(prints)), [len(place) for place in places])
    frame = np.concatenate(places)
    word = np.concatenate([p.words[place] for p, place in zip(prints, places, strict=True)])
    # A pair and its offset as one number: an index of a hundred hours stays below a few GB.
    n_prints, n_steps = len(prints), max(len(p.words) for p in prints) // (_SLACK + 1) + 1
    hits = []
    for byte in range(4):
        left, right = _near(word & ~np.uint32(0xFF << 8 * byte), owner)
        step = (frame[right] - frame[left]) // (_SLACK + 1) + n_steps  # neighbours are one
        hits.append((owner[left] * n_prints + owner[right]) * (2 * n_steps) + step)
    found, counts = np.unique(np.concatenate(hits), return_counts=True)
    pair, step = np.divmod(found[counts >= _LEAST_HITS], 2 * n_steps)
    first, second = np.divmod(pair, n_prints)
    offset = (step - n_steps) * (_SLACK + 1) + 1
    return list(zip(first.tolist(), second.tolist(), offset.tolist(), strict=True))


def _near(
    key: NDArray[np.uint32], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) each -> places of equal keys of two owners, the earlier owner's first."""
    order = np.argsort(key, kind="stable")  # stable: of equal keys, owners ascend
    key, owner = key[order], owner[order]
    left, right = [order[:0]], [order[:0]]
    for reach in range(1, min(_REACH, len(key) - 1) + 1):
        same = np.flatnonzero((key[:-reach] == key[reach:]) & (owner[:-reach] != owner[reach:]))
        left.append(order[same])
        right.append(order[same + reach])
    return np.concatenate(left), np.concatenate(right)
