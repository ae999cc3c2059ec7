"""Sound files and places that users give by mistake: the first half of test_bad_input's table."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tiny_model import RATE, record, speech
from torch import Tensor

Arguments = list[str | Path]


class Place(NamedTuple):
    """What a case may use: an empty current directory, a model to damage, pytest's monkeypatch."""

    work: Path
    model: Path
    monkeypatch: pytest.MonkeyPatch

    def convert(self, *arguments: str | Path, target: str = "high") -> Arguments:
        return ["convert", *arguments, "--target", target, "--model", self.model]


class Case(NamedTuple):
    """An input, and the answer to it; where it is 0, the outputs that are there afterwards."""

    name: str
    code: int
    message: str  # a part of stderr
    outputs: dict[str, int]  # file -> samples
    make: Callable[[Place], Arguments]


CASES: list[Case] = []


def case(name: str, code: int, message: str = "", **outputs: int):
    """Put a function that makes the input, and the arguments for it, into the table."""

    def add(make: Callable[[Place], Arguments]) -> Callable[[Place], Arguments]:
        CASES.append(Case(name, code, message, outputs, make))
        return make

    return add


def works(name: str, message: str = "", n_samples: int = RATE // 4):
    return case(name, 0, message, **{"out.wav": n_samples})


def wave(seconds: float = 0.25) -> Tensor:
    return speech("low", seconds)


def convert_bytes(place: Place, content: bytes, name: str = "in.wav") -> Arguments:
    (place.work / name).write_bytes(content)
    return place.convert(name, "-o", "out.wav")


def convert_wave(place: Place, samples: Tensor, rate: int = RATE, **keywords) -> Arguments:
    record(place.work / "in.wav", samples, rate, **keywords)
    return place.convert("in.wav", "-o", "out.wav")


# Sound files


@case("missing file", 2, "there is no file in.wav; check the path")
def _(place):
    return place.convert("in.wav", "-o", "out.wav")


@case("pattern that matches nothing", 2, "no sound file in '*.wav'; name files or folders")
def _(place):
    return place.convert("*.wav", "-o", "out")


@case("empty file", 2, "in.wav is empty (0 bytes)")
def _(place):
    return convert_bytes(place, b"")


@case("text named .wav", 2, "in.wav is no sound file that libsndfile reads")
def _(place):
    return convert_bytes(place, b"This is a letter, not a sound.\n" * 99)


@case("truncated WAV", 2, "in.wav is cut or damaged: only 0.12 of 0.25 seconds can be read")
def _(place):
    record(place.work / "in.wav", wave())
    content = (place.work / "in.wav").read_bytes()
    return convert_bytes(place, content[: 44 + (len(content) - 44) // 2])


@case("truncated FLAC", 2, "in.flac is cut or damaged: only ")
def _(place):
    record(place.work / "in.flac", wave(1.0))
    content = (place.work / "in.flac").read_bytes()
    return convert_bytes(place, content[: len(content) // 2], "in.flac")


@case("header with zero samples", 2, "in.wav holds no samples, only a header")
def _(place):
    return convert_wave(place, torch.zeros(0))


@case("half a header", 2, "in.wav is no sound file that libsndfile reads")
def _(place):
    record(place.work / "in.wav", wave())
    return convert_bytes(place, (place.work / "in.wav").read_bytes()[:20])


@works("10 ms clip", n_samples=160)
def _(place):
    return convert_wave(place, wave()[:160])


@works("one sample", n_samples=1)
def _(place):
    return convert_wave(place, wave()[:1])


@works("digital silence")
def _(place):
    return convert_wave(place, torch.zeros(RATE // 4))


@case("NaN samples", 2, "in.wav holds a NaN or infinite sample at 0.062 seconds")
def _(place):
    samples = wave()
    samples[1000] = torch.nan
    return convert_wave(place, samples, subtype="FLOAT")


@case("infinite samples", 2, "in.wav holds a NaN or infinite sample at 0.062 seconds")
def _(place):
    samples = wave()
    samples[1000] = -torch.inf
    return convert_wave(place, samples, subtype="FLOAT")


@works("DC alone")
def _(place):
    return convert_wave(place, torch.full((RATE // 4,), 0.5))


@works("speech on DC")
def _(place):
    return convert_wave(place, 0.5 * wave() + 0.4)


@works("clipped")
def _(place):
    return convert_wave(place, (20 * wave()).clamp(-1, 1))


@works("float samples up to 50")
def _(place):
    return convert_wave(place, 200 * wave(), subtype="FLOAT")


@works("barely anything, -100 dB")
def _(place):
    return convert_wave(place, 1e-5 * wave(), subtype="FLOAT")


@case("1 Hz", 2, "in.wav has a sample rate of 1 Hz; rates from 4000 to 384000 Hz are taken")
def _(place):
    return convert_wave(place, wave(), 1)


@case("768 kHz", 2, "in.wav has a sample rate of 768000 Hz; rates from 4000 to 384000 Hz are")
def _(place):
    return convert_wave(place, wave(), 768_000)


@works("24 channels")
def _(place):
    return convert_wave(place, wave()[:, None].repeat(1, 24))


@works("8 bit")
def _(place):
    return convert_wave(place, wave(), subtype="PCM_U8")


# Places


@case("directory without sound", 2, "no sound file in 'in'; name files or folders")
def _(place):
    (place.work / "in").mkdir()
    (place.work / "in" / "notes.txt").write_text("none")
    return place.convert("in", "-o", "out")


@case("directory named like a file", 2, "no sound file in 'in.wav'")
def _(place):
    (place.work / "in.wav").mkdir()
    return place.convert("in.wav", "-o", "out.wav")


@case("no read permission", 2, "no permission to read in.wav")
def _(place):
    def denied(path, *rest, **keywords):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)  # root may read all

    place.monkeypatch.setattr("voiceconv.audio.opening.open", denied, raising=False)
    return convert_wave(place, wave())


@case("device", 2, "/dev/null is a device, not a sound file")
def _(place):
    return place.convert("/dev/null", "-o", "out.wav")


@case("name too long", 1, ".wav: File name too long")
def _(place):
    return place.convert("a" * 300 + ".wav", "-o", "out.wav")


@case("output's parent is a file", 2, "cannot write blocked/deep: Not a directory")
def _(place):
    (place.work / "blocked").write_text("a file")
    record(place.work / "in.wav", wave())
    return place.convert("in.wav", "-o", "blocked/deep/out.wav")


@case("read-only place", 2, "cannot write out.wav: Read-only file system; choose another output")
def _(place):
    def denied(path, *rest, **keywords):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    place.monkeypatch.setattr("voiceconv.files.open", denied, raising=False)
    return convert_wave(place, wave())


@case("disk full", 1, "cannot write out.wav: No space left on device")
def _(place):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place.monkeypatch.setattr("voiceconv.files.os.fsync", full)
    return convert_wave(place, wave())


@case("output of unknown format", 2, "no format is known for new/out.xyz; end it in one of .wav ")
def _(place):
    record(place.work / "in.wav", wave())
    return place.convert("in.wav", "-o", "new/out.xyz")


@case("output equal to input", 2, "in.wav is an input too; choose another output with -o")
def _(place):
    record(place.work / "in.wav", wave())
    return place.convert("in.wav", "-o", "in.wav")


@case("output equal to input through a link", 2, "link.wav is an input too; choose another")
def _(place):
    record(place.work / "in.wav", wave())
    (place.work / "link.wav").symlink_to("in.wav")
    return place.convert("in.wav", "-o", "link.wav")


@case("output folder equal to input folder through a link", 2, "link/in.wav is an input too")
def _(place):
    record(place.work / "here" / "in.wav", wave())
    (place.work / "link").symlink_to("here")
    return place.convert("here", "-o", "link")


def _add_name(name: str, described: str) -> None:
    @case(f"path with {described}", 0, **{f"out/{name}": RATE // 4})
    def _(place):
        record(place.work / "in folder" / name, wave())
        return place.convert(f"in folder/{name}", "-o", "out/")


_add_name("two  spaces .wav", "spaces")
_add_name('it\'s "quoted" `id` $(id).wav', "quotes")
_add_name("new\nline\t.wav", "line ends")
_add_name("höher 低い.wav", "non-ASCII")
_add_name(os.fsdecode(b"no utf-8 \xff.wav"), "bytes that are no UTF-8")
_add_name("[bold]*?.wav", "patterns and markup")


@case("missing file whose name has a line end", 2, r"there is no file 'new\nline.wav'; check")
def _(place):
    return place.convert("new\nline.wav", "-o", "out.wav")
