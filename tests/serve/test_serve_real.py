"""The real program with a tiny model: equal to the converter; bombs and wrong files; its limits."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from served import served
from tiny_model import RATE, make_converter, record, speech

from voiceconv.audio import read, refuse_longer
from voiceconv.converter import Converter
from voiceconv.errors import InputError
from voiceconv.serve.models import allowed
from voiceconv.serve.settings import CONVERTING

LONGEST = 5.0  # seconds


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_converter().save_pretrained(folder, {"steps": 0, "licence": "CC0-1.0"})
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("real")
    with served(
        folder, converting=CONVERTING, given=(str(model),), most_seconds=LONGEST
    ) as one:  # fmt: skip
        yield one


def encoded(wave: torch.Tensor | np.ndarray, rate: int = RATE, format_: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(wave), rate, format=format_)
    return file.getvalue()


def test_the_given_model_is_the_default_and_bundled_ones_follow(server):
    reply = server.call("GET", "/api/models").json
    assert reply["default"] == "tiny"
    first, *others = reply["models"]
    assert first == {
        "name": "tiny",
        "targets": ["high", "low"],
        "sample_rate": RATE,
        "streams": False,
        "look_aheads": [],
        "latency": None,
        "consent": None,
    }
    assert "four-voices" in [one["name"] for one in others]


def test_a_conversion_is_that_of_the_converter(server, model, tmp_path):
    wave = speech("low", 0.5)
    path = record(tmp_path / "a.wav", wave)
    job = server.start(path.read_bytes())
    state = server.ended(job)
    assert (state["state"], state["duration"]) == ("done", 0.5)
    found, rate = soundfile.read(
        io.BytesIO(server.call("GET", f"{job[0]}/result.wav", token=job[1]).body), dtype="float32"
    )
    expected = Converter.from_pretrained(model).convert(read(path).samples, "high")
    assert rate == RATE
    assert np.abs(found - expected.numpy()).max() < 2**-15
    source, _ = soundfile.read(
        io.BytesIO(server.call("GET", f"{job[0]}/source.wav", token=job[1]).body), dtype="float32"
    )
    assert np.abs(source - wave.numpy()).max() < 2**-15
    assert len(source) == len(found)


def test_the_analysis_has_f0_and_mel_of_both(server):
    job = server.start(encoded(speech("low", 0.6)))
    server.ended(job)
    found = json.loads(server.call("GET", f"{job[0]}/analysis", token=job[1]).body)
    assert (found["frame_period"], found["bands"]) == (0.01, 80)
    for one in (found["source"], found["result"]):
        mel = np.frombuffer(base64.b64decode(one["mel"]), np.uint8).reshape(-1, 80)
        assert len(mel) == len(one["f0"]) == 61
    voiced = [f0 for f0 in found["source"]["f0"] if f0 > 0]
    assert len(voiced) > 30
    assert np.median(voiced) == pytest.approx(105, abs=2)


def test_another_rate_and_format_is_taken(server):
    stereo = np.stack([speech("low", 0.4, 44_100)] * 2, 1)
    reply = server.call("POST", "/api/convert?target=high", encoded(stereo, 44_100, "FLAC"))
    assert reply.status == 200
    result = soundfile.SoundFile(io.BytesIO(reply.body))
    assert len(result) == round(0.4 * RATE)
    said = json.loads(result.comment)
    assert (said["kind"], said["model"], said["target"]) == ("conversion", "tiny", "high")


def flac_bomb(seconds: float, announced: int | None = None) -> bytes:
    """Silence, of which FLAC keeps next to nothing; with another length in its header."""
    data = bytearray(encoded(np.zeros(int(seconds * 8000), np.int16), 8000, "FLAC"))
    if announced is not None:  # 36 bits from the middle of byte 21 on (RFC 9639, 8.2)
        data[21] &= 0xF0
        data[22:26] = announced.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "bomb",
    [
        flac_bomb(1200),
        flac_bomb(1200, announced=0),
        encoded(np.zeros(8000 * 60), 8000, "OGG"),
        encoded(np.zeros((8000 * 60, 2)), 8000, "OGG"),
    ],
    ids=["flac", "flac of unknown length", "ogg", "stereo"],
)
def test_a_small_file_that_holds_hours_is_refused_by_its_first_seconds(server, bomb):
    assert len(bomb) < 300_000
    reply = server.call("POST", "/api/convert?target=high", bomb)
    assert (reply.status, reply.detail) == (
        422,
        "upload has more than the 5 seconds that are taken; cut it",
    )


def test_a_header_that_lies_gets_no_more_than_it_says(server):
    reply = server.call("POST", "/api/convert?target=high", flac_bomb(1200, announced=8000))
    assert reply.status == 422 or soundfile.info(io.BytesIO(reply.body)).frames == RATE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no sound at all", "upload is no sound file that libsndfile reads"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "upload "),
        (encoded(np.zeros(0)), "upload holds no samples"),
        (encoded(np.zeros(400), 1000), "upload has a sample rate of 1000 Hz"),
        (b"<?xml version='1.0'?><!ENTITY a 'a'>", "upload is no sound file"),
        (b"#!/bin/sh\nexit\n", "upload is no sound file"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "upload is no sound file"),
        (b"ffconcat version 1.0\nfile job.json\n", "upload is no sound file"),
    ],
    ids=["text", "header", "empty", "rate", "xml", "script", "hls", "concat"],
)
def test_a_wrong_file_gets_the_sentence_without_our_folders(server, data, said):
    reply = server.call("POST", "/api/convert?target=high", data)
    assert reply.status == 422
    assert reply.detail.startswith(said)
    assert str(server.backend.jobs.folder) not in reply.detail
    assert "but concat" not in reply.detail  # refused before it opens what it names


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("strength=0.5", "strength 0.5: this model takes none; leave it out"),
        ("semitones=99", "semitones 99: F0 is moved by"),
    ],
)
def test_what_the_model_cannot_do_is_said(server, query, said):
    reply = server.call("POST", f"/api/convert?target=high&{query}", encoded(speech("low", 0.3)))
    assert reply.status == 422 and reply.detail.startswith(said)


def test_one_program_has_done_all_of_this(server):
    assert server.backend.metrics.workers_died == 0


def test_too_long_is_the_first_sample_beyond(tmp_path):
    path = record(tmp_path / "a.wav", torch.zeros(RATE + 1))
    refuse_longer(path, 1 + 1 / RATE)
    with pytest.raises(InputError, match=r"a\.wav has more than the 1 seconds that are taken"):
        refuse_longer(path, 1.0)


def test_names_are_those_of_folders_and_each_is_one_model(model, tmp_path):
    other = tmp_path / "tiny"
    shutil.copytree(model, other)
    run = tmp_path / "run"
    shutil.copytree(model, run / "model")
    names = list(allowed([str(model), str(run / "model")]))
    assert names[:3] == ["tiny", "run", "four-voices"]
    assert allowed([]).keys() == set(names[2:])
    with pytest.raises(InputError, match="both are 'tiny'; rename one"):
        allowed([str(model), str(other)])
