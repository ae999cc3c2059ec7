"""What a mended copy holds, measured; what it leaves alone."""

import hashlib
import json
import math

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import record
from voices import RATE, as_wave, corpus, in_this_process, sentence

from voiceconv import audio
from voiceconv.check import doctor, fix
from voiceconv.check.corpus import read_corpus
from voiceconv.check.doctor import examine
from voiceconv.check.fix import Treatment, treat
from voiceconv.data.kaldi import read_data_dir
from voiceconv.errors import InputError, NoRoomError, RunError


@pytest.fixture(autouse=True)
def _here_and_without_the_encoder(monkeypatch):
    """No processes; synthetic voices say nothing to a speaker encoder."""
    for module in (doctor, fix):
        monkeypatch.setattr(module, "run_tasks", in_this_process)
    monkeypatch.setattr(doctor, "_why_no_voices", lambda items: "not in tests")


def mended(data, output):
    report = examine(data)
    fix.mend(report, data, output)
    return json.loads((output / "mended.json").read_text())["utterances"]


def rules(data):
    """Rules that found something, but for what a test corpus is too small for."""
    return {f.rule for f in examine(data).findings} - {"too little data"}


def content(folder):
    """Path -> hash and time of change of every file."""
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def damaged(folder):
    """A corpus with a fault of every kind that can be mended."""
    data = corpus(folder)
    record(data / "ann" / "s0.flac", audio.resample(as_wave(sentence(50, 200.0)), RATE, 8000), 8000)
    record(data / "ann" / "s1.flac", as_wave(sentence(51, 200.0) + 0.1), RATE)
    record(data / "ann" / "s2.flac", as_wave(sentence(52, 200.0) * 0.03), RATE)
    hush = 1e-5 * np.random.default_rng(0).standard_normal(5 * RATE)
    padded = np.concatenate([hush, sentence(53, 200.0), hush])
    record(data / "ann" / "s3.flac", as_wave(padded), RATE)
    record(data / "bob" / "s0.flac", as_wave(sentence(54, seconds=0.4)), RATE)
    (data / "bob" / "s1.flac").write_bytes((data / "bob" / "s2.flac").read_bytes())
    leaked = audio.read(data / "bob" / "s7.flac").samples[800:] / 2
    record(data / "bob" / "s3.flac", leaked, RATE)
    (data / "bob" / "s4.flac").write_bytes(b"no sound")
    record(data / "bob" / "s5.flac", torch.zeros(RATE), RATE)
    return data


def test_every_kind_that_can_be_mended_is_and_the_original_stays(tmp_path):
    data = damaged(tmp_path / "data")
    before = content(data)
    kinds = {"mixed rates", "DC", "quiet utterances", "silence", "too short", "duplicate", "leak",
             "unreadable"}  # fmt: skip
    assert rules(data) == kinds
    log = mended(data, tmp_path / "out")
    assert content(data) == before
    assert rules(tmp_path / "out") == set()
    left_out = {name: entry["left_out"] for name, entry in log.items() if "left_out" in entry}
    assert left_out.keys() == {f"train/bob-s{n}" for n in (0, 2, 3, 4, 5)}
    assert left_out["train/bob-s2"] == "duplicate: is train/bob-s1"
    assert left_out["train/bob-s3"] == "leak: is test/bob-s7"
    assert log["train/ann-s0"] == {"resampled_from": 8000}
    assert log["train/ann-s1"] == {"dc_subtracted": pytest.approx(0.1, abs=1e-3)}
    assert log["train/ann-s3"]["cut_seconds"] == [
        pytest.approx(4.8, abs=0.05), pytest.approx(5.0, abs=0.05)  # the last syllable is a pause
    ]  # fmt: skip
    assert log["test/ann-s7"] == {}  # in order: nothing was done
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "mended.json", "test", "train", "val", "wav",
    ]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "out"]


def test_what_is_in_order_keeps_its_samples(tmp_path):
    data = damaged(tmp_path / "data")
    mended(data, tmp_path / "out")
    (utterance,) = [u for u in read_data_dir(tmp_path / "out" / "test") if u.domain == "ann"]
    written, rate = soundfile.read(utterance.path, dtype="int16")
    original, _ = soundfile.read(data / "ann" / "s7.flac", dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(written, original)


@pytest.mark.parametrize(("subtype", "kept"), [("PCM_16", "PCM_16"), ("PCM_24", "PCM_24")])
def test_resolution_is_the_originals(tmp_path, subtype, kept):
    data = tmp_path / "data"
    for speaker in ("ann", "bob"):
        record(data / speaker / "a.wav", as_wave(sentence(len(speaker))), RATE, subtype=subtype)
    mended(data, tmp_path / "out")
    infos = [audio.probe(u.path) for u in read_data_dir(tmp_path / "out")]
    assert {info.subtype for info in infos} == {kept}


def test_parts_of_recordings_become_files_and_transcripts_stay(tmp_path):
    record(tmp_path / "long.wav", as_wave(sentence(1, seconds=4.0)), RATE)
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"rec {tmp_path / 'long.wav'}\n")
    (data / "segments").write_text("ann-1 rec 0.2 1.8\nann-2 rec 2.0 3.6\n")
    (data / "utt2spk").write_text("ann-1 ann\nann-2 ann\n")
    (data / "text").write_text("ann-1 one two\nann-2 three\n")
    mended(data, tmp_path / "out")
    first, second = read_data_dir(tmp_path / "out")
    assert (first.text, second.text, first.start) == ("one two", "three", None)
    assert audio.probe(first.path).seconds == pytest.approx(1.6, abs=0.01)


