"""The page and a server that is away, has forgotten, or says no: nothing is lost, all is told."""

import json

import pytest
from browsing import check_view
from listener import Listener
from tiny_test import ITEMS, tiny_test

NOTICE = "document.querySelector('#notice').innerText"


class Pretence:
    """A server's answers, at will: `script` holds what comes next for POST api/answers.

    A number is a status, "away" no answer at all, "lost" an answer kept whose acknowledgement is
    lost. Without any, all is well.
    """

    def __init__(self, test, invitation_needed=False):
        self.test, self.invitation_needed = test, invitation_needed
        self.script, self.kept, self.bodies, self.known = [], [], [], True
        self.farewell, self.finished = {"code": "C0DE", "url": None}, False

    def __call__(self, route):
        request = route.request
        what = request.method + " " + request.url.partition("/api/")[2].partition("?")[0]
        body = request.post_data_json if request.post_data else None
        status, content = self.reply(what, body, request.headers.get("authorization"))
        if status is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, json=content)

    def reply(self, what, body, token):
        if what == "GET test":
            return 200, {"id": self.test.id, "invitation_needed": self.invitation_needed}
        if what == "POST session":
            self.bodies.append(body)
            if self.invitation_needed and body["invitation"] != "yes please":
                return 403, {"detail": "by invitation only"}
            self.known = True
            return 201, {"token": "T", "list": 0}
        if not self.known or token != "Bearer T":
            return 401, {"detail": "this session is not known here"}
        if what == "GET session":
            return 200, {"list": 0, "answered": [one["trial"] for one in self.kept],
                         "finished": self.finished}  # fmt: skip
        if what == "POST answers":
            return self.take(body, self.script.pop(0) if self.script else 201)
        self.bodies.append(body)
        self.finished |= what == "POST finish"
        return 200, self.farewell

    def take(self, body, next_):
        if next_ == "away":
            return None, None
        if next_ not in (201, "lost"):
            return next_, {"detail": "values for nothing"}
        if body["trial"] in [one["trial"] for one in self.kept]:
            return 409, {"detail": "this trial was answered before; that answer stays"}
        self.kept.append(body)
        return (None, None) if next_ == "lost" else (201, {"answered": len(self.kept)})


@pytest.fixture
def visit(opened):
    """visit(**pretence) -> the pretence, the page, a listener at its first trial."""

    def go(until=None, query="", **options):
        test = tiny_test("mos", items=ITEMS[:1], checks=False, n_lists=1)
        watched, address = opened(test)
        pretence = Pretence(test, **options)
        watched.context.route("**/api/**", pretence)
        watched.page.goto(address + query)
        listener = Listener(watched.page)
        listener.take(until or test.lists[0][0].trial)
        return pretence, watched.page, listener

    return go


def stored(page, test, participant=""):
    place = f"voiceconv/served/{test.id}/{participant}"
    return json.loads(page.evaluate("place => localStorage.getItem(place)", place))


def answer_with(page, listener, key="4"):
    asked = listener.asked()
    listener.hear(asked)
    listener.press(key)
    listener.press("Enter")
    return asked


@pytest.mark.slow
def test_an_answer_is_kept_and_sent_until_it_is_acknowledged(visit):
    pretence, page, listener = visit()
    # "lost" has arrived, so that the attempt after it is refused as a repetition
    pretence.script = ["away", 503, "away", "lost"]
    asked = answer_with(page, listener)
    page.wait_for_function(f"{NOTICE}.includes('cannot be reached')")
    assert page.get_attribute("#notice", "role") == "status"
    assert check_view(page, "away") == []
    assert stored(page, pretence.test)["pending"]["values"] == {asked.shown[0]: 4}
    page.wait_for_function(
        f"document.querySelector('[data-trial]').dataset.trial !== '{asked.trial}'"
    )
    assert [(one["trial"], one["values"]) for one in pretence.kept] == [
        (asked.trial, {asked.shown[0]: 4})
    ]
    assert stored(page, pretence.test)["pending"] is None
    assert pretence.kept[0].keys() == {"trial", "values", "heard", "seconds", "comment"}


def test_an_answer_that_was_not_acknowledged_is_sent_after_a_reload(visit):
    pretence, page, listener = visit()
    pretence.script = ["away"] * 3
    asked = answer_with(page, listener, "1")
    page.wait_for_function(f"{NOTICE}.includes('cannot be reached')")
    pretence.script = []
    page.reload()
    listener.take(pretence.test.lists[0][1].trial)
    assert [one["values"] for one in pretence.kept] == [{asked.shown[0]: 1}]


def test_an_answer_that_is_refused_may_be_changed(visit):
    pretence, page, listener = visit()
    pretence.script = [422]
    asked = answer_with(page, listener)
    page.wait_for_function(f"{NOTICE}.includes('values for nothing (422)')")
    assert listener.asked() == asked
    listener.press("5")
    listener.press("Enter")
    page.wait_for_function(
        f"document.querySelector('[data-trial]').dataset.trial !== '{asked.trial}'"
    )
    assert [one["values"] for one in pretence.kept] == [{asked.shown[0]: 5}]


def test_a_server_that_has_forgotten_is_explained_and_one_may_begin_anew(visit):
    pretence, page, listener = visit(query="?id=P7")
    pretence.known = False
    answer_with(page, listener)
    page.wait_for_selector("main[data-page=lost]")
    assert page.evaluate("document.activeElement.textContent") == "We have lost sight of you"
    assert check_view(page, "lost") == []
    page.reload()
    page.wait_for_selector("main[data-page=lost]")
    listener.tab_to(".next")
    listener.press("Enter")
    page.wait_for_selector("main[data-page=consent]")
    listener.take("thanks")
    assert len(pretence.kept) == len(pretence.test.lists[0])
    assert page.text_content("#code") == "C0DE"
    assert page.locator("a[download]").count() == 0
    assert [one.get("participant") for one in pretence.bodies if "consent" in one] == ["P7", "P7"]


def test_an_invitation_is_asked_for_and_a_wrong_one_refused(visit):
    pretence, page, listener = visit("consent", invitation_needed=True)
    listener.tab_to(".next")
    listener.press("Enter")
    page.wait_for_function(f"{NOTICE}.includes('by invitation')")
    assert pretence.bodies == []
    page.focus("input[name=invitation]")
    page.keyboard.type("no")
    listener.press("Enter")
    page.wait_for_function(f"{NOTICE}.includes('by invitation only (403)')")
    page.keyboard.press("Control+a")
    page.keyboard.type("yes please")
    listener.press("Enter")
    page.wait_for_selector("main[data-page=level]")
    assert [one["invitation"] for one in pretence.bodies] == ["no", "yes please"]


def test_an_invitation_in_the_address_is_not_asked_for(visit):
    pretence, page, _ = visit("consent", "?invitation=yes+please", invitation_needed=True)
    assert page.locator("input[name=invitation]").count() == 0
    page.focus(".next")
    page.keyboard.press("Enter")
    page.wait_for_selector("main[data-page=level]")
    assert pretence.bodies == [{"consent": True, "invitation": "yes please", "participant": None}]
