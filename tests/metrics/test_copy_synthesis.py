"""Copies against the libraries' own figures and a transcription of the paper's equations."""

import sys

import numpy as np
import pytest

from voiceconv.errors import InputError
from voiceconv.metrics import copy_synthesis as copies


def speech(seconds: float = 2.0) -> np.ndarray:
    """Syllables: a buzz that comes and goes, four times a second, at a moving pitch."""
    t = np.arange(int(16000 * seconds)) / 16000
    phase = 2 * np.pi * np.cumsum(130 + 20 * np.sin(2 * np.pi * 0.7 * t)) / 16000
    buzz = sum(0.85**k * np.cos(k * phase) for k in range(1, 40))
    return 0.2 * buzz * np.sin(2 * np.pi * 2 * t) ** 2


def noisy(wave: np.ndarray, seed: int = 0) -> np.ndarray:
    return wave + 0.05 * np.random.default_rng(seed).standard_normal(len(wave))


def scaled(reference: np.ndarray, copy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the docstring says of level, once more: a percentile at 0.4, one root mean square."""
    original = reference - reference.mean()
    original *= 0.4 / np.percentile(np.abs(original), 99.9)
    copy = copy - copy.mean()
    return original, copy * np.sqrt((original**2).mean() / (copy**2).mean())


def plain_magnitude(wave: np.ndarray, n_fft: int, window: int, hop: int) -> np.ndarray:
    """(N,) -> (T, F) by a loop over frames: a periodic Hann window in the middle of the FFT."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    padded = np.pad(wave, n_fft // 2)
    start = (n_fft - window) // 2
    frames = []
    for begin in range(0, len(wave) + 1, hop):
        frame = np.zeros(n_fft)
        frame[start : start + window] = hann
        part = padded[begin : begin + n_fft]
        if len(part) < n_fft:
            break
        frames.append(np.sqrt(np.maximum(np.abs(np.fft.rfft(frame * part)) ** 2, 1e-7)))
    return np.array(frames)


def test_stft_distance_is_the_papers():
    original, copy = scaled(speech(0.5), noisy(speech(0.5)))
    terms = []
    for n_fft, window, hop in ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240)):
        x = plain_magnitude(original, n_fft, window, hop)
        y = plain_magnitude(copy, n_fft, window, hop)
        convergence = np.sqrt(((x - y) ** 2).sum()) / np.sqrt((x**2).sum())
        terms.append(convergence + np.abs(np.log(x) - np.log(y)).sum() / x.size)
    found = copies.evaluate(speech(0.5), noisy(speech(0.5)))
    assert found["stft_distance"] == pytest.approx(sum(terms) / 3, rel=1e-6)


def test_stft_distance_by_hand():
    # Half the magnitude in every bin: convergence 1/2, log magnitude ln 2, at every resolution.
    noise = np.random.default_rng(0).standard_normal(8000)
    assert copies.stft_distance(noise, 0.5 * noise) == pytest.approx(0.5 + np.log(2), abs=1e-3)


def test_a_copy_of_another_level_is_a_perfect_copy():
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    found = copies.evaluate(speech(), 0.1 * speech(), copies.Pesq(), copies.Stoi())
    assert found["stft_distance"] == pytest.approx(0, abs=1e-12)
    assert found["pesq"] == pytest.approx(4.6439, abs=1e-3)  # P.862.2's largest
    assert found["stoi"] == pytest.approx(1, abs=1e-9)
    assert found["f0_error"] == pytest.approx(0, abs=1e-6)
    assert found["copy_voicing_error"] == 0


def test_pesq_is_the_librarys():
    pesq = pytest.importorskip("pesq")
    for seed in range(3):
        original, copy = scaled(speech(), noisy(speech(), seed))
        expected = pesq.pesq(16000, original, copy, "wb")
        found = copies.evaluate(speech(), noisy(speech(), seed), pesq=copies.Pesq())
        assert 1 < found["pesq"] < 4
        assert found["pesq"] == pytest.approx(expected, abs=1e-6)
        given = copies.match(speech(), noisy(speech(), seed))
        assert found["pesq"] == pesq.pesq(16000, *given, "wb")


def test_stoi_is_the_librarys():
    pystoi = pytest.importorskip("pystoi")
    for seed in range(3):
        expected = pystoi.stoi(*scaled(speech(), noisy(speech(), seed)), 16000, extended=False)
        found = copies.evaluate(speech(), noisy(speech(), seed), stoi=copies.Stoi())
        assert 0.5 < found["stoi"] < 0.99
        assert found["stoi"] == pytest.approx(expected, abs=1e-9)
        given = copies.match(speech(), noisy(speech(), seed))
        assert found["stoi"] == pystoi.stoi(*given, 16000)


