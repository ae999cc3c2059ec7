"""The page's tab "Convert" in Chromium, with a stub for the server."""

import io
import math

import librosa
import numpy as np
import pytest
import soundfile
from page_browsing import (
    AXE,
    PEAK,
    PITCH,
    axe,
    check_views,
    chromium,
    level_near,
    opened,
    shows,
    tone,
    until,
)
from page_stub import BANDS, RATE, stubbed
from page_stub import PITCH as F0

LOWEST = 60.0  # Hz, at the bottom of pictures
TOP, HEIGHT = 18, 178  # CSS pixels of a picture's plot
LEFT, RIGHT = 46, 12
CANVAS = "document.querySelector('[data-picture=result] canvas')"


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
    with opened(browser, stub) as one:
        yield one


@pytest.fixture
def file(tmp_path):
    return tone(tmp_path / "tone.wav", 0.4, seconds=30)


def convert(page, file):
    page.set_input_files("#file", file)
    page.click("#start-conversion")


def converted(page, file):
    convert(page, file)
    page.wait_for_selector("#result:not([hidden])")


def test_what_is_recorded_is_what_is_sent(page, stub):
    page.click("#record")
    until(page, "parseFloat(document.querySelector('#record-time').innerText) >= 1.1")
    level = page.get_attribute("#record-level", "aria-valuenow")
    assert float(level) == pytest.approx(20 * math.log10(PEAK), abs=1)
    page.click("#record")
    until(page, "document.querySelector('#chosen').innerText.startsWith('Recorded')")
    said = page.inner_text("#chosen")
    page.click("#start-conversion")
    page.wait_for_selector("#result:not([hidden])")
    (job,) = stub.jobs.values()
    wave, rate = soundfile.read(io.BytesIO(job["body"]), dtype="int16")
    assert said == f"Recorded {len(wave) / rate:.1f} s."
    assert wave.ndim == 1 and len(wave) % round(0.02 * rate) == 0 and len(wave) >= rate
    middle = wave[rate // 2 :] / 32768
    assert np.abs(middle).max() == pytest.approx(PEAK, abs=0.005)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 2 * rate))
    assert np.argmax(spectrum) / 2 == pytest.approx(PITCH, abs=0.5)
    assert (job["model"], job["target"]) == ("pair", "Ada")


def test_a_key_or_a_button_switches_at_the_same_position(page, file):
    converted(page, file)
    page.click("#play")
    level_near(page, 0.2 / math.sqrt(2))
    page.keyboard.press("s")
    level_near(page, 0.4 / math.sqrt(2))
    assert page.get_attribute("[data-heard=source]", "aria-pressed") == "true"
    before = float(page.input_value("#scrubber"))
    page.click("[data-heard=result]")
    level_near(page, 0.2 / math.sqrt(2))
    page.click("#play")
    assert before < float(page.input_value("#scrubber")) < 30
    page.click("[data-picture=source] .plot", position={"x": LEFT, "y": 80})
    assert page.inner_text("#position") == "0.0 / 30.0 s"


# The player on an offline graph: the source is a ramp from 0 to 1, the result is minus that.
RENDER = """async () => {
    const { Player } = await import('./player.js');
    const rate = 16000;
    const context = new OfflineAudioContext(1, 2 * rate, rate);
    const go = context.resume.bind(context);
    context.resume = () => {};
    const ramp = (sign) => {
        const buffer = new AudioBuffer({ length: rate, sampleRate: rate });
        buffer.copyToChannel(Float32Array.from({ length: rate }, (_, n) => sign * n / rate), 0);
        return buffer;
    };
    const player = new Player({ source: ramp(1), result: ramp(-1) }, 'source', () => {});
    player.context = context;
    const positions = [];
    const at = (time, action) => context.suspend(time).then(() => {
        action();
        positions.push(player.position);
        go();
    });
    at(0.048, () => player.play());
    at(0.304, () => player.switchTo('result'));
    at(0.504, () => player.seek(0.128));
    at(0.752, () => player.pause());
    const rendered = await context.startRendering();
    return [[...rendered.getChannelData(0)], positions];
}"""


