"""Measurements to findings: one small function per rule, each limit with its reason.

A fault of the speaker's room or equipment (noise, level) is one finding for the speaker. A fault of
single recordings is one finding per speaker, with the names of these recordings.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from voiceconv.check.corpus import UNLISTED, Item
from voiceconv.check.evidence import Case, Evidence, Finding, usual_rate
from voiceconv.check.fingerprint import HIGHEST_BIT_ERROR
from voiceconv.check.measure import Measurements
from voiceconv.metrics.speaker_similarity import mean_embedding

# One sample in ten thousand. Clean recordings of cc0_speech have at most one clipped peak.
HIGHEST_CLIPPED = 1e-4
# DC 20 dB below the signal. The worst speaker of cc0_speech (kathleen) has 31 dB.
HIGHEST_DC = 0.1
# 6 LU below the -23 of analysis: a loss of one bit of resolution or more.
LOWEST_LOUDNESS = -29.0  # LUFS
# Within a speaker of cc0_speech no utterance lies more than 9 LU below the median.
MOST_BELOW_SPEAKER = 12.0  # LU
# Silence is 40 dB below the loudest block, about 35 dB below the mean of speech. Trimming takes a
# louder noise for speech, and the model learns it as part of the voice.
LOWEST_SNR = 35.0  # dB, of a speaker's median utterance
# One utterance has few pauses for the noise floor: clean ones measure as low as 26 dB.
LOWEST_SNR_OF_ONE = 20.0  # dB
_LEAST_SOUND = 0.5  # s of sound, necessary for a noise floor
# Utterances of cc0_speech reach 0.5; with more silence than speech, crops are empty.
HIGHEST_SILENCE = 0.6
# The measures use DTW, which needs 8 bytes per pair of frames: 0.3 GB at 30 s, 1.2 at 60. And a
# sentence is shorter (here at most 12 s), so the recording is probably not cut into sentences.
LONGEST = 30.0  # s
# Octave leaps: utterances of cc0_speech have at most 2.
MOST_JUMPS, HIGHEST_JUMP_RATE = 2, 1.5  # and for each voiced second
# Share of frames an octave (+- a quarter) from the speaker's median: at most 0.37 in cc0_speech, in
# its most expressive voice.
HIGHEST_OCTAVE_SHARE, _OCTAVE_WIDTH = 0.5, 0.25
_LEAST_VOICED = 0.5  # s of voiced frames, necessary for a share
# Difference of cosines: nearest other speaker's mean minus own speaker's mean. In cc0_speech (at
# most 5 s per utterance) no utterance is nearer to another speaker; the closest has -0.04.
VOICE_MARGIN = 0.05
_HELD_OUT = {"val", "test"}
_LEAST_VOICES = 5  # utterances with an embedding, necessary for a speaker's mean

Rule = Callable[[Evidence], Iterator[Finding]]


def unreadable(evidence: Evidence) -> Iterator[Finding]:
    """Files that cannot be decoded to their end."""
    for speaker in sorted({item.utterance.domain for item in evidence.unreadable}):
        cases = tuple(
            Case(item, 1, why)
            for item, why in evidence.unreadable.items()
            if item.utterance.domain == speaker
        )
        remedy = "fetch or export it again; --fix leaves it out"
        yield Finding("unreadable", speaker, len(cases), "files", 0, remedy, True, cases)


def mixed_channels(evidence: Evidence) -> Iterator[Finding]:
    """Files whose channels are not simply averaged (`audio.mixing`)."""
    for speaker, own in evidence.by_speaker().items():
        cases = tuple(Case(item, 1, m.mixing) for item, m in own.items() if m.mixing)
        remedy = "export the channel of the voice, or name it in `segments`; --fix keeps this mix"
        if cases:
            yield Finding("channels", speaker, len(cases), "files", 0, remedy, True, cases)


def mixed_rates(evidence: Evidence) -> Iterator[Finding]:
    """Files with another sample rate than most of the corpus."""
    usual = usual_rate(evidence)
    yield from _by_utterance(
        evidence, "mixed rates", "Hz", float(usual),
        "--fix resamples to one rate; what a low rate has lost stays lost",
        lambda m: float(m.sample_rate), lambda rate: rate != usual,
    )  # fmt: skip


def low_rate(evidence: Evidence) -> Iterator[Finding]:
    """Speakers with a lower sample rate than the experiment."""
    wanted = evidence.needs.sample_rate
    for speaker, own in evidence.by_speaker().items():
        rate = float(np.median([m.sample_rate for m in own.values()]))
        if wanted is not None and rate < wanted:
            remedy = f"train with features.sample_rate={rate:.0f}, or record at {wanted} Hz"
            yield Finding("rate too low", speaker, rate, "Hz", wanted, remedy, False, (), False)


def clipping(evidence: Evidence) -> Iterator[Finding]:
    """Clipped peaks."""
    yield from _by_utterance(
        evidence, "clipping", "% of samples", 100 * HIGHEST_CLIPPED,
        "record again with less gain, or leave it out: what was cut off cannot be mended",
        lambda m: 100 * m.clipped, lambda share: share > 100 * HIGHEST_CLIPPED, False,
    )  # fmt: skip


def direct_current(evidence: Evidence) -> Iterator[Finding]:
    """A mean that is not 0."""
    yield from _by_utterance(
        evidence, "DC", "of the signal's RMS", HIGHEST_DC, "--fix subtracts it",
        lambda m: m.dc_ratio, lambda ratio: ratio > HIGHEST_DC,
    )  # fmt: skip


def low_level(evidence: Evidence) -> Iterator[Finding]:
    """Speakers recorded too quietly, and utterances far quieter than their speaker's others."""
    remedy = "record with more gain; --fix brings the level up, and the noise with it"
    for speaker, own in evidence.by_speaker().items():
        median = _median([m.loudness for m in own.values()])
        if median < LOWEST_LOUDNESS:
            worst = _worst({item: m.loudness for item, m in own.items()})
            yield Finding(
                "low level", speaker, median, "LUFS at the median", LOWEST_LOUDNESS, remedy, True,
                worst, False,
            )  # fmt: skip
        limit = min(median - MOST_BELOW_SPEAKER, LOWEST_LOUDNESS)
        loudness = {item: m.loudness for item, m in own.items()}
        quiet = {item: level for item, level in loudness.items() if -math.inf < level < limit}
        yield from _listed(
            "quiet utterances", speaker, quiet, "LUFS", limit, remedy, True, low=True
        )


