"""Reading and writing sound files: exact values, bounded memory, and a sentence for each damage."""

import io
import logging
import math
import os
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import soxr
import torch

from voiceconv import audio
from voiceconv.audio.waves import limited
from voiceconv.errors import InputError, RunError

RATE = 24_000


def tone(seconds: float = 1.0, rate: int = RATE, frequency: float = 220.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "tone.wav", tone(), RATE, "PCM_16")
    return tmp_path / "tone.wav"


@pytest.mark.parametrize(
    ("extension", "subtype", "step"),
    [
        ("wav", "PCM_U8", 2.0**-7),
        ("wav", "PCM_16", 2.0**-15),
        ("wav", "PCM_24", 2.0**-23),
        ("wav", "PCM_32", 2.0**-24),  # what float32 resolves at 0.5
        ("wav", "FLOAT", 0.0),
        ("wav", "DOUBLE", 0.0),
        ("flac", "PCM_24", 2.0**-23),
        ("aiff", "PCM_16", 2.0**-15),
        ("au", "PCM_16", 2.0**-15),
        ("caf", "PCM_24", 2.0**-23),
        ("w64", "PCM_16", 2.0**-15),
        ("rf64", "PCM_16", 2.0**-15),
    ],
)
def test_lossless_formats_come_back_to_one_step(
    tmp_path: Path, extension: str, subtype: str, step: float
) -> None:
    path = tmp_path / f"x.{extension}"
    soundfile.write(path, tone(), RATE, subtype, format=extension.upper())
    samples, rate = audio.read(path)
    assert rate == RATE and samples.dtype == torch.float32 and samples.shape == (RATE,)
    np.testing.assert_allclose(samples.numpy(), tone(), atol=1.01 * step, rtol=0)
    assert audio.probe(path) == (RATE, RATE, 1, subtype)


