"""The table of measures is complete, and reading it costs nothing."""

import subprocess
import sys

import numpy as np
import pytest

from voiceconv.metrics import (
    MEASURES,
    WEIGHTS,
    analysis,
    copy_synthesis,
    intelligibility,
    level,
    mel_cepstral_distortion,
    modulation_spectrum,
    music,
    naturalness,
    prosody,
    speaker_similarity,
    wave_input,
)

NEEDS = {"reference", "target_train", "source_train", "text", "copy_of"}
ORDER = """mel_cepstral_distortion log_f0_rmse log_f0_correlation voicing_error duration_ratio
modulation_spectrum_distance speaker_similarity source_similarity nearer_target f0_mean_difference
f0_spread_ratio dnsmos dnsmos_signal dnsmos_background character_error word_error stft_distance pesq
stoi f0_error copy_voicing_error lag loudness peak clipped silence chroma_similarity onset_f
mel_distance instrument"""


class Always:
    """A scorer of an optional package."""

    def __init__(self, value: float) -> None:
        self.value = value

    def score(self, reference: np.ndarray, estimated: np.ndarray) -> float:
        return self.value


def loaded(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after `statement`."""
    code = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_columns_in_their_order():
    assert list(MEASURES) == ORDER.split()
    assert len({measure.title for measure in MEASURES.values()}) == len(MEASURES)
    assert all(set(measure.needs) <= NEEDS for measure in MEASURES.values())


def test_the_table_alone_loads_nothing_heavy():
    assert not loaded("import voiceconv.metrics") & {"numpy", "torch", "librosa", "scipy"}


def test_optional_packages_wait_until_they_are_asked():
    optional = {"mir_eval", "pesq", "pystoi", "jiwer", "pocketsphinx", "resemblyzer", "speechmos"}
    names = "copy_synthesis, intelligibility, naturalness, speaker_similarity, prosody, level"
    assert not loaded(f"from voiceconv.metrics import {names}") & (optional | {"onnxruntime"})


def test_every_figure_has_its_row():
    rng = np.random.default_rng(0)
    t = np.arange(16000) / 16000
    wave = sum(0.8**k * np.sin(2 * np.pi * 130 * k * t) for k in range(1, 30))
    wave *= 0.3 * (1.1 + np.sin(2 * np.pi * 3 * t))
    wave += 1e-3 * rng.standard_normal(16000)
    vibrato = prosody.contour(wave) * (1 + 0.05 * np.sin(np.arange(201)))
    aligned = analysis.pair(analysis.analyse(wave), analysis.analyse(wave[:12000]))
    direction = np.array([0.6, 0.8])
    played = music.timbre_of([music.timbre(wave)])
    found = {
        **mel_cepstral_distortion.evaluate_pair(aligned),
        **prosody.evaluate_pair(aligned),
        **modulation_spectrum.evaluate_pair(aligned),
        **speaker_similarity.evaluate(direction, direction, direction),
        **prosody.evaluate(prosody.f0_statistics([vibrato]), vibrato),
        **dict.fromkeys(naturalness.THEIRS, 3.0),
        "character_error": 0.0,
        "word_error": 0.0,
        **copy_synthesis.evaluate(wave, wave, Always(4.0), Always(1.0)),
        **level.evaluate(wave, 16000),
        **music.evaluate(wave, wave, Always(100.0)),
        **music.evaluate_parallel(wave, wave),
        **music.evaluate_instrument(played, played, music.timbre(wave)),
    }
    assert list(found) == list(MEASURES)
    pytest.importorskip("jiwer")
    assert set(intelligibility.ErrorRates().score("a", "a")) - set(MEASURES) == {*WEIGHTS.values()}


def test_a_stamp_is_plain_and_tells_versions():
    for module in (analysis, mel_cepstral_distortion, prosody):
        assert module.protocol()["pyworld"] == "0.3.5"
    assert analysis.protocol(analysis.MelCepstralProtocol(order=36))["order"] == 36
    assert level.protocol()["loudness"] == "ITU-R BS.1770-4"
    assert modulation_spectrum.protocol()["segment"] == 256
    assert copy_synthesis.protocol("stft_distance")["resolutions"][0] == (1024, 600, 120)
    assert wave_input.protocol()["level"] == "percentile 99.9 of the magnitude at 0.4, limited to 1"
