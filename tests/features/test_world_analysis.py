"""WORLD analysis: known pitch, known frame count, finite whatever comes in."""

import warnings

import pytest
import torch

from voiceconv.features import Features, World
from voiceconv.vocoders.world import WorldSynthesis

TRACKS = ("frames", "f0", "aperiodicity")


@pytest.mark.parametrize("f0_method", ["dio", "harvest"])
@pytest.mark.parametrize("pitch", [120, 220])
def test_f0_of_a_buzz_is_found_within_1_percent(vowel, f0_method, pitch):
    f0 = World(f0_method=f0_method).extract(vowel(pitch, 0.4)).f0
    inner = f0[10:-10]
    assert (inner > 0).all()
    assert ((inner - pitch).abs() < 0.01 * pitch).all()


@pytest.mark.parametrize("f0_method", ["dio", "harvest"])
@pytest.mark.parametrize("pitch", [780, 830, 869, 932, 987, 1046, 1500])
def test_a_high_voice_is_found(vowel, f0_method, pitch):
    f0 = World(f0_method=f0_method).extract(vowel(pitch, 0.4)).f0[10:-10]
    assert ((f0 - pitch).abs() < 0.01 * pitch).all()


def test_a_harmonic_above_the_ceiling_is_not_f0(vowel):
    """The fourth harmonic of 205 Hz, 20 dB above the others: the voice stays at 205 Hz."""
    wave = vowel(205, 0.5)
    wave = wave + 5 * torch.sin(2 * torch.pi * 820 * torch.arange(len(wave)) / 24000) * wave.std()
    f0 = World().extract(wave).f0[10:-10]
    assert ((f0 - 205).abs() < 5).float().mean() > 0.9


def test_a_ceiling_that_is_asked_for_holds(vowel):
    assert World(f0_method="dio", f0_ceil=600).extract(vowel(1046, 0.4)).f0.max() <= 600


@pytest.mark.parametrize(("seconds", "is_found"), [(0.08, False), (0.16, True)])
def test_above_the_ceiling_f0_is_what_is_held(vowel, seconds, is_found):
    wave = 1e-3 * torch.randn(12000, generator=torch.Generator().manual_seed(0))
    wave[4000 : 4000 + int(24000 * seconds)] += vowel(1046, seconds)
    f0 = World().extract(wave).f0
    assert bool((f0 > 800).any()) == is_found


def test_f0_of_silence_and_noise_is_unvoiced():
    quiet = World(f0_method="dio").extract(torch.zeros(12000)).f0
    assert (quiet > 0).float().mean() < 0.1


@pytest.mark.parametrize("n_samples", [1, 119, 120, 240, 1000, 2048, 2049, 6007])
@pytest.mark.parametrize("sample_rate", [16000, 24000])
def test_it_counts_frames_by_the_formula_and_stays_finite(n_samples, sample_rate):
    world = World(sample_rate, n_coefficients=24, f0_method="dio")
    hop = sample_rate // 200
    for wave in (torch.zeros(n_samples), 0.1 * torch.randn(n_samples)):
        found = world.extract(wave)
        n_frames = n_samples // hop + 1
        assert found.frames.shape == (24, n_frames)
        assert found.f0.shape == (n_frames,)
        assert found.aperiodicity.shape[1] == n_frames
        for track in (found.frames, found.f0, found.aperiodicity):
            assert track.isfinite().all()
            assert track.dtype == torch.float32


def test_the_same_wave_gives_the_same_features(vowel):
    wave = vowel(150, 0.1)
    one, other = World(f0_method="dio").extract(wave), World(f0_method="dio").extract(wave)
    assert one.definition == other.definition
    for name in TRACKS:
        assert torch.equal(getattr(one, name), getattr(other, name))


