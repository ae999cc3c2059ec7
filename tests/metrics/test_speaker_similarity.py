"""Cosines by hand; what a missing package says."""

import sys

import numpy as np
import pytest

from voiceconv.errors import InputError
from voiceconv.metrics import naturalness, waves
from voiceconv.metrics import speaker_similarity as similarity


def test_similarity_by_hand():
    target = np.array([3.0, 4.0])
    assert similarity.evaluate(target, target) == {"speaker_similarity": pytest.approx(1.0)}
    # 5 and 13 long, product 3 * 5 + 4 * 12 = 63.
    found = similarity.evaluate(target, np.array([5.0, 12.0]))["speaker_similarity"]
    assert found == pytest.approx(63 / 65, abs=1e-12)
    assert similarity.similarity(target, np.array([-4.0, 3.0])) == pytest.approx(0.0, abs=1e-12)


def test_mean_embedding_is_of_directions_and_of_unit_length():
    # A long and a short one count alike: halfway between the axes.
    mean = similarity.mean_embedding([np.array([10.0, 0.0]), np.array([0.0, 0.1])])
    np.testing.assert_allclose(mean, [0.5**0.5, 0.5**0.5], atol=1e-12)
    with pytest.raises(ValueError, match="at least one utterance"):
        similarity.mean_embedding([])


@pytest.mark.parametrize(
    ("estimated", "sentence"),
    [
        (np.ones(3), r"shapes \(2,\) and \(3,\)"),
        (np.zeros(2), "the estimated embedding is zero"),
        (np.array([1.0, np.nan]), "the estimated embedding is zero, NaN"),
    ],
)
def test_validate_refuses(estimated, sentence):
    with pytest.raises(ValueError, match=sentence):
        similarity.validate(np.ones(2), estimated)


@pytest.mark.parametrize(
    ("package", "make"),
    [("resemblyzer", similarity.SpeakerEncoder), ("speechmos", naturalness.Dnsmos)],
)
def test_a_missing_package_is_named_with_its_remedy(monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)  # what import turns into ImportError
    with pytest.raises(InputError, match=r"pip install 'voiceconv\[eval\]'"):
        make()


def test_scale_to_peak():
    np.testing.assert_allclose(waves.scale_to_peak(np.array([0.1, -0.2])), [0.4, -0.8])
    assert not waves.scale_to_peak(np.zeros(3)).any()


def test_encoder_hears_no_level_and_refuses_silence():
    pytest.importorskip("resemblyzer")
    encoder = similarity.SpeakerEncoder()
    t = np.arange(16000) / 16000
    wave = sum(0.8**k * np.cos(2 * np.pi * k * 130 * t) for k in range(1, 40))
    loud, quiet = encoder.embed(0.2 * wave), encoder.embed(0.01 * wave)
    assert loud.shape == (256,) and np.linalg.norm(loud) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(loud, quiet, atol=1e-5)
    with pytest.warns(UserWarning, match="silence"), pytest.raises(ValueError, match="no voice"):
        encoder.embed(np.zeros(16000))


def test_dnsmos_hears_no_level_and_prefers_a_vowel_to_noise():
    pytest.importorskip("speechmos")
    scorer = naturalness.Dnsmos()
    t = np.arange(9 * 16000 + 1600) / 16000  # one window of DNSMOS: 9.01 s
    wave = sum(0.8**k * np.cos(2 * np.pi * k * 130 * t) for k in range(1, 40))
    noise = np.random.default_rng(0).standard_normal(len(t))
    score = scorer.score(wave)
    assert score == pytest.approx(scorer.score(0.1 * wave), abs=1e-4)
    assert 1.0 < naturalness.evaluate(scorer, noise)["dnsmos"] < score["dnsmos"] < 5.0
