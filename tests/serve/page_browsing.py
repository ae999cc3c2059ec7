"""Chromium with a microphone that plays a file, and what tests of the page ask it."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from page_stub import Stub

AXE = os.environ.get("AXE_CORE")  # axe.min.js of npm's axe-core
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
).split()
PATIENCE = 10.0  # seconds
VIEWS = [(1280, "light"), (400, "dark")]
PITCH, PEAK = 220.0, 0.25  # of the tone that the microphone hears
# What goes to the loudspeaker goes to `tap`, too.
TAP = """{
    const connect = AudioNode.prototype.connect;
    const taps = new WeakMap();
    AudioNode.prototype.connect = function (to, ...rest) {
        if (to instanceof AudioDestinationNode) {
            if (!taps.has(to)) taps.set(to, new AnalyserNode(to.context, { fftSize: 4096 }));
            window.tap = taps.get(to);
            connect.call(this, window.tap);
        }
        return connect.call(this, to, ...rest);
    };
    window.heard = () => {
        if (window.tap?.context.state !== 'running') return 0;
        const samples = new Float32Array(4096);
        window.tap.getFloatTimeDomainData(samples);
        return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
    };
}"""


def tone(path: Path, peak: float, seconds: float = 4.0, sample_rate: int = 48_000) -> Path:
    """A file of a sine of PITCH; a repetition of it has no seam."""
    at = np.arange(round(seconds * sample_rate)) / sample_rate
    soundfile.write(path, peak * np.sin(2 * np.pi * PITCH * at), sample_rate, subtype="PCM_16")
    return path


@contextmanager
def chromium(heard: Path) -> Iterator[Any]:
    """A browser whose microphone hears a file; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    options = [*OPTIONS, f"--use-file-for-fake-audio-capture={heard}"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, stub: Stub, fragment: str = "", scripts: Sequence[str] = ()) -> Any:
    """The page, ready; on leaving, it has said nothing, and asked nobody but the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    context.add_init_script(TAP)
    for script in scripts:
        context.add_init_script(script)
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(stub.address + fragment)
    page.wait_for_selector("body[data-ready]")
    try:
        yield page
        own = ("status of 4", "net::ERR_FAILED")  # what Chromium says of failed requests
        assert [one for one in said if not any(words in one for words in own)] == []
        foreign = [one for one in asked if not one.startswith((stub.address, "blob:"))]
        assert foreign == []
    finally:
        context.close()


def until(page: Any, expression: str, arg: Any = None) -> None:
    """Wait until an expression is true; Playwright's wait needs eval, which the page forbids."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"{expression} stays false ({arg})"
        page.wait_for_timeout(40)


def shows(page: Any, selector: str, words: str) -> None:
    """Wait until an element has exactly these words."""
    until(
        page,
        "([selector, words]) => document.querySelector(selector).innerText === words",
        [selector, words],
    )


def level_near(page: Any, rms: float) -> None:
    """Wait until what is heard has this level, to 5%."""
    until(page, f"Math.abs(heard() / {rms} - 1) < 0.05")


def check_views(page: Any, place: str) -> list[tuple[Any, ...]]:
    """What is wider than the page, and what axe-core finds that is serious or critical."""
    found: list[tuple[Any, ...]] = []
    for width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            found.append((place, width, "wider than the page"))
        if AXE:
            found += [(place, width, scheme, *one) for one in axe(page)]
    return found


def axe(page: Any) -> list[tuple[Any, ...]]:
    """Rule and elements of each violation."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE or "").read_text(encoding="utf-8"))
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(report["passes"]) > 10
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in report["violations"]
        if one["impact"] in ("serious", "critical")
    ]
