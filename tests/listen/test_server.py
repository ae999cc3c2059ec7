"""The server: a course from consent to code, what is refused, what the experimenter sees."""

import csv
import io
import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from fastapi.testclient import TestClient
from serving import COMMAND, basic, given, served_folder, serving
from tiny_test import answers_of, stimulus_of

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer, Listener, Store, read_store
from voiceconv.listen.database import FILE
from voiceconv.listen.exchange.webmushra import read_webmushra
from voiceconv.listen.manifest import PAGE
from voiceconv.listen.methods import METHODS
from voiceconv.listen.serving.server import make_app

PASSWORD = "correct horse"


@pytest.fixture
def place(tmp_path):
    return served_folder(tmp_path / "test")


@pytest.fixture
def client(place):
    with TestClient(make_app(place[0], PASSWORD)) as client:
        yield client


def start(client, **more):
    reply = client.post("/api/session", json={"consent": True, **more})
    assert reply.status_code == 201
    return {"Authorization": f"Bearer {reply.json()['token']}"}, reply.json()["list"]


def answer_all(client, test, headers, number, values=None, **more):
    for turn in test.lists[number]:
        body = given(test, turn, **more)
        if values is not None:
            body["values"] = values[turn.trial]
        assert client.post("/api/answers", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize("method", METHODS)
def test_a_course_from_consent_to_code(method, tmp_path):
    folder, test = served_folder(tmp_path / "test", method)
    with TestClient(make_app(folder, PASSWORD)) as client:
        about = {"id": test.id, "invitation_needed": False}
        assert client.get("/api/test").json() == about
        headers, number = start(client, invitation=None, participant="p-1")
        setup = {"device": "headphones", "headphone_check": [6, 6]}
        assert client.post("/api/setup", json=setup, headers=headers).status_code == 204
        turns = test.lists[number]
        for count, turn in enumerate(turns, 1):
            assert client.post("/api/finish", json={}, headers=headers).status_code == 409
            reply = client.post("/api/answers", json=given(test, turn), headers=headers)
            assert (reply.status_code, reply.json()) == (201, {"answered": count})
        so_far = {"list": 0, "answered": [turn.trial for turn in turns], "finished": False}
        assert client.get("/api/session", headers=headers).json() == so_far
        reply = client.post("/api/finish", json={"comment": "fine"}, headers=headers)
        assert re.fullmatch(r"[0-9A-F]{8}", reply.json()["code"])
        assert client.post("/api/finish", json={}, headers=headers).json() == reply.json()
        assert client.get("/api/session", headers=headers).json()["finished"] is True
    (listener,), answers = read_store(folder)
    assert (listener.participant, listener.comment, listener.setup) == ("p-1", "fine", setup)
    assert [(a.trial, a.values, a.heard, a.seconds) for a in answers] == [
        (turn.trial, given(test, turn)["values"], dict.fromkeys(turn.order, 0.5), 2.5)
        for turn in turns
    ]


def changed(**fields):
    return lambda body: body | fields


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(values={}), "values for []"),
        (changed(values={"other": 3}), "values for ['other']"),
        (lambda body: body | {"values": dict.fromkeys(body["values"], 6)}, "is no whole number"),
        (lambda body: body | {"values": dict.fromkeys(body["values"], 2.5)}, "is no whole number"),
        (lambda body: body | {"values": dict.fromkeys(body["values"], True)}, "a valid number"),
        (lambda body: body | {"values": dict.fromkeys(body["values"], "3")}, "a valid number"),
        (changed(seconds=-1), "seconds: "),
        (changed(seconds=None), "seconds: "),
        (changed(heard={"other": 1}), "heard names a stimulus that is not in this trial"),
        (changed(comment="x" * 1001), "comment: String should have at most 1000 characters"),
        (changed(trial=3), "trial: "),
        (changed(listener="another"), "listener: Extra inputs are not permitted"),
        (lambda body: {"trial": body["trial"]}, "values: Field required"),
        (lambda body: [body], "valid dictionary"),
    ],
)
def test_an_answer_that_is_none_is_refused_in_a_sentence(client, place, change, said):
    folder, test = place
    headers, number = start(client)
    body = change(given(test, test.lists[number][0]))
    reply = client.post("/api/answers", json=body, headers=headers)
    assert reply.status_code == 422
    assert said in reply.json()["detail"]
    assert read_store(folder)[1] == []


@pytest.mark.parametrize(
    "text",
    [
        '{"consent": NaN}',
        '{"consent": 1}',
        '{"consent": false}',
        '{"consent": true, "participant": "\\ud800"}',
        '{"consent": true, "\\ud800": 1}',
        '{"consent": true, "participant": "' + "x" * 65 + '"}',
        '{"consent": ' + "9" * 5000 + "}",
        "[" * 60_000,
        "{",
        "",
        "\xff",
    ],
)
def test_text_that_is_no_request_is_the_clients_fault(client, place, text):
    headers = {"Content-Type": "application/json"}
    reply = client.post("/api/session", content=text.encode("latin-1"), headers=headers)
    assert reply.status_code in (400, 422)
    assert read_store(place[0])[0] == []


