"""The report in headless Chromium: no request, no error, nothing wider than the screen.

With AXE_CORE, as test_page_views.py has it, axe-core finds nothing, either.
"""

import pytest
from browsing import Watched
from listened import listened
from test_page_views import AXE, axe

pytest.importorskip("matplotlib", reason="the extra `listen` is not installed")

from voiceconv.listen.methods import METHODS
from voiceconv.listen.reporting.report import write_report

LONG = "a-name-that-is-much-longer-than-anybody-should-ever-give-to-a-system-" + "x" * 40


@pytest.fixture(scope="module")
def addresses(tmp_path_factory) -> list[str]:
    found = []
    for method in METHODS:
        folder = tmp_path_factory.mktemp("reports") / method
        listened(folder, method, 6, ("alpha", LONG), careless=1)
        write_report(folder, [folder / "report.html"])
        found.append((folder / "report.html").as_uri())
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_is_whole_by_itself_and_fits(browser, addresses, width, scheme):
    watched = Watched(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = watched.page
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        wide = "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX != 'auto'"
        assert page.evaluate(f"[...document.querySelectorAll('.scroll')].filter({wide})") == []
        colour = "e => getComputedStyle(e).fill.match(/\\d+/g).slice(0, 3).map(Number)"
        for text in ("figure svg text >> nth=0", "figure svg text >> nth=-1"):
            assert (sum(page.eval_on_selector(text, colour)) > 3 * 128) == (scheme == "dark")
        assert not AXE or axe(page, (address, width, scheme)) == []
    assert watched.said == [] and watched.asked == addresses
    watched.context.close()


def test_every_page_fits_on_paper(browser, addresses):
    watched = Watched(browser, viewport={"width": 718, "height": 1047})  # A4 less margins of 1 cm
    watched.page.emulate_media(media="print")
    for address in addresses:
        watched.page.goto(address)
        assert watched.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    watched.context.close()


def test_names_in_tables_leave_room_for_figures_on_a_phone(browser, addresses):
    watched = Watched(browser, viewport={"width": 400, "height": 900})
    watched.page.goto(addresses[0])
    width = "e => e.getBoundingClientRect().width"
    assert watched.page.eval_on_selector("th[scope=row]", width) < 200
    watched.context.close()
