"""Measures of music, on notes whose melody, rhythm and timbre are known."""

import numpy as np
import pytest

from voiceconv.metrics import music

RATE = 16000
REED, STRING = (1.0, 0.1, 0.7, 0.1, 0.5), (1.0, 0.8, 0.6, 0.4, 0.2)  # levels of harmonics
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)  # C major


def tune(pitches=SCALE, timbre=STRING, each=0.25):
    """Notes one after the other, each with an attack of 5 ms and a decay, (N,)."""
    t = np.arange(int(each * RATE)) / RATE
    envelope = np.minimum(t / 0.005, 1) * np.exp(-6 * t)
    notes = []
    for pitch in pitches:
        f0 = 440 * 2 ** ((pitch - 69) / 12)
        overtones = [a * np.sin(2 * np.pi * (k + 1) * f0 * t) for k, a in enumerate(timbre)]
        notes.append(0.1 * envelope * sum(overtones))
    return np.concatenate(notes)


def test_a_recording_is_like_itself():
    found = music.evaluate(tune(), tune(), music.Onsets())
    assert found == {"chroma_similarity": pytest.approx(1, abs=1e-6), "onset_f": 100.0}
    assert music.evaluate_parallel(tune(), 0.3 * tune()) == {
        "mel_distance": pytest.approx(0, abs=1e-3)
    }


def test_chroma_is_of_notes_more_than_of_instruments():
    """Another instrument keeps most of it, a semitone or another order loses most."""
    score = lambda other: music.evaluate(tune(), other)["chroma_similarity"]  # noqa: E731
    assert score(tune(timbre=REED)) > 0.95
    assert score(tune(np.add(SCALE, 12))) > 0.9
    assert score(tune(np.add(SCALE, 1))) < 0.4
    assert score(tune(SCALE[::-1])) < 0.5


def test_silence_of_the_original_does_not_count():
    quiet = np.concatenate([tune(), 1e-6 * tune(np.add(SCALE, 1))])
    loud = np.concatenate([tune(), tune(np.add(SCALE, 6))])
    assert music.evaluate(quiet, loud)["chroma_similarity"] > 0.9


def test_onsets_within_50_ms_count():
    """What begins with the wave has no onset: seven of eight notes, and three of four."""
    onsets = music.Onsets()
    late = lambda seconds: np.pad(tune(), (int(seconds * RATE), 0))[: len(tune())]  # noqa: E731
    assert onsets.score(tune(), late(0.02)) == pytest.approx(100 * 2 * 7 / (7 + 8))
    assert onsets.score(tune(), late(0.12)) == 0
    halves = np.concatenate([tune((p,), each=0.5) for p in SCALE[:4]])
    assert onsets.score(tune(), halves) == pytest.approx(100 * 2 * 3 / (7 + 3))
    assert onsets.score(np.full(RATE, 1e-9), tune()) is None


def test_mel_distance_is_in_db():
    """Of a spectrum that falls 10 dB in one half of the bands, at equal level; timbres differ."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(RATE)
    spectrum = np.fft.rfft(noise)
    spectrum[np.arange(len(spectrum)) > 1500] *= 10 ** (-10 / 20)  # mel bands above 1,500 Hz
    softer = np.fft.irfft(spectrum)
    assert 3 < music.mel_distance(noise, softer) < 10
    assert music.mel_distance(noise, noise * 10 ** (-3 / 20)) == pytest.approx(3, abs=0.01)
    assert music.mel_distance(tune(), tune(timbre=REED)) > 2


def test_the_instrument_is_known_by_other_notes():
    rng = np.random.default_rng(0)
    voices = {}
    for name, timbre in (("reed", REED), ("string", STRING)):
        heard = [tune(2 * rng.integers(28, 36, 6), timbre) for _ in range(6)]
        voices[name] = music.timbre_of([music.timbre(wave) for wave in heard])
    for name, timbre in (("reed", REED), ("string", STRING)):
        features = music.timbre(tune(2 * rng.integers(28, 36, 6) + 1, timbre))
        other = "string" if name == "reed" else "reed"
        judge = music.evaluate_instrument
        assert judge(voices[name], voices[other], features) == {"instrument": 100.0}
        assert judge(voices[other], voices[name], features) == {"instrument": 0.0}


def test_another_length_is_refused():
    with pytest.raises(ValueError, match="2.000 s"):
        music.evaluate(tune(), tune(each=0.2))
