"""DNSMOS is speechmos' own figure, whatever the level."""

import sys

import numpy as np
import pytest

from voiceconv.errors import InputError
from voiceconv.metrics import naturalness


def vowel(seconds: float = 9.1) -> np.ndarray:
    """A buzz a little longer than one window of DNSMOS, 9.01 s."""
    t = np.arange(int(seconds * 16000)) / 16000
    return sum(0.8**k * np.cos(2 * np.pi * k * 130 * t) for k in range(1, 40))


def test_dnsmos_hears_no_level_and_prefers_a_vowel_to_noise():
    pytest.importorskip("speechmos")
    scorer = naturalness.Dnsmos()
    noise = np.random.default_rng(0).standard_normal(len(vowel()))
    score = naturalness.evaluate(scorer, vowel())
    assert score == pytest.approx(scorer.score(0.1 * vowel()), abs=1e-4)
    assert 1.0 < naturalness.evaluate(scorer, noise)["dnsmos"] < score["dnsmos"] < 5.0


@pytest.mark.parametrize("seconds", [2.0, 11.0])
def test_dnsmos_is_the_librarys(seconds):
    dnsmos = pytest.importorskip("speechmos.dnsmos")
    wave = vowel(seconds) + 0.1  # an offset, which nothing hears
    wave = wave - wave.mean()
    theirs = dnsmos.run(0.4 / np.percentile(np.abs(wave), 99.9) * wave, 16000)
    found = naturalness.evaluate(naturalness.Dnsmos(), wave)
    assert found == {
        "dnsmos": pytest.approx(theirs["ovrl_mos"], abs=1e-5),
        "dnsmos_signal": pytest.approx(theirs["sig_mos"], abs=1e-5),
        "dnsmos_background": pytest.approx(theirs["bak_mos"], abs=1e-5),
    }
    assert naturalness.protocol()["speechmos"].startswith("0.0.1")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "speechmos", None)  # what import turns into ImportError
    with pytest.raises(InputError, match=r"pip install 'voiceconv\[eval\]'"):
        naturalness.Dnsmos()


def test_validate_refuses():
    with pytest.raises(ValueError, match="wave has 1000 samples"):
        naturalness.validate(np.ones(1000))
