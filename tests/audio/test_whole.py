"""Recordings are read to their end, or it is said what is not read; cut ones are refused."""

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voiceconv import audio
from voiceconv.audio.quiet import quiet
from voiceconv.errors import InputError, RunError

RATE = 24_000
N = 2 * RATE


def sound(n_samples: int = N) -> np.ndarray:
    """A tone, then noise: a variable bit rate varies."""
    time = np.arange(n_samples) / RATE
    noise = np.random.default_rng(0).standard_normal(n_samples)
    wave = np.where(time < 1, 0.4 * np.sin(2 * np.pi * 220 * time), 0.2 * noise)
    return wave.astype(np.float32)


def encoded(folder: Path, name: str, **options: object) -> tuple[bytes, torch.Tensor]:
    """A file's bytes, and its samples."""
    path = folder / name
    soundfile.write(path, sound(), RATE, **options)
    return path.read_bytes(), audio.read(path).samples


def read(folder: Path, name: str, data: bytes) -> torch.Tensor:
    """What is read of these bytes, and probed."""
    path = folder / name
    path.write_bytes(data)
    samples = audio.read(path).samples
    assert audio.probe(path).n_samples == len(samples)
    return samples


def mp3(folder: Path, mode: str = "VARIABLE") -> tuple[bytes, bytes, torch.Tensor]:
    """An MP3, the same without its Xing frame, and its samples."""
    options = {"bitrate_mode": mode, "compression_level": 0.3}
    data, samples = encoded(folder, "x.mp3", format="MP3", **options)
    kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[2] >> 4]
    return data, data[72_000 * kilobits // RATE :], samples


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_without_a_xing_frame(tmp_path: Path, mode: str) -> None:
    _, bare, samples = mp3(tmp_path, mode)
    found = read(tmp_path, "bare.mp3", bare)
    # Frames of 576 samples, less the decoder's delay of 529; the encoder's 576 come first.
    assert (len(found) + 529) % 576 == 0 and len(found) >= N + 576
    torch.testing.assert_close(found[576 : 576 + N], samples, atol=1e-6, rtol=0)
    for start in (0.5, 1.2):  # within the low bit rate, and behind it
        first = round(start * RATE)
        part = audio.read(tmp_path / "bare.mp3", None, start, start + 0.5).samples
        torch.testing.assert_close(part, found[first : first + RATE // 2], atol=1e-6, rtol=0)


def test_a_large_tag_is_no_sound(tmp_path: Path) -> None:
    _, bare, _ = mp3(tmp_path, "CONSTANT")
    tag = b"ID3\x03\0\0" + bytes([0, 6, 0, 0]) + bytes(6 << 14)
    end = b"TAG" + bytes(125)
    expected = read(tmp_path, "bare.mp3", bare)
    torch.testing.assert_close(read(tmp_path, "tag.mp3", tag + bare + end), expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.mp3", {"format": "MP3"}), ("x.ogg", {}), ("x.opus", {"format": "OGG", "subtype": "OPUS"}),
     ("x.flac", {}), ("x.wav", {}), ("x.aiff", {}), ("x.au", {}), ("x.w64", {}), ("x.caf", {}),
     ("x.sph", {"format": "NIST"}), ("x.voc", {"subtype": "PCM_16"})],
)  # fmt: skip
def test_recordings_joined_end_to_end(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    data, samples = encoded(tmp_path, name, **options)
    found = read(tmp_path, f"joined-{name}", 3 * data)
    torch.testing.assert_close(found, samples.repeat(3), atol=1e-6, rtol=0)
    across = audio.read(tmp_path / f"joined-{name}", None, 1.5, 4.5).samples
    torch.testing.assert_close(across, found[3 * N // 4 : 9 * N // 4], atol=1e-5, rtol=0)


def test_mp3_joined_without_xing_frames_and_across_junk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, bare, samples = mp3(tmp_path)
    once = read(tmp_path, "once.mp3", bare)
    found = read(tmp_path, "bare.mp3", bare + bare)
    assert len(found) + 529 == 2 * (len(once) + 529)
    assert caplog.messages == []
    junk = bytes(range(1, 200)) * 10
    found = read(tmp_path, "junk.mp3", data + junk + data)
    torch.testing.assert_close(found, samples.repeat(2), atol=1e-6, rtol=0)
    name = tmp_path / "junk.mp3"
    assert caplog.messages == [
        f"{name} holds 1990 bytes that are no whole MP3 frame; they are left out"
    ]


def test_a_stream_of_mp3_that_ends_within_a_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, bare, _ = mp3(tmp_path, "CONSTANT")
    n_frame = len(bare) // ((len(read(tmp_path, "bare.mp3", bare)) + 529) // 576)
    whole = read(tmp_path, "whole.mp3", bare[: 20 * n_frame])
    torch.testing.assert_close(read(tmp_path, "cut.mp3", bare[: 21 * n_frame - 5]), whole)
    assert caplog.messages == [
        f"{tmp_path / 'cut.mp3'} holds {n_frame - 5} bytes that are no whole MP3 frame; they are "
        "left out"
    ]


def test_joined_sound_of_another_kind_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, samples = encoded(tmp_path, "x.flac")
    soundfile.write(tmp_path / "y.flac", sound(), 16_000)
    other = (tmp_path / "y.flac").read_bytes()
    torch.testing.assert_close(read(tmp_path, "z.flac", data + other), samples)
    assert caplog.messages == [
        f"{tmp_path / 'z.flac'} holds further sound ({len(other)} bytes) of another kind from byte "
        f"{len(data)} on, which is not read; split it there"
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.mp3", {}), ("x.flac", {}), ("x.au", {}), ("x.w64", {}), ("x.voc", {"subtype": "PCM_16"}),
     ("x.sph", {"format": "NIST"}), ("x.sph", {"format": "NIST", "subtype": "ULAW"})],
)  # fmt: skip
def test_cut_recordings_are_refused(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    data, _ = encoded(tmp_path, name, **options)
    for part in (data[: len(data) // 2], data + data[: len(data) // 2]):
        with pytest.raises(InputError, match=rf"{name} is cut or damaged: only \d"):
            read(tmp_path, name, part)


def test_a_cut_ogg_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, _ = encoded(tmp_path, "x.ogg")
    assert N // 2 < len(read(tmp_path, "cut.ogg", data[:-100])) < N
    assert caplog.messages == [
        f"{tmp_path / 'cut.ogg'} ends within a page of its stream: it is cut, and what followed is "
        "missing"
    ]


def pages_of(data: bytes) -> list[bytes]:
    """An Ogg file's pages."""
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


@pytest.mark.parametrize("form", [{}, {"format": "OGG", "subtype": "OPUS"}])
def test_damaged_and_missing_pages_of_ogg_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: dict[str, str]
) -> None:
    data, _ = encoded(tmp_path, "x.ogg", **form)
    pages = pages_of(data)
    assert len(pages) > 3 and not caplog.messages
    flipped = bytearray(pages[2])
    flipped[-1] ^= 1
    for name, damaged, n_ahead in (
        ("missing", [*pages[:2], *pages[3:]], 2),
        ("flipped", [*pages[:2], bytes(flipped), *pages[3:]], 2),
        ("noise", [*pages[:3], b"noise", *pages[3:]], 3),
    ):
        (tmp_path / name).write_bytes(b"".join(damaged))
        audio.read(tmp_path / name)
        place = sum(map(len, pages[:n_ahead])) + 5 * (name == "noise")
        assert caplog.messages[-1] == (
            f"{tmp_path / name} has damaged or missing pages in 1 places, the first at byte "
            f"{place}: sound is lost there; fetch it again"
        )


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("x.wav", 24, "announces 24001 Hz, 1 channels and 16 bits, but 48000 bytes a second"),
        ("x.wav", 34, "announces 24000 Hz, 1 channels and 17 bits, but 48000 bytes a second"),
        ("x.aiff", 25, "announces 48001 frames of 1 channels and 16 bits, but 96000 bytes"),
    ],
)
def test_a_header_that_contradicts_itself_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, place: int, said: str
) -> None:
    data, _ = encoded(tmp_path, name)
    assert not caplog.messages
    wrong = bytearray(data)
    wrong[place] += 1
    (tmp_path / f"wrong_{name}").write_bytes(wrong)
    with suppress(InputError):
        audio.read(tmp_path / f"wrong_{name}")
    assert caplog.messages[0].startswith(f"{tmp_path / f'wrong_{name}'} {said}")


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    soundfile.write(tmp_path / "x.wav", sound(), RATE)
    return (tmp_path / "x.wav").read_bytes()


def stating(data: bytes, size: int, form_size: int) -> bytes:
    """A WAV with these sizes in its header of 44 bytes."""
    return (
        data[:4] + struct.pack("<I", form_size) + data[8:40] + struct.pack("<I", size) + data[44:]
    )


@pytest.mark.parametrize(
    ("size", "form_size"),
    [(0x8000_0000, 0x8000_0024), (0x7F00_0000, 0x7F00_0024), (0x7FFF_F024, 0x7FFF_F048),
     (0xFFFF_FFFE, 0xFFFF_FFFF), (0x7FFF_FFFE, 0), (0, 0), (0, 36), (0, "right"), (0, 0xFFFF_FFFF),
     ("file", "right"), ("file", "more"), ("form", "right"), ("chunk", "more"), (N, "right")],
)  # fmt: skip
def test_open_and_wrong_sizes_of_whole_files(
    tmp_path: Path, wav: bytes, size: int | str, form_size: int | str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Left open; 0; a header's length too long; half of it, though the form says all."""
    form = len(wav) - 8
    sizes = {"file": len(wav), "form": form, "chunk": 2 * N + 8, "right": form, "more": form + 44}
    data = stating(wav, sizes.get(size, size), sizes.get(form_size, form_size))  # type: ignore[call-overload]
    torch.testing.assert_close(
        read(tmp_path, "y.wav", data), audio.read(tmp_path / "x.wav").samples
    )
    assert caplog.messages == []


@pytest.mark.parametrize("missing", [1, 2, 7, 43, 45, 1000, 2 * N - 2])
def test_cut_wavs_are_refused(tmp_path: Path, wav: bytes, missing: int) -> None:
    with pytest.raises(InputError, match=r"y\.wav is cut or damaged"):
        read(tmp_path, "y.wav", wav[:-missing])


@pytest.mark.parametrize("size", [0x4000_0000, 0x7F80_0000, 0x8010_0000])
def test_large_sizes_that_are_no_limit_are_cut(tmp_path: Path, wav: bytes, size: int) -> None:
    with pytest.raises(InputError, match=r"y\.wav is cut or damaged"):
        read(tmp_path, "y.wav", stating(wav, size, size + 36))


def test_sound_beyond_what_a_header_announces_is_named(
    tmp_path: Path, wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(tmp_path, "y.wav", stating(wav, N, N + 36))
    torch.testing.assert_close(found, audio.read(tmp_path / "x.wav").samples[: N // 2])
    assert len(caplog.messages) == 1
    assert (
        f"y.wav holds {N} bytes (1.00 seconds, if they are sound) beyond the 1.00 seconds that its "
        "header announces; they are not read"
    ) in caplog.text


def test_chunks_and_padding_behind_the_samples_are_no_sound(
    tmp_path: Path, wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    expected = audio.read(tmp_path / "x.wav").samples
    for end in (b"LIST\4\0\0\0abcd", b"id3 \3\0\0\0abc", bytes(512), b"bext\2\0\0\0abLIST\0\0\0\0"):
        for form_size in (len(wav) - 8, len(wav) - 8 + len(end)):
            found = read(tmp_path, "y.wav", stating(wav, 2 * N, form_size) + end)
            torch.testing.assert_close(found, expected)
    assert caplog.messages == []


def test_rf64_with_an_empty_ds64_and_aiff_to_a_pipe(tmp_path: Path) -> None:
    data, samples = encoded(tmp_path, "x.rf64", format="RF64")
    place = data.index(b"ds64") + 8
    empty = data[:place] + bytes(24) + data[place + 24 :]
    torch.testing.assert_close(read(tmp_path, "y.rf64", empty), samples)
    data, samples = encoded(tmp_path, "x.aiff")
    frames, size = data.index(b"COMM") + 10, data.index(b"SSND") + 4
    for form_size, n_frames, n_bytes in [
        (0x7F00_002E, 0x3F80_0000, 0x7F00_0008), (0, 0, 0), (0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF)
    ]:  # fmt: skip
        piped = bytearray(data)
        for at, value in ((4, form_size), (frames, n_frames), (size, n_bytes)):
            piped[at : at + 4] = struct.pack(">I", value)
        torch.testing.assert_close(read(tmp_path, "y.aiff", bytes(piped)), samples)


def test_parts_of_a_flac_that_does_not_know_its_length(tmp_path: Path) -> None:
    data, samples = encoded(tmp_path, "x.flac")
    unknown = data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]
    torch.testing.assert_close(read(tmp_path, "y.flac", unknown), samples)
    part = audio.read(tmp_path / "y.flac", None, 0.5, 1.5).samples
    torch.testing.assert_close(part, samples[RATE // 2 : 3 * RATE // 2])


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, and some lost."""
    harmed = bytearray(data)
    for place in rng.integers(0, len(data), 30):
        harmed[place] = rng.integers(256)
    first = int(rng.integers(len(data)))
    del harmed[first : first + int(rng.integers(2000))]
    return bytes(harmed)


def test_libmpg123_is_not_heard(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, bare, _ = mp3(tmp_path)
    rng = np.random.default_rng(1)
    hole = data[:5000] + bytes(3000) + data[8000:]
    capfd.readouterr()
    for harmed in (hole, data[:6000], *(damaged(d, rng) for d in 6 * (data, bare))):
        (tmp_path / "y.mp3").write_bytes(harmed)
        with suppress(InputError):
            audio.read(tmp_path / "y.mp3")
            audio.read(tmp_path / "y.mp3", None, 0.5)
    assert capfd.readouterr() == ("", "")


def test_quiet_ends_and_python_is_still_heard(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)
    libc.perror(b"before")
    with quiet(), quiet():
        libc.perror(b"within")
        os.write(2, b"python\n")
    libc.perror(b"after")
    said = capfd.readouterr().err
    assert [line.split(":")[0] for line in said.splitlines()] == ["before", "python", "after"]


def test_no_room_for_a_copy_is_an_error_of_the_run(
    tmp_path: Path, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "y.wav").write_bytes(wav + wav)
    monkeypatch.setattr("voiceconv.audio.decoders.tempfile.TemporaryFile", full)
    with pytest.raises(RunError, match=r"cannot read .*y\.wav: No space left on device; see to"):
        audio.read(tmp_path / "y.wav")


def test_a_header_that_announces_more_than_memory_holds(tmp_path: Path) -> None:
    data, _, _ = mp3(tmp_path)
    place = data.index(b"Xing") + 8
    (tmp_path / "y.mp3").write_bytes(data[:place] + b"\xff" * 4 + data[place + 4 :])
    with pytest.raises(
        (RunError, InputError), match=r"no memory for the \d+ seconds|is cut or dam"
    ):
        audio.read(tmp_path / "y.mp3")


@pytest.mark.parametrize(
    "header",
    [
        b".snd" + struct.pack(">IIIII", 0, 0, 3, RATE, 1),
        b"NIST_1A\n     -5\nsample_count -i 0\nchannel_count -i 1\nsample_n_bytes -i 2\n",
    ],
    ids=["AU", "SPHERE"],
)
def test_samples_that_would_lie_in_their_header_end_no_reading(tmp_path: Path, header) -> None:
    """Where a header says that it takes no room, what follows it is not itself again."""
    with pytest.raises(InputError, match="is no sound file that libsndfile reads|holds no samples"):
        read(tmp_path, "x", header.ljust(1100))
