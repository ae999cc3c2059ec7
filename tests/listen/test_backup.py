"""A copy of the answers while they are served: what it holds, and what is said of what it lacks."""

import logging
import shutil
import time

import pytest
from fastapi.testclient import TestClient
from serving import given, served_folder

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer, Listener, Store, read_store
from voiceconv.listen.database import FILE, back_up
from voiceconv.listen.manifest import FILE as MANIFEST
from voiceconv.listen.serving import server

LOG = f"{FILE}-wal"


@pytest.fixture
def live(tmp_path):
    """A folder whose database is open, with one answer that is only in its log."""
    folder = tmp_path / "test"
    folder.mkdir()
    store = Store(folder / FILE)
    store.add(Listener("a", 0, "", origin="x"), [Answer("a", "t1", {"s": 3.0})])
    store.carry_over()
    store.add(Listener("a", 0, "", origin="x"), [Answer("a", "t2", {"s": 3.0})])
    yield folder, store
    store.close()


def trials(folder):
    return [answer.trial for answer in read_store(folder)[1]]


def carried_over(copy, trial):
    """Whether a copy has the trial; one that was made during a write may not be readable."""
    try:
        return trials(copy) == [trial]
    except InputError:
        return False


def alone(folder, to):
    """The copy that somebody makes of the one file."""
    to.mkdir()
    shutil.copy(folder / FILE, to)
    return to


def test_a_copy_without_its_log_is_named_and_stays_as_it_is(live, tmp_path, caplog):
    copy = alone(live[0], tmp_path / "copy")
    before = (copy / FILE).read_bytes()
    for _ in range(2):  # reading it makes no log that would hide that it is missing
        caplog.clear()
        assert trials(copy) == ["t1"]
        assert caplog.messages == [
            f"{copy / FILE} was copied while it was served, without {LOG}: the newest answers may "
            "be missing; copy both files, or use voiceconv listen backup"
        ]
    assert [one.name for one in copy.iterdir()] == [FILE]
    assert (copy / FILE).read_bytes() == before
    caplog.clear()
    Store(copy / FILE).close()  # an import says so, too
    assert len(caplog.messages) == 1 and LOG in caplog.messages[0]


def test_a_copy_without_its_log_has_the_tables_from_the_start(tmp_path):
    """Once the tables were in the log only: the copy was refused as unreadable."""
    folder = tmp_path / "test"
    folder.mkdir()
    store = Store(folder / FILE)
    assert trials(alone(folder, tmp_path / "copy")) == []
    store.close()


def test_a_copy_of_both_files_is_complete_and_nothing_is_said(live, tmp_path, caplog):
    copy = alone(live[0], tmp_path / "copy")
    shutil.copy(live[0] / LOG, copy)
    assert trials(copy) == trials(live[0]) == ["t1", "t2"]
    assert caplog.messages == []


def test_what_is_carried_over_is_in_the_one_file(live, tmp_path):
    live[1].carry_over()
    assert trials(alone(live[0], tmp_path / "copy")) == ["t1", "t2"]


def test_the_server_carries_answers_over(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "CARRIED_OVER", 0.01)
    folder, test = served_folder(tmp_path / "test")
    with TestClient(server.make_app(folder, "correct horse")) as client:
        token = client.post("/api/session", json={"consent": True}).json()["token"]
        turn = test.lists[0][0]
        headers = {"Authorization": f"Bearer {token}"}
        client.post("/api/answers", json=given(test, turn), headers=headers)
        deadline = time.monotonic() + 20
        for number in range(1_000):
            copy = alone(folder, tmp_path / f"copy{number}")
            if carried_over(copy, turn.trial):
                break
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert (folder / LOG).stat().st_size > 0  # it is being served


def test_a_backup_has_all_in_one_file(live, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    copy = tmp_path / "copy"
    copy.mkdir()
    assert back_up(live[0], copy / FILE) == 2
    assert [one.name for one in copy.iterdir()] == [FILE]
    assert trials(copy) == ["t1", "t2"]
    assert caplog.messages == []


def test_a_backup_replaces_nothing_and_leaves_nothing_half_written(live, tmp_path):
    folder, _ = live
    before = sorted(one.name for one in folder.iterdir())
    with pytest.raises(InputError, match="is there already; choose another name for the copy"):
        back_up(folder, folder / FILE)
    with pytest.raises(InputError, match="cannot write .*: No such file or directory; choose"):
        back_up(folder, tmp_path / "nowhere" / FILE)
    (folder / FILE).rename(folder / MANIFEST)
    with pytest.raises(InputError, match="nobody has answered yet"):
        back_up(folder, tmp_path / "copy.sqlite")
    (folder / MANIFEST).rename(folder / FILE)
    assert sorted(one.name for one in folder.iterdir()) == before
    assert not (tmp_path / "copy.sqlite").exists()
