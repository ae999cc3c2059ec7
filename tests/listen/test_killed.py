"""A server that is killed, or that cannot write: what it has acknowledged is there."""

import http.client
import json
import resource
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from serving import PATIENCE, given, served_folder, serving

from voiceconv.listen.answers import read_store
from voiceconv.listen.database import FILE


def kept(folder):
    """Participant and trial -> values."""
    listeners, answers = read_store(folder)
    names = {one.id: one.participant for one in listeners}
    return {(names[one.listener], one.trial): dict(one.values) for one in answers}


def test_a_server_killed_between_answers_loses_none(tmp_path):
    folder, test = served_folder(tmp_path / "test")
    acknowledged = {}
    token = None
    for turn in test.lists[0]:
        with serving(folder) as server:
            if token is None:
                token, number = server.start(participant="p")
                assert number == 0
            state = server.ask("GET", "/api/session", token=token).json
            assert state["answered"] == [trial for _, trial in acknowledged]
            body = given(test, turn, 1 + len(acknowledged) % 5)
            assert server.ask("POST", "/api/answers", body, token).status == 201
            acknowledged["p", turn.trial] = body["values"]
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        assert kept(folder) == acknowledged
    with serving(folder) as server:
        for turn in test.lists[0]:
            assert server.ask("POST", "/api/answers", given(test, turn), token).status == 409
        assert server.ask("POST", "/api/finish", {}, token).status == 200
    assert kept(folder) == acknowledged


def test_a_server_killed_under_load_loses_no_answer_that_it_acknowledged(tmp_path):
    folder, test = served_folder(tmp_path / "test", items=[f"A-B/{n}" for n in range(40)])
    acknowledged = {}
    for round_ in range(3):
        with serving(folder) as server:
            enough = threading.Event()

            def listen(name, server=server, enough=enough):
                token, number = server.start(participant=name)
                for turn in test.lists[number]:
                    body = given(test, turn, 1 + len(acknowledged) % 5)
                    try:
                        reply = server.ask("POST", "/api/answers", body, token)
                    except (OSError, http.client.HTTPException, json.JSONDecodeError):
                        return  # killed before it was acknowledged
                    assert reply.status == 201
                    acknowledged[name, turn.trial] = body["values"]
                    if len(acknowledged) % 60 == 59:
                        enough.set()

            with ThreadPoolExecutor(8) as pool:
                names = [f"{round_}-{n}" for n in range(8)]
                running = [pool.submit(listen, name) for name in names]
                assert enough.wait(PATIENCE)
                server.stop(signal.SIGKILL)
            for one in running:
                one.result()
        found = kept(folder)
        assert {key: found.get(key) for key in acknowledged} == acknowledged
        assert len(found) - len(acknowledged) <= 8 * (round_ + 1)  # kept, and killed before a word
    assert len(acknowledged) >= 150


def limit_files(pid, size):
    """No file of a process may grow beyond this: its disk is full."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_on_a_full_disk_no_answer_is_acknowledged(tmp_path):
    folder, test = served_folder(tmp_path / "test")
    with serving(folder) as server:
        token, number = server.start(participant="p")
        first, second, *_ = test.lists[number]
        assert server.ask("POST", "/api/answers", given(test, first), token).status == 201
        limit_files(server.process.pid, 0)  # of a log that was carried over the start is used again
        for _ in range(3):
            reply = server.ask("POST", "/api/answers", given(test, second), token)
            said = {"detail": "the server cannot keep answers at the moment"}
            assert (reply.status, reply.json) == (503, said)
        assert server.ask("POST", "/api/session", {"consent": True}).status == 503
        assert server.ask("GET", "/api/session", token=token).json["answered"] == [first.trial]
        assert server.ask("GET", "/").status == 200
        limit_files(server.process.pid, resource.RLIM_INFINITY)
        assert server.ask("POST", "/api/answers", given(test, second), token).json == {
            "answered": 2
        }
    assert [trial for _, trial in kept(folder)] == [first.trial, second.trial]


def test_a_database_that_somebody_else_writes_to_is_waited_for(tmp_path):
    folder, test = served_folder(tmp_path / "test")
    with serving(folder) as server:
        token, number = server.start(participant="p")
        other = sqlite3.connect(folder / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            body = given(test, test.lists[number][0])
            waiting = pool.submit(server.ask, "POST", "/api/answers", body, token)
            time.sleep(0.3)
            assert not waiting.done()
            other.execute("ROLLBACK")
            assert waiting.result().status == 201
        other.close()
    assert len(kept(folder)) == 1
