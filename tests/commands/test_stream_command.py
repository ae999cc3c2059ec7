"""`voiceconv stream`: pipes, and a microphone that a fake sound card plays."""

import io
import sys
import types

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import RATE, Cli, make_cli, speech
from tiny_stream import make_streaming, save_streaming, streamed

from voiceconv.audio.pcm import encoded
from voiceconv.commands import stream as command


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_streaming(tmp_path_factory.mktemp("live") / "model"))


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


class Pipe:
    """A stdin or stdout with a buffer."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


def through(data: bytes, model: str, form: str, rate: int | None) -> tuple[bytes, command.Meter]:
    sink = io.BytesIO()
    open_at = lambda its_rate: command.open_stream(model, "high", its_rate, None, 0.0)  # noqa: E731
    return_meter = command.stream_pipe(io.BytesIO(data), sink, form, open_at, rate)
    return sink.getvalue(), return_meter


def test_a_wav_becomes_a_wav(model):
    wave = speech("low", 0.5, 22050)
    file = io.BytesIO()
    soundfile.write(file, wave.numpy(), 22050, "FLOAT", format="WAV")
    made, meter = through(file.getvalue(), model, "wav", None)
    samples, rate = soundfile.read(io.BytesIO(made), dtype="float32")
    wanted = streamed(make_streaming().stream("high", 22050), wave, [441])
    assert rate == RATE and np.array_equal(samples, wanted.numpy())
    assert meter.seconds == pytest.approx(0.5) and meter.dropouts == 0 and meter.load > 0


def test_raw_samples_stay_raw_samples(model):
    wave = speech("low", 0.2)
    made, _ = through(encoded(wave, "s16"), model, "s16", RATE)
    assert len(made) == 2 * len(wave)
    heard = torch.from_numpy(np.frombuffer(encoded(wave, "s16"), "<i2") / 32768).float()
    wanted = encoded(streamed(make_streaming().stream("high"), heard, [320]), "s16")
    assert made == wanted


def test_the_command_says_its_latency(voiceconv, model, monkeypatch):
    source = encoded(speech("low", 0.1, 48000), "f32")
    sink = Pipe()
    monkeypatch.setattr(command, "binary_pipes", lambda: (io.BytesIO(source), sink.buffer))
    options = ["--target", "low", "--model", model, "--format", "f32", "--rate", "48000"]
    result = voiceconv("stream", *options, "--look-ahead", "0")
    assert result.code == 0
    assert "latency 27.8 ms (analysis 16.7 + synthesis 10.0 + resampling 1.1)" in result.err
    assert "0.1 s converted" in result.err
    assert len(sink.buffer.getvalue()) == 4 * RATE // 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "four-voices", "--target", "kathleen"], "1.01 s late"),
        (["--format", "s16", "--target", "high"], "give --rate"),
        (["--look-ahead", "33", "--target", "high"], "this model has 0, 20; take one"),
        (["--target", "nobody"], "no target 'nobody'"),
        ([], "give a target"),
        (["--target", "high", "--seconds", "3"], "--seconds is for sound devices; add --live"),
        (["--target", "high", "--rate", "8000"], "a WAV says its rate"),
    ],
)
def test_wrong_usage_is_a_sentence(voiceconv, model, monkeypatch, options, said):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(100), 16000, format="WAV")
    file.seek(0)
    monkeypatch.setattr(command, "binary_pipes", lambda: (file, io.BytesIO()))
    given = options if "--model" in options else ["--model", model, *options]
    result = voiceconv("stream", *given)
    assert result.code == 2 and said in result.err and "Traceback" not in result.err


class Card:
    """A sound card whose devices call back once, when they are opened."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int, int]] = []
        card = self

        class PortAudioError(Exception):
            pass

        class Device:
            def __init__(self, samplerate, blocksize, device, channels, dtype, latency, callback):
                assert (channels, dtype, latency) == (1, "float32", "low")
                if device == "none":
                    raise PortAudioError("no such device")
                card.opened.append((type(self).__name__, samplerate, blocksize))
                self.block, self.callback = np.zeros((blocksize, 1), np.float32), callback

            def __enter__(self):
                self.callback(self.block, len(self.block), None, None)
                return self

            def __exit__(self, *_):
                return None

        self.module = types.SimpleNamespace(
            PortAudioError=PortAudioError,
            InputStream=type("InputStream", (Device,), {}),
            OutputStream=type("OutputStream", (Device,), {}),
            query_devices=lambda: ["0 microphone", "1 loudspeaker"],
        )


