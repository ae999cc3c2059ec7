"""The command: layouts, exit codes, what it prints; and twelve planted faults, found."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_fix import content
from tiny_model import make_cli, record
from voices import RATE, as_wave, corpus, in_this_process, sentence

from voiceconv import audio
from voiceconv.check import doctor, fix
from voiceconv.check.corpus import read_corpus
from voiceconv.check.doctor import examine, experiment_needs
from voiceconv.check.measure import clipped_share
from voiceconv.data.kaldi import read_data_dir
from voiceconv.data.prepare import prepare
from voiceconv.errors import InputError


@pytest.fixture
def voiceconv(monkeypatch, capsys):
    """The command line, in this process; synthetic voices say nothing to a speaker encoder."""
    for module in (doctor, fix):
        monkeypatch.setattr(module, "run_tasks", in_this_process)
    monkeypatch.setattr(doctor, "_why_no_voices", lambda items: "not in tests")
    return make_cli(monkeypatch, capsys)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Five minutes of each of two speakers to train on, in few, longer files."""
    return corpus(tmp_path_factory.mktemp("large") / "data", n_train=11, seconds=29.0)


def test_nothing_found_is_exit_code_0(voiceconv, large):
    said = voiceconv("check", large)
    assert said.code == 0, said.out
    assert "nothing found in 26 utterances, 13 minutes" in said.out
    assert "mislabelled: not run (not in tests)" in said.out


