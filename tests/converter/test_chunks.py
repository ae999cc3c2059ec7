"""Pieces tile a wave, are cut where it is quiet, and are joined without a seam."""

import pytest
import torch
from tiny import vowel
from torch import Tensor

from voiceconv.converter import through_features
from voiceconv.converter.chunks import Chunk, crossfade_into, cut_chunks, spread_parts
from voiceconv.features import FeatureExtractor, Features, World
from voiceconv.vocoders import Vocoder, WorldSynthesis

RATE = 4000
FADE = 80  # samples: 20 ms


class WaveExtractor(FeatureExtractor):
    """The wave itself, as frames of seven samples: no piece begins with one by chance."""

    sample_rate, hop_length, n_channels = RATE, 7, 7
    definition = {"kind": "wave"}  # noqa: RUF012

    def extract(self, wave: Tensor) -> Features:
        n_missing = 7 * self.n_frames(len(wave)) - len(wave)
        return Features(torch.nn.functional.pad(wave, (0, n_missing)).view(-1, 7).T)

    def cepstra(self, frames: Tensor) -> Tensor:
        return frames

    def bend(self, beta: float, gamma: float = 0.0) -> Tensor:
        return torch.eye(1)


class Playback(Vocoder[WaveExtractor]):
    """Gives the frames back as they are."""

    takes = WaveExtractor

    def synthesize(self, features: Features) -> Tensor:
        return features.frames.T.reshape(-1)


def noise(seconds: float, rate: int = RATE) -> Tensor:
    return 0.1 * torch.randn(int(seconds * rate))


@pytest.mark.parametrize("n_samples", [1, 79, RATE, 20 * RATE])
def test_up_to_20_seconds_are_one_piece(n_samples):
    assert cut_chunks(noise(21)[:n_samples], RATE) == [Chunk(0, 0, n_samples, n_samples)]


@pytest.mark.parametrize("rate", [RATE, 11025, 16000])
@pytest.mark.parametrize("seconds", [20.0001, 20.5, 40.0, 65.3])
def test_pieces_tile_the_wave_with_a_second_around(seconds, rate):
    wave = torch.randn(int(seconds * rate) + 1)
    chunks = cut_chunks(wave, rate)
    assert len(chunks) >= seconds // 20 + 1
    assert chunks[0].begin == 0
    assert chunks[-1].end == len(wave)
    for one, other in zip(chunks[:-1], chunks[1:], strict=True):
        assert one.end == other.begin
        assert 15 * rate <= one.end - one.begin <= 20 * rate
    for start, begin, end, stop in chunks:
        assert start == max(0, begin - rate)
        assert stop == min(len(wave), end + rate)


def test_the_cut_is_in_the_quiet_place():
    wave = noise(25)
    wave[int(16.5 * RATE) : int(16.6 * RATE)] *= 0.01
    wave[int(12 * RATE) : int(13 * RATE)] = 0  # too early: chunks would become many
    (_, _, cut, _), _ = cut_chunks(wave, RATE)
    assert 16.5 <= cut / RATE <= 16.6


@pytest.mark.parametrize("seconds", [19.0, 20.0001, 20.01, 47.123, 65.0])
def test_weights_of_neighbours_sum_to_one(seconds):
    wave = torch.ones(int(seconds * RATE) + 1)
    output = torch.zeros_like(wave)
    for chunk in cut_chunks(wave, RATE):
        crossfade_into(output, wave[chunk.start : chunk.stop], chunk, RATE)
    assert (output - 1).abs().max() < 1e-6


def test_a_blend_is_20_ms_around_the_cut():
    output = torch.zeros(3 * RATE)
    crossfade_into(output, torch.ones(2 * RATE), Chunk(0, 0, RATE, 2 * RATE), RATE)
    assert (output[: RATE - FADE // 2] == 1).all()
    assert output[RATE - 1] == pytest.approx(0.5, abs=0.01)
    assert (output[RATE - FADE // 2 : RATE + FADE // 2].diff() < 0).all()
    assert (output[RATE + FADE // 2 :] == 0).all()


@pytest.mark.parametrize("is_analysed", [False, True])
@pytest.mark.parametrize("seconds", [0.5, 20.001, 65.0])
def test_a_change_that_changes_nothing_gives_the_wave_back(seconds, is_analysed):
    wave = noise(seconds)
    heard = []
    extractor = WaveExtractor()
    whole = extractor.extract(wave) if is_analysed else None
    made = through_features(Playback(extractor), wave, progress=heard.append, whole=whole)
    assert made.shape == wave.shape
    assert (made - wave).abs().max() < 1e-6
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_pieces_leave_no_seam():
    """Jumps of samples and of level at the cuts are within what the second around them has.

    A vowel without pauses is the hardest: every cut goes through sounding speech.
    """
    rate = 12000
    world = World(rate, 24, f0_method="dio")
    wave = vowel(110.0, 65.0, rate)
    made = through_features(WorldSynthesis(world), wave)
    cuts = [chunk.end for chunk in cut_chunks(wave, rate)[:-1]]
    assert len(cuts) == 3
    jumps, levels = made.diff().abs(), level(made, rate)
    for cut in cuts:
        beside = torch.cat([jumps[cut - rate : cut - 120], jumps[cut + 120 : cut + rate]])
        assert jumps[cut - 120 : cut + 120].max() <= beside.max()  # in the 20 ms of the blend
        block = cut // (rate // 50)
        beside = torch.cat([levels[block - 50 : block - 2], levels[block + 3 : block + 50]])
        assert levels[block - 2 : block + 3].min() >= beside.min() - 1  # dB
        assert levels[block - 2 : block + 3].max() <= beside.max() + 1


def level(wave: Tensor, rate: int) -> Tensor:
    """(N,) -> dB of each 20 ms."""
    blocks = wave[: len(wave) // (rate // 50) * (rate // 50)].view(-1, rate // 50)
    return 10 * blocks.square().mean(1).log10()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3.0, [(0.0, 3.0)]),
        (8.0, [(0.0, 8.0)]),
        (20.0, [(0.0, 2.0), (6.0, 8.0), (12.0, 14.0), (18.0, 20.0)]),
    ],
)
def test_parts_are_spread_evenly(seconds, expected):
    wave = torch.arange(int(seconds * 100), dtype=torch.float32)
    parts = spread_parts(wave, 100, n_parts=4, seconds=2.0)
    assert [(float(p[0]) / 100, (float(p[-1]) + 1) / 100) for p in parts] == expected
