"""A scripted listener, who takes a test in a browser by the keyboard alone.

listener = Listener(page, answer)    # a playwright page; answer: Asked -> {stimulus: number}
page.goto(address)
listener.take()                      # to the thank-you page, whatever page is shown at first
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PATIENCE = 20.0  # seconds that a page may take, on a busy machine


@dataclass(frozen=True)
class Asked:
    """A trial as the page shows it: `shown` in the order of the page."""

    trial: str
    method: str
    shown: tuple[str, ...]
    reference: str | None
    x: str | None
    practice: bool


def middling(asked: Asked) -> dict[str, float]:
    """Answers that differ from stimulus to stimulus, for who doesn't care which."""
    if asked.method in ("ab", "abx"):
        chosen = sorted(asked.shown)[0]
        return {name: float(name == chosen) for name in asked.shown}
    if asked.method == "mushra":
        return {name: 31.0 + 12 * place for place, name in enumerate(sorted(asked.shown))}
    return {name: 2.0 + int(name, 16) % 2 for name in asked.shown}


class Listener:
    """Goes through the pages of a listening test.

    Args:
        page: of playwright.
        answer: what to answer; called once all of a trial was heard.
        before, after: called with the trial before it is heard, and once the page has gone on.
        device: what it says to listen with; loudspeakers are spared the headphone check.
        tones: answers to the headphone check, "1", "2" or "3" for each round; None skips it.
        comment: on the whole test.
    """

    def __init__(
        self,
        page: Any,
        answer: Callable[[Asked], Mapping[str, float]] = middling,
        *,
        before: Callable[[Asked], None] = lambda _: None,
        after: Callable[[Asked], None] = lambda _: None,
        device: str = "loudspeakers",
        tones: list[str] | None = None,
        comment: str = "",
    ) -> None:
        self.page = page
        self.answer = answer
        self.before, self.after = before, after
        self.device, self.tones, self.comment = device, tones, comment
        self.answered: dict[str, dict[str, float]] = {}

    @property
    def place(self) -> str:
        """Which page is shown: "consent", "level", ..., "thanks"."""
        return self.page.evaluate("document.querySelector('main').dataset.page")

    def take(self, until: str = "thanks") -> None:
        """Go on until a page of this name is shown; a trial's id is a name, too."""
        while (place := self.place) != until:
            if place == "trial":
                if self._trial_id() == until:
                    return
                self.do_trial()
            else:
                getattr(self, f"_{place}")()

    def do_trial(self) -> None:
        """Listen to a trial, answer it, and go on."""
        asked = self.asked()
        self.before(asked)
        self.hear(asked)
        values = dict(self.answer(asked))
        self.give(asked, values)
        self.press("Enter")
        self._wait(f"document.querySelector('[data-trial]')?.dataset.trial !== '{asked.trial}'")
        self.answered[asked.trial] = values
        self.after(asked)

    def asked(self) -> Asked:
        """The trial that the page shows."""
        trial = self._trial_id()
        known = self.page.evaluate("fetch('test.json').then(got => got.json())")
        about = known["trials"][trial]
        stimuli = self.page.eval_on_selector_all(
            "[data-stimulus]", "found => found.map(one => one.dataset.stimulus)"
        )
        shown = [one for one in stimuli if one not in (about["reference"], about["x"])]
        return Asked(
            trial, known["method"], tuple(shown), about["reference"], about["x"], about["practice"]
        )

    def hear(self, asked: Asked) -> None:
        """Play each recording until the page says that it was heard."""
        for stimulus in filter(None, [asked.reference, asked.x, *asked.shown]):
            button = f"document.querySelector('[data-stimulus=\"{stimulus}\"]')"
            while not self.page.evaluate(f"{button}.classList.contains('heard')"):
                self.play(stimulus)  # again, where it had gone on in the middle of another
                self._wait(f"{button}.matches('.heard, [aria-pressed=false]')")

    def play(self, stimulus: str) -> None:
        """Play a recording, by its key if it has one."""
        button = f'[data-stimulus="{stimulus}"]'
        if key := self.page.get_attribute(button, "aria-keyshortcuts"):
            self.press(key)
        else:  # there are more than nine
            self.tab_to(button)
            self.press("Enter")

    def give(self, asked: Asked, values: Mapping[str, float]) -> None:
        """Answer, by the keys that the page names."""
        if asked.method == "mushra":
            for number, stimulus in enumerate(asked.shown, 1):
                if number < 10:
                    self.press(str(number))
                else:
                    self.tab_to(f".column:has([data-stimulus='{stimulus}']) .rating")
                self._slide(round(values[stimulus]))
        elif asked.method in ("ab", "abx"):
            self.press(str(1 + [values[name] for name in asked.shown].index(1)))
        else:
            self.press(str(round(values[asked.shown[0]])))

    def press(self, key: str) -> None:
        """Press a key wherever the focus is."""
        self.page.keyboard.press(key)

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(60):
            if self.page.evaluate("what => document.activeElement.matches(what)", selector):
                return
            self.press("Tab")
        raise AssertionError(f"Tab doesn't lead to {selector}")

    def _slide(self, value: int) -> None:
        now = int(self.page.evaluate("document.activeElement.value"))
        tens, ones = divmod(abs(value - now), 10)
        for key, count in (("Page", tens), ("Arrow", ones)):
            for _ in range(count):
                self.press(key + ("Up" if value > now else "Down"))
        if value == now:
            self.press("ArrowUp")
            self.press("ArrowDown")

    def _broken(self) -> None:
        raise AssertionError(self.page.text_content("main"))

    def _loading(self) -> None:
        self._wait("document.querySelector('main').dataset.page !== 'loading'")

    def _consent(self) -> None:
        self._go_on()

    def _level(self) -> None:
        self.press("p")
        self._wait("document.querySelector('.sound.heard')")
        self.press("p")
        self.tab_to("input[name=device]")
        self.press("Space")  # the first
        for _ in range(["headphones", "earphones", "loudspeakers"].index(self.device)):
            self.press("ArrowDown")
        self._go_on("input:checked")

    def _headphones(self) -> None:
        if self.tones is None:
            self._go_on(".plain")
            return
        lead = self.page.text_content(".lead")
        self.press("p")
        self.tab_to("input[name=quietest]")
        self.press("Space")
        for _ in range(int(self.tones.pop(0)) - 1):
            self.press("ArrowDown")
        self.press("Enter")
        self._wait(f"document.querySelector('.lead')?.textContent !== {lead!r}")

    def _instructions(self) -> None:
        self._go_on()

    def _comment(self) -> None:
        self.tab_to("textarea")
        self.page.keyboard.type(self.comment)
        self._go_on()

    def _go_on(self, by: str = ".next") -> None:
        place = self.place
        self.tab_to(by)
        self.press("Enter")
        self._wait(f"document.querySelector('main').dataset.page !== '{place}'")

    def _trial_id(self) -> str:
        return self.page.get_attribute("[data-trial]", "data-trial")

    def _wait(self, condition: str) -> None:
        """Ask until it holds; by `evaluate`, for playwright's own way of waiting is no page's whose
        security policy forbids `eval`."""
        deadline = time.monotonic() + PATIENCE
        while not self.page.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise AssertionError(f"the page did not get so far in {PATIENCE} s: {condition}")
            self.page.wait_for_timeout(20)