def test_a_louder_wave_moves_c0_alone(vowel):
    """Twice the amplitude is ln 2 more in log|H|, which is c0 and nothing else."""
    wave, world = vowel(150, 0.3) + 0.01 * torch.randn(7200), World(f0_method="dio")
    quiet, loud = (world.extract(gain * wave).frames[:, 10:-10] for gain in (1.0, 2.0))
    moved = (loud - quiet).mean(1)
    assert moved[0].item() == pytest.approx(0.6931, abs=0.01)
    assert moved[1:].abs().max() < 0.02


def test_alpha_and_fft_follow_from_the_rate():
    world = World(sample_rate=24000)
    assert (world.hop_length, world.n_fft, world.alpha) == (120, 1024, 0.47)


def test_how_f0_is_searched_for_does_not_change_the_definition():
    assert World(f0_method="dio", f0_floor=50).definition == World(f0_method="harvest").definition
    assert World(alpha=0.42).definition != World().definition


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="frame_period 5.1 ms is no whole number"):
        World(sample_rate=22050, frame_period=5.1)
    for floor, ceil in ((500.0, 100.0), (71.0, 71.0), (71.0, 12_001.0)):
        with pytest.raises(ValueError, match=f"f0_floor {floor} and f0_ceil {ceil} must rise"):
            World(f0_floor=floor, f0_ceil=ceil)
    for floor, ceil in ((40.0, 800.0), (71.0, 1601.0), (100.0, 104.0)):
        with pytest.raises(ValueError, match=f"f0_floor {floor} and f0_ceil {ceil} must lie"):
            World(f0_method="swift", f0_floor=floor, f0_ceil=ceil)
    World(f0_method="swift", f0_floor=100.0, f0_ceil=105.0).extract(torch.zeros(24000))
    with pytest.raises(ValueError, match="'yin'"):
        World(f0_method="yin")  # type: ignore[arg-type]


def test_no_warning_reaches_the_user(vowel):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        World(f0_method="dio").extract(vowel(150, 0.1))


def test_tracks_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="f0 has 4 frames where there are 5"):
        Features(torch.zeros(3, 5), {"f0": torch.zeros(4)})


def test_a_wave_shorter_than_one_fft_is_lengthened_with_silence(vowel):
    """WORLD reads beyond the end of it, whatever lies there."""
    short, world = vowel(150, 0.02), World(f0_method="dio")
    long = torch.cat([short, torch.zeros(world.n_fft - len(short))])
    found, expected = world.extract(short), world.extract(long)
    for name in TRACKS:
        track = getattr(found, name)
        assert torch.equal(track, getattr(expected, name)[..., : track.shape[-1]])


def test_aperiodicity_between_analysed_frames_is_near_the_full_one(vowel):
    """A vowel whose noise comes and goes five times a second, 3 to 30 dB below it."""
    wave = vowel(150, 1.0)
    times = torch.arange(len(wave)) / 24000
    level = 10 ** ((-16.5 + 13.5 * torch.sin(2 * torch.pi * 5 * times)) / 20)
    noise = torch.randn(len(wave), generator=torch.Generator().manual_seed(0))
    wave = wave + level * wave.std() * noise
    full, thin = (World(f0_method="swift", d4c_step=step).extract(wave) for step in (1, 4))
    assert torch.equal(full.f0, thin.f0)
    assert torch.equal(full.frames, thin.frames)
    voiced = full.f0 > 0
    assert voiced.float().mean() > 0.9
    difference = (full.aperiodicity - thin.aperiodicity)[:, voiced]
    assert full.aperiodicity[:, voiced].std() > 2 * difference.std()
    assert difference.abs().mean() < 1.0
    assert (thin.aperiodicity[:, ~voiced] == 0).all()


def test_a_deep_voice_has_the_envelope_of_a_higher_one(vowel):
    """Of 50 Hz, below CheapTrick's floor: it is steady, and the copy's F0 is the voice's."""
    world = World(f0_method="swift")
    found = world.extract(vowel(50, 0.6))
    assert found.frames[:, 20:-20].std(1).max() < 0.05
    again = world.extract(WorldSynthesis(world).synthesize(found)).f0[20:-20]
    assert ((again - 50).abs() < 0.5).all()
