"""Files of a listening test: their level, their time, and that they differ in nothing else."""

import math
import wave as wave_files
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import vowel

from voiceconv import audio
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError
from voiceconv.listen.building.signals import anchor
from voiceconv.listen.building.stimuli import Sound, Wave, levels, render, require_even, write
from voiceconv.provenance.note import CONVERTED
from voiceconv.provenance.stamp import Stamp

RATE = 16000


def silence(seconds: float) -> torch.Tensor:
    return torch.zeros(round(seconds * RATE))


def sound(path: Path, wave: torch.Tensor, rate: int = RATE, scene: str = "s", change=None) -> Sound:
    audio.write(path, wave, rate)
    return Sound(path.stem, "item", scene, Utterance(path.stem, "", path), change)


def made(folder: Path, sounds: dict[str, Sound], loudness=-23.0, trim=40.0, padding=True):
    waves = dict(render(sounds, RATE, trim, padding))
    reached = levels(waves, RATE, loudness)
    folder.mkdir()
    return reached, {s.id: s for s in write(folder, waves, sounds, RATE, reached)}


def pieces(tmp_path: Path) -> dict[str, Sound]:
    """A loud and a soft recording, an anchor, one at another rate, one with a soft second half."""
    voice = vowel(120, 1.5, RATE)
    return {
        "0a": sound(tmp_path / "loud.wav", 3 * voice),
        "0b": sound(tmp_path / "soft.wav", 0.01 * vowel(180, 1.3, RATE)),
        "0c": sound(tmp_path / "bright.wav", voice, change=partial(anchor, pass_edge=3500.0)),
        "0d": sound(tmp_path / "fast.wav", vowel(150, 1.0, 44100), 44100),
        # its second half does not count as it is (-70 LUFS), but when it is amplified
        "0e": sound(tmp_path / "uneven.wav", torch.cat([5e-3 * voice, 2.2e-3 * voice])),
    }


def test_all_files_have_one_loudness_and_do_not_clip(tmp_path):
    reached, files = made(tmp_path / "out", pieces(tmp_path))
    assert reached.loudness == -23.0 and reached.loudest is None
    for name, file in files.items():
        wave, rate = audio.read(tmp_path / "out" / f"{name}.wav")
        assert rate == RATE and audio.loudness(wave, rate) == pytest.approx(-23.0, abs=0.02)
        assert file.loudness == pytest.approx(-23.0, abs=0.02) and file.peak <= -1.0
        assert float(wave.abs().max()) <= 10 ** (-1 / 20)
        assert file.seconds == pytest.approx(3.0, abs=0.02)  # the longest of the scene
    before, after = (
        20 * math.log10((wave - wave.mean()).abs().max())
        for wave, _ in map(audio.read, (tmp_path / "soft.wav", tmp_path / "out/0b.wav"))
    )
    assert files["0b"].gain_db == pytest.approx(after - before, abs=0.01) and after > before + 30


def test_a_stimulus_says_nothing_of_the_system_that_made_it(tmp_path):
    """Else a listener, or a browser, could read the key out of a file."""
    given = pieces(tmp_path)
    stamp = Stamp(CONVERTED, {"model": "four-voices", "target": "kathleen"})
    loud = given["0a"].recording.path
    stamp.write(loud, audio.read(loud).samples, RATE)
    assert audio.read_comments(loud)
    made(tmp_path / "out", given)
    for path in (tmp_path / "out").iterdir():
        assert audio.read_comments(path) == []
        content = path.read_bytes()
        assert b"voiceconv" not in content and content[36:40] == b"data"  # nothing before it


