"""Pauses: found by level, long ones not converted, none nearer to speech than it was."""

import pytest
import torch
from tiny_model import CONFIG, RATE, make_converter, speech
from torch import Tensor

from voiceconv.audio import level
from voiceconv.converter import Converter
from voiceconv.converter.pauses import Span, cut_pauses, hush, restore_pauses
from voiceconv.models.identity import IdentityTranslator


def noise(seconds: float, db: float) -> Tensor:
    """White noise (N,) of that RMS level."""
    return 10 ** (db / 20) * torch.randn(
        int(seconds * RATE), generator=torch.Generator().manual_seed(0)
    )


def paused(seconds: float, db: float) -> tuple[Tensor, slice]:
    """Speech, a pause, speech, with room tone everywhere; and where the pause's middle is."""
    first, second = speech("low", 1.5, seed=8), speech("low", 1.2, seed=9)
    wave = torch.cat([first, torch.zeros(int(seconds * RATE)), second])
    wave = wave + noise(len(wave) / RATE + 0.01, db)[: len(wave)]
    margin = min(int(0.1 * RATE), int(seconds * RATE) // 4)
    return wave, slice(len(first) + margin, len(wave) - len(second) - margin)


@pytest.fixture(scope="module")
def converter() -> Converter:
    return make_converter()


@pytest.mark.parametrize("db", [-90.0, -70.0, -45.0])
@pytest.mark.parametrize("seconds", [0.6, 3.0, 45.0])
def test_a_pause_stays_as_far_below_speech_as_it_was(converter, seconds, db):
    wave, middle = paused(seconds, db)
    converted = converter.convert(wave, "high", "low")
    distance = level(wave, RATE) - level(wave[middle], RATE)
    assert level(converted, RATE) - level(converted[middle], RATE) > distance - 0.5  # LU
    # a block of half speech, half pause may be on the other side of the loudness's relative gate
    assert level(converted, RATE) == pytest.approx(level(wave, RATE), abs=0.4)


def test_a_long_pause_changes_nothing_in_the_speech_around_it(converter):
    """A second of it and a minute of it give the same speech: no chunk holds more of it."""
    (short, _), (long, _) = paused(1.0, -70.0), paused(60.0, -70.0)
    a, b = (converter.convert(wave, "high", "low") for wave in (short, long))
    n = int(1.4 * RATE)
    assert (a[:n] - b[:n]).abs().max() < 0.02 * a.abs().max()


def test_the_middle_of_a_pause_is_the_recordings_own(converter):
    wave, middle = paused(3.0, -60.0)
    converted = converter.convert(wave, "high")
    inner = slice(middle.start + int(0.3 * RATE), middle.stop - int(0.3 * RATE))
    assert torch.equal(converted[inner], wave[inner])
    assert not torch.equal(converted[: len(wave) // 4], wave[: len(wave) // 4])


@pytest.mark.parametrize(
    ("after", "n_middles"),
    [(-14.5, 0), (-15.5, 1)],
    ids=["14.5 dB under speech", "15.5 dB under speech"],
)
def test_a_pause_lies_15_db_below_speech(after, n_middles):
    wave = torch.cat([noise(2.0, -20.0), noise(2.0, -20.0 + after), noise(2.0, -20.0)])
    assert len(cut_pauses(wave, RATE)[1]) == n_middles


def test_quiet_speech_is_no_pause_where_the_noise_floor_is_lower():
    """A quiet verse, 20 dB under the loud one and 15 dB over the room, is converted."""
    wave = torch.cat([noise(2.0, -20.0), noise(3.0, -40.0), noise(2.0, -55.0), noise(2.0, -20.0)])
    _, middles = cut_pauses(wave, RATE)
    (start, end), margin = middles[0], int(0.3 * RATE)
    assert len(middles) == 1
    assert start == pytest.approx(5 * RATE + margin, abs=0.05 * RATE)
    assert end == pytest.approx(7 * RATE - margin, abs=0.05 * RATE)


def test_less_than_a_second_is_converted():
    wave = torch.cat([noise(2.0, -20.0), noise(0.9, -70.0), noise(2.0, -20.0)])
    kept, middles = cut_pauses(wave, RATE)
    assert (kept is wave, middles) == (True, [])


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_what_is_silent_throughout_is_no_pause_of_anything(offset):
    wave = torch.full((2 * RATE,), offset)
    kept, middles = cut_pauses(wave, RATE)
    assert (kept is wave, middles) == (True, [])


def test_an_offset_and_silence_hide_no_pause():
    silent = torch.cat([noise(2.0, -20.0), torch.zeros(3 * RATE), noise(2.0, -20.0)]) + 0.05
    assert [end - start for start, end in cut_pauses(silent, RATE)[1]] == [
        pytest.approx(3 * RATE - 2 * int(0.3 * RATE), abs=0.1 * RATE)
    ]


@pytest.mark.parametrize(
    "middles", [[], [Span(0, 900)], [Span(700, 3000)], [Span(0, 500), Span(2000, 3000)]]
)
def test_what_was_cut_is_put_back(middles):
    wave = torch.randn(3000)
    kept = [i for i in range(3000) if not any(start <= i < end for start, end in middles)]
    restored = restore_pauses(wave[kept], wave, middles, RATE)
    torch.testing.assert_close(restored, wave)
    moved = restore_pauses(wave[kept] + 1, wave, middles, RATE)
    for start, end in middles:
        assert torch.equal(moved[start:end], wave[start:end])
    assert (moved - wave)[kept].max() == pytest.approx(1.0)


def test_hushing_reaches_the_end():
    """After whole tens of seconds, too, and in the samples that fill no block."""
    wave = torch.cat([noise(8.0, -20.0), torch.zeros(2 * RATE + 7)])
    output = noise(11.0, -20.0)[: len(wave)]
    hush(output, wave, RATE)
    assert output[-RATE:].abs().max() == 0


def test_hushing_leaves_what_is_quiet_enough():
    wave = torch.cat([noise(1.0, -20.0), noise(0.6, -60.0), noise(1.0, -20.0)])
    output = 0.5 * wave
    hush(output, wave, RATE)
    torch.testing.assert_close(output, 0.5 * wave)


@pytest.mark.parametrize("db", [-69.0, -83.0, -100.0])
def test_a_nearly_silent_recording_keeps_its_level_and_is_named(converter, caplog, db):
    wave = speech("low", 1.5, seed=8)
    wave = wave * 10 ** ((db - level(wave, RATE)) / 20)
    converted = converter.convert(wave, "high", name="in/a.wav")
    assert level(converted, RATE) == pytest.approx(db, abs=0.1)
    warned = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(warned) == (db < -70)
    assert all(f"in/a.wav is nearly silent, at {db:.0f} LUFS" in one for one in warned)


def test_room_tone_alone_keeps_its_level(converter):
    wave = noise(3.0, -80.0)
    plain = Converter(CONFIG, converter.stats)
    plain.translator = IdentityTranslator()
    for one in (converter, plain):
        assert level(one.convert(wave, "high"), RATE) == pytest.approx(level(wave, RATE), abs=0.1)
