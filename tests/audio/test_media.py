"""Formats of phones and video are read through PyAV, or named with what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from voiceconv import audio
from voiceconv.errors import InputError

av = pytest.importorskip("av")

RATE = 16_000
TONE = 0.3 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)
CODECS = {
    "x.m4a": ("aac", None), "x.mp4": ("aac", None), "x.aac": ("aac", "adts"),
    "x.3gp": ("aac", None), "x.mka": ("libopus", "matroska"), "x.webm": ("libopus", None),
    "alac.m4a": ("alac", None), "x.amr": ("libopencore_amrnb", None), "x.wma": ("wmav2", None),
}  # fmt: skip


def encode(path: Path, codec: str, container: str | None, n_channels: int = 1) -> Path:
    rates = {"libopencore_amrnb": 8000, "libopus": 48_000}
    rate, layout = rates.get(codec, RATE), "mono" if n_channels == 1 else "stereo"
    samples = np.stack([TONE, np.zeros_like(TONE)][:n_channels]).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", layout)
    frame.sample_rate = RATE
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if codec == "wmav2":
            stream.bit_rate = 64_000
        resampler = av.AudioResampler(stream.format.name, layout, rate)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            output.mux(stream.encode(part))
    return path


@pytest.mark.parametrize("name", CODECS)
def test_phone_formats(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, *CODECS[name])
    samples, rate = audio.read(path, 8000)
    assert rate == 8000 and 1.98 * 8000 <= len(samples) <= 2.2 * 8000  # whole frames
    middle = samples[6000:10_000].double().numpy()
    assert 10 * np.log10(np.mean(middle**2)) == pytest.approx(20 * np.log10(0.3) - 3, abs=1.1)
    assert np.abs(np.fft.rfft(middle)).argmax() == 300 * 4000 // 8000
    info = audio.probe(path)
    assert info.n_channels == 1 and info.n_samples == len(audio.read(path).samples)
    whole = audio.read(path).samples
    first, last = round(0.5 * info.sample_rate), round(1.25 * info.sample_rate)
    part = audio.read(path, None, 0.5, 1.25).samples
    np.testing.assert_array_equal(part.numpy(), whole[first:last].numpy())


def test_the_content_decides_and_channels_are_mixed_by_the_rule(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.m4a", "alac", None, 2).rename(tmp_path / "x.wav")
    samples = audio.read(path).samples.numpy()
    np.testing.assert_allclose(samples, TONE, atol=2.0**-15)
    assert audio.mixing(path).weights == (1, 0)


def test_cut_media_are_refused(tmp_path: Path) -> None:
    data = encode(tmp_path / "x.mka", "libopus", "matroska").read_bytes()
    for share in (0.5, 0.02):
        (tmp_path / "y.mka").write_bytes(data[: round(share * len(data))])
        with pytest.raises(InputError, match=r"y\.mka is (cut or damaged: only|no sound file)"):
            audio.read(tmp_path / "y.mka")


def test_noise_and_text_are_no_media(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).bytes(100_000)
    for data in (noise, b"words, not sound\n" * 500, b"\xff\xfb" + noise, b"<svg></svg>"):
        (tmp_path / "x.m4a").write_bytes(data)
        with pytest.raises(InputError, match=r"x\.m4a is (no sound file|cut or damaged)"):
            audio.read(tmp_path / "x.m4a")
    assert capfd.readouterr() == ("", "")


def test_without_pyav_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "x.m4a", "aac", None)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        InputError,
        match=r"x\.m4a is no sound file that libsndfile reads \(.*\); convert it to WAV or FLAC "
        r"first: `ffmpeg -i IN OUT\.flac`, or pip install 'voiceconv\[media\]'$",
    ):
        audio.read(path)


def test_no_extension_is_of_both() -> None:
    assert not audio.EXTENSIONS & audio.MEDIA_EXTENSIONS
