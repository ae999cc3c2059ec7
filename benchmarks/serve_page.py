"""The page of `voiceconv serve` in Chromium, from the microphone to the loudspeaker.

    python benchmarks/serve_page.py SPEECH.wav OUT [--seconds 30] [--model FOLDER] [--address URL]

Starts the server on a free port, or takes the one at --address. Chromium's microphone hears
SPEECH.wav, over and over. Records a clip, converts it by the keyboard alone, reloads in the middle,
switches between source and result, and converts live. Prints a Markdown table, and writes
screenshots to OUT. With AXE_CORE=axe.min.js (`npm pack axe-core@4`), accessibility is judged.

The latency in the table that is found by correlation does not use the page's own count: the levels
of what the microphone gives and of what is played are compared, every 2.5 ms. Both are without the
latency of devices.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serve"))

from page_browsing import AXE, TAP, check_views, chromium, shows, until

SERVE = [sys.executable, "-c", "from voiceconv.cli import main; main()", "serve", "--port", "0"]
DROPOUTS = ("underruns", "dropouts")
CLIP = 5.0  # seconds
PATIENCE = 180.0  # seconds for a conversion
PERIOD = 0.0025  # seconds between levels
FEW = 1.0  # seconds of latency that are searched
# The levels of the microphone and of what is played, on one clock.
NODES = """{
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (to, ...rest) {
        if (this instanceof MediaStreamAudioSourceNode) window.spoken = this;
        if (to instanceof AudioDestinationNode) window.played = this;
        return connect.call(this, to, ...rest);
    };
}"""
LEVELS = """async (period) => {
    const code = `registerProcessor('levels', class extends AudioWorkletProcessor {
        constructor() {
            super();
            Object.assign(this, { sums: [0, 0], n: 0, levels: [[], []] });
            this.port.onmessage = () => this.port.postMessage(this.levels);
        }
        process(inputs) {
            for (let i = 0; i < 128; i += 1) {
                inputs.forEach(([samples], k) => (this.sums[k] += (samples?.[i] ?? 0) ** 2));
                this.n += 1;
                if (this.n < ${period} * sampleRate) continue;
                this.levels.forEach((levels, k) => levels.push(this.sums[k] / this.n));
                Object.assign(this, { sums: [0, 0], n: 0 });
            }
            return true;
        }
    })`;
    const { context } = window.played;
    const address = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
    await context.audioWorklet.addModule(address);
    const options = { numberOfInputs: 2, numberOfOutputs: 0, channelCount: 1,
                      channelCountMode: 'explicit' };
    window.levels = new AudioWorkletNode(context, 'levels', options);
    window.spoken.connect(window.levels, 0, 0);
    window.played.connect(window.levels, 0, 1);
}"""
TAKE = """() => new Promise((resolve) => {
    window.levels.port.onmessage = ({ data }) => resolve(data);
    window.levels.port.postMessage(null);
})"""


def main() -> None:
    """Run all, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("speech", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="of live conversion")
    parser.add_argument("--model", action="append", default=[], help="beside the bundled ones")
    parser.add_argument("--address", help="of a server that runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(given.address, given.model, Path(folder) / "jobs") as address,
        chromium(pcm(given.speech, Path(folder) / "speech.wav")) as browser,
    ):
        rows += convert(browser, address, given.out)
        rows += live(browser, address, given.out, given.seconds)
    print("| figure | value |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")


