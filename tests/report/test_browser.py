"""The page in headless Chromium: no request, no error, no overflow, sound that loads."""

from collections.abc import Iterator

import pytest
from tiny_run import write_run

from voiceconv.report import write_report

LONG = "an utterance whose name is rather long, without end, " + "x" * 60


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("pages")
    write_report(write_run(folder / "run", ["u1", LONG]), folder / "report.html", n_utterances=2)
    return (folder / "report.html").as_uri()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")], ids=str)
def view(request, browser, address) -> Iterator[tuple[object, list[str], list[str]]]:
    """The opened page, what it said on the console, and what it asked for."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened, said, asked = context.new_page(), [], []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda one: asked.append(one.url))
    opened.goto(address, wait_until="load")
    yield opened, said, asked
    context.close()


def test_the_page_is_whole_by_itself_and_fits(view, address):
    opened, said, asked = view
    assert said == []
    assert [one for one in asked if not one.startswith("data:")] == [address]
    assert opened.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    wide = "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX != 'auto'"
    assert opened.evaluate(f"[...document.querySelectorAll('.scroll')].filter({wide}).length") == 0
    durations = opened.evaluate(
        """Promise.all([...document.querySelectorAll('audio')].map(player => new Promise(done => {
             const told = () => done([player.readyState, player.duration]);
             player.readyState > 0 ? told() : player.addEventListener('loadedmetadata', told);
             player.addEventListener('error', () => done([-1, 0]));
             player.load(); })))"""
    )
    assert len(durations) == 2 * 2 * 3
    assert all(state >= 1 for state, _ in durations)
    assert {round(seconds, 3) for _, seconds in durations} == {0.4, 0.45}


def test_colours_follow_the_scheme_in_page_and_pictures(view):
    opened, _, _ = view
    dark = opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = """selector => { const e = document.querySelector(selector);
        const style = getComputedStyle(e), paint = e.closest('svg') ? style.fill : style.color;
        return paint.match(/\\d+/g).slice(0, 3).reduce((sum, x) => sum + +x, 0) / 3; }"""
    for selector in ("h1", "figure svg text", ".card svg text"):
        assert (opened.evaluate(brightness, selector) > 140) == dark, selector


def test_tables_scroll_by_keyboard(view):
    opened, _, _ = view
    region = opened.locator(".scroll.scores").first
    region.focus()
    narrow = opened.evaluate("innerWidth") == 400
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    opened.wait_for_timeout(300)
    assert (region.evaluate("e => e.scrollLeft") > 0) == narrow
