"""Each attack on the server, refused; others are served meanwhile."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack

import pytest
from served import LOCAL, served, wait
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from voiceconv.web import patience

MOST = 100_000  # bytes of a file


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("attacked"), most_bytes=MOST) as one:
        yield one


@pytest.fixture(autouse=True)
def nothing_is_left(server):
    """Whatever an attack sent, no file of it is there afterwards."""
    before = server.folders
    yield
    wait(lambda: set(server.folders) <= set(before) or server.backend.jobs.n_open == 0)


def raw(server, head: str, body: bytes = b"") -> socket.socket:
    """A connection that has sent this."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").encode() + body)
    return connection


def status(connection: socket.socket) -> int:
    with connection:
        return int(connection.recv(4096).split()[1])


def post(more: str, path: str = "/api/jobs?target=high") -> str:
    return f"POST {path} HTTP/1.1\nHost: localhost\n{more}\n\n"


@pytest.mark.parametrize("path", ["/api/jobs?target=high", "/api/convert?target=high"])
def test_a_stated_length_that_is_too_large_is_refused_unread(server, path):
    before = server.folders
    assert status(raw(server, post(f"Content-Length: {MOST + 1}", path))) == 413
    assert status(raw(server, post("Content-Length: 99999999999999999999", path))) == 413
    assert server.folders == before


def test_an_endless_body_is_cut_where_it_is_too_large(server):
    before = server.folders
    connection = raw(server, post("Transfer-Encoding: chunked"))
    chunk = b"2710\r\n" + bytes(10_000) + b"\r\n"
    with pytest.raises(OSError):  # noqa: B017, PT011 - reset, or a broken pipe
        for _ in range(2000):
            connection.sendall(chunk)
    connection.close()
    wait(lambda: server.folders == before)


def test_the_limit_itself_is_taken(server):
    assert server.call("POST", "/api/jobs?target=high", b"ok" + b" " * (MOST - 2)).status == 202
    reply = server.call("POST", "/api/jobs?target=high", iter([b" " * MOST, b"x"]))
    assert (reply.status, reply.detail) == (
        413,
        f"a file holds at most {MOST} bytes; send a part of it",
    )


def test_an_empty_body_is_refused(server):
    reply = server.call("POST", "/api/jobs?target=high", b"")
    assert reply.status == 422 and reply.detail.startswith("the request has no body")


def test_a_body_that_drips_is_ended(server, monkeypatch):
    monkeypatch.setattr(server.backend.uploads, "grace", 0.3)
    before = server.folders
    assert status(raw(server, post("Content-Length: 50000"), b"one")) == 408
    wait(lambda: server.folders == before)


def test_fifty_aborted_uploads_leave_nothing(server):
    before = server.folders
    for _ in range(50):
        raw(server, post("Content-Length: 50000"), bytes(20_000)).close()
    wait(lambda: server.folders == before)
    assert server.backend.uploads._arriving == 0


def test_uploads_at_once_have_a_budget_of_bytes(server, monkeypatch):
    monkeypatch.setattr("voiceconv.serve.upload.AT_ONCE", 0.4)
    reply = server.call("POST", "/api/jobs?target=high", bytes(MOST // 2))
    assert reply.status == 503 and reply.detail.startswith("too many uploads at once")


def test_a_hundred_slow_connections_do_not_stop_others(server, monkeypatch):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1.0)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(raw(server, head))
            for head in ["GET /api/mod"] * 50 + [post("Content-Length: 90000")] * 50
        ]
        done = threading.Event()

        def drip() -> None:
            while not done.wait(0.2):
                for one in slow[50:]:
                    one.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert server.ended(server.start("ok"))["state"] == "done"
            heads = slow[:50]
            for one in heads:
                assert one.recv(100) == b""  # the server has ended it
        finally:
            done.set()
            dripping.join()
    wait(lambda: server.backend.uploads._arriving == 0)


def test_who_does_not_read_loses_the_connection(server, monkeypatch):
    monkeypatch.setattr(patience, "READ_SECONDS", 0.2)
    ended = []

    class Full(patience.Patient, asyncio.Protocol):
        pass

    async def check():
        protocol = Full()
        protocol.loop = asyncio.get_running_loop()
        protocol.transport = type("T", (), {"abort": lambda _: ended.append(time.monotonic())})()
        protocol.pause_writing()
        protocol.resume_writing()
        await asyncio.sleep(0.3)
        assert ended == []
        protocol.pause_writing()
        await asyncio.sleep(0.3)
        assert len(ended) == 1

    asyncio.run(check())


