"""Tasks on a Dask cluster: the contract of local processes, whatever dies on the way."""

import logging
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import nullcontext
from pathlib import Path

import dask_places
import pytest
from dask_places import Place
from distributed.comm import CommClosedError

from voiceconv import __version__
from voiceconv.errors import InputError, RunError
from voiceconv.executors import child, open_executor
from voiceconv.executors.child import Run, work
from voiceconv.executors.dask import DaskExecutor, _Work
from voiceconv.workers import Message


def run(
    place: Place,
    tasks: list[str],
    retries: int = 0,
    setup: Callable[..., object] = dask_places.looking,
    words: tuple[str, ...] = ("word",),
    wait: float = 60.0,
    places: tuple[Path, ...] = (),
) -> list[tuple[str, str | None, object]]:
    """(task, error, result) in the order of their ends."""
    with open_executor("dask", place.address, None, wait, places) as executor:
        assert executor is not None
        outcomes = executor(tasks, setup, lambda number: words, None, retries)
        return [(outcome.task, outcome.error, outcome.result) for outcome in outcomes]


def test_each_task_has_its_end_and_logs_are_said_once(place, tmp_path, monkeypatch, caplog):
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path / "ours")
    tasks = ["a", "kill", "raise", "warn", "warn again", *map(str, range(40))]
    ended = {task: (error, result) for task, error, result in run(place, tasks, retries=1)}
    assert sorted(ended) == sorted(tasks)
    assert ended["kill"] == ("the worker process was killed by signal 9", None)
    assert ended["raise"] == ("ValueError: two lines", None)
    for task in ("a", "7", "39"):
        assert ended[task][1][:3] == ("word", task, str(tmp_path / "ours"))
    assert caplog.messages == ["a.wav is odd"]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_run_ends_where_a_process_says_so_and_the_workers_serve_the_next(place, tmp_path):
    with pytest.raises(RunError, match="^.+: the disk is full$"):
        run(place, ["give-up", "a"])
    with pytest.raises(RunError, match="^.+: ValueError: no model$"):
        run(place, ["a"], setup=dask_places.failing, words=())
    hidden = tmp_path / "not there"
    hidden.mkdir()
    with open_executor("dask", place.address, None, None, [hidden]) as executor:
        told = executor._run(nullcontext, ())
        hidden.rmdir()  # what a machine without this file system sees
    answers = work(told, [b""])
    assert answers.fatal == f"it cannot read {hidden}; all machines need one shared file system"
    assert [error for _, error, _ in run(place, ["a", "b"])] == [None, None]


