"""A listener, the page and the server: reloads and kills on the way, and all that was answered."""

import signal
import threading
from importlib import resources
from pathlib import Path

import pytest
from listener import Listener, middling
from serving import serving
from tiny_test import tiny_folder, tiny_test

from voiceconv.listen.answers import read_store
from voiceconv.listen.manifest import PAGE
from voiceconv.listen.methods import METHODS

KILLED = {"mushra", "ab"}  # many sliders, and one choice


class Fragile:
    """A server that is killed and started again at the same address, as often as one likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.n_kills = 0
        self._start()

    def _start(self) -> None:
        self._running = serving(self.folder, "--port", str(self.port))
        self._server = self._running.__enter__()
        self.port = self._server.port

    def kill(self) -> None:
        assert self._server.stop(signal.SIGKILL) == -signal.SIGKILL
        self._running.__exit__(None, None, None)
        self.n_kills += 1

    def kill_and_start(self) -> None:
        self.kill()
        self._start()

    def kill_and_start_later(self) -> None:
        self.kill()
        threading.Timer(0.5, self._start).start()

    def close(self) -> None:
        self._running.__exit__(None, None, None)


@pytest.fixture
def fragile(tmp_path, request):
    test = tiny_test(request.param)
    folder = tiny_folder(tmp_path / "test", test)
    with resources.as_file(resources.files("voiceconv.listen") / "page") as page:
        for path in page.iterdir():
            (folder / PAGE / path.name).write_bytes(path.read_bytes())
    server = Fragile(folder)
    yield server, test
    server.close()


@pytest.mark.slow
@pytest.mark.parametrize("fragile", METHODS, indirect=True)
def test_every_answer_arrives_whatever_happens_to_page_and_server(fragile, browser, tmp_path):
    """By every method; the server, which keeps all answers alike, is killed in two journeys."""
    server, test = fragile
    n_kills = 2 if test.method.name in KILLED else 0
    page = browser.new_page()
    n_answered = 0

    def answer(asked):
        if n_kills and n_answered == 1:  # what is answered now finds no server, and is sent again
            server.kill_and_start_later()
        return middling(asked)

    def after(asked):
        nonlocal n_answered
        n_answered += 1
        if n_answered == 1:
            page.reload()
        elif n_kills and n_answered == 3:  # between two answers
            server.kill_and_start()

    listener = Listener(page, answer, after=after, comment="<b>fine</b>")
    page.goto(f"http://127.0.0.1:{server.port}/?id=P-1")
    listener.take()
    assert server.n_kills == n_kills

    (one,), answers = read_store(tmp_path / "test")
    assert {a.trial: dict(a.values) for a in answers} == listener.answered
    assert [a.trial for a in answers] == [turn.trial for turn in test.lists[0]]
    for a in answers:
        trial = test.trials[a.trial]
        sounds = {*trial.shown, trial.reference, trial.x} - {None}
        assert set(a.heard) == sounds
        needed = test.method.min_heard or float("inf")
        for name, seconds in a.heard.items():
            length = test.stimuli[name].seconds
            assert min(needed, 0.9 * length) - 0.011 <= seconds <= length + 0.011
    assert one.finished and one.participant == "P-1" and one.comment == "<b>fine</b>"
    assert one.setup["device"] == "loudspeakers"
    assert one.code in page.text_content("main")
    page.close()