@pytest.mark.parametrize(
    "name", ["../tiny", "..%2Ftiny", "/etc/passwd", "tiny%00", "four-voices", "", "x" * 201]
)
def test_a_model_is_a_name_of_the_list_and_nothing_else(server, name):
    reply = server.call("POST", f"/api/jobs?target=high&model={name}", "ok")
    assert reply.status in (404, 422)
    assert "passwd" not in reply.detail or "no model '/etc/passwd'" in reply.detail


@pytest.mark.parametrize("query", ["target=nobody", "", "target=high&semitones=nan",
                                   "target=high&strength=inf"])  # fmt: skip
def test_a_wrong_choice_is_refused_before_the_upload(server, query):
    assert server.call("POST", f"/api/jobs?{query}", "ok").status == 422


@pytest.mark.parametrize(
    "path",
    ["/api/jobs/..", "/api/jobs/../jobs", "/api/jobs/%2e%2e/result.wav", "/..%2f..%2fetc/passwd",
     "/api/jobs/%00/result.wav", "/../server.py"],
)  # fmt: skip
def test_paths_lead_nowhere(server, path):
    reply = server.call("GET", path, token="x")
    assert reply.status in (404, 405)


def test_a_clients_file_name_never_reaches_the_disk(server):
    job = server.call(
        "POST", "/api/jobs?target=high&name=../../evil", "ok",
        Content_Disposition='attachment; filename="../../evil.wav"',
    ).json  # fmt: skip
    server.ended((f"/api/jobs/{job['id']}", job["token"]))
    place = server.backend.jobs.folder / job["id"]
    names = {path.name for path in place.iterdir() if not path.name.startswith(".job.")}
    assert names == {"analysis.json", "job.json", "result.wav", "source.wav"}
    assert "evil" not in (place / "job.json").read_text()


def test_another_token_opens_nothing(server):
    job, other = server.start("ok"), server.start("ok")
    server.ended(job)
    for token, wanted in ((other[1], 404), ("", 401), (None, 401), ("é", 404), (job[1] + "x", 404)):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/result.wav"),
                             ("GET", "/source.wav"), ("GET", "/analysis")):  # fmt: skip
            assert server.call(method, job[0] + path, token=token).status == wanted
    unknown = server.call("GET", "/api/jobs/" + "0" * 32, token=job[1])
    known = server.call("GET", job[0], token=other[1])
    assert (unknown.status, unknown.body) == (known.status, known.body)
    assert server.state(job)["state"] == "done"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_pages_of_other_sites_change_nothing(server, origin):
    reply = server.call("POST", "/api/jobs?target=high", "ok", Origin=origin)
    assert (reply.status, reply.detail) == (403, "a page of another site must not use this server")
    job = server.start("ok")
    assert server.call("DELETE", job[0], token=job[1], Origin=origin).status == 403
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.port}/api/live?target=high", origin=origin)
    assert refused.value.response.status_code == 403
    assert "access-control-allow-origin" not in server.call("GET", "/api/models").headers


def test_the_own_page_and_programs_may(server):
    own = f"http://127.0.0.1:{server.port}"
    assert server.call("POST", "/api/jobs?target=high", "ok", Origin=own).status == 202
    assert server.call("GET", "/api/models", Origin="http://evil.example").status == 200


def test_a_name_that_was_given_our_address_is_refused(server):
    """DNS rebinding: the page's own name leads here, so its Origin is its Host."""
    reply = server.call("GET", "/api/models", Host=f"evil.example:{server.port}")
    assert reply.status == 403
    assert server.call("GET", "/api/models", Host="localhost").status == 200
    assert server.call("GET", "/api/models", Host="[::1]:80").status == 200
    assert server.call("GET", "/api/models", Host="[bad").status == 403


def test_pages_are_told_to_load_nothing_from_elsewhere(server):
    headers = server.call("GET", "/api/models").headers
    assert headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_bodies_elsewhere_are_small(server):
    assert server.call("POST", "/api/models", bytes(70_000)).status == 413


def test_a_public_name_is_let_in_beside_our_own(tmp_path):
    with served(tmp_path, hosts=LOCAL | {"voices.example.org"}) as one:
        for host, wanted in (("voices.example.org", 200), ("localhost:1", 200), ("evil", 403)):
            assert one.call("GET", "/api/models", Host=host).status == wanted
