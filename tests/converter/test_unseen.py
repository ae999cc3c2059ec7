"""Without a source: a known voice is recognised, a stranger's statistics are its recording's."""

import pytest
import torch
from tiny import vowel
from tiny_model import CONFIG, MEL_CONFIG, RATE, make_converter, normalized, speech

from voiceconv.converter import Converter
from voiceconv.converter.unseen import (
    SAME_VOICE,
    distance,
    keep_intervals,
    listen,
    own_stats,
    voiced_share,
)
from voiceconv.features import DomainStats
from voiceconv.models.identity import IdentityTranslator


@pytest.fixture(scope="module")
def converter() -> Converter:
    return make_converter()


def stranger(seconds: float = 2.0) -> torch.Tensor:
    """A voice that is none of the model's: pitch, tilt and band of its own."""
    return tilted(vowel(150.0, seconds, RATE))


def tilted(wave: torch.Tensor) -> torch.Tensor:
    """(N,) of another voice than the model's, with a little noise."""
    tilted = torch.nn.functional.conv1d(wave[None, None], torch.tensor([[[0.5, 0.3, 0.2]]]))[0, 0]
    return tilted + 1e-3 * torch.randn(len(tilted))


def test_the_distance_of_gaussians_by_hand():
    """Jeffreys' divergence of N(0, 1) and N(1, 2): 0.5 (1/4 + 4 - 2 + 1 (1 + 1/4)) = 1.75."""
    empty = torch.zeros(0)
    one = DomainStats(torch.tensor([0.0]), torch.tensor([1.0]), torch.zeros(2), empty, empty)
    other = DomainStats(torch.tensor([1.0]), torch.tensor([2.0]), torch.zeros(2), empty, empty)
    assert distance(one, other) == distance(other, one) == pytest.approx(1.75)
    assert distance(one, one) == 0.0


@pytest.mark.parametrize("domain", ["high", "low"])
def test_a_known_voice_is_near_its_own_statistics_only(converter, domain):
    own = own_stats(
        converter.extractor, listen(converter.extractor, normalized(speech(domain, 3.0, seed=8)))
    )
    other = {"high": "low", "low": "high"}[domain]
    assert (
        distance(own, converter.stats[domain]) < SAME_VOICE < distance(own, converter.stats[other])
    )


def test_a_known_voice_is_taken_with_the_models_statistics(converter):
    wave = speech("low", 3.0, seed=8)
    assert torch.equal(converter.convert(wave, "high"), converter.convert(wave, "high", "low"))


def test_a_stranger_is_taken_with_its_own_statistics(converter):
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    wave = stranger()
    own = own_stats(plain.extractor, listen(plain.extractor, wave))
    assert min(distance(own, one) for one in plain.stats.values()) > SAME_VOICE
    pitch = plain.extractor.extract(plain.convert(wave, "high")).f0
    assert pitch[pitch > 0].median() == pytest.approx(210.0, rel=0.02)
    # with the other domain's statistics, 150 Hz would be far above low's mean and go far above
    pitch = plain.extractor.extract(plain.convert(wave, "high", "low")).f0
    assert pitch[pitch > 0].median() > 240


def test_a_translator_of_any_source_gets_a_recordings_own_statistics(converter, caplog):
    """Of a known voice, too: it has learned from such statistics."""
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    wave = speech("low", 1.0, seed=8)
    own = own_stats(plain.extractor, listen(plain.extractor, wave))
    assert plain.nearest(own, "high")[0] is plain.stats["low"]
    plain.translator.any_source = True
    assert plain.nearest(own, "high")[0] is own
    caplog.set_level("INFO", "voiceconv.converter")
    plain.convert(wave, "high")
    assert "source unseen: its own statistics; " in caplog.messages[-1]


