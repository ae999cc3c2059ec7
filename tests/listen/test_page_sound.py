"""Playing, sample by sample: the page's player on an offline audio graph."""

import pytest
from browsing import Watched, page_folder, served
from tiny_test import tiny_test

RATE = 16_000
FADE = 80  # samples in 5 ms
RENDER = """async ([script, lengths, how, seconds]) => {
    const { Player } = await import('./player.js');
    const context = new OfflineAudioContext(1, seconds * 16000, 16000);
    const player = new Player(context);
    const buffers = Object.entries(lengths).map(([name, [length, slope]]) => {
        const buffer = new AudioBuffer({ length, sampleRate: 16000 });
        buffer.copyToChannel(Float32Array.from({ length }, (_, n) => slope * (n + 1) / length), 0);
        return [name, buffer];
    });
    player.load(new Map(buffers), how);
    const told = {};
    for (const [time, action] of script)
        context.suspend(time).then(() => {
            player.tick();
            if (action in lengths) player.play(action);
            else if (action === 'stop') player.stop();
            else if (Array.isArray(action)) player.setRegion(...action);
            else told[action] = { position: player.position, region: player.region,
                                  current: player.current };
            context.resume();
        });
    const rendered = await context.startRendering();
    const heard = Object.fromEntries([...player.heard].map(([id, one]) => [id, one.seconds]));
    return { samples: [...rendered.getChannelData(0)], heard, told };
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with served(
        page_folder(tmp_path_factory.mktemp("sound") / "test", tiny_test("mos"))
    ) as address:
        watched = Watched(browser)
        watched.page.goto(address)
        yield watched.page
        watched.context.close()


def ramp(length, slope):
    """A recording of which every sample is another."""
    return [slope * (n + 1) / length for n in range(length)]


def render(page, script, lengths, seconds=2, **how):
    got = page.evaluate(RENDER, [script, lengths, how, seconds])
    return got["samples"], got["heard"], got["told"]


def at(samples):
    """Where sound begins."""
    return next(n for n, sample in enumerate(samples) if sample != 0)


def test_switching_goes_on_at_the_same_sample_through_5_ms_of_fades_and_no_cross_fade(page):
    lengths = {"a": [16000, 0.5], "b": [16000, -0.5]}
    a, b = (ramp(*lengths[name]) for name in "ab")
    # the audio graph can be halted every 128 samples: 0.048 s and 0.504 s are such
    samples, heard, told = render(page, [[0.048, "a"], [0.504, "b"], [0.752, "now"]], lengths)
    origin = at(samples)
    assert origin == 768 + 160  # 10 ms after it was asked for
    switched = 8064 + 160 - origin
    assert samples[origin : origin + switched] == pytest.approx(a[:switched], abs=1e-6)
    after = switched + 2 * FADE
    assert samples[origin + after : origin + 16000] == pytest.approx(b[after:], abs=1e-6)
    assert max(map(abs, samples[origin + 16000 :])) == 0
    falling = samples[origin + switched : origin + switched + FADE]
    rising = samples[origin + switched + FADE : origin + after]
    assert min(falling) >= 0 and max(rising) <= 0  # a alone, then b alone
    assert falling[FADE // 2] == pytest.approx(a[switched + FADE // 2] / 2, rel=0.02)
    assert rising[FADE // 2] == pytest.approx(b[switched + FADE + FADE // 2] / 2, rel=0.05)
    assert told["now"]["current"] == "b"
    assert told["now"]["position"] == pytest.approx((12032 - origin) / RATE, abs=1e-9)
    assert heard["a"] == pytest.approx(switched / RATE, abs=1e-6)


def test_what_was_heard_is_a_union_of_stretches(page):
    lengths = {"a": [16000, 0.5], "b": [8000, 0.5]}
    script = [
        [0.048, "a"],
        [0.304, "stop"],
        [0.504, "a"],
        [0.808, "stop"],
        [1.2, "b"],
        [1.904, "x"],
    ]
    _, heard, told = render(page, script, lengths, together=False)
    assert heard["a"] == pytest.approx(0.304, abs=1e-6)  # the longer of two same beginnings
    assert heard["b"] == pytest.approx(0.5, abs=1e-6)  # all of it, and not until 1.9 s
    assert told["x"]["current"] is None  # it came to its end


def test_a_loop_repeats_to_the_sample_and_fades_at_its_ends(page):
    lengths = {"a": [16000, 0.5], "b": [12000, -0.5]}
    script = [[0.0, [0.25, 0.75]], [0.048, "a"], [1.2, "told"], [1.304, "b"], [1.904, "x"]]
    samples, heard, told = render(page, script, lengths, loops=True)
    origin, period = at(samples) - 1, 8000  # the first sample of a fade is 0
    assert origin == 768 + 160
    first = samples[origin : origin + period]
    assert first[FADE : period - FADE] == pytest.approx(
        ramp(*lengths["a"])[4000 + FADE : 12000 - FADE], abs=1e-6
    )
    assert first[FADE // 2] == pytest.approx(ramp(*lengths["a"])[4000 + FADE // 2] / 2, rel=1e-3)
    assert samples[origin + period : origin + 2 * period] == pytest.approx(first, abs=1e-6)
    place = (19200 - origin) % period
    assert told["told"]["position"] == pytest.approx(0.25 + place / RATE, abs=1e-6)
    assert heard["a"] == pytest.approx(0.5, abs=1e-6)
    # b is shorter and silent after its end, in time with a
    again = origin + 3 * period
    assert samples[again + FADE : again + 6000] == pytest.approx(
        ramp(*lengths["b"])[4000 + FADE : 4000 + 6000], abs=1e-6
    )


def test_a_recording_that_is_not_parallel_begins_at_its_beginning(page):
    lengths = {"a": [16000, 0.5], "b": [16000, -0.5]}
    samples, _, _ = render(page, [[0.048, "a"], [0.304, "b"]], lengths, together=False)
    begins = 4864 + 160 + FADE
    assert samples[begins : begins + 16000] == pytest.approx(ramp(*lengths["b"]), abs=1e-6)


def test_regions_are_half_a_second_at_least_and_inside(page):
    lengths = {"a": [16000, 0.5]}
    script = [
        [0.0, [0.9, 0.95]], [0.048, "late"], [0.056, [-1, 0.2]], [0.064, "early"],
        [0.072, [0.4, 9]], [0.08, "long"],
    ]  # fmt: skip
    _, _, told = render(page, script, lengths, loops=True)
    assert [told[name]["region"] for name in ("late", "early", "long")] == [
        [0.5, 1], [0, 0.5], [0.4, 1]
    ]  # fmt: skip


def test_fast_switching_never_asks_for_two_fades_at_once(page):
    lengths = {"a": [16000, 0.5], "b": [16000, -0.5], "c": [16000, 0.25]}
    script = [[0.048 + 0.008 * n, "abc"[n % 3]] for n in range(30)]
    samples, heard, _ = render(page, script, lengths)
    origin = at(samples)
    assert samples[origin + 12000 : origin + 16000] == pytest.approx(
        ramp(*lengths["c"])[12000:], abs=1e-6
    )
    assert max(abs(s) for s in samples) <= 0.5
    assert sum(heard.values()) > 0.2


def test_tones_of_the_headphone_check(page):
    """Woods et al. 2017: 200 Hz, 1 s; -6 dB; antiphase."""
    left, right = page.evaluate(
        """import('./headphones.js').then(({ makeTones }) => {
             const tones = makeTones(['quiet', 'antiphase', 'equal'], 16000);
             return [0, 1].map(channel => [...tones.getChannelData(channel)]); })"""
    )
    tones = [slice(24000 * i + 4000, 24000 * i + 12000) for i in range(3)]
    power = [sum(x * x for x in left[tone]) / 8000 for tone in tones]
    assert power[0] / power[2] == pytest.approx(10 ** (-6 / 10), rel=1e-3)
    assert power[1] / power[2] == pytest.approx(1, rel=1e-3)
    assert [a == b for a, b in zip(left[::500], right[::500], strict=True)].count(False) > 10
    assert max(abs(a + b) for a, b in zip(left[tones[1]], right[tones[1]], strict=True)) == 0
    assert max(abs(a - b) for a, b in zip(left[tones[2]], right[tones[2]], strict=True)) == 0
    crossings = sum(a <= 0 < b for a, b in zip(left[:16000], left[1:16001], strict=True))
    assert crossings == 200


def test_stretches_unite(page):
    seconds = page.evaluate(
        """import('./stretches.js').then(({ Stretches }) => {
             const stretches = new Stretches(), after = [];
             for (const [from, to] of
                  [[1, 2], [3, 4], [3.5, 5], [0, 1], [2, 2], [1.5, 3.2], [9, 8]]) {
               stretches.add(from, to); after.push(stretches.seconds); }
             return after; })"""
    )
    assert seconds == [1, 2, 3, 4, 4, 5, 5]
