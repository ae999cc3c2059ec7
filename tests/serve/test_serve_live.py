"""Live streams over a real WebSocket: what comes back, places, floods, silence, drop-outs."""

import json
import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest
from served import served, wait
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from voiceconv.serve import live
from voiceconv.serve.live import SLACK, Clock
from voiceconv.web.running import listening_at

RATE = 48_000
CHUNK = np.full(960, 0.1, np.float32)  # 20 ms at -20 dBFS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("live"), most_live=2) as one:
        yield one


def opened(server, query: str = "target=high&look_ahead=20") -> ClientConnection:
    address = f"ws://127.0.0.1:{server.port}/api/live?{query}"
    return connect(address, compression=None, open_timeout=30)


def texts(client: ClientConnection) -> tuple[list[dict], np.ndarray, int]:
    """Messages, samples and the code until the connection is closed."""
    said, samples = [], [np.zeros(0, np.float32)]
    try:
        while True:
            message = client.recv(timeout=30)
            if isinstance(message, bytes):
                samples.append(np.frombuffer(message, np.float32))
            else:
                said.append(json.loads(message))
    except ConnectionClosed as closed:
        return said, np.concatenate(samples), closed.rcvd.code if closed.rcvd else 0


def refused(server, query: str) -> tuple[str, int]:
    with opened(server, query) as client:
        said, _, code = texts(client)
    (error,) = said
    assert error["type"] == "error"
    return error["detail"], code


def test_a_stream_from_ready_to_end(server):
    with opened(server) as client:
        assert json.loads(client.recv()) == {
            "type": "ready",
            "sample_rate": 24_000,
            "latency": 0.04,
            "parts": {"chunk": 0.02, "look_ahead": 0.02},
        }
        for _ in range(30):
            client.send(CHUNK.tobytes())
            time.sleep(0.02)
        client.send('{"type": "flush"}')
        said, samples, code = texts(client)
    assert (said[-1], code) == ({"type": "end"}, 1000)
    assert len(samples) == 30 * 480 + 480  # and the look-ahead
    assert np.abs(samples[1000:14_000] - 0.05).max() < 1e-3
    stats = [one for one in said if one["type"] == "stats"]
    assert sum(one["seconds"] for one in stats[-1:]) == pytest.approx(0.6)
    assert {one["level"] for one in stats} == {-20.0}
    wait(lambda: server.backend.places.taken == 0)


def test_small_messages_are_sent_at_once():
    with (
        listening_at("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_odd_chunks_and_an_early_flush(server):
    with opened(server, "target=low&sample_rate=16000&look_ahead=0") as client:
        client.recv()
        for n in (0, 1, 333, 0, 7):
            client.send(CHUNK[:n].tobytes())
        client.send('{"type": "flush"}')
        said, samples, code = texts(client)
    assert (said[-1], code) == ({"type": "end"}, 1000)
    assert abs(len(samples) - 341 * 1.5) < 4


def test_a_place_is_refused_when_all_are_taken_and_free_again(server):
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(opened(server)).recv()
        assert refused(server, "target=high") == (
            "all live places are taken; try again later", 1013
        )  # fmt: skip
        assert "voiceconv_live_streams 2" in server.call("GET", "/metrics").body.decode()
    wait(lambda: server.backend.places.taken == 0)
    with opened(server) as client:
        assert json.loads(client.recv())["type"] == "ready"
    wait(lambda: len(server.backend.places.pids) == 1)  # one is kept ready


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("target=high&model=../tiny", "no live model '../tiny': this server has tiny"),
        ("target=high&model=other", "no live model 'other': this server has tiny"),
        ("target=nobody", "no target 'nobody': tiny has high, low"),
        ("", "no target '': tiny has high, low"),
        ("target=high&sample_rate=1", "sample_rate '1': choose a number from 8000 to 192000"),
        ("target=high&sample_rate=nan", "sample_rate 'nan': choose a number from 8000 to 192000"),
        ("target=high&look_ahead=x", "look_ahead 'x': choose a number from 0 to 10000"),
        ("target=high&look_ahead=33", "no look-ahead of 0.033 s: this model has (0.0, 0.02, 0.06)"),
    ],
)
def test_wrong_wishes_are_refused(server, query, detail):
    assert refused(server, query) == (detail, 1008)


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (b"abc", "a chunk of 3 bytes; send whole float32 samples, 1 s of them at most"),
        (bytes(4 * RATE + 4), "a chunk of 192004 bytes; send whole float32 samples"),
        ("[" * 10_000, "send float32 samples as binary, or"),
        ('{"type": "what"}', "send float32 samples as binary, or"),
        (np.float32([0, np.nan]).tobytes(), "a sample is NaN or infinite"),
        (np.float32([np.inf]).tobytes(), "a sample is NaN or infinite"),
    ],
)
def test_wrong_messages_end_the_stream(server, message, detail):
    with opened(server) as client:
        client.recv()
        client.send(message)
        said, _, code = texts(client)
    assert (said[-1]["type"], code) == ("error", 1008)
    assert said[-1]["detail"].startswith(detail)
    wait(lambda: server.backend.places.taken == 0)


