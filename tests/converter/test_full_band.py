"""Bandwidth extension: the wave stays below its band's edge, and the model's highs are above it."""

import json

import pytest
import torch
from tiny import vowel
from tiny_model import MEL_CONFIG, make_cli, make_converter, record, speech
from torch import Tensor

from voiceconv.audio import faded, read, resample
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest
from voiceconv.converter.full_band import FullBand
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram

WIDE, RATE = 48_000, 16_000
FEATURES = {
    "_target_": "voiceconv.features.mel.MelSpectrogram",
    "sample_rate": WIDE,
    "n_fft": 2048,
    "hop_length": 512,
    "n_mels": 80,
}
CONFIG = MEL_CONFIG | {
    "features": FEATURES,
    "translator": {"_target_": "voiceconv.models.identity.IdentityTranslator"},
}


def bright(seconds: float, seed: int = 0) -> Tensor:
    """(N,) at WIDE: speech, and noise that follows its level, up to 24 kHz."""
    wave = speech("low", seconds, WIDE, seed)
    noise = torch.randn(len(wave), generator=torch.Generator().manual_seed(seed))
    return faded(wave + 0.3 * noise * wave.abs(), WIDE, 0.01)


def narrowed(wave: Tensor) -> Tensor:
    return resample(wave, WIDE, RATE)


@pytest.fixture(scope="module")
def model() -> Converter:
    """Whose statistics alone make narrow full."""
    extractor = MelSpectrogram(**{k: v for k, v in FEATURES.items() if k != "_target_"})
    full = [bright(2.0, seed) for seed in range(3)]
    narrow = [resample(narrowed(one), RATE, WIDE) for one in full]
    stats = {
        domain: extractor.fit([extractor.extract(one) for one in waves])
        for domain, waves in (("full", full), ("narrow", narrow))
    }
    return Converter(CONFIG, stats)


def share(wave: Tensor, low: float, high: float) -> Tensor:
    """(N,) -> (N,) its frequencies between, in Hz, of the whole wave at once."""
    spectrum = torch.fft.rfft(wave.double())
    places = torch.fft.rfftfreq(len(wave), 1 / WIDE)
    return torch.fft.irfft(spectrum * ((places >= low) & (places < high)), len(wave))


def test_it_keeps_what_there_is_and_adds_what_is_missing(model):
    truth = bright(1.5, seed=9)
    narrow = narrowed(truth)
    extended = FullBand(model, "m").extend(narrow, RATE)
    resampled = resample(narrow, RATE, WIDE)
    assert extended.shape == resampled.shape and extended.dtype == torch.float32
    kept, was = share(extended, 0, 7000), share(resampled, 0, 7000)
    assert (kept - was).norm() < 0.01 * was.norm()
    edge = [share(one, 7300, 7700).norm() for one in (extended, truth)]
    assert 20 * (edge[0] / edge[1]).log10().abs() < 3.0  # dB: not both of them
    for low, high in ((8500, 12000), (12000, 23000)):
        made, wanted = share(extended, low, high).norm(), share(truth, low, high).norm()
        assert 20 * (made / wanted).log10().abs() < 3.0  # dB
        assert share(resampled, low, high).norm() < 0.01 * wanted


def test_silence_and_waves_of_a_few_samples_stay_what_they_are(model):
    full_band = FullBand(model, "m")
    assert (full_band.extend(torch.zeros(4000), RATE) == 0).all()
    assert [len(full_band.extend(speech("low", 1.0)[:n], RATE)) for n in (0, 1, 7)] == [0, 3, 21]


def test_it_is_as_loud_as_its_wave(model):
    full_band, wave = FullBand(model, "m"), narrowed(bright(1.0, seed=5))
    loud, quiet = (full_band.extend(gain * wave, RATE) / gain for gain in (1.0, 0.1))
    highs = [share(one, 9000, 24000).norm() for one in (loud, quiet)]
    assert abs(20 * (highs[0] / highs[1]).log10()) < 0.2  # dB


def test_other_domains_and_rates_are_refused(model):
    with pytest.raises(InputError, match="has the domains high, low, and bandwidth extension"):
        FullBand(make_converter(MEL_CONFIG), "model")
    with pytest.raises(InputError, match="nothing is missing above 24000 Hz"):
        FullBand(model, "model").check_rate(WIDE)


def test_convert_adds_it_at_any_rate_of_the_output(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    voiceconv = make_cli(monkeypatch, capsys)
    make_converter(MEL_CONFIG).save_pretrained("model", {})
    model.save_pretrained("wide", {})
    for number in range(2):
        record(tmp_path / f"in/{number}.wav", vowel(105.0, 0.5, RATE), RATE)
    options = ("--target", "high", "--model", "model")
    assert voiceconv("convert", "in", *options, "-o", "plain").code == 0
    assert voiceconv("convert", "in", *options, "--full-band", "wide", "-o", "out").code == 0
    (entry,) = json.loads((tmp_path / "out/conversion.json").read_text())
    assert entry["full_band"] == {"model": "wide", "sha256": digest(tmp_path / "wide")}
    assert entry["target"] == "high"
    plain, made = (read(f"{place}/0.wav", None) for place in ("plain", "out"))
    assert (plain.sample_rate, made.sample_rate) == (RATE, WIDE)
    was = resample(plain.samples, RATE, WIDE)
    assert (share(made.samples, 0, 7000) - share(was, 0, 7000)).norm() < 0.02 * was.norm()
    assert share(made.samples, 9000, 24000).norm() > 10 * share(was, 9000, 24000).norm()
    at_rate = ("--full-band", "wide", "--sample-rate", "44100", "-o", "cd.wav")
    assert voiceconv("convert", "in/0.wav", *options, *at_rate).code == 0
    assert read("cd.wav", None).sample_rate == 44100
    said = voiceconv("convert", "in/0.wav", *options, "--full-band", "model")
    assert said.code == 2 and "model has the domains high, low" in said.err
