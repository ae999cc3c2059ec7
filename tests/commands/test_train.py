"""`voiceconv train`: Hydra's arguments in, a run or one sentence out."""

import json
import logging
import shutil
import signal
import sys

import pytest
import torch
import yaml
from test_config import TINY, make_dump, tiny_config
from tiny_model import record

from voiceconv.build import compose_config
from voiceconv.commands.train import FIXED, prepare_trainer, train_command
from voiceconv.converter import Converter
from voiceconv.data.crops import UnpairedCrops
from voiceconv.data.kaldi import Utterance, write_data_dir
from voiceconv.errors import InputError, RunError
from voiceconv.files import locked
from voiceconv.report.run import read_log
from voiceconv.runs.setup import write_run_files


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> list[str]:
    """A run of two steps at width 8; what Hydra does to the process is undone."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    features = yaml.safe_load(yaml.safe_dump(dict(compose_config(["features=mel"]).features)))
    make_dump(tmp_path / "dump", features, {"low": [40, 60], "high": [50, 33]})
    return [
        "experiment=maskcyclegan_vc_small",
        *TINY,
        "trainer.n_steps=2",
        f"data.dump={tmp_path}/dump",
        f"run_dir={tmp_path}/a run",
    ]


def test_a_run_leaves_what_the_design_says(tmp_path, arguments):
    train_command(arguments)
    run = tmp_path / "a run"
    found = sorted(path.name for path in run.iterdir())
    assert found == [
        *(
            ".lock",
            "checkpoints",
            "config.yaml",
            "last",
            "model",
            "provenance.json",
            "tensorboard",
            "train.log",
        )
    ]
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["name"], config["trainer"]["n_steps"]) == ("maskcyclegan_vc_small", 2)
    (entry,) = json.loads((run / "provenance.json").read_text())
    assert (entry["seed"], entry["torch"]) == (5, torch.__version__)
    assert entry["command"].startswith("voiceconv train experiment=maskcyclegan_vc_small ")
    assert torch.load(run / "checkpoints/last.pt", weights_only=True)["step"] == 2
    train_command(arguments)  # finished: nothing more to do
    assert len(json.loads((run / "provenance.json").read_text())) == 2


def test_utterances_shorter_than_a_crop_are_counted_for_the_user(tmp_path, arguments, capfd):
    """On the terminal and in train.log, by domain; nothing is said where there are none."""
    train_command(arguments)
    assert "left out" not in capfd.readouterr().err
    shutil.rmtree(tmp_path / "dump")
    shutil.rmtree(tmp_path / "a run")
    features = yaml.safe_load(yaml.safe_dump(dict(compose_config(["features=mel"]).features)))
    make_dump(tmp_path / "dump", features, {"low": [31, 60, 5], "high": [50, 33], "none": [40]})
    train_command(arguments)
    sentence = (
        "2 of 3 utterances of 'low' are shorter than a crop of 32 frames and are left out; lower "
        "data.n_frames to use them"
    )
    shown = [line for line in capfd.readouterr().err.splitlines() if "left out" in line]
    assert shown == [f"voiceconv: {sentence}"]
    log = (tmp_path / "a run/train.log").read_text().splitlines()
    assert [line for line in log if "left out" in line] == [
        line for line in log if line.endswith(f"[voiceconv.runs.setup][WARNING] - {sentence}")
    ]
    assert [one.text for one in read_log(tmp_path / "a run/train.log")][0] == sentence


def test_an_interrupted_run_says_so_and_goes_on(tmp_path, arguments, monkeypatch):
    batch = UnpairedCrops.batch

    def interrupted(self, step):
        if step == 0:
            signal.raise_signal(signal.SIGTERM)
        return batch(self, step)

    monkeypatch.setattr(UnpairedCrops, "batch", interrupted)
    with pytest.raises(RunError, match="stopped at step 1 and saved; the same command goes on"):
        train_command(arguments)
    train_command(arguments)
    state = torch.load(tmp_path / "a run/checkpoints/last.pt", weights_only=True)
    assert state["step"] == 2


def test_a_run_without_validation_ships_a_model_of_its_last_step(tmp_path, arguments):
    train_command([*arguments, "trainer.validate_every=0", "trainer.ship=best"])
    card = yaml.safe_load((tmp_path / "a run/model/config.yaml").read_text())["card"]
    assert card["steps"] == 2
    assert not (tmp_path / "a run/validation.json").exists()
    assert not (tmp_path / "a run/last").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.n_stepz=3", "n_stepz"),
        ("experiment=none_such", "none_such"),
        ("data.n_frames=5000", "lower data.n_frames"),
        ("data.loudness=-16", "extracted at -23.0 LUFS"),
        ("trainer.precision=int8", "int8"),
        ("trainer.log_every=-1", "trainer.log_every is -1; it takes a whole number, 0 or more"),
        (
            "trainer.patience=2",
            "trainer.patience is 2 validations, and trainer.validate_every=0 makes none; give",
        ),
        ("optimizer.generator.lr=-1", "lr|learning rate"),
        ("translator.generator.base_channels=oops", "oops|could not be built"),
    ],
)
def test_a_wrong_argument_is_one_sentence(tmp_path, arguments, override, message):
    with pytest.raises(InputError, match=message) as caught:
        train_command([*arguments, "trainer.validate_every=0", override])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a run/checkpoints").exists()


def test_a_second_run_in_a_folder_changes_nothing(tmp_path, arguments):
    train_command(arguments)
    run = tmp_path / "a run"
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with locked(run, "training in"), pytest.raises(InputError, match="another process is training"):
        train_command([*arguments, "trainer.n_steps=9"])
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("content", ["", "a: [1", "- 1", "\udcff"])
def test_a_damaged_configuration_of_a_run_is_refused_in_a_sentence(tmp_path, content):
    config = compose_config(["experiment=cyclegan_vc2_small", "name=x", f"data.dump={tmp_path}"])
    (tmp_path / "config.yaml").write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match="config.yaml is no.*; delete it if the run's settings ar"):
        write_run_files(config, tmp_path, FIXED)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with locked(tmp_path, "training in"):
        with pytest.raises(InputError, match="another process is training in .*; wait for it"):
            with locked(tmp_path, "training in"):
                pass
    with locked(tmp_path, "training in"):
        assert (tmp_path / ".lock").exists()


def any_config(tmp_path, lengths, *overrides):
    return tiny_config(tmp_path, "any_to_many", *overrides, lengths=lengths)


def test_a_domain_that_is_no_target_only_teaches(tmp_path):
    lengths = {"voice": [40], "high": [40, 60], "low": [50]}
    config = any_config(tmp_path, lengths, "data.targets=[low,high]", "batches.from_targets=0.0")
    trainer = prepare_trainer(config, tmp_path / "run")
    assert trainer.batches.n_given == {"high": 2, "low": 1, "voice": 1}
    assert trainer.run()
    converter = Converter.from_pretrained(tmp_path / "run")
    assert converter.domains == ["high", "low"]
    assert converter.directions == [("high", "low"), ("low", "high")]


def voice_of_me(tmp_path, vowel) -> str:
    """A prepared folder with one recording of me in val."""
    record(tmp_path / "voices/me/0.wav", vowel(150.0, 0.6))
    write_data_dir(tmp_path / "data/val", [Utterance("me-0", "me", tmp_path / "voices/me/0.wav")])
    return str(tmp_path / "data")


def test_anybody_is_converted_into_a_lone_target(tmp_path, vowel, caplog):
    config = any_config(tmp_path, {"me": [40, 50]}, "data.targets=[me]")
    config.data.waves, config.trainer.validate_every = voice_of_me(tmp_path, vowel), 1
    assert prepare_trainer(config, tmp_path / "run").run()
    assert [m for m in caplog.messages if "validation audio" in m] == []
    assert not (tmp_path / "run/validation.json").exists()  # nothing to compare with
    converter = Converter.from_pretrained(tmp_path / "run")
    caplog.set_level(logging.INFO, "voiceconv.converter")
    wave = vowel(120.0, 1.0)
    converted = converter.convert(wave, "me")
    assert len(converted) == len(wave) and converted.abs().max() > 0.01
    assert "source unseen: its own statistics; " in caplog.messages[-1]
    half, none = (
        converter.convert(wave, "me", condition={"strength": torch.tensor([[strength]])})
        for strength in (0.5, 0.0)
    )
    assert not torch.allclose(half, converted, atol=1e-3)
    assert not torch.allclose(half, none, atol=1e-3)


@pytest.mark.parametrize(
    ("experiment", "targets", "message"),
    [
        ("any_to_many", "[low,nobody]", "data.targets names nobody; .*train holds a, high, low"),
        ("any_to_many", "[]", "data.targets names no domain; "),
        ("cyclegan_vc2_small", "[low]", "data.targets names low alone, and PairTranslator"),
        ("cyclegan_vc2_small", "[low,high]", "data.targets leaves a for sources only, which Unpai"),
    ],
)
def test_targets_that_cannot_be_are_named(tmp_path, experiment, targets, message):
    lengths = {"a": [40], "high": [40], "low": [50]}
    config = tiny_config(tmp_path, experiment, f"data.targets={targets}", lengths=lengths)
    with pytest.raises(InputError, match=message):
        prepare_trainer(config, tmp_path / "run")


def test_a_model_of_other_domains_gives_the_start(tmp_path):
    old = any_config(tmp_path / "old", {"high": [40], "low": [50]})
    assert prepare_trainer(old, tmp_path / "first").run()
    lengths = {"bass": [40], "high": [40], "low": [50]}
    config = any_config(tmp_path / "new", lengths, f"init_from={tmp_path / 'first'}")
    before = Converter.from_pretrained(tmp_path / "first").translator
    after = prepare_trainer(config, tmp_path / "run").objective.generator.eval()
    frames = torch.randn(1, 36, 40)
    for old_id, new_id in ((0, 1), (1, 2)):  # high and low
        assert torch.equal(after(frames, 0, new_id), before(frames, 0, old_id))
    codes = after.decoder[0].domains.weight
    assert torch.allclose(codes[0], codes[1:].mean(0))


def test_a_start_that_does_not_fit_is_named(tmp_path):
    lengths = {"high": [40], "low": [50]}
    config = tiny_config(tmp_path / "pairs", "cyclegan_vc2_small", lengths=lengths)
    assert prepare_trainer(config, tmp_path / "first").run()
    start = f"init_from={tmp_path / 'first'}"
    config = any_config(tmp_path / "any", lengths, start)
    with pytest.raises(InputError, match="holds a network that this experiment cannot start from"):
        prepare_trainer(config, tmp_path / "run")
    override = "translator.residual=true"
    config = tiny_config(tmp_path / "pairs", "cyclegan_vc2_small", start, override, lengths=lengths)
    with pytest.raises(InputError, match="has a translator of other settings .*'residual': False"):
        prepare_trainer(config, tmp_path / "run")
    three = {**lengths, "bass": [40]}
    config = tiny_config(tmp_path / "three", "cyclegan_vc2_small", start, lengths=three)
    with pytest.raises(InputError, match="PairTranslator starts only from a model of the same"):
        prepare_trainer(config, tmp_path / "run")
    other = "features.n_coefficients=24"
    config = tiny_config(tmp_path / "mel", "cyclegan_vc2_small", start, other, lengths=lengths)
    with pytest.raises(InputError, match="has other features: n_channels 36, not 24"):
        prepare_trainer(config, tmp_path / "run")