def test_f0_frame_by_frame():
    """Nothing is warped: the same contour, a frame later, is another one."""
    octaves = np.array([100.0, 200.0, 0.0, 0.0, 100.0])
    # 0, 1200 and 0 cents over three couples; the second pair of frames is voiced on one side.
    copy = np.array([100.0, 100.0, 0.0, 80.0, 100.0])
    assert copies.compare_f0(octaves, copy) == {
        "f0_error": pytest.approx(1200 / 3**0.5),
        "copy_voicing_error": pytest.approx(20.0),
    }
    assert copies.compare_f0(octaves, np.roll(octaves, 1)) == {
        "f0_error": pytest.approx((1200**2 / 2) ** 0.5),  # couples (100, 100) and (200, 100)
        "copy_voicing_error": pytest.approx(40.0),
    }
    assert copies.compare_f0(octaves, np.zeros(5)) == {"copy_voicing_error": pytest.approx(60.0)}


@pytest.mark.parametrize("search", ["dio", "harvest"])
def test_f0_error_of_a_mistuned_copy(search):
    t = np.arange(16000) / 16000
    original, copy = (
        sum(0.8**k * np.cos(2 * np.pi * k * f * t) for k in range(1, 20)) for f in (200, 202)
    )
    found = copies.evaluate(original, 0.3 * copy, search=search)
    assert found["f0_error"] == pytest.approx(1200 * np.log2(202 / 200), abs=1)  # 17.2
    assert found["copy_voicing_error"] == pytest.approx(0, abs=1)


def test_the_longer_one_is_cut_by_a_tenth_of_a_second_at_most():
    longer = np.append(speech(), np.ones(1600))
    assert copies.evaluate(speech(), longer)["stft_distance"] == 0.0
    with pytest.raises(ValueError, match="the copy is 2.100 s long and its original 1.999 s"):
        copies.evaluate(speech()[:-16], longer)


def test_what_is_undefined_is_left_out():
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    scorers = copies.Pesq(), copies.Stoi()
    short = speech()[2000:5000]  # 0.19 s: too short for both
    exact = {"stft_distance": 0.0, "f0_error": 0.0, "copy_voicing_error": 0.0, "lag": 0.0}
    assert copies.evaluate(short, short, *scorers) == exact


@pytest.mark.parametrize("late", [20, -30])
def test_a_late_copy_is_moved_and_its_lag_told(late):
    """Without the move STOI was 0.67 at 20 ms."""
    pytest.importorskip("pystoi")
    silence = np.zeros(16 * abs(late))
    reference, copy = speech(), np.append(silence, noisy(speech()))
    if late < 0:
        reference, copy = np.append(silence, speech()), noisy(speech())
    found = copies.evaluate(reference, copy, stoi=copies.Stoi())
    aligned = copies.evaluate(speech(), noisy(speech()), stoi=copies.Stoi())
    assert found["lag"] == pytest.approx(late, abs=1) and aligned["lag"] == 0
    assert found["stoi"] == pytest.approx(aligned["stoi"], abs=0.02)
    assert found["f0_error"] == pytest.approx(aligned["f0_error"], abs=5)


def test_a_copy_moved_by_the_analysis_alone_is_not_late():
    """WORLD moves an envelope by 1 to 3 ms."""
    assert copies.lag(speech(), np.append(np.zeros(32), speech())) == 0
    assert copies.lag(np.ones(4000), np.ones(4000)) == 0  # no envelope to go by


def test_pesq_without_an_utterance_is_left_out(monkeypatch):
    pesq = pytest.importorskip("pesq")

    def hears_none(*_):
        raise pesq.NoUtterancesError("No utterances detected")

    monkeypatch.setattr(pesq, "pesq", hears_none)
    assert "pesq" not in copies.evaluate(speech(), speech(), copies.Pesq())


@pytest.mark.parametrize(("package", "make"), [("pesq", copies.Pesq), ("pystoi", copies.Stoi)])
def test_a_missing_package_is_named_with_its_remedy(monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"needs {package}, which .*pip install"):
        make()


def test_protocol_names_the_package_that_scores():
    pytest.importorskip("pystoi")
    assert set(copies.protocol("stoi")) == {"level", "alignment", "pystoi"}
    assert set(copies.protocol("stft_distance")) == {"level", "alignment", "resolutions"}
    assert set(copies.protocol("lag")) == {"level", "alignment"}
    assert copies.protocol("f0_error", "harvest")["f0"] == "harvest"
    assert copies.protocol("copy_voicing_error")["frame_period"] == 5.0
