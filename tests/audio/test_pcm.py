"""Samples and endless WAVs on pipes."""

import io

import numpy as np
import pytest
import soundfile
import torch

from voiceconv.audio.pcm import (
    Sound,
    decoded,
    encoded,
    read_chunks,
    read_wav_header,
    wav_header,
)
from voiceconv.errors import InputError

WAVE = torch.tensor([0.0, 0.5, -1.0, 0.25])


@pytest.mark.parametrize(("encoding", "least"), [("s16", 1 / 32768), ("f32", 0.0)])
def test_samples_come_back(encoding, least):
    back = decoded(encoded(WAVE, encoding), Sound(8000, encoding))
    assert (back - WAVE).abs().max() <= least


def test_what_is_too_loud_is_clipped_and_channels_are_averaged():
    assert np.frombuffer(encoded(torch.tensor([2.0, -2.0]), "s16"), "<i2").tolist() == [
        32767,
        -32768,
    ]
    assert decoded(encoded(WAVE, "f32"), Sound(8000, "f32", 2)).tolist() == [0.25, -0.375]


def test_chunks_are_cut_at_samples():
    data = encoded(torch.arange(7) / 8, "s16") + b"\x01"
    chunks = list(read_chunks(io.BytesIO(data), Sound(8000, "s16"), 3))
    assert [len(one) for one in chunks] == [3, 3, 1]
    assert torch.cat(chunks).tolist() == [n / 8 for n in range(7)]


@pytest.mark.parametrize(("subtype", "encoding"), [("PCM_16", "s16"), ("FLOAT", "f32")])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_headers_of_soundfile_are_read(subtype, encoding, form):
    file = io.BytesIO()
    soundfile.write(file, np.stack([WAVE, WAVE], 1), 22050, subtype, format=form)
    file.seek(0)
    sound = read_wav_header(file)
    size = 16 if encoding == "s16" else 32
    assert sound == Sound(22050, encoding, 2, size)
    assert torch.allclose(torch.cat(list(read_chunks(file, sound, 2))), WAVE, atol=1e-4)


def test_what_follows_the_samples_is_no_sound():
    data = b"RIFF" + bytes(4) + b"WAVE" + wav_header(8000, "s16")[12:36]
    data += b"data" + (8).to_bytes(4, "little") + encoded(WAVE, "s16") + b"LIST" + bytes(100)
    file = io.BytesIO(data)
    sound = read_wav_header(file)
    assert sound.n_bytes == 8
    assert torch.cat(list(read_chunks(file, sound, 3))).tolist() == WAVE.tolist()


def test_our_header_has_no_end():
    file = io.BytesIO(wav_header(24000, "s16") + encoded(WAVE, "s16"))
    assert read_wav_header(file) == Sound(24000, "s16", 1)
    samples, rate = soundfile.read(io.BytesIO(file.getvalue()))
    assert rate == 24000 and samples.tolist() == WAVE.tolist()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends within"),
        (b"ID3" + bytes(20), "is no WAV"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "does not say what its samples are"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x7f", "bytes before its samples"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab", "does not say"),
    ],
)
def test_what_is_no_wav_is_refused(data, said):
    with pytest.raises(InputError, match=said):
        read_wav_header(io.BytesIO(data))


def test_24_bits_are_refused_by_name():
    file = io.BytesIO()
    soundfile.write(file, WAVE.numpy(), 8000, "PCM_24", format="WAV")
    file.seek(0)
    with pytest.raises(InputError, match="24 bits, tag 1"):
        read_wav_header(file)
