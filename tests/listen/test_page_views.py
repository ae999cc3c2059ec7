"""Every state of the page, wide and narrow, light and dark: it fits, and axe-core finds nothing.

AXE_CORE names axe.min.js (`npm pack axe-core@4`); without it the page is only measured.
"""

import json

import pytest
from browsing import AXE, axe, check_view
from listener import Listener, middling
from tiny_test import tiny_test

from voiceconv.listen.methods import METHODS

NOTICE = "document.querySelector('#notice').innerText"


def test_every_page_fits_and_is_accessible(opened):
    watched, _ = opened(tiny_test("mos", items=["F-M/one"], checks=False))
    listener = Listener(watched.page, device="headphones")
    found, places = [], ["consent", "level", "headphones", "instructions", "comment", "thanks"]
    for place in places:
        listener.take(place)
        assert watched.page.evaluate("document.activeElement.tagName") == "H1"
        found += check_view(watched.page, place)
    assert found == []


@pytest.mark.parametrize("method", METHODS)
def test_every_trial_fits_and_is_accessible(opened, method):
    watched, _ = opened(tiny_test(method), at_trials=True)
    page = watched.page
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.keyboard.press("Enter")
    page.wait_for_function(f"{NOTICE} !== ''")
    found = check_view(watched.page, f"{method}, refused")
    listener = Listener(page)
    asked = listener.asked()
    listener.give(asked, middling(asked))
    page.keyboard.press("Space")
    found += check_view(watched.page, f"{method}, answered")
    targets = page.evaluate(
        """[...document.querySelectorAll('button, a, summary, .option, .switch, input[type=range]')]
           .filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect())
           .map(box => Math.min(box.width, box.height))"""
    )
    assert min(targets) >= 43.9  # CSS pixels, at 400 wide
    assert found == []
    assert watched.said == []


@pytest.mark.skipif(AXE is None, reason="AXE_CORE does not name axe.min.js (npm pack axe-core@4)")
def test_axe_finds_what_is_wrong(opened):
    watched, _ = opened(tiny_test("mos"))
    watched.page.wait_for_selector(".next")
    watched.page.evaluate("document.querySelector('.next').textContent = ''")
    assert [one[3] for one in axe(watched.page, ("consent", 1280, "light"))] == ["button-name"]


def test_another_language_turns_the_page_round(opened, tmp_path):
    test = tiny_test("ab")
    watched, _ = opened(test, viewport={"width": 400, "height": 800})
    strings = tmp_path / test.id / "page" / "strings.json"
    known = json.loads(strings.read_text(encoding="utf-8"))
    strings.write_text(json.dumps(known | {"lang": "he", "dir": "rtl"}), encoding="utf-8")
    watched.skip_to_trials(test)
    watched.page.reload()
    watched.page.wait_for_selector("[data-trial]")
    assert watched.page.evaluate(
        "[document.documentElement.lang, getComputedStyle(document.body).direction]"
    ) == ["he", "rtl"]
    assert watched.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
