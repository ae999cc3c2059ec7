"""What is tried against a test's server, one by one, over real sockets: none of it succeeds."""

import contextlib
import csv
import io
import json
import re
import resource
import socket
import sqlite3

import pytest
from fastapi.testclient import TestClient
from serving import PATIENCE, basic, given, served_folder, serving

from voiceconv.listen.answers import read_store
from voiceconv.listen.database import FILE
from voiceconv.listen.manifest import PAGE
from voiceconv.listen.serving.server import make_app
from voiceconv.web.guards import MOST_BYTES

PASSWORD = "correct horse"
HOSTILE = [
    "'); DROP TABLE answers; --",
    "' OR '1'='1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\u202egnp.exe\r\n\x00",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return served_folder(tmp_path_factory.mktemp("attacks") / "test")


@pytest.fixture(scope="module")
def server(place):
    with serving(place[0], VOICECONV_ADMIN_PASSWORD=PASSWORD) as server:
        yield server


def answers_by(folder, participant):
    listeners, answers = read_store(folder)
    (one,) = [one.id for one in listeners if one.participant == participant]
    return {answer.trial: answer.values for answer in answers if answer.listener == one}


# Speaking for another listener


def test_an_answer_counts_for_the_token_alone(server, place):
    folder, test = place
    victim, number = server.start(participant="victim")
    attacker, other = server.start(participant="attacker")
    turn = test.lists[other][0]
    public = next(one.id for one in read_store(folder)[0] if one.participant == "victim")
    for named in ({"listener": public}, {"token": victim}, {"id": public}, {"list": number}):
        reply = server.ask("POST", "/api/answers", given(test, turn) | named, attacker)
        assert (reply.status, "Extra inputs are not permitted" in reply.json["detail"]) == (422, 1)
    assert server.ask("POST", "/api/answers", given(test, turn), attacker).status == 201
    assert answers_by(folder, "victim") == {}
    assert list(answers_by(folder, "attacker")) == [turn.trial]


@pytest.mark.parametrize("path", ["/api/session", "/api/setup", "/api/answers", "/api/finish"])
def test_no_forged_token_is_one(server, place, path):
    folder, test = place
    token, number = server.start()
    listener = read_store(folder)[0][-1]
    with sqlite3.connect(folder / FILE) as db:
        select = "SELECT token FROM listeners WHERE id = ?"
        (digest,) = db.execute(select, (listener.id,)).fetchone()
    bodies = {
        "/api/session": None,
        "/api/setup": {"device": "headphones"},
        "/api/answers": given(test, test.lists[number][0]),
        "/api/finish": {},
    }
    forged = [token[:-1], token.swapcase(), listener.id, listener.code, digest, "' OR 1=1 --", "x"]
    method = "GET" if path == "/api/session" else "POST"
    assert [server.ask(method, path, bodies[path], one).status for one in forged] == [401] * 7
    assert server.ask(method, path, bodies[path]).status == 401


def test_a_trial_of_another_list_is_refused(tmp_path):
    folder, test = served_folder(tmp_path / "test", items=("A-B/1", "A-B/2"))
    lists = (test.lists[0][:3], test.lists[0][3:])
    content = json.loads((folder / "manifest.json").read_text())
    content["lists"] = [[[turn.trial, list(turn.order)] for turn in turns] for turns in lists]
    (folder / "manifest.json").write_text(json.dumps(content))
    with TestClient(make_app(folder, PASSWORD)) as client:
        token = client.post("/api/session", json={"consent": True}).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        for turn in lists[1]:
            reply = client.post("/api/answers", json=given(test, turn), headers=headers)
            assert reply.status_code == 403
        body = given(test, lists[0][0]) | {"trial": "nosuchtrial0"}
        assert client.post("/api/answers", json=body, headers=headers).status_code == 403
    assert read_store(folder)[1] == []


def test_a_replayed_answer_changes_nothing(server, place):
    folder, test = place
    token, number = server.start(participant="replayed")
    turn = test.lists[number][0]
    first, second = given(test, turn, 2), given(test, turn, 5)
    statuses = [server.ask("POST", "/api/answers", b, token).status for b in (first, first, second)]
    assert statuses == [201, 409, 409]
    assert answers_by(folder, "replayed") == {turn.trial: first["values"]}


# Files that are not served

SECRET = ["manifest.json", "answers.sqlite", "answers.sqlite-wal", ".lock"]
CLIMBS = [
    "/../{}",
    "/stimuli/../../{}",
    "/%2e%2e/{}",
    "/%2e%2e%2f{}",
    "/..%2f{}",
    "/stimuli/..%2f..%2f{}",
    "/..%5c{}",
    "/%252e%252e/{}",
    "/%c0%ae%c0%ae/{}",
    "/....//{}",
    "/./../{}",
    "//../{}",
    "/page/../{}",
    "/{}",
    "/{}%00.wav",
    "/%00/../{}",
    "http://127.0.0.1/../{}",
]


@pytest.mark.parametrize("climb", CLIMBS)
def test_nothing_above_the_page_is_reached(server, place, climb):
    for name in SECRET:
        assert (place[0] / name).exists()
        path = climb.format(name)
        reply = server.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert (path, reply.status) in ((path, 404), (path, 400))
        assert b"expected" not in reply.body and b"SQLite" not in reply.body


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "//etc/passwd", "/%2fetc%2fpasswd", "/" + "a" * 9000]
)
def test_nothing_elsewhere_is_reached(server, path):
    reply = server.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert reply.status in (400, 404)
    assert b"root:" not in reply.body