def test_switching_and_seeking_are_exact_to_the_sample(page):
    samples, positions = page.evaluate(RENDER)
    assert positions == pytest.approx([0, 0.256, 0.128, 0.376], abs=1e-9)
    heard = np.array(samples) * 16_000  # number of the sample in its recording
    begun, switched, sought = 768, 4864, 8064
    settled = 1200  # 25 time constants after a fade begins
    first = np.arange(settled, switched - begun)
    assert heard[begun + settled : switched] == pytest.approx(first, abs=1e-2)
    second = np.arange(switched - begun + settled, sought - begun)
    assert heard[switched + settled : sought] == pytest.approx(-second, abs=1e-2)
    third = 2048 + np.arange(settled, 12_032 - sought)
    assert heard[sought + settled : 12_032] == pytest.approx(-third, abs=1e-2)
    assert np.abs(heard[12_032 + 400 :]).max() == 0
    assert np.abs(heard[:begun]).max() == 0


def test_a_reload_goes_on_with_the_same_job(page, stub, file):
    stub.hold = True
    convert(page, file)
    shows(page, "#progress-text", "Converting, 50%")
    page.reload()
    shows(page, "#progress-text", "Converting, 50%")
    assert page.evaluate("document.querySelector('#progress-bar').value") == 0.5
    stub.hold = False
    page.wait_for_selector("#result:not([hidden])")
    page.reload()
    page.wait_for_selector("#result:not([hidden])")
    assert page.inner_text("#result-of") == "tone.wav to Ada"
    assert list(stub.jobs) == ["job0"]
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "tone-Ada.wav"
    wave, rate = soundfile.read(download.value.path())
    assert rate == RATE and len(wave) == 30 * RATE
    assert np.abs(wave).max() == pytest.approx(0.2, abs=0.002)


def test_the_consent_of_the_chosen_models_voices_is_told(page):
    page.select_option("#model", "quick")
    assert page.inner_text("#consent") == "Consent: Cleo and Dan agreed."
    page.select_option("#model", "pair")
    assert page.inner_text("#consent").endswith("do not say what the speakers were asked.")


def test_a_conversion_is_cancelled_and_a_result_is_deleted(page, stub, file):
    stub.hold = True
    convert(page, file)
    shows(page, "#progress-text", "Converting, 50%")
    page.click("#cancel")
    shows(page, "#convert-status", "The conversion was cancelled.")
    assert not page.is_visible("#convert-progress")
    stub.hold = False
    converted(page, file)
    page.click("#delete")
    assert not page.is_visible("#result")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert stub.deleted == ["job0", "job0"] and stub.jobs == {}
    assert page.evaluate("sessionStorage.length") == 0


def test_refusals_are_told_in_the_servers_sentence(page, stub, file):
    page.click("#start-conversion")
    shows(page, "#convert-alert", "Choose or record a recording first.")
    wrong = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no sound"}
    convert(page, wrong)
    shows(page, "#convert-alert", "the recording is no sound file")
    stub.fails = "the recording is silent"
    convert(page, file)
    shows(page, "#convert-alert", "the recording is silent")
    assert page.evaluate("document.activeElement.id") == "start-conversion"
    assert page.get_attribute("#convert-alert", "role") == "alert"
    stub.fails = None
    converted(page, file)
    assert page.inner_text("#convert-alert") == ""


def test_a_recording_unlike_speech_is_named_beside_its_result(page, stub, file):
    stub.likeness = {"percentile": 100.0, "is_out_of_domain": True, "reason": "it is a drum"}
    converted(page, file)
    shows(
        page,
        "#unlike",
        "This recording is unlike the speech that the model has learned from: it is a drum.",
    )
    stub.likeness = {"percentile": 40.0, "is_out_of_domain": False, "reason": None}
    converted(page, file)
    page.wait_for_selector("#unlike", state="hidden")


SHARES = [0.2, 0.4, 0.8]  # of the time axis: voiced, unvoiced, voiced
COLUMNS = f"""shares => {{
    const {{ width, height }} = {CANVAS};
    const {{ data }} = {CANVAS}.getContext('2d').getImageData(0, 0, width, height);
    return shares.map((share) => Array.from({{ length: height }}, (_, y) => {{
        const x = Math.round({LEFT} + share * (width - {LEFT} - {RIGHT}));
        return [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)];
    }}));
}}"""


