"""The converter: wave to wave, as long and as loud, with the target's statistics."""

import math
import tracemalloc

import pytest
import torch
from tiny_model import (
    CONFIG,
    GENERATOR,
    MEL_CONFIG,
    PITCH,
    RATE,
    WORLD,
    make_converter,
    speech,
)

from voiceconv.audio import loudness, resample
from voiceconv.converter import Converter, through_features
from voiceconv.converter.conversion import transposed
from voiceconv.errors import InputError
from voiceconv.features import DomainStats
from voiceconv.models.identity import IdentityTranslator


@pytest.fixture(scope="module")
def converter() -> Converter:
    return make_converter()


@pytest.fixture(scope="module")
def mel_converter() -> Converter:
    return make_converter(MEL_CONFIG)


@pytest.fixture(params=["converter", "mel_converter"])
def each(request) -> Converter:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("n_samples", [0, 1, 2, 10, 79, 80, 81, 160, 1279, RATE, RATE + 33])
def test_the_output_is_exactly_as_long_as_the_input(each, n_samples):
    wave = speech("low", 1.2)[:n_samples]
    for source in ("low", None):
        converted = each.convert(wave, "high", source)
        assert converted.shape == wave.shape
        assert converted.dtype == torch.float32
        assert converted.isfinite().all()


@pytest.mark.parametrize("level", [-50.0, -23.0, -6.0])
def test_the_output_is_as_loud_as_the_input(each, level):
    wave = speech("low", 1.0)
    wave = wave * 10 ** ((level - loudness(wave, RATE)) / 20)
    converted = each.convert(wave, "high", "low")
    assert loudness(converted, RATE) == pytest.approx(level, abs=0.1)  # LUFS
    assert (converted - wave).abs().max() > 0.1 * wave.abs().max()


def test_the_level_of_the_input_does_not_change_what_is_said(converter):
    wave = speech("low", 1.0)
    loud, quiet = (converter.convert(gain * wave, "high", "low") / gain for gain in (1.0, 0.25))
    # not to the last bit: the dither under the analysis does not follow the level
    assert (loud - quiet).abs().max() < 0.02 * loud.abs().max()


