"""`voiceconv stream`: a voice converted as it comes in, from a pipe or a microphone."""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import torch
from rich.console import Console
from rich.live import Live
from rich.text import Text
from torch import Tensor

from voiceconv.audio.pcm import Form, Sound, encoded, read_chunks, read_wav_header, wav_header
from voiceconv.converter import open_model
from voiceconv.converter.converter import Converter
from voiceconv.converter.streaming import Stream
from voiceconv.errors import InputError, RunError
from voiceconv.optional import load

LIVE = "four-voices-live"  # the bundled model that streams
CHUNK = 0.02  # seconds
LOWEST, WIDTH = -60.0, 30  # dB full scale at which a meter begins, its characters
SHOWN = 8  # times a second that the meter is drawn
MOST_WAITING = 25  # chunks between microphone and network: half a second, then they are dropped
PATIENCE = 0.2  # seconds between looks at whether it is over
MOST_READY = 8  # chunks before it, of which the oldest is dropped
READY = 2  # chunks that wait for the loudspeaker before it begins


@dataclass
class Meter:
    """What has happened so far. Levels are of the last chunk, in dB full scale."""

    seconds: float = 0.0
    busy: float = 0.0  # seconds of computing
    level: float = LOWEST
    dropouts: int = 0
    slowest: float = 0.0  # the greatest share of a chunk's time that its conversion took

    def pushed(self, chunk: Tensor, sample_rate: int, took: float) -> None:
        """Note a converted chunk."""
        if not len(chunk):
            return
        seconds = len(chunk) / sample_rate
        self.seconds += seconds
        self.busy += took
        self.slowest = max(self.slowest, took / max(seconds, CHUNK))
        power = float(torch.nan_to_num(chunk, 0.0, 0.0, 0.0).double().square().mean())
        self.level = min(0.0, max(LOWEST, 10 * float(np.log10(power + 1e-12))))

    @property
    def load(self) -> float:
        """The real-time factor."""
        return self.busy / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        filled = round((self.level - LOWEST) / -LOWEST * WIDTH)
        bar = "#" * filled + "." * (WIDTH - filled)
        return (
            f"{bar} {self.level:6.1f} dB  {self.seconds:7.1f} s  real-time factor {self.load:.2f}  "
            f"drop-outs {self.dropouts}"
        )


def open_stream(
    model: str | None, target: str, rate: int | None, look_ahead: float | None, semitones: float
) -> Stream:
    """The stream of a model, by default of the bundled one. look_ahead: ms. Raises InputError."""
    torch.set_num_threads(1)  # a frame is too little work to share
    converter = open_model(LIVE if model is None else model)
    if not isinstance(converter, Converter):
        raise InputError(f"{model} converts files, not sound; take a streaming model")
    seconds = None if look_ahead is None else look_ahead / 1000
    return converter.stream(target, rate, seconds, semitones)


def stream_pipe(
    source: BinaryIO,
    sink: BinaryIO,
    form: Form,
    open_at: Callable[[int], Stream],
    rate: int | None = None,
    n_channels: int = 1,
) -> Meter:
    """Samples from a pipe to a pipe, in the same form, at the model's rate and mono.

    open_at: a sample rate -> the stream. Raises InputError for a WAV that is none.
    """
    if form == "wav":
        sound = read_wav_header(source)
    elif rate is None:
        raise InputError(f"--format {form} has no rate of its own; give --rate")
    else:
        sound = Sound(rate, form, n_channels)
    stream, meter = open_at(sound.sample_rate), Meter()
    with suppress(BrokenPipeError), _shown(meter):  # whoever listened has gone
        if form == "wav":
            sink.write(wav_header(stream.output_rate, sound.encoding))
        for chunk in read_chunks(source, sound, round(CHUNK * sound.sample_rate)):
            began = time.perf_counter()
            made = stream.push(chunk)
            meter.pushed(chunk, sound.sample_rate, time.perf_counter() - began)
            sink.write(encoded(made, sound.encoding))
            sink.flush()
        sink.write(encoded(stream.flush(), sound.encoding))
        sink.flush()
    return meter


