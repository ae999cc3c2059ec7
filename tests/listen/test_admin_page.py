"""The experimenter's view in headless Chromium: it renews itself, and runs nobody else's script."""

import shutil

import pytest
from browsing import PAGE_FILES
from serving import given, served_folder, serving

from voiceconv.listen.manifest import PAGE

PASSWORD = "correct horse"
RENEWED = 15_000  # ms; it renews itself every five seconds


@pytest.fixture(params=[1280, 400])
def view(request, browser, tmp_path):
    """The view, the server and the test; what the browser complains of fails the test."""
    folder, test = served_folder(tmp_path / "test")
    shutil.copy(PAGE_FILES / "icon.svg", folder / PAGE)
    complaints = []
    with serving(folder, VOICECONV_ADMIN_PASSWORD=PASSWORD) as server:
        context = browser.new_context(
            viewport={"width": request.param, "height": 800},
            http_credentials={"username": "any", "password": PASSWORD},
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}/admin")
        yield page, server, test
        context.close()
    assert complaints == []


def test_counts_and_comments_are_live_and_nothing_of_them_runs(view):
    page, server, test = view
    assert page.inner_text("dl").split()[:4] == ["listeners", "0", "finished", "0"]
    token, number = server.start()
    hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    body = given(test, test.lists[number][0], comment=hostile)
    assert server.ask("POST", "/api/answers", body, token).status == 201
    page.wait_for_selector("article", timeout=RENEWED)
    assert page.inner_text("article p") == hostile
    assert page.inner_text("dl").split()[:2] == ["listeners", "1"]
    assert page.title().startswith("1 answers: ")
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
