"""What a fingerprint does not hear, and what it tells apart."""

import numpy as np
import pytest
import torch
from voices import RATE, as_wave, sentence

from voiceconv import audio
from voiceconv.check.fingerprint import Fingerprint, bit_error, find_matches, fingerprint


def louder(wave):
    return 5.0 * wave


def at_8_khz(wave):
    narrow = audio.resample(as_wave(wave), RATE, 8000)
    return audio.resample(narrow, 8000, RATE).double().numpy()


def later_by_50_ms(wave):
    return np.concatenate([np.zeros(RATE // 20), wave])


def later_by_3_ms(wave):
    return np.concatenate([np.zeros(48), wave])


def without_its_ends(wave):
    return wave[RATE // 5 : -RATE // 10]


def in_16_bits_far_down(wave):
    return np.round(wave * 0.02 * 32767) / 32767


def with_dc(wave):
    return wave + 0.05


def in_noise_at_20_db(wave):
    noise = np.random.default_rng(9).standard_normal(len(wave))
    return wave + 0.1 * wave.std() * noise


@pytest.mark.parametrize(
    "change",
    [louder, at_8_khz, later_by_50_ms, later_by_3_ms, without_its_ends, in_16_bits_far_down,
     with_dc, in_noise_at_20_db],
)  # fmt: skip
def test_a_changed_copy_is_found_among_others(change):
    waves = [sentence(seed, 140.0, 3.0) for seed in range(6)]
    prints = [fingerprint(wave) for wave in [*waves, change(waves[3])]]
    (match,) = find_matches(prints)
    assert (match.first, match.second) == (3, 6)
    assert match.bit_error < 0.27


@pytest.mark.parametrize("extension", [".ogg", ".mp3", ".opus"])
def test_a_copy_through_a_coder_is_found(extension, tmp_path):
    waves = [sentence(seed, 140.0, 3.0) for seed in range(4)]
    path = tmp_path / f"copy{extension}"
    audio.write(path, as_wave(waves[1] * 0.3), RATE)
    decoded = audio.read(path, RATE).samples.double().numpy()
    (match,) = find_matches([fingerprint(wave) for wave in [*waves, decoded]])
    assert (match.first, match.second) == (1, 4)


def test_other_sentences_of_a_speaker_and_the_same_one_by_another_are_apart():
    waves = [sentence(seed, pitch) for pitch in (110.0, 190.0) for seed in range(10)]
    assert find_matches([fingerprint(wave) for wave in waves]) == []


def test_a_sentence_cut_out_of_a_longer_recording_is_found():
    whole = np.concatenate([sentence(seed) for seed in range(5)])
    (match,) = find_matches([fingerprint(whole), fingerprint(sentence(3))])
    assert match.bit_error < 0.05


def test_length_and_offset_by_hand():
    wave = sentence(0)
    one, late = fingerprint(wave), fingerprint(np.concatenate([np.zeros(1280), wave]))
    assert len(one.words) == (len(wave) - 2048) // 128 + 1 - 4
    assert bit_error(one, late, 10) < 0.01  # 1280 samples are ten frames
    assert bit_error(one, late, 0) > 0.3
    assert bit_error(one, late, 10_000) == 1.0  # nothing of them overlaps


def test_bit_error_by_hand():
    words = np.arange(100, dtype=np.uint32)
    sounding = np.ones(100, bool)
    flipped = words ^ np.uint32(0b1011)  # 3 of 32 bits
    assert bit_error(Fingerprint(words, sounding), Fingerprint(flipped, sounding), 0) == 3 / 32
    # Where 30 frames are left to compare, 0.24 s, nothing is said.
    few = np.arange(100) < 30
    assert bit_error(Fingerprint(words, few), Fingerprint(words, few), 0) == 1.0


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.zeros(10), np.zeros(0)])
def test_silence_is_nobodys_copy(wave):
    assert find_matches([fingerprint(wave), fingerprint(wave)]) == []


def test_nothing_has_no_matches():
    assert find_matches([]) == []


def test_steady_tones_of_unlike_pitch_are_apart(vowel):
    waves = [vowel(pitch, 2.0, RATE).double().numpy() for pitch in (100.0, 130.0, 200.0)]
    noise = torch.manual_seed(0)
    waves = [w + 1e-4 * torch.randn(len(w), generator=noise).numpy() for w in waves]
    assert find_matches([fingerprint(wave) for wave in waves]) == []
