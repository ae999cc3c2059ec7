"""What is sent twice in haste, while the next page waits for its recordings, counts once."""

import pytest
from listener import Listener
from test_page_away import Pretence
from tiny_test import ITEMS, tiny_test

PAGE_NAME = "document.querySelector('main').dataset.page"


class Held:
    """Requests for these addresses wait until they are let go."""

    def __init__(self, page, *patterns):
        self.routes, self.page = [], page
        for pattern in patterns:
            page.route(pattern, self.take)

    def take(self, route):
        if self.routes is None:
            route.fallback()
        else:
            self.routes.append(route)

    def wait(self):
        while not self.routes:
            self.page.wait_for_timeout(20)

    def let_go(self):
        routes, self.routes = self.routes, None
        for route in routes:
            route.fallback()


def hurried(page):
    """Enter and click, again and again, at a page that was sent and has had its response."""
    page.wait_for_timeout(300)
    for _ in range(2):
        page.keyboard.press("Enter")
        page.dispatch_event(".next", "click")
    page.wait_for_timeout(150)


@pytest.fixture
def small(opened):
    """small(served) -> watched, test, its pretended server's requests; the page is at consent."""

    def go(served):
        test = tiny_test("mos", items=ITEMS[:1], checks=False, training=False, n_lists=2)
        watched, address = opened(test)
        sent = []
        watched.page.on("request", lambda one: sent.append(one.method + one.url.split("/api")[-1]))
        if served:
            watched.context.route("**/api/**", Pretence(test))
            watched.page.goto(address)
        watched.page.wait_for_selector(".next")
        return watched, test, sent

    return go


@pytest.mark.parametrize("held", ["**/api/session", "**/stimuli/*"])
def test_consent_in_haste_begins_one_session(small, held):
    watched, _, sent = small(served=True)
    waiting = Held(watched.page, held)
    watched.page.focus(".next")
    watched.page.keyboard.press("Enter")
    waiting.wait()
    hurried(watched.page)
    assert watched.page.evaluate(PAGE_NAME) == "consent"
    waiting.let_go()
    watched.page.wait_for_selector("main[data-page=level]")
    assert sent.count("POST/session") == 1


def test_consent_in_haste_is_one_listener_without_a_server_too(small):
    watched, test, _ = small(served=False)
    waiting = Held(watched.page, "**/stimuli/*")
    watched.page.focus(".next")
    watched.page.keyboard.press("Enter")
    waiting.wait()
    before = watched.stored(test)
    hurried(watched.page)
    assert watched.page.evaluate(PAGE_NAME) == "consent"
    assert watched.stored(test) == before and len(before["listener"]) == 16
    waiting.let_go()
    watched.page.wait_for_selector("main[data-page=level]")
    assert watched.stored(test) == before


@pytest.mark.parametrize("served", [True, False])
def test_next_in_haste_is_one_answer_for_each_trial(small, served):
    watched, test, sent = small(served)
    page, course = watched.page, test.lists[0]
    if not served:
        watched.skip_to_trials(test)
        page.reload()
        page.wait_for_selector("[data-trial]")
    listener = Listener(page)
    listener.take(course[0].trial)
    later = course[1].order[0]
    waiting = Held(page, f"**/stimuli/{later}.wav")
    page.reload()
    if served:
        listener.take(course[0].trial)
    page.wait_for_selector("[data-trial]")
    asked = listener.asked()
    assert asked.trial == course[0].trial
    listener.hear(asked)
    listener.press("4")
    listener.press("Enter")
    waiting.wait()
    hurried(page)
    assert listener.asked() == asked  # and still the page that was sent
    waiting.let_go()
    page.wait_for_selector(f"[data-trial='{course[1].trial}']")
    if served:
        assert sent.count("POST/answers") == 1
    else:
        (answer,) = watched.stored(test)["answers"]
        assert answer["values"] == {asked.shown[0]: 4}
    listener.take()
    n_trials = len(course)
    if served:
        assert sent.count("POST/answers") == n_trials
    else:
        trials = [one["trial"] for one in watched.stored(test)["answers"]]
        assert trials == [turn.trial for turn in course]
    assert n_trials == 3
