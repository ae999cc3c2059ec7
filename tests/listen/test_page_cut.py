"""A server that goes away in the middle of a response."""

import functools
import http.server
import threading

import pytest
from browsing import page_folder
from listener import Listener
from tiny_test import ITEMS, tiny_test


class _Cutting(http.server.SimpleHTTPRequestHandler):
    """Of the first response to each of `cut` the half is sent, and the connection closed."""

    cut: set[str]

    def log_message(self, *_):
        """Say nothing."""

    def copyfile(self, source, outputfile):
        content = source.read()
        if self.path in self.cut:
            self.cut.remove(self.path)
            content = content[: len(content) // 2]
            self.close_connection = True
        outputfile.write(content)


@pytest.fixture
def cutting(tmp_path, browser):
    """The test, its page's address and a page; all stimuli and test.json are cut once."""
    test = tiny_test("similarity", items=ITEMS[:1], n_lists=1)
    _Cutting.cut = {f"/stimuli/{name}.wav" for name in test.stimuli} | {"/test.json"}
    folder = page_folder(tmp_path / "test", test)
    handler = functools.partial(_Cutting, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        yield test, f"http://127.0.0.1:{server.server_port}/", page
        page.close()
        server.shutdown()


def test_what_was_cut_is_asked_for_again(cutting):
    test, address, page = cutting
    page.goto(address)
    listener = Listener(page)
    listener.take()
    assert set(listener.answered) == set(test.trials)
    heard = {name for turn in test.lists[0] for name in turn.order}
    assert not {f"/stimuli/{name}.wav" for name in heard} & _Cutting.cut
    assert "/test.json" not in _Cutting.cut