def test_findings_are_exit_code_1_in_a_table_and_as_json(voiceconv, tmp_path):
    data = corpus(tmp_path / "data")
    cut = np.clip(5 * sentence(0, 200.0), -0.5, 0.5)
    record(data / "ann" / "s0.flac", as_wave(cut), RATE)
    (data / "bob" / "s0.flac").write_bytes(b"no sound")
    said = voiceconv("check", data)
    assert said.code == 1
    assert "4 findings in 16 utterances" in " ".join(said.out.split())
    assert "train/ann-s0" in said.out and "libsndfile" in said.out
    said = voiceconv("check", data, "--json")
    assert said.code == 1
    report = json.loads(said.out)
    assert [(f["rule"], f["speaker"]) for f in report["findings"]] == [
        ("unreadable", "bob"), ("clipping", "ann"),
        ("too little data", "ann"), ("too little data", "bob"),
    ]  # fmt: skip
    clipping = report["findings"][1]
    assert clipping["figure"] == pytest.approx(100 * clipped_share(cut), rel=1e-3)
    assert (clipping["limit"], clipping["mendable"]) == (0.01, False)
    assert [u["path"] for u in clipping["utterances"]] == [str(data / "ann" / "s0.flac")]
    assert report["speakers"]["bob"]["f0_median"] == pytest.approx(110, rel=0.1)
    assert report["speakers"]["ann"]["sample_rates"] == [RATE]
    assert report["not_run"] == {"mislabelled": "not in tests"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not there"),
        (["file"], "file is a file"),
        (["empty"], "empty holds no wav.scp"),
        (["broken"], "broken/utt2spk:1"),
        (["data", "--fix", "data/out"], "data/out lies in data"),
        (["data", "--fix", "broken"], "broken is there already"),
        (["data", "--experiment", "no_such"], "no_such"),
    ],
)
def test_what_cannot_be_examined_is_exit_code_2(
    voiceconv, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/wav.scp").write_text("a file\n")
    Path("broken/utt2spk").write_text("b ann\n")
    record(Path("data/ann/a.wav"), as_wave(sentence(0)))
    said = voiceconv("check", *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err and "Traceback" not in said.err


def test_every_layout_gives_the_same_utterances(tmp_path):
    """A folder per speaker with lists, the data directories prepared from it, one of them."""
    data = corpus(tmp_path / "data", n_train=2)
    (data / "ann" / "text").write_text("s0 one two\n")
    record(data / "bob" / "extra.wav", as_wave(sentence(9)))
    listed = read_corpus(data)
    assert [item.name for item in listed][:2] == ["train/ann-s0", "train/ann-s1"]
    assert listed[-1].name == "unlisted/bob-extra"
    assert listed[0].utterance.text == "one two"
    prepare(data, tmp_path / "kaldi", lists=data / "splits")
    assert [item.name for item in read_corpus(tmp_path / "kaldi")] == [
        item.name for item in listed[:-1]
    ]
    train = read_corpus(tmp_path / "kaldi" / "train")
    assert [item.name for item in train] == ["ann-s0", "ann-s1", "bob-s0", "bob-s1"]
    (tmp_path / "kaldi" / "val").rename(tmp_path / "kaldi" / "dev")
    assert [i.name for i in read_corpus(tmp_path / "kaldi") if i.split == "val"] == [
        "val/ann-s2", "val/bob-s2",
    ]  # fmt: skip


def test_two_formats_of_one_name_are_two_utterances(tmp_path):
    for name in ("a.wav", "a.flac"):
        record(tmp_path / "ann" / name, as_wave(sentence(0)))
    assert [item.name for item in read_corpus(tmp_path)] == ["ann-a", "ann-a.wav"]


def test_an_experiments_crops_and_rate():
    needs = experiment_needs("cyclegan_vc2_small")
    assert (needs.crop_seconds, needs.sample_rate) == (0.64, 24000)
    assert experiment_needs(None).sample_rate is None
    with pytest.raises(InputError, match="no_such"):
        experiment_needs("no_such")


def test_without_the_extra_speakers_are_named_as_not_compared(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "run_tasks", in_this_process)
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    report = examine(corpus(tmp_path / "data", n_train=1))
    assert "pip install 'voiceconv[eval]'" in report.not_run["mislabelled"]
    one = tmp_path / "one"
    record(one / "ann" / "a.wav", as_wave(sentence(0)))
    assert "one speaker only" in examine(one).not_run["mislabelled"]


@pytest.mark.slow
def test_planted_faults_are_found_and_nothing_else(voiceconv, large, tmp_path):
    """benchmarks/planted_faults.py plants the same, and a foreign voice, in real recordings."""
    data = tmp_path / "data"
    for speaker in ("ann", "bob"):
        for path in sorted((large / speaker).glob("*.flac")):
            (data / speaker).mkdir(parents=True, exist_ok=True)
            (data / speaker / path.name).symlink_to(path)
    lists = {s: [f"s{n}" for n in range(11)] for s in ("ann", "bob")}
    planted = {}

    def plant(rule, speaker, wave, rate=RATE):
        stem = f"z{len(planted)}"  # of two copies, the later name is the one to do without
        record(data / speaker / f"{stem}.flac", as_wave(wave), rate)
        lists[speaker].append(stem)
        planted[rule] = f"train/{speaker}-{stem}"

    noise = np.random.default_rng(0).standard_normal(20 * RATE)
    sentences = [sentence(1000 + n, 150.0) for n in range(8)]
    plant("mixed rates", "ann", audio.resample(as_wave(sentences[0]), RATE, 8000).numpy(), 8000)
    plant("clipping", "bob", np.clip(4 * sentences[1], -0.5, 0.5))
    plant("DC", "ann", sentences[2] + 0.05)
    plant("quiet utterances", "bob", sentences[3] * 0.02)
    plant("noisy utterances", "ann", sentences[4] + 0.03 * noise[: 2 * RATE])
    plant("silence", "bob", np.concatenate([sentences[5], 1e-5 * noise]))
    plant("too short", "ann", sentences[6][: RATE // 5])
    plant("too long", "bob", np.concatenate([sentence(2000 + n, 110.0) for n in range(16)]))
    halves = [sentence(3000 + n, 110.0 * (1 + n % 2), 0.2) for n in range(12)]
    plant("octave errors", "bob", np.concatenate(halves))
    plant("duplicate", "ann", 0.5 * audio.read(large / "ann" / "s3.flac").samples.numpy())
    plant("leak", "bob", audio.read(large / "bob" / "s12.flac").samples[800:].numpy())
    broken = data / "bob" / "z11.flac"
    broken.write_bytes((large / "bob" / "s4.flac").read_bytes()[:20_000])
    lists["bob"].append("z11")
    planted["unreadable"] = "train/bob-z11"
    (data / "splits").mkdir()
    for speaker, stems in lists.items():
        for split, names in {"train": stems, "val": ["s11"], "test": ["s12"]}.items():
            (data / "splits" / f"{speaker}.{split}").write_text("\n".join(names) + "\n")
    before = content(data)
    said = voiceconv("check", data, "--json", "--fix", tmp_path / "out")
    found = {f["rule"]: [u["name"] for u in f["utterances"]]
             for f in json.loads(said.out)["findings"]}  # fmt: skip
    assert found == {rule: [name] for rule, name in planted.items()}
    assert content(data) == before
    left = {f.rule for f in examine(tmp_path / "out").findings}
    assert left == {"clipping", "noisy utterances", "too long", "octave errors"}


def test_channels_that_are_no_stereo_are_found_and_mended(tmp_path, voiceconv):
    """A speaker whose right channel is dead: found, with a note; the copy has the voice's level."""
    data = corpus(tmp_path / "data", n_train=2)
    path = data / "ann" / "s1.flac"
    wave, rate = audio.read(path)
    soundfile.write(path, np.stack([wave, 0 * wave], 1), rate)
    said = voiceconv("check", data, "--json", "--fix", tmp_path / "out")
    found = {f["rule"]: f for f in json.loads(said.out)["findings"]}["channels"]
    assert (found["speaker"], found["mendable"]) == ("ann", True)
    assert [(u["path"], u["note"]) for u in found["utterances"]] == [
        (str(path), "channel 1 left out (without sound)")
    ]
    (mended,) = (tmp_path / "out").rglob("ann-s1.flac")
    np.testing.assert_allclose(audio.read(mended).samples, wave, atol=2.0**-15)


@pytest.mark.slow
def test_in_processes_of_its_own_and_interrupted(tmp_path):
    """The command itself: two workers, then Ctrl-C while it mends."""
    data = corpus(tmp_path / "data", n_train=2)
    prepare(data, tmp_path / "kaldi", lists=data / "splits")
    voiceconv = Path(sys.executable).with_name("voiceconv")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [voiceconv, "check", tmp_path / "kaldi", "--jobs", "2", "--fix", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert len(read_data_dir(tmp_path / "out" / "train")) == 4
    command[-1] = tmp_path / "again"
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it after &
    )  # fmt: skip
    while process.poll() is None and not list(tmp_path.glob(".again.*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} == {"data", "kaldi", "out"}