@pytest.mark.parametrize("extension", ["ogg", "opus", "mp3"])
def test_lossy_formats_equal_soundfiles_own_reading(
    tmp_path: Path, extension: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"x.{extension}"
    audio.write(path, torch.from_numpy(tone(8.0)), RATE)
    whole = soundfile.read(path, dtype="float32")[0]
    capfd.readouterr()
    samples = audio.read(path).samples
    assert samples.shape == (8 * RATE,)
    np.testing.assert_allclose(samples.numpy(), whole, atol=1e-7)
    assert capfd.readouterr().err == ""  # libmpg123 complains when one seeks after each block


def test_channels_are_mixed_by_their_mean(tmp_path: Path) -> None:
    channels = np.random.default_rng(1).uniform(-1, 1, (5000, 24)).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", channels, 48_000, "FLOAT")
    samples = audio.read(tmp_path / "x.wav").samples
    np.testing.assert_allclose(samples.numpy(), channels.mean(1), atol=1e-7)
    assert audio.probe(tmp_path / "x.wav").n_channels == 24


@pytest.mark.parametrize(
    ("n_samples", "source", "target", "n_expected"),
    [(48_000, 48_000, 24_000, 24_000), (1001, 44_100, 24_000, 545), (1001, 24_000, 16_000, 667),
     (240, 48_000, 24_000, 120), (480, 8_000, 24_000, 1440), (1, 48_000, 24_000, 1),
     (140_003, 44_100, 24_000, 76_192), (99_999, 16_000, 22_050, 137_811)],
)  # fmt: skip
def test_streamed_resampling_equals_soxr_on_the_whole(
    tmp_path: Path, n_samples: int, source: int, target: int, n_expected: int
) -> None:
    wave = np.random.default_rng(2).uniform(-0.9, 0.9, n_samples).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", wave, source, "FLOAT")
    samples, rate = audio.read(tmp_path / "x.wav", target)
    assert rate == target and samples.shape == (n_expected,)
    expected = soxr.resample(wave, source, target, quality="VHQ")
    np.testing.assert_allclose(samples.numpy(), expected, atol=1e-6)
    torch.testing.assert_close(audio.resample(torch.from_numpy(wave), source, target), samples)


def test_resampling_keeps_a_tone_and_removes_what_would_alias(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "low.wav", tone(1.0, 48_000, 1000.0), 48_000, "FLOAT")
    soundfile.write(tmp_path / "high.wav", tone(1.0, 48_000, 13_500.0), 48_000, "FLOAT")
    low = audio.read(tmp_path / "low.wav", RATE).samples.numpy()
    high = audio.read(tmp_path / "high.wav", RATE).samples.numpy()
    inner = slice(2000, -2000)
    np.testing.assert_allclose(low[inner], tone(1.0, RATE, 1000.0)[inner], atol=1e-5)
    assert np.abs(high[inner]).max() < 1e-5  # 13.5 kHz is beyond 12 kHz: at least 94 dB down


def test_memory_is_the_mono_samples_at_the_target_rate(tmp_path: Path) -> None:
    stereo = np.stack([tone(60.0, 48_000), -tone(60.0, 48_000)], 1)
    soundfile.write(tmp_path / "x.flac", stereo, 48_000)
    del stereo
    audio.read(tmp_path / "x.flac", RATE, 0.0, 0.1)  # what is imported on first use
    tracemalloc.start()
    samples = audio.read(tmp_path / "x.flac", RATE).samples
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples.shape == (60 * RATE,)
    assert peak < 4 * 60 * RATE + 3_000_000  # the stereo file alone would be 23 MB


def test_part_of_a_file(wav: Path, tmp_path: Path) -> None:
    whole = audio.read(wav).samples
    torch.testing.assert_close(audio.read(wav, None, 0.25, 0.5).samples, whole[6000:12_000])
    torch.testing.assert_close(audio.read(wav, None, 0.75).samples, whole[18_000:])
    torch.testing.assert_close(audio.read(wav, None, 0.75, 1.4).samples, whole[18_000:])
    for extension in ("flac", "ogg"):
        path = tmp_path / f"x.{extension}"
        audio.write(path, whole, RATE)
        expected = audio.read(path).samples[6000:12_000]
        torch.testing.assert_close(audio.read(path, None, 0.25, 0.5).samples, expected)
    for start, end in ((1.0, None), (0.5, 0.5), (0.5, 0.2), (0.5, 1.6), (-0.1, 0.5)):
        with pytest.raises(InputError, match=r"tone\.wav lasts 1\.00 seconds; there is no part"):
            audio.read(wav, None, start, end)


def test_dc_clipping_silence_and_ten_milliseconds_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for wave in (np.full(999, 0.5), np.sign(tone()) * 32767 / 32768, np.zeros(500), tone(0.01)):
        soundfile.write(path, wave, RATE, "PCM_16")
        samples = audio.read(path).samples
        np.testing.assert_allclose(samples.numpy(), wave, atol=2.0**-15)
    assert samples.shape == (240,)


def test_standard_input(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = audio.read(wav).samples
    stdin = SimpleNamespace(buffer=io.BytesIO(wav.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    torch.testing.assert_close(audio.read("-").samples, expected)
    with pytest.raises(InputError, match=r"^standard input is empty \(0 bytes\)"):
        audio.read("-")


def test_named_pipe(wav: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(wav.read_bytes()))
    feeder.start()
    torch.testing.assert_close(audio.read(tmp_path / "pipe").samples, audio.read(wav).samples)
    feeder.join()


def with_size(wav: Path, size: int, form_size: int | None = None) -> Path:
    data = bytearray(wav.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    if form_size is not None:
        data[4:8] = struct.pack("<I", form_size)
    path = wav.with_name("patched.wav")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x7FFFF000, 0])
def test_streamed_wav_of_unknown_size_is_read_to_its_end(wav: Path, size: int) -> None:
    path = with_size(wav, size, min(size + 36, 0xFFFFFFFF))
    assert audio.probe(path).n_samples == RATE
    torch.testing.assert_close(audio.read(path).samples, audio.read(wav).samples)


def test_streamed_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, tone(3.0), RATE)
    expected = audio.read(path).samples
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # STREAMINFO's 36 bits of total samples
    data[22:26] = bytes(4)
    path.write_bytes(data)
    torch.testing.assert_close(audio.read(path).samples, expected)
    assert audio.read(path, 16_000).samples.shape == (48_000,)
    assert audio.probe(path).n_samples == 3 * RATE


def test_missing_directory_empty_device(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    cases = {
        tmp_path / "no.wav": r"^there is no file .*no\.wav; check the path$",
        tmp_path: r" is a directory; give a sound file in it$",
        tmp_path / "empty.wav": r"empty\.wav is empty \(0 bytes\); give a file that holds sound$",
        Path("/dev/null"): r"^/dev/null is a device, not a sound file",
        tmp_path / "new\nline.wav": r"^there is no file '.*new\\nline\.wav'; check the path$",
        tmp_path / "nul\0.wav": r"^there can be no file '.*nul\\x00\.wav'",
    }
    for path, sentence in cases.items():
        for function in (audio.read, audio.probe):
            with pytest.raises(InputError, match=sentence):
                function(path)


def test_no_permission() -> None:
    # Not tmp_path: others can't enter it, and root has to become somebody else to be refused.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "x.wav"
        soundfile.write(path, tone(), RATE)
        path.chmod(0)
        is_root = os.geteuid() == 0
        try:
            if is_root:
                os.seteuid(65534)
            with pytest.raises(InputError, match=r"^no permission to read .*x\.wav; chmod"):
                audio.read(path)
            with pytest.raises(InputError, match=r"cannot write .*x\.wav: Permission denied"):
                audio.write(path, torch.zeros(10), RATE)
            if is_root:
                with pytest.raises(InputError, match=r"cannot write .*y\.wav: Permission denied"):
                    audio.write(Path(folder) / "y.wav", torch.zeros(10), RATE)
        finally:
            if is_root:
                os.seteuid(0)
        assert os.listdir(folder) == ["x.wav"]


def test_text_named_wav_and_header_without_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_text("not sound at all, but words" * 10)
    with pytest.raises(InputError, match=r"x\.wav is no sound file that libsndfile reads"):
        audio.read(path)
    soundfile.write(path, tone()[:0], RATE, "PCM_16")
    with pytest.raises(InputError, match=r"x\.wav holds no samples, only a header"):
        audio.read(path)
    path.write_bytes(path.read_bytes() + b"LIST\4\0\0\0abcd")  # zero is zero, chunks may follow
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", len(data) - 8)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.wav holds no samples, only a header"):
        audio.read(path)


@pytest.mark.parametrize(
    ("format_", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("RF64", "PCM_24"),
     ("AIFF", "PCM_16")],
)  # fmt: skip
def test_cut_wav_says_how_much_is_there(tmp_path: Path, format_: str, subtype: str) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(4.0), RATE, subtype, format=format_)
    data = path.read_bytes()
    start = data.index(b"SSND" if format_ == "AIFF" else b"data")
    path.write_bytes(data[: (start + len(data)) // 2])
    for function in (audio.read, audio.probe):
        with pytest.raises(
            InputError, match=r"x\.wav is cut or damaged: only [12]\.\d\d of 4\.0\d seconds can be"
        ):
            function(path)
    path.write_bytes(data[: start + 8])
    with pytest.raises(InputError, match="only 0.00 of the sound|no sound file"):
        audio.read(path)


def test_one_lost_byte_is_noticed(wav: Path) -> None:
    wav.write_bytes(wav.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"only 1\.00 of 1\.00 seconds can be read"):
        audio.read(wav)


def test_cut_and_damaged_flac_say_how_much_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, 4 * RATE)
    soundfile.write(path, noise, RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"x\.flac is cut or damaged: only 1\.\d\d of 4\.00 sec"):
        audio.read(path, 16_000)
    with pytest.raises(InputError, match=r"x\.flac is cut or damaged: only 3\.00 of 4\.00 sec"):
        audio.read(path, None, 3.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_are_refused_with_their_place(tmp_path: Path, value: float) -> None:
    stereo = np.stack([tone(8.0)] * 2, 1)
    stereo[150_000, 1] = value
    soundfile.write(tmp_path / "x.wav", stereo, RATE, "FLOAT")
    for start in (0.0, 3.0):
        with pytest.raises(
            InputError, match=r"x\.wav holds a NaN or infinite sample at 6\.250 seconds"
        ):
            audio.read(tmp_path / "x.wav", 16_000, start)


@pytest.mark.parametrize("rate", [1, 3999, 384_001, 768_000])
def test_impossible_rates_are_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", tone(), rate, "PCM_16")
    with pytest.raises(InputError, match=f"sample rate of {rate} Hz; rates from 4000 to 384000"):
        audio.read(tmp_path / "x.wav", RATE)


@pytest.mark.parametrize("rate", [4000, 384_000])
def test_extreme_rates_are_read(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", tone(1.0, rate), rate, "PCM_16")
    assert audio.read(tmp_path / "x.wav", RATE).samples.shape == (RATE,)


def test_names_with_spaces_quotes_newlines_and_other_scripts(tmp_path: Path) -> None:
    wave = torch.from_numpy(tone(0.1))
    for name in ("a b.wav", 'it\'s "x".wav', "new\nline.wav", "Привет-声.wav", "x.raw.wav"):
        audio.write(tmp_path / name, wave, RATE)
        np.testing.assert_allclose(audio.read(tmp_path / name).samples, wave, atol=2.0**-15)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    ("name", "subtype"), [("x.wav", "PCM_16"), ("x.FLAC", "PCM_16"), ("x.ogg", "VORBIS"),
                          ("x.opus", "OPUS"), ("x.mp3", "MPEG_LAYER_III"), ("x.aif", "PCM_16")]
)  # fmt: skip
def test_extension_names_the_format(tmp_path: Path, name: str, subtype: str) -> None:
    audio.write(tmp_path / name, torch.from_numpy(tone(20.0)), RATE)
    assert audio.probe(tmp_path / name) == (20 * RATE, RATE, 1, subtype)


def test_a_peak_above_one_is_limited_where_it_is_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wave = torch.from_numpy(tone(6.0))  # 0.5, so that the limiter works across blocks
    place, reach = 1 << 16, RATE // 100
    wave[place] = -40.0
    with caplog.at_level(logging.WARNING):
        audio.write(tmp_path / "x.wav", wave, RATE)
    assert caplog.messages == [f"{tmp_path / 'x.wav'}: peaks are limited, by up to 32.0 dB"]
    read = audio.read(tmp_path / "x.wav").samples
    assert read[place] == pytest.approx(-1.0, abs=2.0**-14)
    beside = torch.ones(len(wave), dtype=torch.bool)
    beside[place - 2 * reach : place + 2 * reach + 1] = False
    torch.testing.assert_close(read[beside], wave[beside], atol=2.0**-14, rtol=0)
    audio.write(tmp_path / "f.wav", wave, RATE, "FLOAT")
    torch.testing.assert_close(audio.read(tmp_path / "f.wav").samples, wave)


def test_integers_in_a_float_file_are_turned_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wave = torch.from_numpy(tone(frequency=997.0))  # 0.5, that is -9.03 LUFS
    audio.write(tmp_path / "x.wav", 32768 * wave, RATE)
    assert caplog.messages == [
        f"{tmp_path / 'x.wav'}: 81 LUFS are more than it can hold; it is turned down to -23 LUFS: "
        "are the input's samples fractions of full scale?"
    ]
    got = audio.read(tmp_path / "x.wav").samples
    assert audio.loudness(got, RATE) == pytest.approx(-23.0, abs=0.01)
    torch.testing.assert_close(got, wave * (got.max() / 0.5), atol=2.0**-15, rtol=0)


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_pcm_holds_the_nearest_step(tmp_path: Path, subtype: str, bits: int) -> None:
    steps = torch.tensor(
        [-0.4, 0.4, -0.6, 0.6, 99.9, -100.1, 2.0 ** (bits - 1), -(2.0 ** (bits - 1))]
    )
    audio.write(tmp_path / "x.wav", steps / 2 ** (bits - 1), RATE, subtype)
    got = audio.read(tmp_path / "x.wav").samples * 2 ** (bits - 1)
    assert got.tolist() == [0, 0, -1, 1, 100, -100, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]


def test_a_limited_wave_keeps_its_shape_within_one(tmp_path: Path) -> None:
    wave = 1.25 * torch.sin(2 * math.pi * 200 * torch.arange(RATE) / RATE)  # peaks everywhere
    got = torch.cat([torch.from_numpy(block) for block in limited(wave, RATE)])
    torch.testing.assert_close(got, wave / 1.25, atol=1e-3, rtol=0)
    assert got.abs().max() <= 1.0


def test_writing_to_standard_output_and_devices(wav: Path) -> None:
    with pytest.raises(InputError, match="no format is known for /dev/null; end it in one of"):
        audio.write("/dev/null", torch.zeros(9), RATE)
    code = (
        "import sys; from voiceconv import audio; "
        "audio.write('-', audio.read(sys.argv[1]).samples, 24000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(wav)], capture_output=True, check=True)
    assert done.stdout == wav.read_bytes()


def test_writing_through_a_pipe_leaves_it_a_pipe(tmp_path: Path, wav: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe.wav").read_bytes()))
    reader.start()
    audio.write(tmp_path / "pipe.wav", audio.read(wav).samples, RATE)
    reader.join()
    assert received == [wav.read_bytes()] and (tmp_path / "pipe.wav").is_fifo()


def test_refused_outputs_leave_nothing(tmp_path: Path) -> None:
    wave = torch.from_numpy(tone())
    (tmp_path / "folder.wav").mkdir()
    cases = [
        ("gone/x.wav", RATE, None, InputError, r"cannot write .*gone/x\.wav: No such file"),
        ("folder.wav", RATE, None, InputError, r"cannot write .*folder\.wav: Is a directory"),
        ("x.xyz", RATE, None, InputError, r"no format is known for .*x\.xyz; end it in one of \.w"),
        ("x.opus", 22_050, None, InputError, r"cannot write .* as OGG/OPUS at 22050 Hz"),
        ("x.wav", RATE, "VORBIS", InputError, r"\.wav files can't hold 'VORBIS' samples; choose"),
        ("n" * 300 + ".wav", RATE, None, InputError, r"cannot write n*.*: File name too long"),
    ]
    for name, rate, subtype, kind, sentence in cases:
        with pytest.raises(kind, match=sentence):
            audio.write(tmp_path / name, wave, rate, subtype)
    with pytest.raises(RunError, match="the wave holds NaN or infinite samples"):
        audio.write(tmp_path / "x.wav", wave * math.nan, RATE)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.wav"]


def test_a_full_disk_keeps_what_was_there(wav: Path) -> None:
    before = wav.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises((RunError, InputError), match=r"cannot write .*tone\.wav"):
            audio.write(wav, torch.from_numpy(tone(10.0)), RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert wav.read_bytes() == before and len(list(wav.parent.iterdir())) == 1


def test_output_through_a_link_to_the_input_spares_the_input(wav: Path) -> None:
    before = wav.read_bytes()
    link = wav.with_name("out.wav")
    link.symlink_to(wav)
    audio.write(link, torch.zeros(100), RATE)
    assert wav.read_bytes() == before and audio.probe(link).n_samples == 100


def test_trim_by_hand() -> None:
    wave = torch.zeros(10_000)
    wave[3000:5000] = 0.5  # 10 ms blocks of 240: 12 (2880..) to 20 (..5040)
    wave[8000:8100] = 0.004  # -42 dB against 0.5
    torch.testing.assert_close(audio.trim(wave, RATE, 40.0, 0.0), wave[2880:5040])
    torch.testing.assert_close(audio.trim(wave, RATE, 40.0, 0.01), wave[2640:5280])
    torch.testing.assert_close(audio.trim(wave, RATE, 60.0, 0.0), wave[2880:8160])
    assert audio.trim(wave, RATE, 40.0, 1.0).shape == (10_000,)
    assert audio.trim(torch.zeros(777), RATE).shape == (777,)
    assert audio.trim(torch.zeros(0), RATE).shape == (0,)
    assert audio.trim(torch.full((100,), 0.1), RATE).shape == (100,)