def noise(evidence: Evidence) -> Iterator[Finding]:
    """Speakers recorded in noise, and noisy utterances of others."""
    remedy = "use a quieter place or denoise before training; the model learns it as voice"
    for speaker, own in evidence.by_speaker().items():
        snr = {item: m.snr for item, m in own.items() if m.sounding >= _LEAST_SOUND}
        median = _median(list(snr.values()))
        if median < LOWEST_SNR:
            yield Finding(
                "noise", speaker, median, "dB SNR at the median", LOWEST_SNR, remedy, False,
                _worst(snr), False,
            )  # fmt: skip
            continue
        noisy = {item: ratio for item, ratio in snr.items() if ratio < LOWEST_SNR_OF_ONE}
        yield from _listed(
            "noisy utterances", speaker, noisy, "dB SNR", LOWEST_SNR_OF_ONE, remedy, False, low=True
        )


def silence(evidence: Evidence) -> Iterator[Finding]:
    """Utterances that are mostly silence; silence at the ends can be cut."""
    for speaker, own in evidence.by_speaker().items():
        silent = {i: 100 * m.silence for i, m in own.items() if m.silence > HIGHEST_SILENCE}
        remedy = "--fix cuts it at both ends; cut what lies between by hand, or leave it out"
        is_mendable = all(own[item].inner_silence <= HIGHEST_SILENCE for item in silent)
        limit = 100 * HIGHEST_SILENCE
        yield from _listed("silence", speaker, silent, "% of the time", limit, remedy, is_mendable)