def test_treatment_is_measured():
    wave = torch.from_numpy(sentence(3, seconds=4.0)).float()
    treatment = Treatment(24000, lead=0.5, tail=0.25, dc=0.05, loudness=-23.0)
    treated, done = treat(wave * 0.1 + 0.05, RATE, treatment)
    assert len(treated) == 3.25 * 24000
    assert float(treated.mean()) == pytest.approx(0.0, abs=2e-3)
    assert audio.loudness(treated, 24000) == pytest.approx(-23.0, abs=0.01)
    assert done["cut_seconds"] == [0.5, 0.25] and done["resampled_from"] == RATE


def test_a_gain_stops_below_full_scale():
    """One click forbids the gain that its loudness would have."""
    wave = 0.001 * torch.from_numpy(sentence(3)).float()
    wave[5000] = 0.5
    treated, done = treat(wave, RATE, Treatment(RATE, loudness=-23.0))
    assert float(treated.abs().max()) == pytest.approx(0.99, abs=1e-6)
    assert done == {"gain_db": round(20 * math.log10(0.99 / 0.5), 2)}


def test_nothing_to_do_gives_the_same_wave():
    wave = torch.from_numpy(sentence(3)).float()
    treated, done = treat(wave, RATE, Treatment(RATE))
    assert torch.equal(treated, wave) and done == {}


@pytest.mark.parametrize("raised", [KeyboardInterrupt, NoRoomError("no space left")])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, raised):
    data = corpus(tmp_path / "data", n_train=2)
    report = examine(data)
    write, written = audio.write, []

    def fail_at_the_third(path, *arguments):
        if len(written) == 2:
            raise raised
        written.append(path)
        return write(path, *arguments)

    monkeypatch.setattr(audio, "write", fail_at_the_third)
    with pytest.raises((KeyboardInterrupt, Exception)):
        fix.mend(report, data, tmp_path / "out")
    assert len(written) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_output_must_be_new_or_empty_and_elsewhere(tmp_path):
    data = corpus(tmp_path / "data", n_train=2)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    for output, said in (
        (full, "is there already"),
        (data / "out", "lies in"),
        (tmp_path / "no" / "out", "there is no folder"),
    ):
        with pytest.raises(InputError, match=said):
            fix.check_output(data, output)
    empty = tmp_path / "empty"
    empty.mkdir()
    mended(data, empty)
    assert len(read_corpus(empty)) == 8


def test_a_corpus_of_nothing_but_faults_gives_no_copy(tmp_path):
    for speaker in ("ann", "bob"):
        record(tmp_path / "data" / speaker / "a.wav", torch.zeros(RATE), RATE)
    with pytest.raises(RunError, match="nothing of .* is worth keeping"):
        mended(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_slashes_in_names_become_folders_of_the_copy(tmp_path):
    """Speakers `x/y` and `z`, utterances `a/b` and `a_b`: four files, all inside."""
    data = tmp_path / "data"
    data.mkdir()
    speakers = {"a/b": "x/y", "a_b": "x/y", "c/d/e": "z", "%2F": "z"}
    for number in range(len(speakers)):
        record(tmp_path / f"{number}.flac", as_wave(sentence(60 + number, 200.0)), RATE)
    rows = [f"{name} {tmp_path}/{number}.flac\n" for number, name in enumerate(speakers)]
    (data / "wav.scp").write_text("".join(rows))
    (data / "utt2spk").write_text("".join(f"{u} {s}\n" for u, s in speakers.items()))
    before = content(tmp_path)
    mended(data, tmp_path / "out")
    copies = {u.id: u.path for u in read_data_dir(tmp_path / "out")}
    assert copies.keys() == speakers.keys()
    assert len(set(copies.values())) == 4
    inside = (tmp_path / "out" / "wav").resolve()
    assert all(path.resolve().is_relative_to(inside) for path in copies.values())
    assert before.items() <= content(tmp_path).items()


def test_what_cannot_be_mended_is_left_out_and_all_else_is_there(tmp_path, monkeypatch):
    data = corpus(tmp_path / "data", n_train=2)
    report = examine(data)
    read = fix.read_wave

    def read_but_one(utterance):
        wave, rate = read(utterance)
        return (wave * math.nan if utterance.id == "ann-s1" else wave), rate

    monkeypatch.setattr(fix, "read_wave", read_but_one)
    with pytest.raises(RunError, match=r"7 utterances written .* of these 1 could not be mended"):
        fix.mend(report, data, tmp_path / "out")
    assert len(read_corpus(tmp_path / "out")) == 7
    record = json.loads((tmp_path / "out/mended.json").read_text())["utterances"]
    assert "NaN or infinite" in record["train/ann-s1"]["left_out"]
    monkeypatch.setattr(fix, "read_wave", lambda utterance: (torch.full((99,), math.nan), RATE))
    with pytest.raises(RunError, match=r"nothing of .* could be mended .*none is not written"):
        fix.mend(report, data, tmp_path / "none")
    assert not (tmp_path / "none").exists()