@dataclass
class Line:
    """What is between the callbacks of a sound card and the thread that converts."""

    stream: Stream
    meter: Meter = field(default_factory=Meter)
    waiting: "queue.Queue[Tensor]" = field(default_factory=lambda: queue.Queue(MOST_WAITING))
    ready: "queue.Queue[Tensor]" = field(default_factory=queue.Queue)
    rest: Tensor = field(default_factory=lambda: torch.zeros(0))
    is_playing: bool = False

    def heard(self, samples: np.ndarray) -> None:
        """From the microphone (n, 1); what cannot wait is dropped."""
        try:
            self.waiting.put_nowait(torch.from_numpy(samples[:, 0].copy()))
        except queue.Full:
            self.meter.dropouts += 1

    def convert(self, patience: float) -> None:
        """Convert a chunk that waits, or that comes within so many seconds."""
        try:
            chunk = self.waiting.get(timeout=patience)
        except queue.Empty:
            return
        began = time.perf_counter()
        made = self.stream.push(chunk)
        self.meter.pushed(chunk, self.stream.sample_rate, time.perf_counter() - began)
        if len(made):
            self.ready.put(made)

    def play(self, n_samples: int) -> Tensor:
        """(n_samples,) for the loudspeaker; silence, and a drop-out, where there is too little."""
        if not self.is_playing:
            self.is_playing = self.ready.qsize() >= READY
            if not self.is_playing:
                return torch.zeros(n_samples)
        while self.ready.qsize() > MOST_READY:  # after a stall, or a faster microphone's clock
            self.ready.get_nowait()
            self.meter.dropouts += 1
        while len(self.rest) < n_samples:
            try:
                self.rest = torch.cat([self.rest, self.ready.get_nowait()])
            except queue.Empty:
                self.meter.dropouts += 1
                self.is_playing = False
                missing = torch.zeros(n_samples - len(self.rest))
                self.rest = torch.cat([self.rest, missing])
        played, self.rest = self.rest[:n_samples], self.rest[n_samples:]
        return played


def stream_devices(
    stream: Stream,
    microphone: str | int | None = None,
    loudspeaker: str | int | None = None,
    seconds: float | None = None,
) -> Meter:
    """From a microphone to a loudspeaker until Ctrl-C, or for so many seconds.

    Raises InputError for a device that is not there, RunError where one fails.
    """
    sounddevice = _sounddevice()
    line = Line(stream)
    is_over, failed = threading.Event(), list[Exception]()

    def on_input(samples: np.ndarray, n: int, when: Any, status: Any) -> None:
        line.meter.dropouts += bool(status)
        line.heard(samples)

    def on_output(samples: np.ndarray, n: int, when: Any, status: Any) -> None:
        line.meter.dropouts += bool(status)
        samples[:, 0] = line.play(n).numpy()

    def convert() -> None:
        try:
            while not is_over.is_set():
                line.convert(PATIENCE)
        except Exception as error:
            failed.append(error)
            is_over.set()

    def opened(kind: Any, device: str | int | None, rate: int, callback: Any) -> Any:
        try:
            return kind(
                samplerate=rate,
                blocksize=round(CHUNK * rate),
                device=device,
                channels=1,
                dtype="float32",
                latency="low",
                callback=callback,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise InputError(
                f"the sound device {device if device is not None else 'by default'} does not open "
                f"at {rate} Hz ({str(error).splitlines()[0][:120]}); choose one of --list-devices"
            ) from error

    worker = threading.Thread(target=convert, daemon=True)
    try:
        with (
            opened(sounddevice.InputStream, microphone, stream.sample_rate, on_input),
            opened(sounddevice.OutputStream, loudspeaker, stream.output_rate, on_output),
            _shown(line.meter),
        ):
            worker.start()
            is_over.wait(seconds)
    except KeyboardInterrupt:  # the way to end it
        pass
    except sounddevice.PortAudioError as error:
        raise RunError(f"the sound device failed: {str(error).splitlines()[0][:120]}") from error
    finally:
        is_over.set()
        if worker.ident is not None:
            worker.join(timeout=2)
    if failed:
        raise failed[0]
    return line.meter


def list_devices() -> str:
    """The sound devices of this computer, as `--microphone` and `--loudspeaker` take them."""
    sounddevice = _sounddevice()
    found = sounddevice.query_devices()
    if not len(found):
        raise InputError("this computer has no sound device; stream from a pipe instead")
    return str(found)


def _sounddevice() -> Any:
    try:
        return load("sounddevice", "a microphone", "sounddevice", extra="live")
    except OSError as error:  # its library of the system is missing
        raise InputError(
            f"sounddevice needs PortAudio ({error}); install it (Debian: libportaudio2)"
        ) from error


@contextmanager
def _shown(meter: Meter) -> Iterator[None]:
    """Draw the meter on the terminal, where stderr is one."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with Live(
        console=console,
        refresh_per_second=SHOWN,
        get_renderable=lambda: Text(str(meter)),
        transient=True,
    ):
        yield


def described(stream: Stream) -> str:
    """One line of a stream's latency and rates."""
    parts = " + ".join(f"{name} {1000 * one:.1f}" for name, one in stream.parts.items() if one)
    return (
        f"latency {1000 * stream.latency:.1f} ms ({parts}); in at {stream.sample_rate} Hz, out at "
        f"{stream.output_rate} Hz"
    )


def summary(meter: Meter) -> str:
    """One line of what has been done."""
    return (
        f"{meter.seconds:.1f} s converted, real-time factor {meter.load:.2f}, slowest chunk "
        f"{meter.slowest:.2f} of its time, {meter.dropouts} drop-outs"
    )


def binary_pipes() -> tuple[BinaryIO, BinaryIO]:
    """stdin and stdout. Raises InputError where stdin is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("stdin is a terminal; pipe sound into it, or give --live for a microphone")
    return sys.stdin.buffer, sys.stdout.buffer
