"""The store: balanced lists, tokens that are not kept, answers that stay as they were."""

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from voiceconv.errors import InputError
from voiceconv.listen.answers import (
    Answer,
    AnsweredError,
    Listener,
    NotInvitedError,
    Store,
    UnansweredError,
    read_progress,
    read_store,
)
from voiceconv.listen.database import FILE


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / FILE)
    yield store
    store.close()


def answer(listener, trial, value=3.0, **more):
    return Answer(listener, trial, {"s": value}, {"s": 1.5}, 4.25, **more)


def id_of(store, token):
    return store.listener(token).id


def test_the_least_used_list_comes_next(store):
    assert [store.start(3)[1] for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_who_has_left_long_ago_leaves_the_place_in_a_list_to_another(store, tmp_path):
    tokens = [store.start(2)[0] for _ in range(2)]
    store.finish(id_of(store, tokens[1]), 0, "")
    long_ago = "2020-01-01T00:00:00.000+00:00"
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE listeners SET started = ?", (long_ago,))
    # list 0: nobody who counts; list 1: one who has finished, however long ago
    assert [store.start(2)[1] for _ in range(3)] == [0, 0, 1]


def test_lists_stay_balanced_when_all_come_at_once(store):
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: store.start(4)[1], range(80)))
    assert [lists.count(number) for number in range(4)] == [20, 20, 20, 20]


def test_of_a_token_only_its_digest_is_kept(store, tmp_path):
    (invitation,) = store.invite(1)
    token, _ = store.start(1, invitation=invitation)
    assert token == invitation and len(token) == 32  # 24 bytes
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in kept
    assert hashlib.sha256(token.encode()).hexdigest().encode() in kept


def test_an_answer_is_read_as_it_was_given(store, tmp_path):
    token, _ = store.start(1, participant="p-1")
    one = id_of(store, token)
    store.set_up(one, {"device": "headphones", "headphone_check": [5, 6]})
    first = answer(
        one, "t1", comment="hm\0 \u00e9 \U0001f600", answered="2026-01-01T00:00:00+00:00"
    )
    assert store.answer(first) == 1
    assert store.answer(answer(one, "t0")) == 2
    assert store.answered(one) == ["t1", "t0"]
    (listener,), answers = read_store(tmp_path)
    assert answers[0] == first
    assert answers[1].answered > "2026-01"
    assert listener == store.listener(token)
    assert (listener.participant, listener.list, listener.finished) == ("p-1", 0, None)
    assert listener.setup == {"device": "headphones", "headphone_check": [5, 6]}


def test_the_first_answer_stays(store, tmp_path):
    one = id_of(store, store.start(1)[0])
    store.answer(answer(one, "t", 1.0))
    with pytest.raises(AnsweredError):
        store.answer(answer(one, "t", 5.0))
    assert [a.values for a in read_store(tmp_path)[1]] == [{"s": 1.0}]


def test_threads_lose_no_answer(store, tmp_path):
    listeners = [id_of(store, store.start(1)[0]) for _ in range(4)]
    sent = {(one, f"t{n}"): float(n) for one in listeners for n in range(50)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: store.answer(answer(*item[0], item[1])), sent.items()))
    assert {(a.listener, a.trial): a.values["s"] for a in read_store(tmp_path)[1]} == sent


def test_every_commit_is_written_ahead_and_synced(store):
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_who_has_answered_all_finishes_once(store, tmp_path):
    one = id_of(store, store.start(1)[0])
    store.answer(answer(one, "t"))
    with pytest.raises(UnansweredError):
        store.finish(one, 2, "early")
    code = store.finish(one, 1, "thanks")
    assert len(code) == 8 and code != one
    assert store.finish(one, 1, "again") == code
    (listener,) = read_store(tmp_path)[0]
    assert (listener.comment, listener.code) == ("thanks", code)
    assert listener.finished >= listener.started