def test_a_microphone_and_a_loudspeaker_are_opened_at_their_rates(model, monkeypatch):
    card = Card()
    monkeypatch.setitem(sys.modules, "sounddevice", card.module)
    opened = command.open_stream(model, "high", 48000, None, 0.0)
    meter = command.stream_devices(opened, seconds=0.5)
    assert card.opened == [("InputStream", 48000, 960), ("OutputStream", RATE, 320)]
    assert meter.seconds == pytest.approx(0.02) and meter.dropouts == 0


def test_what_is_heard_is_played_converted():
    wave = speech("low", 0.6)
    line, played = command.Line(make_streaming().stream("high")), []
    for start in range(0, len(wave), 320):
        line.heard(wave[start : start + 320, None].numpy())
        line.convert(0)
        played.append(line.play(320))
    wanted = streamed(make_streaming().stream("high"), wave, [320])
    found = torch.cat(played)
    n_late = 4 * 320  # two chunks of the latency, and those that wait at first
    begins = next(n for n in range(n_late + 1) if torch.equal(found[n : n + 320], wanted[:320]))
    assert torch.equal(found[begins:], wanted[: len(found) - begins])
    assert line.meter.dropouts == 0 and line.meter.seconds == pytest.approx(0.6)


def test_too_little_for_the_loudspeaker_is_a_dropout():
    line = command.Line(make_streaming().stream("high"))
    assert line.play(10).abs().max() == 0 and line.meter.dropouts == 0  # not begun yet
    for _ in range(2):
        line.ready.put(torch.ones(10))
    assert line.play(15).sum() == 15
    assert line.play(10).tolist() == [1.0] * 5 + [0.0] * 5
    assert line.meter.dropouts == 1
    for _ in range(command.MOST_WAITING + 3):
        line.heard(np.zeros((10, 1), dtype=np.float32))
    assert line.meter.dropouts == 4


def test_what_waits_for_the_loudspeaker_is_bounded():
    """After a stall the oldest goes, or the latency would stay."""
    line = command.Line(make_streaming().stream("high"))
    for n in range(20):
        line.ready.put(torch.full((10,), float(n)))
    assert line.play(10)[0] == 12 and line.meter.dropouts == 12
    assert line.ready.qsize() == command.MOST_READY - 1


def test_a_wild_level_is_shown_as_full():
    meter = command.Meter()
    meter.pushed(torch.tensor([1e25, float("inf"), 2.0]), 24000, 0.0)
    assert meter.level == 0.0 and str(meter).startswith("#" * 30)


def test_a_device_that_is_not_there(model, monkeypatch, voiceconv):
    card = Card()
    monkeypatch.setitem(sys.modules, "sounddevice", card.module)
    options = ["--live", "--target", "high", "--model", model, "--microphone", "none"]
    result = voiceconv("stream", *options)
    assert result.code == 2 and "none does not open at 16000 Hz (no such device)" in result.err
    assert "1 loudspeaker" in voiceconv("stream", "--list-devices").out


def test_without_sounddevice_it_names_the_extra(voiceconv, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = voiceconv("stream", "--list-devices")
    assert result.code == 2 and "pip install 'voiceconv[live]'" in result.err


def test_the_meter_shows_level_and_load():
    meter = command.Meter()
    meter.pushed(torch.full((480,), 0.1), 24000, 0.005)
    assert meter.level == pytest.approx(-20.0, abs=0.01) and meter.load == pytest.approx(0.25)
    assert str(meter).startswith("#" * 20 + "." * 10 + "  -20.0 dB")