def test_a_server_that_is_away_is_waited_for(page, stub, file):
    stub.hold = True
    convert(page, file)
    shows(page, "#progress-text", "Converting, 50%")
    page.route("**/api/jobs/job0", lambda route: route.abort())
    said = "The server cannot be reached at the moment; the page keeps trying."
    shows(page, "#convert-alert", said)
    stub.hold = False
    page.unroute_all()
    page.wait_for_selector("#result:not([hidden])")
    assert page.inner_text("#convert-alert") == ""
    page.route("**/api/models", lambda route: route.abort())
    page.reload()
    shows(page, "#unavailable", "The models cannot be listed: The server cannot be reached.")


DROP = """() => {
    const carried = new DataTransfer();
    carried.items.add(new File([new Uint8Array(12000)], 'voice.flac'));
    const options = { dataTransfer: carried, bubbles: true, cancelable: true };
    return document.querySelector('#drop p').dispatchEvent(new DragEvent('drop', options));
}"""


def test_a_dropped_file_is_chosen(page):
    assert page.evaluate(DROP) is False  # the browser does not open it
    shows(page, "#chosen", "voice.flac, 12 kB")


def test_pictures_have_f0_and_bands_at_their_frequencies(page, file):
    converted(page, file)
    until(page, f"{CANVAS}.height > 150")
    columns = page.evaluate(COLUMNS, SHARES)

    def pixel(share, hertz):
        up = math.log(hertz / LOWEST) / math.log(RATE / 2 / LOWEST)
        return columns[SHARES.index(share)][int(TOP + (1 - up) * HEIGHT)]

    assert min(pixel(0.2, F0)) > 240  # the line
    assert max(pixel(0.4, F0)) < 150  # unvoiced
    assert min(pixel(0.8, F0)) > 240
    centres = librosa.mel_frequencies(BANDS + 2, fmin=0, fmax=RATE / 2)[1:-1]
    bright, dark = pixel(0.4, centres[10]), pixel(0.4, centres[12])
    assert sum(bright) > sum(dark) + 100
    assert page.get_attribute("[data-picture=result] canvas", "aria-label") == (
        "Spectrogram of the result, 30.0 s. The median pitch is 150 Hz."
    )


def tab_to(page, selector):
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def test_the_keyboard_is_enough(page, stub, file):
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#file")
        page.keyboard.press("Enter")
    chooser.value.set_files(file)
    tab_to(page, "#target")
    page.keyboard.press("ArrowDown")
    tab_to(page, "#start-conversion")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'result'")
    assert stub.jobs["job0"]["target"] == "Ben"
    tab_to(page, "#scrubber")
    page.keyboard.press("End")
    assert page.inner_text("#position") == "30.0 / 30.0 s"
    page.keyboard.press("Home")
    page.keyboard.press("s")
    assert page.get_attribute("[data-heard=source]", "aria-pressed") == "true"
    tab_to(page, "#delete")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'start-conversion'")
    page.focus("#convert-tab")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#live") and not page.is_visible("#convert")
    page.keyboard.press("Home")
    assert page.is_visible("#convert")


def test_every_state_fits_and_is_accessible(page, stub, file):
    found = check_views(page, "empty")
    stub.hold = True
    convert(page, file)
    shows(page, "#progress-text", "Converting, 50%")
    found += check_views(page, "running")
    stub.hold = False
    page.wait_for_selector("#result:not([hidden])")
    found += check_views(page, "result")
    targets = page.evaluate(
        """[...document.querySelectorAll('button, a, select, .button, input[type=range]')]
           .filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect())
           .map(box => Math.min(box.width, box.height))"""
    )
    assert min(targets) >= 43.9  # CSS pixels, at 400 wide
    assert found == []


@pytest.mark.skipif(AXE is None, reason="AXE_CORE does not name axe.min.js (npm pack axe-core@4)")
def test_axe_finds_what_is_wrong(page):
    page.evaluate("document.querySelector('#record').textContent = ''")
    assert [one[0] for one in axe(page)] == ["button-name"]