def test_a_message_beyond_every_chunk_is_not_read(server):
    with opened(server) as client:
        client.recv()
        client.send(bytes(1_000_000))
        assert texts(client)[2] == 1009
    wait(lambda: server.backend.places.taken == 0)


@pytest.mark.parametrize("chunk", [np.zeros(RATE, np.float32).tobytes(), b""])
def test_a_flood_is_ended(server, monkeypatch, chunk):
    monkeypatch.setattr(live, "AHEAD", 3.0)
    with opened(server) as client:
        client.recv()
        try:
            for _ in range(5000):
                client.send(chunk)
        except ConnectionClosed:
            pass
        said, _, code = texts(client)
    assert (said[-1]["detail"], code) == (
        "samples come faster than they sound; send them in real time", 1008
    )  # fmt: skip
    wait(lambda: server.backend.places.taken == 0)


def test_a_client_that_is_silent_or_endless_is_ended(server, monkeypatch):
    monkeypatch.setattr(live, "IDLE", 0.1)
    with opened(server) as client:
        client.recv()
        (error,), _, code = texts(client)
    assert (error["detail"][:21], code) == ("no sample came for 0 ", 1008)
    monkeypatch.setattr(live, "IDLE", 30.0)
    monkeypatch.setattr(live, "LONGEST", 0.1)
    with opened(server) as client:
        client.recv()
        (error,), _, code = texts(client)
    assert (error["detail"][:23], code) == ("a stream lasts at most ", 1008)


def test_a_program_that_dies_ends_its_stream_alone(server):
    with opened(server) as one, opened(server) as other:
        one.recv()
        other.recv()
        child = next(iter(server.backend.places._busy))
        child.kill()
        wait(lambda: child._process.returncode is not None)
        ends = []
        for client in (one, other):
            try:
                client.send(CHUNK.tobytes())
                client.send('{"type": "flush"}')
            except ConnectionClosed:
                pass
            ends.append(texts(client))
    assert sorted(code for _, _, code in ends) == [1000, 1013]
    lost = next(said for said, _, code in ends if code == 1013)
    assert lost[-1]["detail"] == "the stream was lost; open it again"
    wait(lambda: server.backend.places.taken == 0)


def test_who_leaves_frees_the_place(server):
    for _ in range(3):
        with opened(server) as client:
            client.recv()
            client.send(CHUNK.tobytes())
            client.socket.close()
        wait(lambda: server.backend.places.taken == 0)


def test_dropouts_are_counted_from_what_a_converter_in_real_time_gives():
    clock = Clock()
    for n in range(50):  # each in time: as late as the chunk is long
        assert not clock.chunk(arrived=0.02 * n, seconds=0.02, done=0.02 * n + 0.02)
    assert clock.chunk(1.0, 0.02, done=1.0 + 0.02 + SLACK + 0.001)  # one pause of the server
    assert not clock.chunk(1.02, 0.02, done=1.07)  # what waited meanwhile counts from there
    assert not clock.chunk(5.0, 0.02, done=5.03)  # a pause of the client
    assert [clock.chunk(6.0, 0.02, done=6.0 + 0.02 * n) for n in range(1, 6)] == [False] * 5
    assert clock.dropouts == 1