def test_a_peak_lowers_the_whole_test():
    """A peak that would be at +0.85 dBFS is 1.85 dB too high: all lose 1.9."""
    tone = torch.sin(2 * math.pi * 997 / RATE * torch.arange(2 * RATE))
    full = audio.loudness(tone, RATE)  # of a tone that peaks at 0 dBFS: -3.01
    waves = {"quiet": Wave(tone * 0.01, 0.0, -41.0), "peaky": Wave(tone, 0.0, 0.0)}
    asked = full + 0.85
    found = levels(waves, RATE, asked)
    assert found.loudest == "peaky"
    assert found.loudness == pytest.approx(asked - 1.9, abs=1e-3)
    assert 20 * math.log10(found.gains["peaky"]) == pytest.approx(0.85 - 1.9, abs=1e-3)
    assert 20 * math.log10(found.gains["quiet"]) == pytest.approx(40 + 0.85 - 1.9, abs=1e-3)
    assert levels(waves, RATE, full - 1.0).loudest is None


def test_a_peak_that_would_lower_the_test_by_more_than_6_db_is_refused(tmp_path):
    tone = torch.sin(2 * math.pi * 997 / RATE * torch.arange(2 * RATE))
    full = audio.loudness(tone, RATE)
    sounds = {
        name: Sound(name, "i", "s", Utterance(name, "", Path(f"{name}.wav"))) for name in "abc"
    }
    # of these peaks c needs 5.0 dB less in steps of 0.1, b 6.1, a 15.1
    waves = {
        name: Wave(tone, 0.0, peak) for name, peak in {"a": 14.02, "b": 5.08, "c": 3.95}.items()
    }
    for names, said in {
        "c": None,
        "cb": f"b.wav would peak at +5.1 dBFS at {full:g} LUFS, and lower all stimuli to "
        f"{full - 6.1:.1f} LUFS; take the click out of it, leave it out, or choose --loudness "
        f"{math.floor(full - 6.1)}$",
        "bca": "a.wav would peak at .14.0 dBFS .* --loudness -19; likewise b.wav$",
    }.items():
        some = {name: waves[name] for name in names}
        found = levels(some, RATE, full)
        if said is None:
            require_even(some, sounds, found, full)
            assert found.loudness == pytest.approx(full - 5.0, abs=1e-3)
        else:
            with pytest.raises(InputError, match=f"^{said.replace('+', '.')}"):
                require_even(some, sounds, found, full)


def test_a_constant_offset_is_no_part_of_a_stimulus(tmp_path):
    """20% of full scale: it moves neither the level, nor the cut, nor the room for peaks."""
    voice = torch.cat([silence(0.5), 0.4 * vowel(120, 1.0, RATE), silence(0.5)])
    sounds = {"0a": sound(tmp_path / "plain.wav", voice, scene="1"),
              "0b": sound(tmp_path / "offset.wav", voice + 0.2, scene="2")}  # fmt: skip
    _, files = made(tmp_path / "out", sounds)
    plain, offset = (audio.read(tmp_path / "out" / f"{name}.wav").samples for name in sounds)
    assert files["0b"].offset == pytest.approx(0.2, abs=1e-4)
    assert files["0a"].offset == pytest.approx(0.0, abs=1e-4)
    assert abs(float(offset.mean())) < 2e-5  # less than a step of 16 bits
    assert float((plain - offset).abs().max()) < 3e-4  # rounding of the source, and dither
    assert files["0a"].start == files["0b"].start == pytest.approx(0.45, abs=0.01)
    assert files["0b"].gain_db == pytest.approx(files["0a"].gain_db, abs=0.01)


