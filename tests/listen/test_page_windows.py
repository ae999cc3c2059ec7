"""Two windows, and links of one person: nothing is overwritten, and nobody is two listeners."""

import dataclasses

import pytest
from browsing import check_view
from listener import Listener
from test_page_away import Pretence
from tiny_test import ITEMS, tiny_test

from voiceconv.listen.completion import Completion

PROLIFIC = "https://app.prolific.com/submissions/complete?cc=C1A2"


@pytest.fixture
def small():
    return tiny_test("mos", items=ITEMS[:1], checks=False, training=False, n_lists=1)


def first_answer(page):
    listener = Listener(page)
    listener.do_trial()
    return listener


def test_the_newest_window_keeps_the_answers_and_the_older_one_says_so(opened, small):
    watched, address = opened(small, at_trials=True)
    older, newer = watched.page, watched.context.new_page()
    first_answer(older)
    newer.goto(address)
    older.wait_for_selector("main[data-page=elsewhere]")
    newer.wait_for_selector("[data-trial]")
    first_answer(newer)
    answers = watched.stored(small)["answers"]
    assert [one["trial"] for one in answers] == [turn.trial for turn in small.lists[0][:2]]
    assert check_view(older, "elsewhere") == []
    listener = Listener(older)
    listener.tab_to("main button")
    listener.press("Enter")  # go on in this window
    newer.wait_for_selector("main[data-page=elsewhere]")
    older.wait_for_selector("[data-trial]")
    first_answer(older)
    assert watched.stored(small)["answers"][:2] == answers
    assert len(watched.stored(small)["answers"]) == 3
    assert watched.said == []


def test_a_window_that_was_not_told_overwrites_nothing(opened, small):
    """Another window has taken over while this one slept."""
    watched, _ = opened(small, at_trials=True)
    page = watched.page
    before = watched.stored(small)
    page.evaluate("place => localStorage.setItem(place, '\"another\"')",
                  f"voiceconv/alone/{small.id}//window")  # fmt: skip
    listener = Listener(page)
    asked = listener.asked()
    listener.hear(asked)
    listener.give(asked, {name: 3.0 for name in asked.shown})
    listener.press("Enter")
    page.wait_for_selector("main[data-page=elsewhere]")
    assert watched.stored(small) == before


def test_a_crowds_link_names_the_participant(opened, small):
    """By what the page keeps answers under."""
    links = {
        "?id=P7": "P7",
        "?PROLIFIC_PID=5f&STUDY_ID=9": "5f",
        "?workerId=A1B2&assignmentId=3": "A1B2",
        "?participantId=%20C3%20": "C3",
        "?prolific_pid=%7B%7B%25PROLIFIC_PID%25%7D%7D": "",  # a study that was set up wrongly
        "?id=": "",
    }
    watched, address = opened(small)
    page = watched.page
    page.add_init_script("localStorage.clear()")  # when the page before has written its last
    found = {}
    for query in links:
        page.goto(address + query)
        page.wait_for_selector("main[data-page=consent]")
        (key,) = page.evaluate("Object.keys(localStorage)")
        found[query] = key.split("/")[3]
    assert found == links


def keep(page, place, state):
    """What the page finds in the browser when it is loaded next."""
    page.evaluate(
        "([place, state]) => localStorage.setItem(place, JSON.stringify(state))", [place, state]
    )


def test_a_study_ends_with_its_link_and_its_code(opened, small):
    watched, address = opened(small)
    page, pretence = watched.page, Pretence(small)
    watched.context.route("**/api/**", pretence)
    pretence.farewell = {"code": "C1A2", "url": PROLIFIC}
    pretence.kept = [{"trial": trial} for trial in small.trials]
    keep(page, f"voiceconv/served/{small.id}/5f", {"token": "T", "ready": True})
    page.goto(f"{address}?PROLIFIC_PID=5f")
    page.wait_for_selector("main[data-page=comment]")
    page.click(".next")
    for _ in range(2):  # a reload shows the same
        page.wait_for_selector("main[data-page=thanks]")
        assert page.get_attribute("main a.next", "href") == PROLIFIC
        assert page.text_content("output") == "C1A2"
        assert page.locator(".again").count() == 0  # the link is that of one person
        page.reload()
    page.wait_for_selector("main[data-page=thanks]")
    assert check_view(page, "completion") == []


def test_a_link_without_a_server_comes_once_the_answers_are_saved(opened, small):
    watched, _ = opened(dataclasses.replace(small, completion=Completion(PROLIFIC)))
    page = watched.page
    answers = [{"trial": trial} for trial in small.trials]
    done = {"list": 0, "ready": True, "answers": answers, "finished": True}
    keep(page, f"voiceconv/alone/{small.id}/", done)
    page.reload()
    page.wait_for_selector("main[data-page=thanks]")
    link = page.locator(f"a[href='{PROLIFIC}']")
    assert link.count() == 1 and not link.is_visible()
    with page.expect_download():
        page.click("a[download]")
    assert link.is_visible() and page.locator("output").count() == 0
    keep(page, f"voiceconv/alone/{small.id}//window", "another")
    page.click(".again button")  # whom another window has already: nothing is forgotten
    page.wait_for_load_state()
    assert watched.stored(small) == done


def test_a_recording_that_is_missing_is_named(opened, small, tmp_path):
    watched, _ = opened(small)
    (tmp_path / small.id / f"page/stimuli/{small.level}.wav").unlink()
    page = watched.page
    listener = Listener(page)
    listener.press("Tab")
    page.click(".next")
    page.wait_for_selector("main[data-page=broken]")
    assert f"stimuli/{small.level}.wav" in page.text_content("main")