def too_short(evidence: Evidence) -> Iterator[Finding]:
    """Utterances with less sound than a training crop: training leaves them out."""
    limit = evidence.needs.crop_seconds
    yield from _by_utterance(
        evidence, "too short", "s of sound", limit,
        "join it with its neighbour; training passes it over, --fix leaves it out",
        lambda m: m.sounding, lambda seconds: seconds < limit, low=True,
    )  # fmt: skip


def too_long(evidence: Evidence) -> Iterator[Finding]:
    """Recordings that are not cut into sentences."""
    yield from _by_utterance(
        evidence, "too long", "s", LONGEST, "cut it into sentences",
        lambda m: m.sounding, lambda seconds: seconds > LONGEST, False,
    )  # fmt: skip


def octave_errors(evidence: Evidence) -> Iterator[Finding]:
    """Utterances whose F0 leaps by octaves, or is mostly an octave from the speaker's median."""
    remedy = "listen (creak, two voices, hum?); narrow f0_floor and f0_ceil, or leave it out"
    for speaker, own in evidence.by_speaker().items():
        voiced = [m.f0 for m in own.values() if len(m.f0)]
        if not voiced:
            continue
        median = float(np.median(np.concatenate(voiced)))
        cases = []
        for item, m in own.items():
            share = octave_share(m.f0, median) if m.voiced >= _LEAST_VOICED else 0.0
            rate = m.octave_jumps / m.voiced if m.voiced else 0.0
            leaps = m.octave_jumps > MOST_JUMPS and rate > HIGHEST_JUMP_RATE
            if leaps or share > HIGHEST_OCTAVE_SHARE:
                note = f"{m.octave_jumps} leaps, {share:.0%} of it an octave off"
                cases.append(Case(item, rate, note))
        if cases:
            cases.sort(key=lambda case: -case.figure)
            yield Finding(
                "octave errors", speaker, cases[0].figure, "leaps per voiced s",
                HIGHEST_JUMP_RATE, remedy, False, tuple(cases),
            )  # fmt: skip


def octave_share(f0: NDArray[np.float32], median: float) -> float:
    """(T,) -> share of frames about an octave below or above a median."""
    octaves = np.abs(np.log2(f0 / median))
    return float((np.abs(octaves - 1) < _OCTAVE_WIDTH).mean())


def same_recording(evidence: Evidence) -> Iterator[Finding]:
    """Copies of a recording: leaks if they are in two splits, else duplicates.

    The finding names the copy to remove; a copy that is then unique is not named.
    """
    strangers = {case.item for finding in mislabelled(evidence) for case in finding.cases}
    order = {item: _keep_order(item, strangers) for match in evidence.matches for item in match[:2]}
    pairs = sorted(evidence.matches, key=lambda match: sorted(order[item] for item in match[:2]))
    groups: dict[tuple[str, str], list[Case]] = {}
    spares: set[Item] = set()
    for first, second, error in pairs:
        kept, spare = sorted((first, second), key=lambda item: order[item])
        if spares.isdisjoint((kept, spare)):
            spares.add(spare)
            rule = "leak" if is_leak(kept, spare) else "duplicate"
            case = Case(spare, 100 * error, f"is {kept.name}")
            groups.setdefault((rule, spare.utterance.domain), []).append(case)
    remedies = {
        "leak": "take it out of training, or scores are of what was learnt; --fix does",
        "duplicate": "keep one; --fix does",
    }
    for (rule, speaker), cases in sorted(groups.items()):
        cases.sort(key=lambda case: case.figure)
        yield Finding(
            rule, speaker, cases[0].figure, "% of bits differ", 100 * HIGHEST_BIT_ERROR,
            remedies[rule], True, tuple(cases),
        )  # fmt: skip


def is_leak(first: Item, second: Item) -> bool:
    """Whether these two copies are in a training and an evaluation split."""
    splits = {first.split, second.split}
    return len(splits) == 2 and bool(splits & _HELD_OUT) and splits.isdisjoint(("", UNLISTED))


