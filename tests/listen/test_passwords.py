"""The experimenter's view is behind a password, which nobody guesses and nobody is kept from."""

import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from serving import basic, served_folder, serving

from voiceconv.listen.serving.guards import Attempts
from voiceconv.listen.serving.server import make_app

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder, _ = served_folder(tmp_path_factory.mktemp("passwords") / "test")
    with serving(folder, VOICECONV_ADMIN_PASSWORD=PASSWORD) as server:
        yield server


@pytest.mark.parametrize("path", ["", "/answers.csv", "/webmushra.csv", "/admin.js", "/admin.css"])
def test_the_view_is_closed_without_the_password(server, path):
    token, _ = server.start()
    assert server.ask("GET", f"/admin{path}").status == 401
    assert server.ask("GET", f"/admin{path}", token=token).status == 401
    reply = server.ask("GET", f"/admin{path}", password=PASSWORD[:-1])
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic realm=")
    assert server.ask("GET", f"/admin{path}", password=PASSWORD).status == 200  # ends the row


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic YQ==", "Basic /w==", "Digest a", "\xff"]
)
def test_what_is_no_password_is_none(server, header):
    raw = f"GET /admin HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n"
    assert server.send(raw.encode("latin-1")).status == 401
    assert server.ask("GET", "/admin", password=PASSWORD).status == 200


def test_a_hundred_wrong_passwords_are_refused_and_then_the_right_one_works(server):
    replies = [server.ask("GET", "/admin", password=f"wrong {n}") for n in range(100)]
    statuses = [reply.status for reply in replies]
    assert statuses[:10] == [401] * 10
    assert statuses.count(200) == 0 and set(statuses) == {401, 429}
    assert not any(b"listener" in reply.body for reply in replies)
    deadline = time.monotonic() + 20
    while (reply := server.ask("GET", "/admin", password=PASSWORD)).status == 429:
        assert 1 <= int(reply.headers["retry-after"]) <= 4
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert reply.status == 200


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_each_wrong_password_doubles_the_wait_to_a_minute(tmp_path):
    folder, _ = served_folder(tmp_path / "test")
    clock, waits = Clock(), []
    with TestClient(make_app(folder, PASSWORD, clock)) as client:
        for n in range(100):
            assert client.get("/admin", headers=basic(f"wrong {n}")).status_code == 401
            if n >= 9:
                early = client.get("/admin", headers=basic(PASSWORD))
                assert early.status_code == 429
                waits.append(int(early.headers["retry-after"]))
                clock.now += waits[-1]
        assert client.get("/admin", headers=basic(PASSWORD)).status_code == 200
    assert waits == [1, 2, 4, 8, 16, 32] + 85 * [60]


def test_waits_are_each_clients_own_and_end():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(11):
        attempts.wrong("192.0.2.1")
        attempts.wrong("2001:db8::1")
        attempts.wrong("::ffff:192.0.2.2")
    waits = {
        "192.0.2.1": 2.0,
        "192.0.2.3": 0.0,
        "2001:db8::ffff": 2.0,  # of the same network
        "2001:db8:0:1::1": 0.0,
        "192.0.2.2": 2.0,
        "::ffff:192.0.2.3": 0.0,
    }
    assert {client: attempts.wait(client) for client in waits} == waits
    clock.now += 1.5
    assert attempts.wait("192.0.2.1") == 0.5
    clock.now += 0.5
    assert attempts.wait("192.0.2.1") == 0.0
    attempts.wrong("192.0.2.1")
    assert attempts.wait("192.0.2.1") == 4.0  # the row goes on
    attempts.right("192.0.2.1")
    attempts.wrong("192.0.2.1")
    assert attempts.wait("192.0.2.1") == 0.0  # it began anew


def test_memory_of_wrong_passwords_is_bounded():
    attempts = Attempts(Clock())
    for n in range(Attempts.MOST_CLIENTS + 100):
        attempts.wrong(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(attempts._wrong) == Attempts.MOST_CLIENTS


def test_no_header_makes_a_client_another_one(server):
    for n in range(12):
        raw = f"GET /admin HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.{n}\r\n"
        header = basic("wrong")["Authorization"]
        last = server.send(f"{raw}Authorization: {header}\r\nConnection: close\r\n\r\n".encode())
    assert last.status == 429
    time.sleep(int(last.headers["retry-after"]))
    assert server.ask("GET", "/admin", password=PASSWORD).status == 200


def test_the_password_is_in_no_process_list(server):
    arguments = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    assert PASSWORD.encode() not in arguments and b"serve" in arguments