def test_an_invitation_is_for_one_session_and_gives_it_back(store, tmp_path):
    assert not store.needs_invitation
    first, second = store.invite(2)
    assert store.needs_invitation
    for wrong in (None, "", "guessed"):
        with pytest.raises(NotInvitedError):
            store.start(3, invitation=wrong)
    assert store.start(3, invitation=first) == (first, 0)
    assert store.start(3, invitation=second) == (second, 1)
    assert store.start(3, invitation=first) == (first, 0)
    assert len(read_store(tmp_path)[0]) == 2


def test_what_comes_from_a_file_counts_once(store, tmp_path):
    listener = Listener("abc", 1, "2026-01-01T10:00:00+00:00", origin="a.json")
    answers = [answer("abc", "t1"), answer("abc", "t2")]
    assert store.add(listener, answers[:1]) == (1, 0, 0)
    end = listener._replace(finished="2026-01-01T11:00:00+00:00", comment="done")
    assert store.add(end, answers) == (1, 1, 0)
    assert store.add(end._replace(comment="other"), answers) == (0, 2, 0)
    assert read_store(tmp_path)[0] == [end]
    assert [a.trial for a in read_store(tmp_path)[1]] == ["t1", "t2"]


def test_other_values_are_counted_and_the_first_stay(store, tmp_path):
    listener = Listener("abc", 1, "", origin="a.json")
    store.add(listener, [answer("abc", "t1", 3.0), answer("abc", "t2", 4.0)])
    later = [answer("abc", "t1", 3), answer("abc", "t2", 5.0), answer("abc", "t3", 1.0)]
    assert store.add(listener, later) == (1, 1, 1)
    assert [a.values for a in read_store(tmp_path)[1]] == [{"s": 3.0}, {"s": 4.0}, {"s": 1.0}]


def test_all_files_are_kept_or_none(store, tmp_path):
    known = Listener("abc", 1, "", origin="a.json")
    store.add(known, [answer("abc", "t1")])
    good = ([Listener("def", 0, "", origin="b.json")], [answer("def", "t1")])
    bad = ([known._replace(list=0, origin="c.json")], [answer("abc", "t2")])
    with pytest.raises(InputError, match="c.json: listener abc has list 1 in it, and list 2 in a"):
        store.add_all([good, bad])
    assert [one.id for one in read_store(tmp_path)[0]] == ["abc"]
    assert [a.trial for a in read_store(tmp_path)[1]] == ["t1"]
    assert store.add_all([good, ([known], [answer("abc", "t2")])]) == [(1, 0, 0), (1, 0, 0)]


def test_no_file_speaks_for_a_listener_of_the_server(store, tmp_path):
    one = id_of(store, store.start(1)[0])
    with pytest.raises(InputError, match=f"a.json: listener {one} has answered on the server"):
        store.add(Listener(one, 0, "", origin="a.json"), [answer(one, "t")])
    assert read_store(tmp_path)[1] == []


def test_progress_counts(store, tmp_path):
    one, two = (id_of(store, store.start(1)[0]) for _ in range(2))
    for who, trial, comment in [(one, "a", ""), (one, "b", "1"), (two, "a", "2"), (two, "b", "3")]:
        store.answer(answer(who, trial, comment=comment))
    store.answer(answer(two, "c"))
    progress = read_progress(tmp_path, n_comments=2)
    assert progress.by_listener == {one: 2, two: 3}
    assert progress.by_trial == {"a": 2, "b": 2, "c": 1}
    assert [a.comment for a in progress.comments] == ["3", "2"]


def test_reading_needs_a_store_of_this_version(tmp_path):
    with pytest.raises(InputError, match="nobody has answered yet: .* holds no answers.sqlite"):
        read_store(tmp_path)
    path = tmp_path / FILE
    path.write_text("no database, but long enough to look like one" * 100)
    for opened in (lambda: read_store(tmp_path), lambda: Store(path)):
        with pytest.raises(InputError, match="file is not a database"):
            opened()
    path.unlink()
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    for opened in (lambda: read_store(tmp_path), lambda: Store(path)):
        with pytest.raises(InputError, match="is of version 2, not 1"):
            opened()


def test_another_programs_database_stays_as_it_is(tmp_path):
    path = tmp_path / FILE
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(InputError, match="is of version 0, not 1"):
        Store(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be opened as a database to write to"):
        Store(tmp_path / "missing" / FILE)