def test_the_target_is_never_its_own_source(converter):
    """A recording of the target itself goes through a network to it all the same."""
    asked: list[tuple[int, int]] = []

    class Asked(IdentityTranslator):
        def forward(self, frames, source, target, **condition):
            asked.append((source, target))
            return frames

    plain = Converter(CONFIG, converter.stats)
    plain.translator = Asked()
    plain.convert(speech("high", 1.0, seed=8), "high")
    plain.convert(stranger(), "low")
    assert asked == [(1, 0), (0, 1)]


def test_long_pauses_do_not_count(converter):
    wave = speech("low", 1.5, seed=8)
    quiet = 1e-4 * torch.randn(4 * RATE)
    own, paused = (
        own_stats(converter.extractor, listen(converter.extractor, w))
        for w in (wave, torch.cat([wave, quiet]))
    )
    assert (own.frames_mean - paused.frames_mean).abs().max() < 0.05 * own.frames_mean.abs().max()
    assert distance(own, paused) < 0.05


@pytest.mark.parametrize("config", [CONFIG, MEL_CONFIG], ids=["world", "mel"])
@pytest.mark.parametrize("n_samples", [1, 10, 100, 2000])
def test_a_moment_has_statistics_too(config, n_samples):
    made = make_converter(config)
    own = own_stats(made.extractor, listen(made.extractor, stranger()[:n_samples]))
    assert own.frames_std.min() >= 1e-4
    assert own.frames_mean.isfinite().all()


def test_at_most_a_minute_is_listened_to(converter):
    lengths: list[int] = []
    extractor = make_converter(MEL_CONFIG).extractor
    extract = extractor.extract
    extractor.extract = lambda wave: (lengths.append(len(wave)), extract(wave))[1]  # type: ignore[method-assign]
    own_stats(extractor, listen(extractor, speech("low", 10.0).repeat(12)))
    assert lengths == [10 * RATE] * 6


def melody(notes: list[float]) -> torch.Tensor:
    """Vowels of 0.4 s at these F0 in Hz."""
    return tilted(torch.cat([vowel(note, 0.4, RATE) for note in notes]))


def test_a_strangers_melody_is_moved_and_not_stretched(converter):
    """An octave in fifths and fourths: wider than the speech of any of the model's voices."""
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    wave = melody([130.0, 195.0, 260.0, 173.0, 130.0])
    before = plain.extractor.extract(wave).f0
    after = plain.extractor.extract(plain.convert(wave, "high")).f0
    hop = plain.extractor.hop_length
    for note in range(1, 5):  # semitones from the first note, in the middles
        semitones = []
        for f0 in (before, after):
            middles = [
                f0[int((n + 0.3) * 0.4 * RATE) // hop : int((n + 0.7) * 0.4 * RATE) // hop].median()
                for n in (0, note)
            ]
            semitones.append(12 * float((middles[1] / middles[0]).log2()))
        assert semitones[1] == pytest.approx(semitones[0], abs=0.2)


def test_a_strangers_deviation_is_the_targets_and_its_mean_its_own(converter):
    own, target = converter.stats["low"], converter.stats["high"]
    kept = keep_intervals(own, target)
    assert kept.log_f0.tolist() == [own.log_f0[0], target.log_f0[1]]
    assert kept.frames_mean is own.frames_mean


def test_a_whisper_is_named_and_speech_is_not(converter, caplog):
    converter.convert(speech("low", 1.5, seed=8), "high")
    assert not [one for one in caplog.records if one.levelname == "WARNING"]
    whisper = 0.05 * torch.randn(2 * RATE, generator=torch.Generator().manual_seed(0))
    whisper *= (torch.arange(len(whisper)) // (RATE // 4) % 2) * 0.9 + 0.1
    assert voiced_share(converter.extractor, listen(converter.extractor, whisper)) < 0.2
    converter.convert(whisper, "high", name="in/a.wav")
    (warned,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warned.startswith("no pitch is found in")
    assert "of the loud parts of in/a.wav, as in a whisper" in warned
