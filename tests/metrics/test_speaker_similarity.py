"""Cosines by hand; embeddings as the library makes them; what a missing package says."""

import sys

import numpy as np
import pytest
from test_copy_synthesis import speech

from voiceconv.errors import InputError
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


def test_nearer_the_target_or_the_source():
    target, source = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert similarity.evaluate(target, np.array([0.8, 0.6]), source) == {
        "speaker_similarity": pytest.approx(0.8),
        "source_similarity": pytest.approx(0.6),
        "nearer_target": 100.0,
    }
    assert similarity.evaluate(target, np.array([0.6, 0.8]), source)["nearer_target"] == 0.0
    # As far from both: no nearer.
    assert similarity.evaluate(target, np.array([1.0, 1.0]), source)["nearer_target"] == 0.0
    assert similarity.evaluate(None, np.array([0.6, 0.8]), source) == {
        "source_similarity": pytest.approx(0.8)
    }


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "resemblyzer", None)  # what import turns into ImportError
    with pytest.raises(InputError, match=r"pip install 'voiceconv\[eval\]'"):
        similarity.SpeakerEncoder()


def test_encoder_hears_no_level():
    pytest.importorskip("resemblyzer")
    encoder = similarity.SpeakerEncoder()
    t = np.arange(16000) / 16000
    wave = sum(0.8**k * np.cos(2 * np.pi * k * 130 * t) for k in range(1, 40))
    loud, quiet = encoder.embed(0.2 * wave), encoder.embed(0.01 * wave)
    assert loud.shape == (256,) and np.linalg.norm(loud) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(loud, quiet, atol=1e-5)


def test_embedding_is_the_librarys():
    resemblyzer = pytest.importorskip("resemblyzer")
    wave = speech() + 0.05  # an offset, which nothing hears
    scaled = wave - wave.mean()
    scaled = (0.4 * scaled / np.percentile(np.abs(scaled), 99.9)).astype(np.float32)
    expected = resemblyzer.VoiceEncoder("cpu", verbose=False).embed_utterance(
        resemblyzer.preprocess_wav(scaled, 16000)
    )
    np.testing.assert_array_equal(similarity.SpeakerEncoder().embed(wave), expected)
    assert similarity.protocol()["Resemblyzer"].startswith("0.1.")
