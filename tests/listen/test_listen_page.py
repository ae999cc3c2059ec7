"""The page in headless Chromium, from a server of files: taken by keyboard, in all five methods."""

import json
import re
from pathlib import Path

import pytest
from browsing import PAGE_FILES
from listener import Listener, middling
from tiny_test import ITEMS, tiny_test

from voiceconv.listen.manifest import public

METHODS = ["mos", "similarity", "ab", "abx", "mushra"]
NOTICE = "document.querySelector('#notice').innerText"


@pytest.mark.parametrize("method", METHODS)
def test_a_listener_takes_the_test_by_keyboard(opened, method):
    test = tiny_test(method, items=ITEMS[:1])
    watched, address = opened(test)
    resumed = []

    def reload_once(asked):
        if len(listener.answered) == 1:
            watched.page.reload()
            watched.page.wait_for_selector("[data-trial]")
            resumed.append(listener.asked().trial)

    listener = Listener(watched.page, middling, after=reload_once, comment="<b>fine</b>")
    listener.take()

    record = watched.stored(test)
    course = test.lists[record["list"]]
    assert resumed == [course[1].trial]
    assert [one["trial"] for one in record["answers"]] == [turn.trial for turn in course]
    assert {one["trial"]: one["values"] for one in record["answers"]} == listener.answered
    for one in record["answers"]:
        test.method.check(test.trials[one["trial"]].shown, one["values"])
        assert 0 < one["seconds"] < 60 and one["comment"] == ""
        trial = test.trials[one["trial"]]
        played = {*trial.shown, trial.reference, trial.x} - {None}
        assert one["heard"].keys() == played
        for name, seconds in one["heard"].items():
            assert 0.9 * test.stimuli[name].seconds <= seconds + 0.001
            assert seconds <= test.stimuli[name].seconds + 0.001

    with watched.page.expect_download() as download:
        listener.tab_to("a[download]")
        listener.press("Enter")
    assert download.value.suggested_filename == f"answers-{test.id}-{record['listener']}.json"
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved == {key: value for key, value in record.items() if key != "ready"}
    assert saved["setup"] == {"device": "loudspeakers", "headphone_check": None}
    assert saved["comment"] == "<b>fine</b>" and saved["finished"]

    assert watched.said == []
    assert {one for one in watched.asked if not one.startswith((address, "blob:"))} == set()


def test_next_refuses_until_all_was_heard_and_answered(opened):
    test = tiny_test("mos", n_lists=1)
    stimulus = test.stimuli[test.lists[0][0].order[0]]
    object.__setattr__(stimulus, "seconds", 1.2)
    watched, _ = opened(test, at_trials=True)
    page = watched.page
    listener = Listener(page)
    asked = listener.asked()

    def refusal():
        page.wait_for_timeout(150)
        page.keyboard.press("Enter")
        page.wait_for_function(f"{NOTICE} !== ''")
        assert listener.asked() == asked
        return page.evaluate(NOTICE)

    heard = "Number(document.querySelector('.sound').style.getPropertyValue('--heard'))"
    assert page.get_attribute("#notice", "role") == "status"
    page.keyboard.press("4")
    assert refusal() == "Please listen first. Not yet heard for long enough: recording."
    for _ in range(4):  # the same beginning again and again is not the whole
        page.keyboard.press("Space")
        page.wait_for_timeout(350)
        page.keyboard.press("Space")
    assert 0.2 < page.evaluate(heard) < 0.9
    assert "recording" in refusal()
    page.reload()  # and what was heard and chosen before a reload is gone, for it wasn't sent
    page.wait_for_selector("[data-trial]")
    listener.hear(asked)
    assert refusal() == "Please rate the recording."
    listener.press("2")
    listener.press("Enter")
    page.wait_for_function(
        f"document.querySelector('[data-trial]').dataset.trial !== '{asked.trial}'"
    )
    (answer,) = watched.stored(test)["answers"]
    assert answer["values"] == {stimulus.id: 2}
    assert 1.08 <= answer["heard"][stimulus.id] <= 1.201


