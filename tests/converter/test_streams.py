"""A stream is the offline conversion, at a latency that is computed and kept."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import RATE, make_converter, speech
from tiny_stream import HOP, make_streaming, save_streaming, streamed

from voiceconv.audio import level
from voiceconv.converter import Converter, open_model
from voiceconv.converter.streaming import RunningF0, StreamingConverter
from voiceconv.errors import InputError


@pytest.fixture(scope="module")
def converter() -> StreamingConverter:
    return make_streaming()


@pytest.fixture(scope="module")
def wave():
    return speech("low", 0.9)


@pytest.mark.parametrize("sizes", [[1], [7], [160], [480], [4800], [1, 313, 0, 24]])
def test_streamed_output_is_offline_output(converter, wave, sizes):
    some = wave[:3000] if sizes == [1] else wave
    whole = converter.convert(some, "high")
    found = streamed(converter.stream("high"), some, sizes)
    assert len(found) == len(some) == len(whole)
    assert float((found - whole).abs().max()) <= 1e-5
    assert level(found, RATE) > -40  # there is something to compare


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(n=st.integers(0, 3000), sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_no_sample_is_lost_or_added(converter, n, sizes):
    stream = converter.stream("low")
    assert len(streamed(stream, speech("high", 0.2)[:n], sizes)) == n
    assert len(stream.flush()) == 0


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_other_rates_come_out_as_long(converter, rate):
    wave = speech("low", 0.3, rate)
    stream = converter.stream("high", rate)
    found = streamed(stream, wave, [441])
    assert abs(len(found) / stream.output_rate - len(wave) / rate) < 1 / rate
    once = streamed(converter.stream("high", rate), wave, [len(wave)])
    assert torch.equal(found, once)


@pytest.mark.parametrize("look_ahead", [0.0, 0.02])
@pytest.mark.parametrize("at", [3000, 5123])
def test_what_comes_later_changes_nothing_before(converter, wave, look_ahead, at):
    """Output up to t is of input up to t + latency; and a sample more does change something."""
    other = wave.clone()
    other[at:] = 0.3 * torch.sin(torch.arange(len(wave) - at) * 0.05)
    outputs = [
        streamed(converter.stream("high", look_ahead=look_ahead), one, [100])
        for one in (wave, other)
    ]
    n_late = round(converter.stream("high", look_ahead=look_ahead).latency * RATE)
    same = (outputs[0] == outputs[1]).numpy()
    first = int(np.argmin(same))
    assert same[: at - n_late].all()
    assert at - n_late <= first <= at - n_late + 2 * HOP  # the latency is not claimed too long


def test_latency_is_the_sum_of_its_parts(converter):
    stream = converter.stream("high")
    assert stream.parts == pytest.approx(
        {"analysis": 267 / RATE, "look-ahead": 0.02, "synthesis": 0.01, "resampling": 0.0}
    )
    assert stream.latency == pytest.approx(0.0466875)
    at_48k = converter.stream("high", 48000, 0.0)
    assert at_48k.parts["resampling"] == pytest.approx(52 / 48000)
    assert at_48k.latency == pytest.approx(0.0266875 + 52 / 48000)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_an_impulse_is_out_after_the_latency(converter, rate):
    """Of a loud second, nothing; then a click: how late the first changed sample is pushed out."""
    wave = speech("low", 0.4, rate)
    clicked = wave.clone()
    at = 12345 * rate // 48000
    clicked[at] += 0.5
    streams = [converter.stream("high", rate) for _ in range(2)]
    n_out = 0
    for n_in in range(0, len(wave), 8):
        one, other = (
            stream.push(some[n_in : n_in + 8])
            for stream, some in zip(streams, (wave, clicked), strict=True)
        )
        if not torch.equal(one, other):
            break
        n_out += len(one)
    else:
        raise AssertionError("the click changed nothing")
    came = (n_in + 8) / rate  # seconds of input when it came out
    place = n_out / streams[0].output_rate  # of the hop that differs
    assert came - place <= streams[0].latency + 8 / rate
    assert streams[0].latency <= 0.05


def test_a_stream_is_as_loud_as_its_source(converter, wave):
    loud = converter.convert(wave, "high")
    quiet = converter.convert(0.1 * wave, "high")
    assert level(loud, RATE) - level(quiet, RATE) == pytest.approx(20.0, abs=0.5)


def test_silence_stays_silence_and_pauses_are_the_sources_own(converter, wave):
    assert converter.convert(torch.zeros(4000), "high").abs().max() == 0
    noise = 1e-4 * torch.randn(8000, generator=torch.Generator().manual_seed(0))
    found = streamed(converter.stream("high"), torch.cat([wave, noise]), [160])
    assert torch.equal(found[len(wave) + 4 * HOP : -4 * HOP], noise[4 * HOP : -4 * HOP])


def test_what_is_not_finite_counts_as_silence(converter, wave):
    broken = wave.clone()
    broken[5000], broken[6000], broken[7000] = math.nan, math.inf, 1e25
    assert converter.convert(broken, "high").isfinite().all()


def test_a_target_without_f0_leaves_it(wave):
    made = make_streaming()
    nobody = dataclasses.replace(made.stats["high"], log_f0=torch.full((2,), math.nan))
    made.stats = {"high": nobody, "low": nobody}
    assert made.convert(wave, "high").isfinite().all()


def test_several_streams_of_one_model_do_not_meet(converter, wave):
    alone = converter.convert(wave, "high")
    streams = [converter.stream("high"), converter.stream("low")]
    parts = []
    for start in range(0, len(wave), 160):
        parts.append(streams[0].push(wave[start : start + 160]))
        streams[1].push(0.3 * wave[start : start + 160].flip(0))
    assert torch.equal(torch.cat([*parts, streams[0].flush()]), alone)


def test_running_f0_begins_with_the_usual_and_forgets():
    f0 = RunningF0(100)
    for _ in range(25):
        mean = f0.follow(math.log(100))
    assert math.exp(mean) == pytest.approx(122.2, abs=0.5)  # 25 frames count as much as the prior
    for _ in range(5000):
        mean = f0.follow(math.log(200))
    assert math.exp(mean) == pytest.approx(199, abs=1)


def test_a_model_opens_as_what_it_is(tmp_path, converter, wave):
    model = save_streaming(tmp_path / "live")
    opened = open_model(model)
    assert isinstance(opened, StreamingConverter) and opened.streams
    assert opened.look_aheads == (0.0, 0.02)
    assert torch.equal(opened.convert(wave, "high"), converter.convert(wave, "high"))
    assert open_model().streams is False
    with pytest.raises(InputError, match="open it by voiceconv.open_model"):
        Converter.from_pretrained(model)


def test_it_says_what_it_cannot_do(converter):
    for arguments, said in (
        (("nobody",), "no target 'nobody'"),
        (("high", 4000), "sample rate 4000 Hz: a stream takes 8000 to 192000"),
        (("high", None, 0.04), "look-ahead 40 ms: this model has 0, 20"),
        (("high", None, None, 99.0), "semitones 99"),
    ):
        with pytest.raises(InputError, match=said):
            converter.stream(*arguments)
    stream = converter.stream("high")
    with pytest.raises(InputError, match="a chunk is a ndarray"):
        stream.push(np.zeros(5))
    with pytest.raises(InputError, match="a stream takes one channel"):
        stream.push(torch.zeros(2, 5))
    with pytest.raises(InputError, match="a chunk is of torch.int16"):
        stream.push(torch.zeros(5, dtype=torch.int16))
    stream.flush()
    with pytest.raises(InputError, match="has been flushed"):
        stream.push(torch.zeros(5))


def test_an_offline_model_says_how_late_it_would_be():
    offline = make_converter()
    assert isinstance(offline, Converter) and offline.look_aheads == ()
    with pytest.raises(InputError, match="at least 1.01 s late"):
        offline.stream("high")