@contextmanager
def served(address: str | None, models: list[str], folder: Path) -> Iterator[str]:
    """A server's address, with a slash at its end."""
    if address:
        yield address.rstrip("/") + "/"
        return
    options = [word for model in models for word in ("--model", model)]
    command = [*SERVE, "--folder", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or []:
                if found := re.match(r"serving: (\S+)", line):
                    yield found[1].rstrip("/") + "/"
                    return
            sys.exit("the server did not start")
        finally:
            process.terminate()


def pcm(speech: Path, wav: Path) -> Path:
    """The file as Chromium's microphone takes it."""
    wave, rate = soundfile.read(speech, always_2d=True)
    soundfile.write(wav, wave.mean(axis=1), rate, subtype="PCM_16")
    return wav


@contextmanager
def page_of(browser: Any, address: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """The page, and what it says to the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    context.add_init_script(TAP)
    context.add_init_script(NODES)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    try:
        yield page, said
    finally:
        context.close()


def convert(browser: Any, address: str, out: Path) -> list[tuple[str, str]]:
    """Record, convert, reload and compare, by the keyboard alone."""
    with page_of(browser, address) as (page, said):
        press(page, "#record")
        shown = "document.querySelector('#record-time').innerText"
        until(page, f"parseFloat({shown}) >= {CLIP}")
        press(page, "#record")
        until(page, "document.querySelector('#chosen').innerText.startsWith('Recorded')")
        recorded = page.inner_text("#chosen")
        press(page, "#start-conversion")
        began = time.monotonic()
        until(page, "sessionStorage.length > 0")
        job = page.evaluate("sessionStorage.getItem('voiceconv/job')")
        page.reload()
        page.wait_for_selector("#result:not([hidden])", timeout=1000 * PATIENCE)
        seconds = time.monotonic() - began
        same = page.evaluate("sessionStorage.getItem('voiceconv/job')") == job
        press(page, "#play")
        levels, positions = [], []
        for _ in range(4):
            page.wait_for_timeout(400)
            levels.append(page.evaluate("heard()"))
            positions.append(float(page.input_value("#scrubber")))
            page.keyboard.press("s")
        press(page, "#play")
        found = check_views(page, "result")
        photograph(page, out, "convert")
        return [
            ("recorded by the page", recorded),
            ("recording sent, reloaded, result shown", f"{seconds:.1f} s"),
            ("same job after the reload", yes(same)),
            ("positions at switches", ", ".join(f"{one:.2f}" for one in positions) + " s"),
            ("RMS before each switch", ", ".join(f"{one:.3f}" for one in levels)),
            ("said to the console", " ".join(said) or "nothing"),
            *judged("convert", found),
        ]


def live(browser: Any, address: str, out: Path, seconds: float) -> list[tuple[str, str]]:
    """Convert live; figures every half second."""
    # The recorder of levels is no part of the page, whose policy would refuse it.
    with page_of(browser, f"{address}#live", bypass_csp=True) as (page, said):
        if page.is_visible("#live-none"):
            return [("live", "no model of this server converts live"), *views(page, out)]
        press(page, "#live-start")
        shows(page, "#live-status", "Converting live.")
        page.evaluate(LEVELS, PERIOD)
        end = time.monotonic() + seconds
        measured, loads = [], []
        while time.monotonic() < end and page.inner_text("#live-status") == "Converting live.":
            page.wait_for_timeout(500)
            measured += numbers(page, "measured")
            loads += numbers(page, "load")
        parts = page.inner_text("#latency-parts")
        spoken, played = page.evaluate(TAKE)
        rows = [
            ("live, converted", figure(page, "seconds")),
            ("latency of the algorithm", figure(page, "algorithmic")),
            ("latency, measured by the page", spread(measured, "ms")),
            ("latency, by correlation", by_correlation(spoken, played)),
            ("parts of the latency at the end", parts),
            ("drop-outs, browser and server", ", ".join(figure(page, one) for one in DROPOUTS)),
            ("load of the server", spread(loads, "%")),
            *views(page, out),
        ]
        ended = page.inner_text("#live-alert")
        if page.is_enabled("#live-stop"):
            press(page, "#live-stop")
            shows(page, "#live-status", "Stopped.")
        return [
            *rows,
            ("live, ended early by", ended or "nothing"),
            ("said to the console, live", " ".join(said) or "nothing"),
        ]


def press(page: Any, selector: str) -> None:
    """Reach a control with Tab, and press Enter."""
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    sys.exit(f"Tab does not reach {selector}")


def views(page: Any, out: Path) -> list[tuple[str, str]]:
    """What is wrong with the looks of the tab; screenshots of it."""
    found = check_views(page, "live")
    photograph(page, out, "live")
    return judged("live", found)


def judged(tab: str, found: list[Any]) -> list[tuple[str, str]]:
    """The row of what check_views has found."""
    by = "axe-core and widths" if AXE else "widths only"
    return [(f"findings in tab {tab} ({by})", "; ".join(map(str, found)) or "none")]


def photograph(page: Any, out: Path, name: str) -> None:
    """Screenshots, wide and narrow, light and dark."""
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(150)
            page.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=True)


def figure(page: Any, name: str) -> str:
    """What the tab shows."""
    said: str = page.inner_text(f"[data-figure={name}]")
    return said


def numbers(page: Any, name: str) -> list[float]:
    """The number that a figure shows, if it has one yet."""
    return [float(one) for one in re.findall(r"^[\d.]+", figure(page, name))]


def spread(values: list[float], unit: str) -> str:
    """Median and range."""
    if not values:
        return "not shown"
    middle = statistics.median(values)
    return f"{middle:.0f} {unit} (median; {min(values):.0f} to {max(values):.0f})"


def by_correlation(spoken: list[float], played: list[float]) -> str:
    """The lag at which the levels, in dB, agree best."""
    n = min(len(spoken), len(played))
    most = int(FEW / PERIOD)
    if n < 4 * most:
        return "too short"
    one, other = (
        10 * np.log10(np.maximum(np.array(levels[:n]), 1e-6)) for levels in (spoken, played)
    )
    scores = [np.corrcoef(one[: n - lag], other[lag:])[0, 1] for lag in range(most)]
    best = int(np.nanargmax(scores))
    return f"{1000 * best * PERIOD:.0f} ms (correlation {scores[best]:.2f})"


def yes(true: bool) -> str:
    """In a word."""
    return "yes" if true else "no"


if __name__ == "__main__":
    main()
