"""Harmonics and noise by hops: as loud as WORLD's, at the right pitch, the same in any chunks."""

import numpy as np
import pytest
import torch
from tiny_model import RATE, speech

from voiceconv.audio import level
from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram, World
from voiceconv.vocoders.harmonic import HarmonicNoise
from voiceconv.vocoders.world import WorldSynthesis


@pytest.fixture(scope="module")
def world() -> World:
    return World(RATE, 24, 10.0, f0_method="dio")


@pytest.fixture(scope="module")
def vocoder(world) -> HarmonicNoise:
    return HarmonicNoise(world)


def steady(f0: float, n_frames: int = 40, level: float = -3.0, noise: float = -60.0) -> Features:
    frames = torch.zeros(24, n_frames)
    frames[0] = level
    tracks = {"f0": torch.full((n_frames,), f0), "ap": torch.full((1, n_frames), noise)}
    return Features(frames, tracks)


@pytest.mark.parametrize("pitch", ["low", "high"])
def test_copies_are_as_loud_as_worlds(world, vocoder, pitch):
    features = world.extract(speech(pitch, 1.0))
    ours, theirs = (one.synthesize(features) for one in (vocoder, WorldSynthesis(world)))
    assert len(ours) == len(theirs) == 101 * world.hop_length
    assert level(ours, RATE) == pytest.approx(level(theirs, RATE), abs=0.5)


@pytest.mark.parametrize("f0", [80.0, 200.0, 410.5])
def test_harmonics_are_at_multiples_of_f0(vocoder, f0):
    wave = vocoder.synthesize(steady(f0))[2000:].double().numpy()
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 18))
    places = np.arange(len(spectrum)) * RATE / (1 << 18)
    near = np.abs(places - 3 * f0) < f0 / 2
    assert places[near][spectrum[near].argmax()] == pytest.approx(3 * f0, rel=1e-3)


def test_a_flat_spectrum_has_unit_excitation(vocoder):
    """At c_0 = 0 harmonics and noise each have the power 1, as WORLD's excitation has."""
    for features in (steady(200.0, level=0.0), steady(0.0, level=0.0, noise=0.0)):
        wave = vocoder.synthesize(features)[1000:-1000]
        assert wave.square().mean().item() == pytest.approx(1.0, rel=0.06)


def test_aperiodicity_moves_power_from_harmonics_to_noise(vocoder):
    wave = vocoder.synthesize(steady(200.0, noise=0.0))[1000:-1000].double()
    period = RATE // 200
    correlation = (wave[period:] * wave[:-period]).sum() / wave.square().sum()
    tone = vocoder.synthesize(steady(200.0))[1000:-1000].double()
    of_tone = (tone[period:] * tone[:-period]).sum() / tone.square().sum()
    assert of_tone > 0.9 and correlation < 0.6


def test_steps_are_the_synthesis(world, vocoder):
    features = world.extract(speech("low", 0.4))
    whole = vocoder.synthesize(features)
    state, hops = vocoder.start(), []
    for t in range(features.frames.shape[1]):
        ap = features.aperiodicity[:, t]
        hop, state = vocoder.step(state, features.frames[:, t], float(features.f0[t]), ap)
        hops.append(hop)
    joined = torch.cat(hops[1:]).float()
    assert torch.equal(joined, whole[: len(joined)])


def test_silence_and_wild_cepstra_stay_finite(vocoder):
    assert vocoder.synthesize(steady(0.0, level=-60.0)).abs().max() < 1e-20
    assert vocoder.synthesize(steady(100.0, level=500.0)).isfinite().all()


def test_it_says_what_it_lacks(vocoder):
    with pytest.raises(InputError, match="needs F0"):
        vocoder.synthesize(Features(torch.zeros(24, 3)))
    with pytest.raises(InputError, match="makes waves of World features"):
        HarmonicNoise(MelSpectrogram())