@pytest.mark.parametrize("source", ["low", None])
def test_silence_stays_silence(each, source):
    for n_samples in (RATE // 2, 2 * RATE):  # shorter and longer than a pause
        assert (each.convert(torch.zeros(n_samples), "high", source) == 0).all()


def test_digital_silence_within_speech_stays_silent(converter):
    wave = speech("low", 1.5)
    wave[8000:16000] = 0
    converted = converter.convert(wave, "high", "low")
    edge = RATE // 20
    assert (converted[8000 + edge : 16000 - edge] == 0).all()
    assert converted[:8000].abs().max() > 0.05
    assert converted[16000:].abs().max() > 0.05


def test_an_identity_translator_moves_the_statistics_to_the_targets(converter):
    """Stands for the network: what it need not learn is done by the statistics alone."""
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    wave = speech("low", 3.0, seed=3)
    own = DomainStats.fit([plain.extractor.extract(wave)])
    heard = plain.extractor.extract(wave)
    moved = plain.translate(heard, own, "low", "high")
    got, wanted = DomainStats.fit([moved]), plain.stats["high"]
    torch.testing.assert_close(got.frames_mean, wanted.frames_mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got.frames_std, wanted.frames_std, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got.log_f0, wanted.log_f0, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved.f0 == 0, heard.f0 == 0)


def test_statistics_alone_bring_a_wave_nearer_to_the_target(converter):
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    wave = speech("low", 2.0, seed=3)
    pitch = plain.extractor.extract(plain.convert(wave, "high", "low")).f0
    assert pitch[pitch > 0].median() == pytest.approx(PITCH["high"], rel=0.02)
    back = plain.convert(speech("high", 2.0, seed=3), "low", "high")
    pitch = plain.extractor.extract(back).f0
    assert pitch[pitch > 0].median() == pytest.approx(PITCH["low"], rel=0.02)


def test_each_direction_has_its_own_network(converter):
    torch.manual_seed(5)
    three = Converter(CONFIG, {**converter.stats, "middle": converter.stats["low"]})
    assert three.domains == ["high", "low", "middle"]
    wave = speech("high", 0.5)
    assert not torch.equal(
        three.convert(wave, "low", "high"), three.convert(wave, "middle", "high")
    )


def test_the_same_input_gives_the_same_output(each):
    wave = speech("low", 0.5)
    assert torch.equal(each.convert(wave, "high"), each.convert(wave, "high"))


def test_the_input_is_not_changed_and_the_output_may_be(converter):
    wave = speech("low", 0.5)
    before = wave.clone()
    converted = converter.convert(wave, "high")
    assert torch.equal(wave, before)
    converted *= 0.5  # inference_mode would refuse this
    assert not converted.requires_grad


@pytest.mark.parametrize("config", [CONFIG, MEL_CONFIG], ids=["world", "mel"])
def test_saved_and_loaded_it_converts_the_same_to_the_bit(tmp_path, config):
    before = make_converter(config)
    before.save_pretrained(tmp_path / "model", {"steps": 0})
    after = Converter.from_pretrained(tmp_path / "model")
    wave = speech("low", 1.0)
    for source in ("low", None):
        assert torch.equal(
            before.convert(wave, "high", source), after.convert(wave, "high", source)
        )
    assert not any(one.requires_grad for one in after.translator.parameters())
    assert (after.domains, after.sample_rate, after.loudness) == (["high", "low"], RATE, -23.0)


def test_another_rate_is_resampled_first(converter):
    wave = speech("low", 1.0, 48000)
    converted = converter.convert(wave, "high", "low", sample_rate=48000)
    assert converted.shape == (RATE,)
    assert torch.equal(converted, converter.convert(resample(wave, 48000, RATE), "high", "low"))


@pytest.mark.parametrize(
    ("target", "source", "message"),
    [
        ("tenor", None, "no target 'tenor': this model knows high, low"),
        ("high", "tenor", "no source 'tenor': this model knows high, low"),
        ("high", "high", "source and target are both 'high'; choose another target"),
        ("", None, "no target '': this model knows high, low"),
    ],
)
def test_domains_that_cannot_be_are_refused(converter, target, source, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        converter.convert(speech("low", 0.1), target, source)


def test_without_loudness_the_wave_is_analysed_as_it_is(converter):
    plain = Converter(CONFIG | {"loudness": None}, converter.stats)
    plain.translator = converter.translator
    wave = speech("low", 1.0)
    wave = wave * 10 ** ((-23.0 - loudness(wave, RATE)) / 20)  # where normalising does nothing
    one, other = (c.convert(wave, "high", "low") for c in (plain, converter))
    assert (one - other).abs().max() < 1e-3


def test_copy_synthesis_is_as_long_and_as_loud(each):
    wave = speech("low", 1.0)
    copied = through_features(each.vocoder, wave)
    assert copied.shape == wave.shape
    assert loudness(copied, RATE) == pytest.approx(loudness(wave, RATE), abs=0.1)


@pytest.mark.parametrize(
    ("wave", "source", "known"),
    [
        (speech("low", 1.0), "low", "named"),
        (speech("low", 1.0), None, "recognised"),
        (speech("low", 1.0) + 0.1 * speech("high", 1.0), None, "unseen"),
    ],
)
def test_a_conversion_is_logged_by_its_figures(converter, caplog, wave, source, known):
    caplog.set_level("INFO", "voiceconv.converter")
    converter.convert(wave, "high", source, semitones=2.0)
    (record,) = caplog.records
    found = record.msg
    assert (found.source, found.known, found.semitones) == ("low", known, 2.0)
    if known != "unseen":
        assert found.f0_move == pytest.approx(12.0, abs=0.1)  # 105 to 210 Hz


def test_a_model_without_f0_says_so(mel_converter, caplog):
    caplog.set_level("INFO", "voiceconv.converter")
    mel_converter.convert(speech("low", 0.3), "high", "low")
    assert caplog.messages == ["source low, as named; no F0 to move"]


def test_no_semitones_are_the_same_to_the_bit_and_twelve_an_octave(converter):
    wave = speech("low", 1.0)
    plain = converter.convert(wave, "high", "low")
    assert torch.equal(converter.convert(wave, "high", "low", semitones=0.0), plain)
    heard = converter.extractor.extract(wave)
    up = transposed(heard, 12.0)
    assert torch.equal(up.f0, 2 * heard.f0) and up.frames is heard.frames


def test_progress_ends_at_one(converter):
    shares: list[float] = []
    converter.convert(speech("low", 0.3), "high", progress=shares.append)
    assert shares == [1.0]


def test_a_long_wave_takes_the_memory_of_a_piece(mel_converter):
    """Python's and NumPy's; torch's is counted by benchmarks/memory.py."""
    plain = Converter(MEL_CONFIG, mel_converter.stats)
    plain.translator = IdentityTranslator()
    pieces: list[int] = []
    extract = plain.extractor.extract
    plain.extractor.extract = lambda wave: (pieces.append(len(wave)), extract(wave))[1]  # type: ignore[method-assign]
    wave = speech("low", 10.0).repeat(9)
    tracemalloc.start()
    converted = plain.convert(wave, "high", "low")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert converted.shape == wave.shape
    assert max(pieces) <= 22 * RATE
    assert len(pieces) <= math.ceil(90 / 15)
    assert peak < 8 * 4 * 22 * RATE  # bytes: eight waves of a piece


@pytest.mark.parametrize(("seconds", "n_analyses"), [(1.0, 1), (21.0, 1), (61.0, 6 + 4)])
def test_a_strangers_minute_is_analysed_once(seconds, n_analyses):
    """For its statistics and its conversion; a longer wave has parts for the one, then pieces."""
    made = make_converter(MEL_CONFIG)
    extract, heard = made.extractor.extract, []
    made.extractor.extract = lambda wave: (heard.append(len(wave)), extract(wave))[1]  # type: ignore[method-assign]
    made.convert(speech("low", seconds), "high")
    assert len(heard) == n_analyses


def test_statistics_of_other_features_are_refused(converter):
    wider = CONFIG | {"features": WORLD | {"n_coefficients": 36}}
    with pytest.raises(InputError, match="'high' are of 24 channels, the features of 36"):
        Converter(wider, converter.stats)


def test_features_that_the_network_cannot_take_are_refused(converter):
    zeros = torch.zeros(22)
    stats = DomainStats(zeros, zeros + 1, torch.zeros(2), zeros[:0], zeros[:0])
    config = CONFIG | {"features": WORLD | {"n_coefficients": 22}}
    with pytest.raises(InputError, match="n_channels 22 must divide by 4"):
        Converter(config, {"high": stats, "low": stats})
    assert GENERATOR["base_channels"] == 8  # nothing was changed on the way
