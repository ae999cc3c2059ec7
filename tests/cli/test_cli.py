"""The command line: every way to name inputs and outputs, all commands, exit codes."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import MEL_CONFIG, RATE, Cli, make_cli, make_converter, record, speech

from voiceconv.converter import Converter
from voiceconv.converter.directory import digest
from voiceconv.provenance import CONVERSION

COMMANDS = (
    "adapt augment calibrate check compare convert data distill evaluate export extract fit genre "
    "info inspect listen models prepare push render report resynth serve stats stream train vocoder"
).split()
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_converter().save_pretrained(folder, {"steps": 0, "licence": "CC0-1.0"})
    return folder


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """An empty current directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def convert(voiceconv, model):
    def call(*arguments: str | Path):
        return voiceconv("convert", *arguments, "--target", "high", "--model", model)

    return call


def put(path: Path | str, seconds: float = 0.3, rate: int = RATE) -> Path:
    return record(Path(path), speech("low", seconds, rate), rate)


def tree(folder: Path) -> list[str]:
    """The files but for the note of what made them, which has a test of its own."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != CONVERSION]
    return sorted(str(path.relative_to(folder)) for path in files)


def test_a_folder_of_conversions_says_what_made_them_and_one_file_does_not(convert, work, model):
    put("in/a.wav")
    assert convert("in", "-o", "one").code == 0
    put("in/b.wav")
    assert convert("in", "-o", "two").code == 0
    assert not (work / "one" / CONVERSION).exists()
    (entry,) = json.loads((work / "two" / CONVERSION).read_text())
    assert (entry["model"], entry["target"], entry["source"]) == (str(model), "high", None)
    assert entry["sha256"] == digest(model)


def test_a_file_becomes_a_file_beside_you(convert, work, model):
    put(work.parent / "talk.flac", 0.5, 44100)
    said = convert(work.parent / "talk.flac")
    assert said == (0, "", "")
    assert tree(work) == ["talk-high.wav"]
    samples, rate = soundfile.read("talk-high.wav", dtype="float32")
    assert (samples.shape, rate) == ((RATE // 2,), RATE)
    wave = torch.from_numpy(soundfile.read(work.parent / "talk.flac", dtype="float32")[0])
    expected = Converter.from_pretrained(model).convert(wave, "high", sample_rate=44100)
    assert np.abs(samples - expected.numpy()).max() < 1e-3  # 16 bit, another order of resampling


def test_output_names(convert, work):
    put("in.wav")
    (work / "there").mkdir()
    assert convert("in.wav", "-o", "out.flac").code == 0
    assert convert("in.wav", "-o", "there").code == 0
    assert convert("in.wav", "-o", "new/").code == 0
    assert convert("in.wav", "-o", "deep/er/x.ogg").code == 0
    assert tree(work) == ["deep/er/x.ogg", "in.wav", "new/in.wav", "out.flac", "there/in.wav"]
    assert soundfile.info("out.flac").format == "FLAC"


def test_a_folder_keeps_its_tree(convert, work):
    for name in ("a.wav", "sub/a.wav", "sub/deep/b.FLAC"):
        put(f"in/{name}")
    (work / "in" / "notes.txt").write_text("no sound")
    assert convert("in", "-o", "out").code == 0
    assert tree(work / "out") == ["a.wav", "sub/a.wav", "sub/deep/b.wav"]


def test_patterns_and_several_inputs(convert, work):
    for name in ("one.wav", "two.wav", "in/three.wav"):
        put(name)
    assert convert("*.wav", "in", "-o", "out").code == 0
    assert tree(work / "out") == ["one.wav", "three.wav", "two.wav"]
    assert convert("t*.wav", "one.wav").code == 0
    assert {"two-high.wav", "one-high.wav"} < set(tree(work))
    put("[1].wav")
    assert convert("[1].wav", "-o", "odd.wav").code == 0  # a file of that name is no pattern


def test_a_data_directory_with_segments(convert, work):
    put("a.wav", 1.0)
    put("b.wav", 0.3)
    data = work / "data"
    data.mkdir()
    (data / "wav.scp").write_text("a a.wav\nb b.wav\n")
    (data / "segments").write_text("low-1 a 0.0 0.4\nlow-2 a 0.4 0.9\nother-3 b 0.0 -1\n")
    (data / "utt2spk").write_text("low-1 low\nlow-2 low\nother-3 other\n")
    assert convert("data", "-o", "all").code == 0
    assert tree(work / "all") == ["low-1.wav", "low-2.wav", "other-3.wav"]
    lengths = [soundfile.info(work / "all" / name).frames for name in tree(work / "all")]
    assert lengths == [6400, 8000, 4800]
    assert convert("data", "-o", "some", "--source", "low").code == 0
    assert tree(work / "some") == ["low-1.wav", "low-2.wav"]


def test_a_rate_of_your_own(convert, work):
    put("in.wav", 0.3)
    assert convert("in.wav", "-o", "out.wav", "--sample-rate", "44100").code == 0
    assert (soundfile.info("out.wav").samplerate, soundfile.info("out.wav").frames) == (
        44100,
        13230,
    )
    for rate in ("0", "-1", "999999"):
        said = convert("in.wav", "-o", "no.wav", "--sample-rate", rate)
        assert said.code == 2
        assert f"no output at {rate} Hz; choose a rate from 4000 to 384000 Hz" in said.err
    assert not Path("no.wav").exists()


def test_skip_existing(convert, work):
    for name in ("a", "b"):
        put(f"in/{name}.wav")
    (work / "out").mkdir()
    (work / "out" / "a.wav").write_bytes(b"mine")
    assert convert("in", "-o", "out", "--skip-existing").code == 0
    assert (work / "out" / "a.wav").read_bytes() == b"mine"
    assert soundfile.info("out/b.wav").frames == 4800
    assert convert("in", "-o", "out").code == 0
    assert soundfile.info("out/a.wav").frames == 4800


def test_of_several_inputs_the_bad_one_is_named_and_the_others_done(convert, work):
    put("in/a.wav")
    put("in/c.wav")
    long_name = "b" + 60 * "o" + ".wav"
    (work / "in" / long_name).write_bytes(b"")
    said = convert("in", "-o", "out")
    assert said.code == 1
    assert tree(work / "out") == ["a.wav", "c.wav"]
    named, last = said.err.splitlines()
    assert named == f"voiceconv: in/{long_name} is empty (0 bytes); give a file that holds sound"
    assert last == f"voiceconv: error: 1 of 3 inputs were not converted: in/{long_name}; see above"


def test_an_output_must_not_be_an_input_nor_be_written_twice(convert, work):
    put("a.wav")
    put("sub/a.wav")
    put("sub/a.flac")
    before = Path("a.wav").read_bytes()
    for arguments, message in (
        (["a.wav", "-o", "a.wav"], "a.wav is an input too"),
        (["a.wav", "-o", "."], "a.wav is an input too"),
        (["a.wav", "sub/a.wav", "-o", "out"], "out/a.wav would be written twice"),
        (["a.wav", "sub/a.wav"], "a-high.wav would be written twice"),
        (["a.wav", "sub/a.flac", "-o", "x.wav"], "x.wav names one file for a folder or several"),
        (["a.wav", "sub/a.flac", "-o", "-"], "-o - takes one input, not 2"),
    ):
        said = convert(*arguments)
        assert said.code == 2
        assert f"voiceconv: error: {message}" in said.err
    assert tree(work) == ["a.wav", "sub/a.flac", "sub/a.wav"]
    assert Path("a.wav").read_bytes() == before


def test_an_input_named_twice_is_one(convert, work):
    put("a.wav")
    assert convert("a.wav", "*.wav", "-o", "out").code == 0
    assert tree(work / "out") == ["a.wav"]


def test_a_wrong_domain_costs_no_conversion(convert, voiceconv, model, work):
    put("a.wav")
    put("b.wav")
    said = voiceconv("convert", "a.wav", "b.wav", "--target", "x", "--model", model)
    assert (said.code, said.err) == (
        2,
        "voiceconv: error: no target 'x': this model knows high, low\n",
    )
    said = convert("a.wav", "b.wav", "--source", "high")
    assert said.code == 2
    assert "source and target are both 'high'" in said.err


def test_resynth(voiceconv, work, model):
    put("in.wav", 0.5)
    assert voiceconv("resynth", "in.wav", "--model", model).code == 0
    assert voiceconv("resynth", "in.wav", "--features", "mel", "-o", "mel.wav").code == 0
    assert tree(work) == ["in-resynth.wav", "in.wav", "mel.wav"]
    assert soundfile.info("mel.wav").samplerate == 24000
    assert soundfile.info("mel.wav").frames == 12000
    said = voiceconv("resynth", "in.wav", "--features", "lpc")
    assert (said.code, said.err) == (
        2,
        "voiceconv: error: no features 'lpc'; choose from mel, piano_roll, world, experiment=NAME, "
        "or name a vocoder that was trained on them\n",
    )


def test_verbose_says_whose_statistics_and_how_f0_moves(convert, work):
    put("in/a.wav", 1.0)
    said = convert("in", "-o", "out", "-v", "--source", "low")
    assert said == (
        0,
        "",
        "voiceconv: in/a.wav -> out/a.wav:\n"
        "voiceconv: source low, as named; F0 moved by +12.0 semitones\n",
    )
    record(work / "other.wav", speech("low", 1.0) + 0.1 * speech("high", 1.0))
    said = convert("in/a.wav", "other.wav", "-o", "out", "--verbose", "--semitones", "-1.5")
    lines = said.err.splitlines()
    assert [line for line in lines if "->" in line] == [
        "voiceconv: in/a.wav -> out/a.wav:",
        "voiceconv: other.wav -> out/other.wav:",
    ]
    assert lines[1] == (
        "voiceconv: source low, recognised; F0 moved by +12.0 semitones and -1.5 on top"
    )
    assert lines[3].startswith(
        "voiceconv: source unseen: its own statistics, the network of low; F0 moved by +"
    )
    assert convert("in/a.wav", "-o", "quiet.wav").err == ""


def test_semitones_move_the_pitch(convert, voiceconv, work, model, tmp_path):
    put("in.wav", 1.0)
    extract = Converter.from_pretrained(model).extractor.extract
    pitch = {}
    for semitones in ("0", "4", "-4"):
        assert convert("in.wav", "-o", "out.wav", "--semitones", semitones).code == 0
        f0 = extract(torch.from_numpy(soundfile.read("out.wav", dtype="float32")[0])).f0
        pitch[semitones] = float(f0[f0 > 0].median())
    assert pitch["4"] / pitch["0"] == pytest.approx(2 ** (4 / 12), rel=0.02)
    assert pitch["-4"] / pitch["0"] == pytest.approx(2 ** (-4 / 12), rel=0.02)
    make_converter(MEL_CONFIG).save_pretrained(tmp_path / "mel", {})
    for model_, semitones, sentence in (
        (tmp_path / "mel", "1", "semitones 1: MelSpectrogram features have no F0 to move; leave it "
         "out, or take a model of WORLD features"),
        (model, "25", "semitones 25: F0 is moved by -24 to 24 of them; choose a number between"),
        (model, "nan", "semitones nan: F0 is moved by -24 to 24 of them; choose a number between"),
    ):  # fmt: skip
        said = voiceconv("convert", "in.wav", "--target", "high", "--model", model_,
                         "--semitones", semitones, "-o", "no.wav")  # fmt: skip
        assert said == (2, "", f"voiceconv: error: {sentence}\n")
    assert not Path("no.wav").exists()


def test_a_device_that_is_not_there(convert, voiceconv, work, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    put("in.wav")
    sentence = "voiceconv: error: --device cuda: no CUDA device is there; use --device cpu\n"
    assert convert("in.wav", "--device", "cuda") == (2, "", sentence)
    assert voiceconv("resynth", "in.wav", "--device", "cuda") == (2, "", sentence)
    assert convert("in.wav", "--device", "cpu", "-o", "named.wav").code == 0
    assert convert("in.wav", "-o", "auto.wav").code == 0
    assert Path("named.wav").read_bytes() == Path("auto.wav").read_bytes()


def test_models_and_info_of_a_model(voiceconv, model, monkeypatch):
    for module in ("voiceconv.converter.directory", "voiceconv.vocoders.directory"):
        monkeypatch.setattr(f"{module}.BUNDLED", model.parent)
    listed = json.loads(voiceconv("models", "--json").out)
    assert [one["name"] for one in listed] == ["tiny"]
    assert voiceconv("models").out == "tiny: high, low (CC0-1.0)\n"
    shown = json.loads(voiceconv("info", model, "--json").out)
    assert shown == listed[0]
    assert (shown["domains"], shown["steps"]) == (["high", "low"], 0)
    assert shown["features"]["f0_method"] == "dio"
    lines = voiceconv("info", "tiny").out.splitlines()
    assert {"domains: high, low", "licence: CC0-1.0", "  sample_rate: 16000"} < set(lines)
    assert voiceconv("info", "tiny", "other").code == 2
    assert "no model 'gone'" in voiceconv("info", "gone").err


@pytest.mark.parametrize(
    ("experiment", "generator", "discriminator"),
    [("cyclegan_vc2", 14_999_233, 5_729_281), ("maskcyclegan_vc", 16_459_073, 5_729_281)],
)
def test_info_of_an_experiment_has_the_papers_numbers(
    voiceconv, experiment, generator, discriminator
):
    said = voiceconv("info", f"experiment={experiment}", "--json")
    networks = json.loads(said.out)["networks"]
    assert networks["generator"]["parameters"] == generator
    assert networks["discriminator"]["parameters"] == discriminator
    assert set(networks["generator"]) == {"parameters", "macs_per_second", "context_frames"}


def test_info_of_an_experiment_that_is_not_there(voiceconv):
    said = voiceconv("info", "experiment=none_such")
    assert said.code == 2
    assert said.err.startswith("voiceconv: error: ")
    assert len(said.err.splitlines()) == 1
    assert "none_such" in said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(voiceconv, command):
    said = voiceconv(command, "--help")
    assert said.code == 0
    if command == "train":  # Hydra's, which lists the groups
        assert "experiment: any_to_many, brunner, brunner_small, cut, cut_small" in said.out
    else:
        assert said.out.startswith(f"Usage: voiceconv {command}")


def test_help_lists_the_commands_and_none_is_an_error(voiceconv):
    said = voiceconv("--help")
    assert said.code == 0
    assert all(f" {command} " in said.out for command in COMMANDS)
    assert voiceconv().code == 2
    said = voiceconv("transform")
    assert said.code == 2
    assert "No such command 'transform'" in said.err
    assert voiceconv("convert", "in.wav").code == 2  # no --target


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_start_neither_torch_nor_hydra(option):
    code = (
        f"import sys; sys.argv = ['voiceconv', '{option}']\n"
        "from voiceconv.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'hydra', 'numpy', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_packages(voiceconv):
    assert voiceconv("--version") == (0, f"voiceconv {version('voiceconv')}\n", "")
    assert voiceconv("--version", "transform").code == 0  # as --help does, it wins


def test_the_command_itself_from_a_pipe_to_a_pipe(model, work):
    """The one test that starts the installed command: bytes in, bytes out, nothing else."""
    put("in.wav", 0.3, 22050)
    command = Path(sys.executable).with_name("voiceconv")
    done = subprocess.run(
        [command, "convert", "-", "--target", "high", "--model", model],
        input=Path("in.wav").read_bytes(),
        capture_output=True,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    Path("out.wav").write_bytes(done.stdout)
    assert (soundfile.info("out.wav").samplerate, soundfile.info("out.wav").frames) == (RATE, 4800)


CORPUS_RATES = {"high": 22050, "low": 16000}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Two synthesised speakers of the same four sentences."""
    folder = tmp_path_factory.mktemp("corpus")
    for domain, rate in CORPUS_RATES.items():
        for number in range(4):
            wave = speech(domain, 0.8, rate, seed=number)
            record(folder / domain / f"s{number}.wav", wave, rate)
    return folder


