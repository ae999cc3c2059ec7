"""The page's tab "Live" in Chromium, with a stub that gives back what it gets."""

import math

import numpy as np
import pytest
from page_browsing import PEAK, check_views, chromium, level_near, opened, shows, tone, until
from page_stub import LATENCY, MODELS, RATE, stubbed

pytest.importorskip("websockets", reason="websockets is not installed")

RMS = PEAK / math.sqrt(2)
OTHER_RATE = """{
    const Plain = AudioContext;
    window.AudioContext = class extends Plain {
        constructor(options) {
            if (options?.sampleRate) throw new DOMException('one rate', 'NotSupportedError');
            super(options);
        }
    };
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tone(tmp_path_factory.mktemp("mic") / "mic.wav", PEAK)) as launched:
        yield launched


@pytest.fixture(scope="module")
def server():
    with stubbed() as one:
        yield one


@pytest.fixture
def stub(server):
    server.reset()
    return server


@pytest.fixture
def page(browser, stub):
    with opened(browser, stub, "#live") as one:
        yield one


def figure(page, name):
    return page.inner_text(f"[data-figure={name}]")


def wait_for_seconds(page, seconds):
    shown = "document.querySelector('[data-figure=seconds]').innerText"
    until(page, f"parseFloat({shown}) >= {seconds}")


def test_what_is_spoken_comes_back(page, stub):
    page.select_option("#live-target", "Cleo")
    page.select_option("#look-ahead", "60")
    page.click("#live-start")
    shows(page, "#live-status", "Converting live.")
    level_near(page, RMS)
    wait_for_seconds(page, 2)
    (stream,) = stub.live
    assert stream["query"] == {
        "model": "quick", "target": "Cleo", "look_ahead": "60", "sample_rate": "24000",
    }  # fmt: skip
    assert stream["peak"] == pytest.approx(PEAK, abs=0.02)
    assert stream["samples"] >= 2 * RATE
    assert figure(page, "dropouts") == "0"
    assert figure(page, "load") == "25%"
    assert figure(page, "algorithmic") == "46 ms"
    assert int(figure(page, "measured").split()[0]) >= 1000 * LATENCY
    for name in ("input", "output"):
        level = float(page.get_attribute(f"#{name}-level", "aria-valuenow"))
        assert level == pytest.approx(20 * math.log10(PEAK), abs=1)
    assert check_views(page, "live, running") == []
    page.click("#live-mute")
    shows(page, "#live-status", "Converting live, microphone muted.")
    until(page, "heard() < 0.001")
    page.click("#live-mute")
    level_near(page, RMS)
    page.click("#live-stop")
    shows(page, "#live-status", "Stopped.")
    until(page, "document.activeElement.id === 'live-start'")
    assert page.inner_text("#live-alert") == ""
    page.keyboard.press("Enter")  # and again
    shows(page, "#live-status", "Converting live.")
    level_near(page, RMS)
    assert [one["flushed"] for one in stub.live] == [True, False]
    assert [one["open"] for one in stub.live] == [False, True]


def test_a_lost_connection_is_told_and_start_works_again(page, stub):
    page.click("#live-start")
    level_near(page, RMS)
    stub.cut = True
    shows(page, "#live-alert", "The connection to the server was lost. Press Start to try again.")
    shows(page, "#live-status", "Stopped.")
    stub.cut = False
    page.click("#live-start")
    level_near(page, RMS)
    assert page.inner_text("#live-alert") == ""
    page.reload()
    shows(page, "#live-status", "Stopped, because the page was loaded again. Press Start to go on.")
    until(page, "document.querySelector('#live-start').checkVisibility()")
    page.click("#live-start")
    level_near(page, RMS)
    assert [one["open"] for one in stub.live] == [False, False, True]


def test_a_refusal_is_told_in_the_servers_sentence(page, stub):
    page.select_option("#live-target", "Dan")
    page.click("#live-start")
    shows(page, "#live-alert", "all live places are taken")
    assert page.is_enabled("#live-start") and page.is_disabled("#live-stop")
    assert check_views(page, "live, refused") == []


def test_a_browser_with_one_rate_resamples(browser, stub):
    with opened(browser, stub, "#live", [OTHER_RATE]) as page:
        page.click("#live-start")
        level_near(page, RMS)
        rate = page.evaluate("tap.context.sampleRate")
        assert stub.live[0]["query"]["sample_rate"] == str(rate)
        assert rate != RATE


def test_without_a_streaming_model_the_tab_says_so(browser, stub):
    stub.models = MODELS[:1]
    with opened(browser, stub, "#live") as page:
        shows(page, "#live", "No model of this server converts live.")
        assert check_views(page, "live, none") == []


# The play worklet on an offline graph at 48 kHz: blocks that a ramp is cut into.
PLAY = """async ([rate, blocks, seconds]) => {
    const context = new OfflineAudioContext(1, seconds * 48000, 48000);
    await context.audioWorklet.addModule('play-worklet.js');
    const player = new AudioWorkletNode(context, 'play', {
        numberOfInputs: 0, outputChannelCount: [1], processorOptions: { rate },
    });
    player.connect(context.destination);
    const reports = [];
    player.port.onmessage = ({ data }) => reports.push(data);
    context.suspend(0.128).then(async () => {
        let sent = 0;
        for (const length of blocks) {
            const block = Float32Array.from({ length }, (_, n) => (sent + n) / rate);
            player.port.postMessage(block, [block.buffer]);
            sent += length;
        }
        await new Promise((resume) => setTimeout(resume, 50));
        context.resume();
    });
    const rendered = await context.startRendering();
    await new Promise((resume) => setTimeout(resume, 50));
    return [[...rendered.getChannelData(0)], reports];
}"""


def test_blocks_play_without_a_seam_and_an_underrun_is_counted(page):
    samples, reports = page.evaluate(PLAY, [24_000, [480, 7, 993, 480, 10_040], 1])
    heard = np.array(samples)
    first = int(np.argmax(heard > 0)) - 1
    faded = 240  # 5 ms
    length = 2 * 11_999  # linear interpolation to twice the rate, to the last sample
    expected = np.arange(length) / 48_000
    assert heard[first + faded : first + length] == pytest.approx(expected[faded:], abs=1e-6)
    assert np.abs(np.diff(heard[first + length - 1 :])).max() < 0.02  # no click
    assert heard[-1] == pytest.approx(0, abs=1e-6)
    assert reports[-1]["underruns"] == 1 and not reports[-1]["playing"]
    assert reports[-1]["position"] == pytest.approx(0.5, abs=1e-3)


def test_what_lay_unneeded_for_two_seconds_is_skipped_in_a_cross_fade(page):
    rate, n_samples = 48_000, 144_000
    samples, reports = page.evaluate(PLAY, [rate, [n_samples], 4])
    numbers = np.array(samples) * rate  # of the samples played
    first = int(np.argmax(numbers > 0)) - 1
    faded, watched, reserve, quantum = 240, 2 * rate, 2880, 128
    skip_at = watched + quantum
    skipped = n_samples - skip_at - reserve
    before = np.arange(faded, skip_at)
    assert numbers[first + faded : first + skip_at] == pytest.approx(before, abs=1)
    length = n_samples - skipped - 1
    after = skipped + np.arange(skip_at + faded, length)
    assert numbers[first + skip_at + faded : first + length] == pytest.approx(after, abs=1)
    assert np.abs(np.diff(numbers[first + faded : first + length])).max() < 1.1 * skipped / faded
    assert reports[-1]["position"] * rate == pytest.approx(n_samples, abs=1)
