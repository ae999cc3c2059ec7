"""The page without a server: what it saves, and what it does not lose."""

from pathlib import Path

import pytest
from browsing import check_view
from listener import Listener
from tiny_test import ITEMS, tiny_test

from voiceconv.listen.answers import read_store
from voiceconv.listen.exchange.importing import import_answers

REFUSED = """Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('private', 'SecurityError'); } })"""
# Hours can be added to the clock.
LATER = """const before = performance.now.bind(performance); window.hours = 0;
    performance.now = () => before() + 3600_000 * window.hours"""


@pytest.fixture
def small():
    return tiny_test("mos", items=ITEMS[:1], checks=False, training=False, n_lists=1)


def save(page, listener):
    with page.expect_download() as download:
        listener.tab_to("a[download]")
        listener.press("Enter")
    return Path(download.value.path())


def test_another_person_comes_once_the_answers_are_saved(opened, small):
    watched, _ = opened(small)
    page = watched.page
    listener = Listener(page)
    listener.take()
    again = page.locator("main button")
    assert again.count() == 1 and not again.is_visible()
    page.reload()  # still there, and not to be forgotten yet
    page.wait_for_selector("main[data-page=thanks]")
    assert not again.is_visible()
    assert len(watched.stored(small)["answers"]) == 3
    save(page, listener)
    assert again.is_visible()
    assert page.evaluate("document.activeElement.matches('a[download]')")
    assert check_view(page, "saved") == []
    listener.tab_to("main button")  # by the keyboard too
    listener.press("Enter")
    page.wait_for_selector("main[data-page=consent]")
    assert watched.stored(small) is None


def test_a_participants_name_goes_with_the_file(opened, small, tmp_path):
    watched, address = opened(small)
    name = "P-7 \N{GRINNING FACE}" + 70 * "\N{EAR}"  # each ear is two units of UTF-16
    watched.page.goto(f"{address}?PROLIFIC_PID={name}")
    listener = Listener(watched.page)
    listener.take()
    file = save(watched.page, listener)
    folder = tmp_path / small.id
    import_answers(folder, [file])
    (one,), answers = read_store(folder)
    assert one.participant == name[:64] and one.finished
    assert {a.trial: dict(a.values) for a in answers} == listener.answered


@pytest.mark.parametrize("refused", [True, False])
def test_a_browser_that_keeps_nothing_is_told_of_once(opened, small, tmp_path, refused):
    watched, _ = opened(small)
    page = watched.page
    if refused:
        page.add_init_script(REFUSED)
    page.reload()
    page.wait_for_selector(".next")
    assert page.locator(".warning").count() == int(refused)
    listener = Listener(page)
    if refused:
        assert "keep anything" in page.text_content(".warning")
        assert check_view(page, "refused") == []
        listener.take()
        assert page.locator(".warning").count() == 0
        import_answers(tmp_path / small.id, [save(page, listener)])
        assert len(read_store(tmp_path / small.id)[1]) == 3
    assert watched.said == []


def test_a_trial_that_was_left_open_is_of_seven_days_at_most(opened, small):
    watched, _ = opened(small)
    page = watched.page
    page.add_init_script(LATER)
    watched.skip_to_trials(small)
    page.reload()
    page.wait_for_selector("[data-trial]")
    listener = Listener(page)
    for hours in (2, 24 * 8):
        page.evaluate("hours => { window.hours += hours }", hours)
        listener.do_trial()
    first, second = (one["seconds"] for one in watched.stored(small)["answers"])
    assert 7200 < first < 7260 and second == 604_800
