"""What `fit` says at its end: means of what can be measured, and the rest named."""

from pathlib import Path

import pytest
from tiny_model import RATE, make_converter, record, speech

from voiceconv.commands import outcome
from voiceconv.commands.outcome import measure, table
from voiceconv.data.kaldi import Utterance, write_data_dir
from voiceconv.errors import InputError
from voiceconv.metrics.intelligibility import PocketSphinx
from voiceconv.metrics.naturalness import Dnsmos


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """Two voices; val has two recordings of each, with texts. DNSMOS, which is slow, is 3."""
    monkeypatch.setattr(Dnsmos, "score", lambda self, wave: {"dnsmos": 3.0})
    for split, n in (("train", 3), ("val", 2)):
        write_data_dir(
            tmp_path / split,
            [
                Utterance(
                    f"{domain}-{number}",
                    domain,
                    record(
                        tmp_path / split / domain / f"{number}.wav",
                        speech(domain, 0.8, seed=10 * n + number),
                    ),
                    text="one two three",
                )
                for domain in ("high", "low")
                for number in range(n)
            ],
        )
    return tmp_path


def test_the_source_is_the_least_like_the_target(data, monkeypatch):
    monkeypatch.setattr(PocketSphinx, "transcribe", lambda self, wave: "one two tree")
    found = measure(make_converter(), data, data / "none.wav")
    assert [one.n for one in found.values()] == [4, 4, 4]
    assert found["source"].similarity < found["statistics alone"].similarity
    assert found["source"].character_error == pytest.approx(100 / 13)
    assert [line.split()[-1] for line in table(found)] == ["%", "7.7", "7.7", "7.7"]


def test_a_recogniser_of_another_language_has_no_say(data, monkeypatch):
    monkeypatch.setattr(PocketSphinx, "transcribe", lambda self, wave: "well well")
    found = measure(make_converter(), data, data / "none.wav")
    assert {one.character_error for one in found.values()} == {None}
    assert "CER" not in "".join(table(found))


def test_what_cannot_be_read_or_measured_is_left_out_and_named(data, monkeypatch, caplog):
    monkeypatch.setattr(PocketSphinx, "transcribe", lambda self, wave: "")
    for split in ("train", "val"):
        (data / split / "high/0.wav").write_bytes(b"RIFF")
        record(data / split / "low/0.wav", 0 * speech("low", 0.8))
    found = measure(make_converter(), data, data / "none.wav")
    assert [one.n for one in found.values()] == [2, 2, 2]
    for name in ("high-0 to low is not measured: ", "low-0 to high is not measured: "):
        assert any(message.startswith(name) for message in caplog.messages)


def test_only_the_beginning_of_a_long_recording_is_heard(data, monkeypatch):
    lengths = []
    monkeypatch.setattr(PocketSphinx, "transcribe", lambda self, wave: lengths.append(len(wave)))
    monkeypatch.setattr(outcome, "evaluate", lambda recogniser, rates, wave, text: (
        {"character_error": 0.0}, recogniser.transcribe(wave))[0])  # fmt: skip
    monkeypatch.setattr(outcome, "LONGEST", 0.5)
    measure(make_converter(), data, data / "none.wav")
    assert set(lengths) == {8000}


def test_nothing_to_measure_is_said(data):
    for path in (data / "val").glob("*/*.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(InputError, match="val holds nothing that can be measured; add recordings"):
        measure(make_converter(), data, data / "none.wav")


def test_a_lone_target_is_measured_by_a_strangers_recording(data):
    converter = make_converter()
    lone = type(converter)(
        converter.config | {"translator": outcome.UNTOUCHED}, {"low": converter.stats["low"]}
    )
    lone.translator.any_source = True
    stranger = record(data / "stranger.wav", speech(150.0, 0.8), RATE)
    found = measure(lone, data, stranger)
    assert [one.n for one in found.values()] == [1, 1, 1]
    assert found["statistics alone"] == found["this model"]
