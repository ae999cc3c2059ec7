"""The page from a server of files, and all that a browser says of it."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tiny_test import tiny_folder

import voiceconv.listen
from voiceconv.listen.manifest import PAGE, Test

AXE = os.environ.get("AXE_CORE")  # axe.min.js of npm's axe-core
VIEWS = [(1280, "light"), (320, "light"), (400, "dark")]  # WCAG 2.2, 1.4.10: down to 320
PAGE_FILES = Path(voiceconv.listen.__file__).parent / PAGE


class _Files(http.server.SimpleHTTPRequestHandler):
    to_file: Callable[[str], Path] | None = None
    headers_sent: Mapping[str, str] = {}

    def translate_path(self, path: str) -> str:
        """The file of a path."""
        return str(self.to_file(path)) if self.to_file else super().translate_path(path)

    def end_headers(self) -> None:
        """With more of them."""
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(
    folder: Path,
    to_file: Callable[[str], Path] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A server of files for a folder, on a free port of loopback; gives its address.

    to_file: path of a request -> file, if it is another one. headers: of every response.
    """
    named = staticmethod(to_file) if to_file else None
    more = {"to_file": named, "headers_sent": headers or {}}
    handler = functools.partial(type("Files", (_Files,), more), directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def page_folder(folder: Path, test: Test) -> Path:
    """TEST/ of a test, with the page's own files; gives TEST/page."""
    tiny_folder(folder, test)
    shutil.copytree(PAGE_FILES, folder / PAGE, dirs_exist_ok=True)
    return folder / PAGE


class Watched:
    """A page of a browser, with all that it said and asked for.

    The one line that is left out is the browser's own on the 404 by which the page learns that
    there is no server but one of files.
    """

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        if not (message.location["url"].endswith("/api/test") and "404" in message.text):
            self.said.append(message.text)

    def skip_to_trials(self, test: Test, list_number: int = 0) -> None:
        """From the next load on, consent was given and the volume set (without a server)."""
        state = {
            "format": 1, "test": test.id, "listener": "ab", "list": list_number, "ready": True,
            "setup": {}, "answers": [], "comment": "", "finished": False,
        }  # fmt: skip
        self.page.evaluate(
            "([place, state]) => localStorage.setItem(place, JSON.stringify(state))",
            [f"voiceconv/alone/{test.id}/", state],
        )

    def stored(self, test: Test) -> dict[str, Any]:
        """What the page keeps for this test."""
        return self.page.evaluate(
            "place => JSON.parse(localStorage.getItem(place))", f"voiceconv/alone/{test.id}/"
        )


def check_view(page: Any, place: str) -> list[tuple[Any, ...]]:
    """What is wider than the page, wide or narrow, and what axe finds, light or dark."""
    found: list[tuple[Any, ...]] = []
    for width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            found.append((place, width, "wider than the page"))
        if AXE and width != 320:
            found += axe(page, (place, width, scheme))
    return found


def axe(page: Any, where: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What axe-core finds that is serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(report["passes"]) > 10
    return [
        (*where, one["id"], [node["target"] for node in one["nodes"]])
        for one in report["violations"]
        if one["impact"] in ("serious", "critical")
    ]
