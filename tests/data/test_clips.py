"""Clips of a voice: phrases between silences, at the loudness of a dump, whatever their length."""

import pytest
import torch
from tiny_model import RATE, WORLD, record, speech
from torch import Tensor

from voiceconv.audio import loudness
from voiceconv.build import build
from voiceconv.data.clips import LONGEST, MARGIN, SHORTEST, phrases, read_clips
from voiceconv.data.kaldi import Utterance
from voiceconv.features import FeatureExtractor


def tones(*seconds: float) -> Tensor:
    """(N,) sound and digital silence in turns, so many seconds each."""
    rng = torch.Generator().manual_seed(0)
    parts = [
        torch.rand(round(one * RATE), generator=rng) - 0.5 if n % 2 == 0 else zeros(one)
        for n, one in enumerate(seconds)
    ]
    return torch.cat(parts)


def zeros(seconds: float) -> Tensor:
    return torch.zeros(round(seconds * RATE))


def found(wave: Tensor) -> list[tuple[float, float]]:
    """In seconds."""
    return [(part.start / RATE, part.stop / RATE) for part in phrases(wave, RATE)]


def test_silences_of_a_second_part_phrases_and_shorter_ones_do_not():
    spans = found(tones(2.0, 0.5, 1.0, 1.5, 3.0))
    wanted = [(0.0, 3.5 + MARGIN), (5.0 - MARGIN, 8.0)]
    assert spans == [pytest.approx(one, abs=0.011) for one in wanted]


def test_a_long_recording_is_cut_in_its_pauses_and_without_one_in_equal_parts():
    spans = found(tones(7.0, 0.5, 7.0))
    assert [end - start for start, end in spans] == pytest.approx([7.05, 7.05], abs=0.02)
    spans = found(tones(30.0))
    assert [end - start for start, end in spans] == pytest.approx([10.0] * 3, abs=0.001)
    assert all(end - start <= LONGEST for start, end in spans)


def test_what_is_too_short_or_silent_is_no_phrase():
    assert found(tones(SHORTEST - 0.15)) == []
    assert found(zeros(3.0)) == [] and found(zeros(0.0)) == []


def test_phrases_are_analysed_at_the_loudness_that_is_asked_for(tmp_path):
    heard: list[Tensor] = []
    extractor = build(WORLD, FeatureExtractor)
    analyse = extractor.extract
    extractor.extract = lambda wave: (heard.append(wave), analyse(wave))[1]
    quiet = torch.cat([0.01 * speech("high", 2.0), zeros(2.0), 0.3 * speech("high", 1.0)])
    paths = [record(tmp_path / "a.wav", quiet), record(tmp_path / "b.flac", speech("high", 1.0))]
    seen = []
    recordings = [Utterance(path.name, "", path) for path in paths]
    clips = read_clips(recordings, extractor, -23.0, lambda *done: seen.append(done))
    assert len(clips.phrases) == len(heard) == 3 and seen == [(0, 2), (1, 2), (2, 2)]
    assert clips.seconds == pytest.approx(4.0, abs=0.2)
    assert clips.seconds == pytest.approx(sum(map(len, heard)) / RATE)
    assert [loudness(wave, RATE) for wave in heard] == pytest.approx([-23.0] * 3, abs=0.1)