def test_sliders_are_complete_once_each_was_touched_and_switch_what_is_heard(opened):
    test = tiny_test("mushra", n_lists=1)
    watched, _ = opened(test, at_trials=True)
    page = watched.page
    listener = Listener(page)
    asked = listener.asked()
    listener.hear(asked)
    first, second, *_ = asked.shown
    pressed = "document.querySelector('.sound[aria-pressed=true]')?.dataset.stimulus"
    page.keyboard.press("1")
    assert page.evaluate(pressed) == first
    listener.tab_to(f".column:has([data-stimulus='{second}']) .rating")
    page.keyboard.press("ArrowUp")  # moving a slider goes over to its recording
    assert page.evaluate(pressed) == second
    page.keyboard.press("Space")
    assert page.evaluate(pressed) is None
    page.keyboard.press("Enter")
    page.wait_for_function(f"{NOTICE}.includes('some sliders')")
    assert listener.asked() == asked
    assert page.eval_on_selector_all(".rating", "all => all.map(one => one.ariaValueText)") == [
        "not rated yet", "51, Fair", *["not rated yet"] * 3
    ]  # fmt: skip


def test_the_loop_is_set_by_keys_and_by_handles(opened):
    test = tiny_test("mushra", n_lists=1)
    for name in test.trials[test.lists[0][0].trial].shown:
        object.__setattr__(test.stimuli[name], "seconds", 2.0)
    watched, _ = opened(test, at_trials=True)
    page = watched.page
    region = "[...document.querySelectorAll('.handle')].map(one => Number(one.value))"
    assert page.evaluate(region) == [0, 2]
    Listener(page).tab_to(".handle.start")
    for _ in range(30):
        page.keyboard.press("PageUp")  # 0.2 s each, and not nearer to the end than 0.5 s
    assert page.evaluate(region) == [1.5, 2]
    page.keyboard.press("\\")
    assert page.evaluate(region) == [0, 2]
    page.keyboard.press("1")
    page.wait_for_timeout(700)
    page.keyboard.press("]")
    start, end = page.evaluate(region)
    assert start == 0 and 0.5 <= end < 1.5


def test_shortcuts_stand_back_and_can_be_turned_off(opened):
    watched, _ = opened(tiny_test("mos"), at_trials=True)
    page = watched.page
    listener = Listener(page)
    playing = "document.querySelector('.sound').ariaPressed"
    listener.tab_to("summary")
    page.keyboard.press("Space")  # opens the comment, and doesn't play
    listener.tab_to("textarea")
    page.keyboard.type("a 5 a")
    assert page.evaluate(playing) == "false"
    assert page.evaluate("document.querySelector(':checked[name=score]')") is None
    assert page.input_value("textarea") == "a 5 a"
    listener.tab_to(".switch input")
    page.keyboard.press("Space")
    page.focus("h1")
    page.keyboard.press("5")
    page.keyboard.press("a")
    assert page.evaluate(playing) == "false"
    assert page.evaluate("document.querySelector(':checked[name=score]')") is None


def test_every_text_is_in_the_one_file_and_no_markup_is_made_of_texts():
    strings = json.loads((PAGE_FILES / "strings.json").read_text(encoding="utf-8"))
    scripts = {path.name: path.read_text(encoding="utf-8") for path in PAGE_FILES.glob("*.js")}
    asked = {
        key
        for script in scripts.values()
        for key in re.findall(r"\b(?:text|texts|lookUp)\(\s*'([\w.]+)'", script)
    }
    assert len(asked) > 60
    for key in asked:
        value = strings
        for part in key.split("."):
            value = value[part]
    for method in METHODS:
        assert {"question", "missing", "instructions", "attention"} <= strings["methods"][
            method
        ].keys()
    for name, script in scripts.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|https?:", script), name
        assert script.count("\n") < 300, name
    index = (PAGE_FILES / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>(.*?)</script>", index) == [""]
    assert not re.search(r"<style| style=| on\w+=|https?:", index)


def test_what_is_public_is_what_the_page_reads(opened):
    test = tiny_test("abx")
    watched, _ = opened(test, at_trials=True)
    turn = test.lists[0][0]
    asked = Listener(watched.page).asked()
    assert asked.shown == turn.order
    assert asked.practice and asked.x == public(test)["trials"][turn.trial]["x"]
    assert watched.page.text_content(".lead") == "Practice"