TINY = """# @package _global_
defaults: [cyclegan_vc2_small]
features: {sample_rate: 16000, n_coefficients: 24, f0_method: dio}
translator: {generator: {base_channels: 8, n_residual_blocks: 1}}
discriminator: {base_channels: 8}
data: {n_frames: 64}
trainer: {n_steps: 4, decay_start: 2, log_every: 2, checkpoint_every: 2, validate_every: 4}
validation: {n_utterances: 1}
card: {data: synthetic, licence: CC0-1.0}
"""


@pytest.mark.slow
def test_from_recordings_to_scores(voiceconv, corpus, work):
    """prepare, extract, stats, info, train, convert, evaluate: each command takes what the one
    before has left.
    """
    (work / "conf" / "experiment").mkdir(parents=True)
    (work / "conf" / "experiment" / "tiny.yaml").write_text(TINY)
    ours = ["--config-dir", "conf"]
    said = voiceconv("prepare", corpus, "data", "--n-val", "1", "--n-test", "1")
    assert said.code == 0
    assert "sample rates differ (high 22050 Hz, low 16000 Hz)" in said.err
    said = voiceconv("extract", "data", "dump", "--features", "experiment=tiny", *ours, "-h")
    assert said.code == 0  # help wins
    said = voiceconv(
        "extract", "data", "dump", "--features", "experiment=tiny", *ours, "--jobs", "1"
    )
    assert (said.code, said.out) == (
        0,
        "dump/train: 2 utterances\ndump/val: 2 utterances\ndump/test: 2 utterances\n",
    )
    said = voiceconv("stats", "dump/train")
    assert [line.split(" channels")[0] for line in said.out.splitlines()] == ["high: 24", "low: 24"]
    assert int(said.out.split("mean F0 ")[1].split()[0]) == pytest.approx(210, abs=3)
    said = voiceconv("info", "experiment=tiny", *ours, "--json")
    assert json.loads(said.out)["networks"]["generator"]["parameters"] > 0
    said = voiceconv("train", "experiment=tiny", "data.dump=dump", "data.waves=data", *ours)
    assert said.code == 0, said.err
    assert "F0 moved" not in Path("exp/tiny/train.log").read_text()  # by validation's conversions
    said = voiceconv("info", "exp/tiny", "--json")
    assert (json.loads(said.out)["steps"], json.loads(said.out)["data"]) == (4, "synthetic")
    said = voiceconv("convert", "data/test", "--source", "low", "--target", "high",
                     "--model", "exp/tiny", "-o", "out")  # fmt: skip
    assert said.code == 0, said.err
    (converted,) = (work / "out").iterdir()
    assert soundfile.info(converted).frames == int(0.8 * 16000)
    said = voiceconv("evaluate", "out", "--reference", "data/test", "--target", "high",
                     "--metric", "mel_cepstral_distortion", "-o", "scores.json")  # fmt: skip
    assert said.code == 0, said.err
    assert said.out.startswith("mel_cepstral_distortion: ")
    scores = json.loads(Path("scores.json").read_text())
    assert scores["metrics"]["mel_cepstral_distortion"]["n"] == 1
    said = voiceconv("compare", "scores.json", "scores.json", "--json")
    change = json.loads(said.out)["measures"]["mel_cepstral_distortion"]["systems"][1]["difference"]
    assert change == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 1, "verdict": None}
    said = voiceconv("evaluate", "out", "--reference", "data/test", "--target", "high", "-o",
                     "34.json", "--metric", "mel_cepstral_distortion",
                     "--set", "mcd.order=34")  # fmt: skip
    said = voiceconv("compare", "scores.json", "34.json")
    assert said.code == 2 and said.out == ""
    assert said.err == (
        "voiceconv: error: 34.json was not made as scores.json was: mel_cepstral_distortion: "
        "order is 34, not 24; evaluate both alike\n"
    )


