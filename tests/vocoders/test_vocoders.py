"""Vocoders: what they make is what the features say, as long as they say, the same every time."""

import pytest
import torch
from tiny_model import RATE, speech

from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor, Features, MelSpectrogram, World
from voiceconv.vocoders import GriffinLim, Vocoder, WorldSynthesis

WORLD = World(RATE, 24, f0_method="dio")
MEL = MelSpectrogram(RATE, 512, 128, 40)
PAIRS = {
    "world": (WORLD, WorldSynthesis(WORLD)),
    "mel": (MEL, GriffinLim(MEL, n_iterations=32)),
}
pairs = pytest.mark.parametrize(("extractor", "vocoder"), PAIRS.values(), ids=PAIRS)


def there_and_back(extractor: FeatureExtractor, vocoder: Vocoder, wave) -> tuple[Features, ...]:
    before = extractor.extract(wave)
    return before, extractor.extract(vocoder.synthesize(before)[: len(wave)])


@pytest.mark.parametrize("domain", ["low", "high"])
def test_world_features_come_back_from_the_wave(domain):
    """Mel-cepstra to 0.05 nepers on average (c0 alone spans 5), F0 to 0.5%, voicing to 5%."""
    before, after = there_and_back(*PAIRS["world"], speech(domain, 1.0))
    assert (before.frames - after.frames).abs().mean() < 0.05
    assert ((before.f0 > 0) == (after.f0 > 0)).float().mean() > 0.95
    both = (before.f0 > 0) & (after.f0 > 0)
    assert (before.f0 / after.f0)[both].log().abs().median() < 0.005


def test_world_noise_comes_back_as_noise():
    """Unvoiced frames have no harmonics: all aperiodicity, 0 dB, and no F0."""
    noise = 0.1 * torch.randn(RATE)
    before, after = there_and_back(*PAIRS["world"], noise)
    assert (before.f0 > 0).float().mean() < 0.2
    assert (after.f0 > 0).float().mean() < 0.2
    assert (before.frames - after.frames).abs().mean() < 0.2  # two draws of noise differ


@pytest.mark.parametrize("domain", ["low", "high"])
def test_mel_features_come_back_from_the_wave(domain):
    """To 0.3 nepers (2.6 dB) a channel and frame on average; they deviate by 1.7."""
    before, after = there_and_back(*PAIRS["mel"], speech(domain, 1.0))
    assert (before.frames - after.frames).abs().mean() < 0.3


@pairs
@pytest.mark.parametrize("n_samples", [1, 79, 80, 127, 128, 129, 1000, 5000])
def test_a_wave_is_a_hop_for_each_frame(extractor, vocoder, n_samples):
    features = extractor.extract(speech("low", 0.5)[:n_samples])
    wave = vocoder.synthesize(features)
    assert wave.shape == ((n_samples // extractor.hop_length + 1) * extractor.hop_length,)
    assert len(wave) >= n_samples
    assert wave.dtype == torch.float32
    assert wave.isfinite().all()


@pairs
def test_a_level_is_kept(extractor, vocoder):
    wave = speech("low", 1.0)
    made = vocoder.synthesize(extractor.extract(wave))
    assert 20 * (made.std() / wave.std()).log10() == pytest.approx(0.0, abs=1.5)  # dB


@pairs
def test_the_same_features_are_the_same_wave(extractor, vocoder):
    features = extractor.extract(speech("low", 0.3))
    assert torch.equal(vocoder.synthesize(features), vocoder.synthesize(features))


def test_another_kind_of_features_is_refused():
    with pytest.raises(InputError, match="WorldSynthesis makes waves of World features, not of "):
        WorldSynthesis(MEL)
    with pytest.raises(InputError, match="GriffinLim makes waves of MelSpectrogram features, not "):
        GriffinLim(WORLD)


@pairs
def test_frames_of_another_definition_are_refused(extractor, vocoder):
    frames = torch.zeros(extractor.n_channels + 1, 10)
    with pytest.raises(InputError, match=rf"for {extractor.n_channels} channels .*shape \("):
        vocoder.synthesize(Features(frames, {"f0": torch.zeros(10), "ap": torch.zeros(1, 10)}))


def test_world_at_a_rate_without_aperiodicity_is_refused():
    with pytest.raises(ValueError, match="8000 Hz leaves no band .* needs 12000 Hz or more"):
        World(8000, 24)
    assert World(12000, 24).extract(speech("low", 0.2, 12000)).aperiodicity.shape == (1, 41)


def test_world_needs_f0():
    with pytest.raises(InputError, match="needs F0 and aperiodicity"):
        WorldSynthesis(WORLD).synthesize(Features(torch.zeros(24, 10)))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sample_rate": 22050}, "sample_rate 22050"),
        ({"hop_length": 64}, "hop_length 64"),
        ({"n_fft": 1024}, "n_fft 1024"),
        ({"f_min": 50.0}, "f_min 50.0"),
        ({"f_max": 5000.0}, "f_max 5000.0"),
    ],
)
def test_mel_frames_of_as_many_channels_are_refused_by_what_differs(changed, named):
    definition = {"sample_rate": RATE, "n_fft": 512, "hop_length": 128, "n_mels": 40} | changed
    features = MelSpectrogram(**definition).extract(speech("low", 0.3))
    with pytest.raises(InputError, match=f"another definition: .*{named}, not"):
        PAIRS["mel"][1].synthesize(features)