def mislabelled(evidence: Evidence) -> Iterator[Finding]:
    """Utterances whose voice is nearer to another speaker's mean than to their own speaker's."""
    voices = {
        speaker: {item: m.embedding for item, m in own.items() if m.embedding is not None}
        for speaker, own in evidence.by_speaker().items()
    }
    means = {
        speaker: mean_embedding(list(own.values()))
        for speaker, own in voices.items()
        if len(own) >= _LEAST_VOICES
    }
    for speaker in means:
        others = {other: mean for other, mean in means.items() if other != speaker}
        cases = []
        for item, embedding in voices[speaker].items():
            cosines = {other: float(embedding @ mean) for other, mean in others.items()}
            nearest = max(cosines, key=lambda other: cosines[other], default=None)
            if nearest is None:
                continue
            margin = cosines[nearest] - float(embedding @ means[speaker])
            if margin > VOICE_MARGIN:
                cases.append(Case(item, margin, f"sounds like {nearest}"))
        if cases:
            cases.sort(key=lambda case: -case.figure)
            yield Finding(
                "mislabelled", speaker, cases[0].figure, "cosine nearer to another", VOICE_MARGIN,
                "listen; move it to the speaker that it is of, or leave it out", False,
                tuple(cases),
            )  # fmt: skip


def too_little(evidence: Evidence) -> Iterator[Finding]:
    """Speakers with less training data than the experiment needs."""
    for speaker, own in evidence.by_speaker().items():
        is_split = any(item.split not in ("", UNLISTED) for item in own)
        trained = [m for item, m in own.items() if not is_split or item.split == "train"]
        usable = [m for m in trained if m.sounding >= evidence.needs.crop_seconds]
        minutes = sum(m.sounding for m in usable) / 60
        if minutes < evidence.needs.minutes:
            yield Finding(
                "too little data", speaker, minutes, "minutes to train on", evidence.needs.minutes,
                "record more; the papers have 5 minutes of each speaker", False, (), False,
            )  # fmt: skip


RULES: tuple[Rule, ...] = (
    unreadable, mixed_channels, mixed_rates, low_rate, clipping, direct_current, low_level, noise,
    silence, too_short, too_long, octave_errors, same_recording, mislabelled, too_little,
)  # fmt: skip


def apply_rules(evidence: Evidence) -> list[Finding]:
    """Every finding, in the order of the rules."""
    return [finding for rule in RULES for finding in rule(evidence)]


def _keep_order(item: Item, strangers: Collection[Item]) -> tuple[bool, int, str]:
    """The order in which copies are kept: test and val first, so results stay comparable."""
    order = {"test": 0, "val": 1, UNLISTED: 3}
    return item in strangers, order.get(item.split, 2), item.utterance.id


def _median(values: Sequence[float]) -> float:
    """Median, inf if there is no value; -inf (silence) and inf (no noise) are normal values."""
    return float(sorted(values)[len(values) // 2]) if values else math.inf


def _worst(figures: Mapping[Item, float], count: int = 3) -> tuple[Case, ...]:
    """The items with the lowest values, as examples."""
    items = sorted(figures, key=lambda item: figures[item])[:count]
    return tuple(Case(item, figures[item]) for item in items)


def _by_utterance(
    evidence: Evidence,
    rule: str,
    unit: str,
    limit: float,
    remedy: str,
    value: Callable[[Measurements], float],
    is_bad: Callable[[float], bool],
    is_mendable: bool = True,
    low: bool = False,
) -> Iterator[Finding]:
    """One finding for each speaker with utterances whose value is bad."""
    for speaker, own in evidence.by_speaker().items():
        values = {item: value(m) for item, m in own.items()}
        bad = {item: figure for item, figure in values.items() if is_bad(figure)}
        yield from _listed(rule, speaker, bad, unit, limit, remedy, is_mendable, low)


def _listed(
    rule: str,
    speaker: str,
    figures: Mapping[Item, float],
    unit: str,
    limit: float,
    remedy: str,
    is_mendable: bool,
    low: bool = False,
) -> Iterator[Finding]:
    """A finding with these utterances, if any, worst first. low: the lowest is the worst."""
    if figures:
        items = sorted(figures, key=lambda item: figures[item], reverse=not low)
        cases = tuple(Case(item, figures[item]) for item in items)
        yield Finding(rule, speaker, cases[0].figure, unit, limit, remedy, is_mendable, cases)