def test_conversions_of_one_source_stay_together_and_a_reference_does_not_hold_them_up(tmp_path):
    def burst(first: float, end: float, seconds: float) -> torch.Tensor:
        wave = 0.001 * torch.randn(round(seconds * RATE))
        wave[round(first * RATE) : round(end * RATE) : 2] += 0.3
        wave[round(first * RATE) + 1 : round(end * RATE) : 2] -= 0.3
        return wave

    sounds = {
        "0a": sound(tmp_path / "one.wav", burst(0.6, 1.4, 2.0)),
        "0b": sound(tmp_path / "two.wav", burst(0.8, 1.7, 2.01)),
        "0c": sound(tmp_path / "reference.wav", burst(1.0, 1.6, 2.5)),
    }
    _, files = made(tmp_path / "out", sounds)
    assert [files[name].start for name in sounds] == [0.55, 0.55, 0.95]
    assert {file.seconds for file in files.values()} == {1.2}  # 0.55 to 1.75
    onset = {}
    for name in sounds:
        samples = audio.read(tmp_path / "out" / f"{name}.wav").samples
        onset[name] = int((samples.abs() > 0.5 * samples.abs().max()).nonzero()[0]) / RATE
    assert onset == {"0a": 0.05, "0b": 0.25, "0c": 0.05}
    alone = {name: one._replace(scene=name) for name, one in sounds.items()}
    _, files = made(tmp_path / "alone", alone, padding=False)
    assert [files[name].start for name in sounds] == [0.55, 0.75, 0.95]
    assert [files[name].seconds for name in sounds] == [0.9, 1.0, 0.7]


def test_files_differ_in_their_samples_alone(tmp_path):
    """44 bytes of header, the same for all; one time; a copy that has other bytes."""
    sounds = pieces(tmp_path)
    sounds["0f"] = sounds["0a"]
    made(tmp_path / "out", sounds)
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"{name}.wav" for name in sorted(sounds)]
    assert len({file.read_bytes()[:44] for file in files}) == 1
    assert len({file.stat().st_mtime_ns for file in files}) == 1
    for file in files:
        with wave_files.open(str(file)) as header:
            described = header.getparams()
            assert (described.nchannels, described.sampwidth, described.framerate) == (1, 2, RATE)
            assert file.stat().st_size == 44 + 2 * described.nframes  # so: fmt, data, no more
    first, last = files[0].read_bytes(), files[-1].read_bytes()
    assert first != last and len(first) == len(last)


def test_a_part_of_a_recording_is_read_and_its_place_told(tmp_path):
    audio.write(tmp_path / "long.wav", torch.cat([silence(2), vowel(120, 2.0, RATE)]), RATE)
    part = Utterance("part", "", tmp_path / "long.wav", 1.5, 3.0)
    _, files = made(tmp_path / "out", {"0a": Sound("one", "item", "s", part)})
    assert files["0a"].start == 1.95 and files["0a"].seconds == pytest.approx(1.05, abs=0.001)
    _, whole = made(tmp_path / "whole", {"0a": Sound("one", "item", "s", part)}, trim=None)
    assert whole["0a"].start == 1.5 and whole["0a"].seconds == 1.5


def test_a_cut_through_sound_is_faded(tmp_path):
    steady = torch.sin(2 * math.pi * 2000 / RATE * (torch.arange(2 * RATE) + 0.5))
    made(tmp_path / "out", {"0a": sound(tmp_path / "steady.wav", 0.3 * steady)}, trim=None)
    wave = audio.read(tmp_path / "out/0a.wav").samples
    rise = wave.abs().unfold(0, 8, 8).amax(1)  # each period of 0.5 ms
    expected = torch.sin(math.pi / 2 * (torch.arange(10) + 0.5) / 10).square()
    assert torch.allclose(rise[:10] / rise[100], expected, atol=0.08)
    assert torch.allclose(rise[10:-10] / rise[100], torch.ones(len(rise) - 20), atol=1e-3)
    assert torch.allclose(rise[-10:].flip(0) / rise[100], expected, atol=0.08)


@pytest.mark.parametrize(
    ("wave", "said"),
    [
        (silence(2), r"bad\.wav is silent"),
        (1e-5 * vowel(120, 2.0, RATE), r"bad\.wav is silent"),  # below the gate of -70 LUFS
        (vowel(120, 0.3, RATE), r"bad\.wav has 0\.30 seconds of sound"),
        (torch.cat([silence(1), vowel(120, 0.2, RATE), silence(1)]), r"bad\.wav has 0\.30 seconds"),
    ],
)
def test_what_cannot_be_brought_to_a_loudness_is_refused(tmp_path, wave, said):
    with pytest.raises(InputError, match=said):
        made(tmp_path / "out", {"0a": sound(tmp_path / "bad.wav", wave)})