@pytest.mark.parametrize("field", ["values", "heard", "seconds"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_numbers_are_finite(client, place, field, number):
    folder, test = place
    headers, list_number = start(client)
    body = given(test, test.lists[list_number][0])
    body[field] = "?" if field == "seconds" else dict.fromkeys(body[field], "?")
    text = json.dumps(body).replace('"?"', number)
    reply = client.post(
        "/api/answers", content=text, headers=headers | {"Content-Type": "application/json"}
    )
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith(f"{field}")
    assert "finite" in reply.json()["detail"] or number == "9" * 400
    assert read_store(folder)[1] == []


def test_lists_go_round(client):
    assert [start(client)[1] for _ in range(5)] == [0, 1, 0, 1, 0]


def test_pages_are_asked_for_again_and_sounds_are_kept(client, place):
    stimulus = next(iter(place[1].stimuli))
    kept = {
        "/": (200, "no-cache"),
        "/test.json": (200, "no-cache"),
        f"/stimuli/{stimulus}.wav": (200, "public, max-age=86400"),
        "/stimuli/000000000000.wav": (404, "no-store"),
        "/api/test": (200, "no-store"),
        "/api/session": (401, "no-store"),
        "/admin": (401, "no-store"),
        "/stimuli": (404, "no-store"),
        "/admin/": (307, "no-store"),
        "/docs": (404, "no-store"),
        "/redoc": (404, "no-store"),
        "/openapi.json": (404, "no-store"),
    }
    for path, (status, cache) in kept.items():
        reply = client.get(path, follow_redirects=False)
        assert (path, reply.status_code, reply.headers["cache-control"]) == (path, status, cache)
        assert "default-src 'self'" in reply.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
    etag = client.get("/test.json").headers["etag"]
    assert client.get("/test.json", headers={"If-None-Match": etag}).status_code == 304


def test_a_part_of_a_sound_can_be_asked_for(client, place):
    stimulus = next(iter(place[1].stimuli))
    whole = (place[0] / PAGE / "stimuli" / f"{stimulus}.wav").read_bytes()
    reply = client.get(f"/stimuli/{stimulus}.wav", headers={"Range": "bytes=10-19"})
    assert (reply.status_code, reply.content) == (206, whole[10:20])


def test_the_experimenter_sees_counts(client, place):
    test = place[1]
    headers, number = start(client, participant="p-1")
    answer_all(client, test, headers, number)
    client.post("/api/finish", json={"comment": "all well"}, headers=headers)
    start(client)
    reply = client.get("/admin", headers=basic(PASSWORD))
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    text = " ".join(re.sub(r"<[^>]*>", " ", reply.text).split())
    # two sentences by two systems and the reference, a check, a training
    assert (
        "listeners 2 finished 1 answers to practice 1 answers to trials 6 answers to checks 1"
    ) in text
    assert "list started finished answers 1 1 1 8 2 1 0 0" in text
    assert "p-1 1 8 of 8" in text and "all well" in text
    assert " 2 0 of 8" in text


@pytest.mark.parametrize("method", METHODS)
def test_answers_as_csv_name_what_was_judged(method, tmp_path):
    folder, test = served_folder(tmp_path / "test", method)
    values = answers_of(test, 0, lambda one: 2.0 + (test.stimuli[one].system == "alpha"))
    with TestClient(make_app(folder, PASSWORD)) as client:
        headers, number = start(client)
        answer_all(client, test, headers, number, values, comment="so, so")
        reply = client.get("/admin/answers.csv", headers=basic(PASSWORD))
        foreign = client.get("/admin/webmushra.csv", headers=basic(PASSWORD)).text
    assert reply.headers["content-disposition"] == f'attachment; filename="answers-{test.id}.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert len(rows) == sum(len(turn.order) for turn in test.lists[0])
    judged = stimulus_of(test, "alpha", "F-M/one")
    row = next(row for row in rows if row["stimulus"] == judged and row["kind"] == "trial")
    turn = next(n for n, turn in enumerate(test.lists[0], 1) if turn.trial == row["trial"])
    assert (row["system"], row["item"], row["direction"]) == ("alpha", "F-M/one", "F-M")
    assert row["value"] == ("1" if test.method.is_choice else "3")
    assert (row["heard"], row["seconds"], row["comment"]) == ("0.5", "2.5", "so, so")
    assert (row["list"], row["place"], row["test"]) == ("1", str(turn), test.id)
    assert row["x_system"] == ("beta" if method == "abx" else "")
    path = tmp_path / "results.csv"
    path.write_text(foreign)
    assert {a.trial: a.values for a in read_webmushra(test, [path])[1]} == values


# The command


def run(folder, *options, **environment):
    done = subprocess.run(
        [*COMMAND, str(folder), *options], capture_output=True, text=True, env=environment
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_leaves_one_file(place, by):
    folder, test = place
    with serving(folder) as server:
        token, number = server.start()
        body = given(test, test.lists[number][0])
        assert server.ask("POST", "/api/answers", body, token).status == 201
        assert server.stop(by) == 0
    before = {path: path.read_bytes() for path in folder.glob("answers*")}
    assert list(before) == [folder / FILE]
    assert [a.values for a in read_store(folder)[1]] == [body["values"]]
    assert {path: path.read_bytes() for path in folder.glob("answers*")} == before


def test_a_test_is_served_once_and_a_port_once(place, tmp_path):
    other, _ = served_folder(tmp_path / "other")
    with serving(place[0]) as server:
        code, said = run(place[0], "--port", "0")
        assert (code, said.count("\n")) == (2, 1)
        assert f"another process is serving {place[0]}" in said
        code, said = run(other, "--port", str(server.port))
        assert (code, said.count("\n")) == (2, 1)
        assert f"cannot listen at port {server.port} of 127.0.0.1: Address already in use" in said
        assert server.ask("GET", "/api/test").status == 200


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--host", "no.such.host.invalid"], {}, "cannot listen at port 8000 of no.such.host"),
        ([], {"VOICECONV_ADMIN_PASSWORD": "short"}, "has 5 characters; take 8 or more"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(place, options, environment, said):
    code, error = run(place[0], *options, **environment)
    assert (code, error.count("\n")) == (2, 1)
    assert said in error


def test_answers_to_another_test_are_not_mixed_with_these(place, tmp_path):
    with closing(Store(place[0] / FILE)) as store:
        store.add(Listener("a", 0, "", origin="a.json"), [Answer("a", "another trial", {})])
    code, said = run(place[0], "--port", "0")
    assert (code, said.count("\n")) == (2, 1)
    assert f"{place[0] / FILE} holds answers to another test; move it away" in said


def test_no_test_is_one_sentence(tmp_path):
    code, said = run(tmp_path)
    assert (code, said.count("\n")) == (2, 1)
    assert "holds no listening test" in said
    assert list(tmp_path.iterdir()) == []


def test_it_prints_where_it_is_and_invitations_that_work_once_each(place):
    with serving(place[0], "--invitations", "2") as server:
        addresses = server.said("invitation")
        home = f"http://127.0.0.1:{server.port}/"
        assert server.said("listeners") == [home]
        assert server.said("experimenter") == [f"{home}admin"]
        first, second = (address.removeprefix(f"{home}?invitation=") for address in addresses)
        assert server.ask("GET", "/api/test").json["invitation_needed"] is True
        assert server.ask("POST", "/api/session", {"consent": True}).status == 403
        started = [server.start(invitation=one) for one in (first, second, first)]
        assert [number for _, number in started] == [0, 1, 0]
    assert len(read_store(place[0])[0]) == 2


def test_the_password_is_in_no_file_and_stays_that_of_the_environment(place):
    with serving(place[0]) as server:
        (password,) = server.said("password")
        assert len(password) == 16
        assert server.ask("GET", "/admin", password=password).status == 200
        files = [path.read_bytes() for path in place[0].rglob("*") if path.is_file()]
        assert not any(password.encode() in content for content in files)
        assert server.stop(signal.SIGTERM) == 0
    with serving(place[0], VOICECONV_ADMIN_PASSWORD="of my own \u00e9") as server:
        assert server.said("password") == ["that of VOICECONV_ADMIN_PASSWORD"]
        assert server.ask("GET", "/admin", password="of my own \u00e9").status == 200


def test_it_answers_on_loopback_alone(place):
    with serving(place[0]) as server, socket.socket() as other:
        other.settimeout(5)
        with pytest.raises(OSError):
            other.connect(("127.0.0.2", server.port))


def test_other_machines_are_served_with_a_warning(place):
    code = (
        "import sys; from voiceconv.listen.serving import server; server.run = lambda *_: None; "
        "server.serve(__import__('pathlib').Path(sys.argv[1]), '0.0.0.0', 0); "
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(place[0])], capture_output=True, text=True, check=True
    )
    assert "cross the network unencrypted; put a server with TLS in front" in done.stderr
    assert f"listeners: http://{socket.gethostname()}:" in done.stdout


def test_without_the_page_nothing_is_served(place):
    (place[0] / "page/index.html").unlink()
    with pytest.raises(InputError, match="page is not there; build the test anew, or restore it"):
        make_app(place[0], PASSWORD)


def test_a_test_that_is_moved_away_takes_no_answers_until_it_is_back(place, client, tmp_path):
    folder, test = place
    headers, number = start(client)
    body = given(test, test.lists[number][0])
    folder.rename(tmp_path / "elsewhere")
    assert client.post("/api/answers", json=body, headers=headers).status_code == 503
    assert client.post("/api/session", json={"consent": True}).status_code == 503
    assert client.get("/admin", headers=basic(PASSWORD)).status_code == 503
    (tmp_path / "elsewhere").rename(folder)
    assert client.post("/api/answers", json=body, headers=headers).status_code == 201


def test_monitors_may_ask_for_the_head(client):
    reply = client.head("/")
    assert (reply.status_code, reply.content) == (200, b"")