def test_a_link_that_leads_out_is_not_followed(server, place):
    link = place[0] / PAGE / "stimuli" / "out.wav"
    link.symlink_to(place[0] / "manifest.json")
    (place[0] / PAGE / "up").symlink_to(place[0], target_is_directory=True)
    assert server.ask("GET", "/stimuli/out.wav").status == 404
    assert server.ask("GET", "/up/manifest.json").status == 404
    link.unlink()
    (place[0] / PAGE / "up").unlink()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE"])
def test_nothing_served_can_be_changed(server, place, method):
    path = f"/stimuli/{next(iter(place[1].stimuli))}.wav"
    before = (place[0] / PAGE / path[1:]).read_bytes()
    assert server.ask(method, path, {"a": 1}).status == 405
    assert (place[0] / PAGE / path[1:]).read_bytes() == before


# Too much

POST = "POST /api/answers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_stated_length_is_refused_unread(server):
    # No byte of the body is sent: only a server that does not wait for it can answer.
    reply = server.send(f"{POST}Content-Length: {MOST_BYTES + 1}\r\n\r\n".encode())
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert reply.json == {"detail": "a request holds at most 65536 bytes"}


def test_chunks_are_counted(server):
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    head = f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert server.send(head + 16 * chunk + b"0\r\n\r\n").status == 422  # 65536 bytes of nothing
    # One byte more, without an end: only a server that does not wait for it can answer.
    reply = server.send(head + 16 * chunk + b"1\r\n \r\n")
    assert (reply.status, reply.headers["connection"]) == (413, "close")


def test_a_length_that_is_none_is_refused(server):
    for length in ("-1", "9" * 30, "0x10", "1_0"):
        assert server.send(f"{POST}Content-Length: {length}\r\n\r\n".encode()).status in (400, 413)


def test_more_connections_than_a_shell_allows_are_held(place):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 400:
        pytest.skip("no process may have 400 open files here")
    folder, _ = served_folder(place[0].parent / "connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))  # which the server inherits
    try:
        with serving(folder) as other, contextlib.ExitStack() as held:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            for _ in range(200):
                held.enter_context(socket.create_connection(("127.0.0.1", other.port), PATIENCE))
            assert other.ask("GET", "/api/test").status == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_headers_without_an_end_are_cut_off(server):
    head = "GET / HTTP/1.1\r\nHost: x\r\n" + "X-A: " + "a" * (1 << 20)
    with contextlib.suppress(ConnectionError):  # it doesn't read on, and may not be heard
        assert server.send(head.encode()).status == 400
    assert server.ask("GET", "/api/test").status == 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_form_on_another_site_starts_nothing(server, place, kind):
    # What a browser sends across sites without asking the server first.
    before = len(read_store(place[0])[0])
    head = f"POST /api/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    reply = server.send(f'{head}Content-Length: 16\r\n\r\n{{"consent":true}}'.encode())
    assert reply.status == 422
    assert "access-control-allow-origin" not in reply.headers
    assert len(read_store(place[0])[0]) == before


# What listeners write


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Hostile text in every field that takes text; the store, the experimenter's page and CSV."""
    folder, test = served_folder(tmp_path_factory.mktemp("written") / "test", n_lists=1)
    with TestClient(make_app(folder, PASSWORD)) as client:
        for text in HOSTILE:
            started = {"consent": True, "participant": text}
            token = client.post("/api/session", json=started).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            for turn in test.lists[0]:
                assert (
                    client.post(
                        "/api/answers", json=given(test, turn, comment=text), headers=headers
                    ).status_code
                    == 201
                )
            wrong = given(test, test.lists[0][0]) | {"trial": text}
            assert client.post("/api/answers", json=wrong, headers=headers).status_code == 403
            body = {"comment": text}
            assert client.post("/api/finish", json=body, headers=headers).status_code == 200
        paths = ("/admin", "/admin/answers.csv", "/admin/webmushra.csv")
        shown = [client.get(path, headers=basic(PASSWORD)) for path in paths]
    return folder, test, shown


def test_sql_is_kept_as_it_was_written(written):
    folder, test, _ = written
    listeners, answers = read_store(folder)
    assert [one.participant for one in listeners] == HOSTILE
    assert [one.comment for one in listeners] == HOSTILE
    n_trials = len(test.lists[0])
    assert [answer.comment for answer in answers[::n_trials]] == HOSTILE
    assert len(answers) == n_trials * len(HOSTILE)


def test_html_is_shown_escaped(written):
    page = written[2][0].text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "&#34; onmouseover=&#34;alert(1)" in page
    assert "{{ 7 * 7 }}" in page
    tags = set(re.findall(r"<\s*([a-zA-Z]+)", page))
    assert re.findall(r"<script[^>]*>", page) == ['<script src="admin/admin.js" defer>']
    assert "img" not in tags and 'onmouseover="' not in page


def test_the_page_may_run_no_script_but_the_servers(written):
    policy = written[2][0].headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy and "*" not in policy and "script-src" not in policy
    assert not re.search(r"<style|style=|\son\w+=\"", written[2][0].text)


def test_no_cell_of_a_table_is_a_formula(written):
    for reply in written[2][1:]:
        rows = list(csv.reader(io.StringIO(reply.text, newline="")))
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    cells = [
        cell for row in csv.reader(io.StringIO(written[2][1].text, newline="")) for cell in row
    ]
    assert {"'=cmd|' /C calc'!A0", "'@SUM(1)"} <= set(cells)
    assert HOSTILE[0] in cells


def test_nothing_tells_what_serves(server):
    for path in ("/", "/api/test", "/nothing"):
        reply = server.ask("GET", path)
        assert "server" not in reply.headers and b"Traceback" not in reply.body