def test_two_runs_on_one_scheduler_do_not_meet(place):
    found: dict[str, list[tuple[str, str | None, object]]] = {}

    def one(word: str) -> None:
        found[word] = run(place, [f"sleep 0.0{n}" for n in range(8)], words=(word,))

    threads = [threading.Thread(target=one, args=(word,)) for word in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for word, ended in found.items():
        assert [result[0] for *_, result in ended] == [word] * 8
    processes = [{result[3] for *_, result in ended} for ended in found.values()]
    assert not processes[0] & processes[1]


def test_a_killed_workers_task_is_done_again_by_another(place, tmp_path):
    place.add_worker()
    ended = run(place, [f"kill-worker {tmp_path / 'flag'}", "a", "b"])
    assert sorted((task.split()[0], error) for task, error, _ in ended) == [
        ("a", None), ("b", None), ("kill-worker", None)
    ]  # fmt: skip
    assert "done again" in [result for *_, result in ended]
    assert sum(worker.poll() is not None for worker in place.workers) == 1


def test_processes_that_die_at_their_start_cost_no_task_and_end_the_run(place, tmp_path):
    folder = (str(tmp_path),)
    tasks = [f"{n}" for n in range(9)]
    ended = run(place, tasks, setup=dask_places.dying_twice, words=folder)
    assert sorted(ended) == [(task, None, task) for task in tasks]
    with pytest.raises(RunError, match=r"^processes don't start on .+: .* killed by signal 6$"):
        run(place, tasks, setup=dask_places.dying, words=())


def test_a_process_whose_patience_ends_is_replaced_and_reaped(tmp_path, monkeypatch):
    def now() -> Run:
        payload = pickle.dumps((str(tmp_path), [], dask_places.looking, ("w",), logging.INFO))
        return Run(tmp_path.name, __version__, payload)

    def one(task: str) -> Message:
        answers = work(now(), [pickle.dumps(task)])
        assert (answers.fatal, answers.not_started) == (None, None)
        return pickle.loads(answers.ends[0])

    def taken(run: Run) -> object:
        idle = child._idle[run.token].pop()
        child._busy[run.token].append(idle)
        idle.connection.send_bytes(pickle.dumps(None))  # it ends, as after its patience
        idle.process.wait()
        return idle

    monkeypatch.setenv("PYTHONPATH", dask_places.ENVIRONMENT["PYTHONPATH"])
    try:
        first = one("a").result[3]
        with monkeypatch.context() as patch:
            patch.setattr(child, "_take", taken)
            assert one("b").result[:2] == ("w", "b")  # sent, and lost, then sent again
        (other,) = child._idle[tmp_path.name]
        assert other.process.pid != first and not child._busy[tmp_path.name]
        assert one("exit").error == "the worker process ended with exit code 0"  # its own doing
        assert one("c").result[1] == "c"
        (last,) = child._idle[tmp_path.name]
    finally:
        child.stop(tmp_path.name)
    assert last.process.returncode is not None
    assert work(now(), [b""]).fatal == "the run is over"
    assert not child._busy[tmp_path.name]


def test_a_task_that_has_failed_goes_by_itself():
    todo = _Work(list(range(12)), retries=1, n_done=100, seconds=1.0)
    todo.n_done, todo.tried = 100, {2: 1, 3: 1}
    assert [todo.take(1) for _ in range(4)] == [[0, 1], [2], [3], [4, 5, 6, 7]]


def test_a_worker_of_another_version_is_refused():
    answers = work(Run("token", "0.0.1", b""), [b""])
    assert answers.fatal is not None
    assert answers.fatal.startswith("it has voiceconv ") and "this is 0.0.1" in answers.fatal


def test_a_lost_scheduler_is_waited_for(tmp_path, caplog):
    place = Place(tmp_path)
    try:
        place.add_worker()
        address = place.address

        def lose() -> None:
            time.sleep(1.5)
            place.scheduler.kill()
            place.scheduler.wait()
            place.start()
            place.add_worker()

        loser = threading.Thread(target=lose)
        loser.start()
        tasks = [f"sleep 0.{n}" for n in range(3, 9)]
        ended = run(place, tasks)
        loser.join()
        assert sorted(task for task, error, _ in ended if error is None) == tasks
        assert caplog.messages == [f"the scheduler at {address} is lost; waiting 60 s for it"]
        with open_executor("dask", address, None, 60.0) as executor:
            lose()  # before the call
            again = [*executor(["a"], dask_places.looking, lambda number: ("w",), None, 0)]
        assert again[0].result[:2] == ("w", "a")
        threading.Timer(1.5, place.scheduler.kill).start()
        with pytest.raises(RunError, match="did not come back in 1 s; .* the same command cont"):
            run(place, tasks, wait=1.0)
    finally:
        place.end()
    with pytest.raises(InputError, match=r"^--scheduler tcp://127\.0\.0\.1:\d+: .*dask scheduler"):
        run(place, ["a"])


@pytest.mark.parametrize(
    ("status", "error", "raised"),
    [
        ("finished", CommClosedError("Stream is closed"), "_LostError"),  # while it is fetched
        ("error", CommClosedError("Stream is closed"), "_LostError"),
        ("cancelled", CancelledError(), "_LostError"),
        ("error", ModuleNotFoundError("No module named 'voiceconv'"), "RunError"),
    ],
)
def test_an_answer_that_does_not_arrive_is_a_lost_scheduler_and_a_workers_error_is_none(
    status, error, raised
):
    class Broken:
        def result(self) -> None:
            raise error

    future = Broken()
    future.status = status
    executor = DaskExecutor(lambda timeout: None, "the scheduler", [])
    with pytest.raises(Exception) as found:
        executor._answers(future)
    assert found.typename == raised


def test_nothing_outlives_a_run(place):
    ((_, _, result),) = run(place, ["a"])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _is_alive(result[3]):
        time.sleep(0.05)
    assert not _is_alive(result[3])


def _is_alive(number: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
