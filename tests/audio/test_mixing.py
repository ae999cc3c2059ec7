"""Channels become one by the rule of `mixing`: nothing cancels, nothing is diluted, it says so."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voiceconv import audio
from voiceconv.audio.mixing import Tally
from voiceconv.errors import InputError

RATE = 16_000
N = 6 * RATE
TIME = np.arange(N) / RATE
RNG = np.random.default_rng(0)


def voice(seed: int, phase: float = 0.0) -> np.ndarray:
    """Noise in syllables: it swells four times a second, and pauses every second second."""
    noise = 0.1 * np.random.default_rng(seed).standard_normal(N)
    return noise * (np.sin(4 * np.pi * TIME) ** 2) * ((TIME + phase) % 2 < 1)


def hum(frequency: float) -> np.ndarray:
    return sum(0.05 / k * np.sin(2 * np.pi * k * frequency * TIME + k) for k in (1, 2, 3, 5))


A, B, C, OFF = voice(1), voice(2, 1.0), voice(3), np.zeros(N)  # B speaks in A's pauses
NOISE = RNG.standard_normal(N)
CASES = {
    "one voice in both": ((A, A), (0.5, 0.5), ""),
    "stereo": ((A + 0.5 * B, 0.5 * A + B), (0.5, 0.5), ""),
    "wide stereo": ((A + 0.7 * C, A - 0.7 * C), (0.5, 0.5), ""),
    "unrelated, of one level": ((A, C), (0.5, 0.5), ""),
    "opposite": ((A, -A), (0.5, -0.5), "channel 1 turned over (the opposite of channel 0)"),
    "opposite at -200 dB": (
        (1e-9 * A, -1e-9 * A), (0.5, -0.5), "channel 1 turned over (the opposite of channel 0)"
    ),
    "left": ((A, OFF), (1, 0), "channel 1 left out (without sound)"),
    "offset": ((A, OFF + 0.3), (1, 0), "channel 1 left out (without sound)"),
    "41 dB below": ((A, A * 10**-2.05), (1, 0), "channel 1 left out (without sound)"),
    "one of six": (
        (OFF, OFF, A, OFF, OFF, OFF), (0, 0, 1, 0, 0, 0),
        "channels 0, 1, 3, 4, 5 left out (without sound)",
    ),
    "hum of 50 Hz": ((A, hum(50)), (1, 0), "channel 1 left out (mains hum)"),
    "hum of 60 Hz": ((hum(60.02), A), (0, 1), "channel 0 left out (mains hum)"),
    "hum in both": ((hum(50), hum(50)), (0.5, 0.5), ""),
    "steady": (
        (A, 0.05 * NOISE), None,
        "mean raised by 4.6 dB (their sounds differ); channel 1 mixed in though steady (noise?)",
    ),
    "cancel": (
        (A, C, -A - C + 1e-9 * NOISE), None,
        "channels 0, 1 turned over (the opposite of channel 2)",
    ),
    "cancels at the start": (
        (A, np.where(TIME < 2, -A, A)), (0.5, 0.5), "the mix cancels for 1.2 seconds"
    ),
    "one voice opposite": (
        (A + 0.7 * B, A - 0.7 * B), (0.5, 0.5), "the mix cancels for 2.4 seconds"
    ),
}  # fmt: skip


def written(folder: Path, channels: tuple[np.ndarray, ...]) -> Path:
    path = folder / "x.wav"
    soundfile.write(path, np.stack(channels, 1), RATE, "FLOAT")
    return path


@pytest.mark.parametrize("case", CASES)
def test_mix(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    channels, weights, remark = CASES[case]
    path = written(tmp_path, channels)
    samples = audio.read(path).samples.numpy()
    mix = audio.mixing(path)
    assert mix.remark == remark
    if weights is not None:
        assert mix.weights == weights
    expected = np.tensordot(mix.weights, np.array(channels), 1)
    np.testing.assert_allclose(samples, expected, atol=1e-6)
    n = len(channels)
    said = [f"{path}: {n} channels mixed down, {remark}"] if remark else []
    assert caplog.messages == said
    audio.read(path, 8000, 1.0, 2.0)
    assert caplog.messages == said  # once for a file


@pytest.mark.parametrize(
    ("channels", "raised"),
    [((A, B), 5.3), ((A, 0.1 * A), 5.2), ((A, 0.1 * C), 6.0)],
    ids=["the sides of a call", "leakage", "other sound, 20 dB below"],
)
def test_what_is_in_one_channel_keeps_its_level(
    tmp_path: Path, channels: tuple[np.ndarray, ...], raised: float
) -> None:
    path = written(tmp_path, channels)
    loudest = audio.loudness(audio.read(path, channel=0).samples, RATE)
    assert audio.loudness(audio.read(path).samples, RATE) == pytest.approx(loudest, abs=0.3)
    remark = audio.mixing(path).remark
    assert remark.startswith("mean raised by ") and remark.endswith(" dB (their sounds differ)")
    assert float(remark.split()[3]) == pytest.approx(raised, abs=0.3)


def test_parts_are_mixed_like_the_whole(tmp_path: Path) -> None:
    """In the first second the right channel is silent, in the second it is the only one."""
    path = written(tmp_path, (A, -B))
    whole = audio.read(path).samples
    for start in (0.0, 1.0, 2.5):
        part = audio.read(path, None, start, start + 1).samples
        first = round(start * RATE)
        torch.testing.assert_close(part, whole[first : first + RATE])


def test_one_channel_is_taken_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, (A, -A, hum(50)))
    for channel, wave in enumerate((A, -A, hum(50))):
        samples = audio.read(path, None, 1.0, 2.0, channel).samples.numpy()
        np.testing.assert_allclose(samples, wave[RATE : 2 * RATE], atol=1e-6)
        assert audio.mixing(path, channel).remark == ""
    assert caplog.messages == []
    for function in (audio.probe, audio.read):
        with pytest.raises(InputError, match=r"x\.wav has no channel 3; counted from 0, its last"):
            function(path, channel=3)


def test_a_changed_file_is_looked_at_anew(tmp_path: Path) -> None:
    assert audio.mixing(written(tmp_path, (A, OFF))).weights == (1, 0)
    assert audio.mixing(written(tmp_path, (OFF, A, A))).weights == (0, 0.5, 0.5)


def test_silence_and_what_is_shorter_than_a_block(tmp_path: Path) -> None:
    assert audio.read(written(tmp_path, (OFF, OFF))).samples.abs().max() == 0
    tone = np.sin(2 * np.pi * 440 * TIME[:50])
    samples = audio.read(written(tmp_path, (tone, OFF[:50]))).samples
    np.testing.assert_allclose(samples.numpy(), tone, atol=1e-6)
    assert audio.read(written(tmp_path, (tone[:1] + 1, OFF[:1]))).samples.shape == (1,)
    assert Tally(RATE, 4).mix() == ((0.25,) * 4, "")


def test_what_is_not_finite_is_refused_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    broken = np.where(np.arange(N) == RATE, np.inf, A)
    with pytest.raises(InputError, match=r"holds a NaN or infinite sample at 1\.000 seconds"):
        audio.read(written(tmp_path, (broken, -broken)))
    assert len(recwarn) == 0