def test_train_says_in_a_sentence_what_is_wrong(voiceconv, work):
    for arguments, message in (
        (["experiment=none_such", "data.dump=dump"], "none_such"),
        (["experiment=cyclegan_vc2_small"], "data.dump"),
        (["experiment=cyclegan_vc2_small", "data.dump=gone"], "gone/train"),
        (["experiment=cyclegan_vc2_small", "data.dump=gone", "trainer.n_stepz=1"], "n_stepz"),
        (["trainer.n_steps=["], "at input '['"),
    ):
        said = voiceconv("train", *arguments)
        assert said.code == 2
        assert said.err.startswith("voiceconv: error: ")
        assert message in said.err
        assert "Traceback" not in said.err


def test_a_bundled_vocoder_is_shown_and_is_no_converter(voiceconv, work):
    said = voiceconv("models")
    assert "vocos-24khz: a vocoder (CC0-1.0)\n" in said.out
    card = json.loads(voiceconv("info", "vocos-24khz", "--json").out)
    assert (card["name"], card["generator"]["n_refinements"]) == ("vocos-24khz", 16)
    assert card["features"]["sample_rate"] == 24000 and 11 < card["megabytes"] < 13
    put("in.wav", 0.3)
    said = voiceconv("convert", "in.wav", "--target", "low", "--model", "vocos-24khz")
    assert said.code == 2 and "no model 'vocos-24khz'" in said.err


def test_resynth_by_the_bundled_vocoder(voiceconv, work):
    """The level of a vowel comes back within 1 dB, as many samples as there were."""
    put("in.wav", 0.5, 24000)
    assert voiceconv("resynth", "in.wav", "--vocoder", "vocos-24khz").code == 0
    before, after = (soundfile.read(name)[0] for name in ("in.wav", "in-resynth.wav"))
    assert before.shape == after.shape
    ratio = float((after**2).mean() / (before**2).mean())
    assert 0.8 < ratio < 1.26


def test_the_sizes_of_a_vocoders_experiment(voiceconv, work):
    said = voiceconv("info", "experiment=vocos_small", "--json")
    sizes = {name: one["parameters"] for name, one in json.loads(said.out)["networks"].items()}
    assert sizes["generator"] == 5_996_499  # the bundled one's
    assert sizes.keys() == {"generator", "period", "resolution"}
    said = voiceconv("info", "experiment=nothing_such")
    assert said.code == 2 and "nothing_such" in said.err and said.err.count("\n") == 1
