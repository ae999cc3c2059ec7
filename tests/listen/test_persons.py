"""One person is one listener: the server goes on with a participant, the report joins sessions."""

import pytest
from fastapi.testclient import TestClient
from listened import listened
from serving import given, served_folder
from tiny_test import answers_of, tiny_test

from voiceconv.listen.analysis.analyse import analyse
from voiceconv.listen.analysis.persons import by_person
from voiceconv.listen.answers import Answer, Listener, Store, read_store
from voiceconv.listen.database import FILE
from voiceconv.listen.manifest import TRIAL
from voiceconv.listen.reporting.paragraph import paragraph
from voiceconv.listen.serving.server import make_app


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / FILE)
    yield store
    store.close()


def test_a_participant_who_comes_again_goes_on(tmp_path):
    folder, test = served_folder(tmp_path / "test")
    with TestClient(make_app(folder, "correct horse")) as client:
        sessions = [
            client.post("/api/session", json={"consent": True, "participant": who}).json()
            for who in ("P7", " P7 ", "p8", None, None, "")
        ]
        first, again = ({"Authorization": f"Bearer {one['token']}"} for one in sessions[:2])
        one, other = test.lists[0][:2]
        client.post("/api/answers", json=given(test, one), headers=first)
        state = client.get("/api/session", headers=again).json()
        assert state == {"list": 0, "answered": [one.trial], "finished": False}
        reply = client.post("/api/answers", json=given(test, other), headers=again)
        assert reply.json() == {"answered": 2}
        reply = client.post("/api/answers", json=given(test, other, 2), headers=first)
        assert reply.status_code == 409  # the first answer stays, whichever window it came from
    assert [one["list"] for one in sessions] == [0, 0, 1, 0, 1, 0]
    listeners, answers = read_store(folder)
    assert [one.participant for one in listeners] == ["P7", "p8", None, None, None]
    assert {answer.listener for answer in answers} == {listeners[0].id}


def test_tokens_of_a_participant_all_stay_good_and_are_kept_as_digests(store, tmp_path):
    tokens = [store.start(2, "P7")[0] for _ in range(3)]
    assert len(set(tokens)) == 3
    assert len({store.listener(token).id for token in tokens}) == 1
    assert store.listener("another") is None
    stored = (tmp_path / FILE).read_bytes() + (tmp_path / f"{FILE}-wal").read_bytes()
    assert not any(token.encode() in stored for token in tokens)


def test_an_imported_participant_is_no_session_of_the_server(store):
    store.add(Listener("00ff00ff", 1, "", participant="P7", origin="answers.json"), [])
    token, number = store.start(2, "P7")
    assert store.listener(token).id != "00ff00ff"


def test_sessions_of_a_participant_are_one_listener_with_the_earlier_answers():
    sessions = [
        Listener("a", 0, "1", participant="P7", comment="hum"),
        Listener("b", 1, "2", participant="P7 ", comment="fine"),
        Listener("c", 1, "3"),
        Listener("d", 1, "4"),
    ]
    answers = [
        Answer("b", "t1", {"s": 2.0}, answered="2"),
        Answer("b", "t2", {"s": 3.0}, answered="3"),
        Answer("a", "t1", {"s": 1.0}, answered="1"),  # imported later, given before
        Answer("c", "t1", {"s": 4.0}, answered="4"),
    ]
    people, counted, (note,) = by_person(sessions, answers)
    assert [(one.id, one.list, one.comment) for one in people] == [
        ("b", 1, "hum\nfine"),
        ("c", 1, ""),
        ("d", 1, ""),
    ]
    assert [(one.listener, one.trial, one.values["s"]) for one in counted] == [
        ("b", "t1", 1),
        ("b", "t2", 3),
        ("c", "t1", 4),
    ]
    assert note.startswith("2 sessions are of 1 participant: each counts as one listener")
    assert by_person(sessions[1:], answers) == (sessions[1:], answers, [])


def test_the_report_counts_persons(tmp_path):
    """Screening, numbers of listeners and intervals are those of the joined answers."""
    folder = tmp_path / "test"
    test = listened(folder, "mos", n_listeners=4, careless=1)
    listeners, answers = read_store(folder)
    named = [one._replace(participant=f"P{n % 3}") for n, one in enumerate(listeners)]
    analysis = analyse(test, named, answers)
    assert [one.n_listeners for one in analysis.systems.values()] == [2, 2, 2]
    assert len(analysis.screened) == 3 and analysis.n_kept == 2
    assert analysis.notes[0].startswith("2 sessions are of 1 participant")
    assert paragraph(analysis).startswith("Three listeners took part, of whom one was screened out")
    joined, again, _ = by_person(named, answers)
    alone = analyse(test, [one._replace(participant=None) for one in joined], again)
    assert alone.systems == analysis.systems and alone.contrasts == analysis.contrasts


def test_a_person_with_two_lists_has_answered_both():
    test = tiny_test("mos", checks=False)
    pair = [Listener(name, n, "", participant="P7") for n, name in enumerate("ab")]
    answers = [
        Answer(one.id, trial, values, answered=f"{one.list}")
        for one in pair
        for trial, values in answers_of(test, one.list, lambda name: 1 + int(name, 16) % 5).items()
    ]
    (only,) = analyse(test, pair, answers).screened
    trials = {one.trial for one in answers if test.trials[one.trial].kind == TRIAL}
    assert (only.listener, only.n_answers, only.kept) == ("a", len(trials), True)
