"""`voiceconv vocoder train`: waves in, a vocoder or one sentence out."""

import json
import logging
import shutil
import sys
from pathlib import Path

import pytest
import torch
from tiny_model import RATE, make_cli, record, speech

from voiceconv.build import compose_config
from voiceconv.commands.vocoder_train import prepare_vocoder_trainer, train_vocoder_command
from voiceconv.data.archive import Archive
from voiceconv.data.segments import read_segments_dump
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram
from voiceconv.metrics import copy_synthesis
from voiceconv.metrics.copy_synthesis import Pesq
from voiceconv.vocoders import NeuralVocoder
from voiceconv.vocoders.directory import read_vocoder

TINY = [
    "features.sample_rate=16000",
    "features.n_fft=512",
    "features.hop_length=128",
    "features.n_mels=40",
    "generator.channels=8",
    "generator.hidden=16",
    "generator.n_blocks=1",
    "generator.n_refinements=1",
    "objective.discriminators.period.base_channels=2",
    "objective.discriminators.resolution.channels=2",
    "objective.waves_start=2",
    "data.n_frames=16",
    "data.batch_size=2",
    "validation.n_scored=2",
    "validation.n_utterances=1",
    "trainer.precision=float32",
    "trainer.ship=best",
]


def with_pesq() -> bool:
    try:
        Pesq()
    except InputError:
        return False
    return True


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    """Two domains, extracted with waves by the command line."""
    work = tmp_path_factory.mktemp("corpus")
    for split, n in (("train", 2), ("val", 1)):
        lines = []
        for domain in ("high", "low"):
            for number in range(n):
                name = f"{domain}-{number}"
                path = record(work / f"{split}-{name}.wav", speech(domain, 1.0, seed=number))
                lines.append((name, path, domain))
        (work / "data" / split).mkdir(parents=True)
        (work / "data" / split / "wav.scp").write_text("".join(f"{n} {p}\n" for n, p, _ in lines))
        (work / "data" / split / "utt2spk").write_text("".join(f"{n} {d}\n" for n, _, d in lines))
    features = ["experiment=vocos_small", *TINY[:4]]
    node = compose_config(
        [*features, "name=x", "run_dir=x", "data.dump=x"], root="train_vocoder"
    ).features
    from voiceconv.data.extract import extract

    extract(work / "data", work / "dump", dict(node), 1, trim=40.0, loudness=-23.0, waves=True)
    return work / "dump"


@pytest.fixture
def arguments(tmp_path, monkeypatch, dump) -> list[str]:
    """A run of four steps, the last two with waves; what Hydra does to the process is undone."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    return [
        *("experiment=vocos_small", *TINY, "trainer.n_steps=4", "trainer.validate_every=2"),
        *("card.licence=CC0-1.0", f"data.dump={dump}", f"run_dir='{tmp_path}/a run'"),
    ]


def test_extract_keeps_the_waves_beside_their_frames(dump):
    frames, waves = Archive(dump / "train/feats.scp"), Archive(dump / "train/waves.scp")
    assert frames.keys() == waves.keys() and len(waves) == 4
    mel = MelSpectrogram(RATE, 512, 128, 40)
    for name, wave in waves.items():
        again = mel.extract(torch.from_numpy(wave.copy())).frames.T
        torch.testing.assert_close(again, torch.from_numpy(frames[name].copy()))
    # -23 LUFS, of which a level for telephones and one for the gate know less than a decibel.
    level = 20 * torch.tensor(waves["low-0"].copy()).square().mean().sqrt().log10()
    assert -27 < level < -21


def test_a_run_leaves_a_vocoder_that_speaks(tmp_path, arguments):
    train_vocoder_command(arguments)
    run = tmp_path / "a run"
    config, weights = read_vocoder(run / "model")
    assert config["features"] == MelSpectrogram(RATE, 512, 128, 40).spec.node
    assert config["card"]["licence"] == "CC0-1.0"
    assert config["card"]["experiment"] == "vocos_small"
    state = torch.load(run / "checkpoints/last.pt", weights_only=True)
    assert state["step"] == 4
    newest = read_vocoder(run / "last")[1]
    assert newest.keys() == weights.keys() == state["average"].keys()
    for name, weight in newest.items():
        assert torch.equal(weight, state["average"][name]), name
    vocoder = NeuralVocoder(MelSpectrogram(RATE, 512, 128, 40), run)
    wave = vocoder.synthesize(vocoder.extractor.extract(speech("low", 0.5)))
    assert wave.shape == (63 * 128,) and wave.abs().max() > 1e-3
    assert "voiceconv vocoder train experiment=vocos_small" in (run / "provenance.json").read_text()


def test_utterances_shorter_than_a_segment_are_counted_for_the_user(
    tmp_path, arguments, monkeypatch, capfd
):
    def with_two_short(folder):
        utterances = read_segments_dump(folder)
        return [*utterances, *[(frames[:15], wave[: 15 * 128]) for frames, wave in utterances[:2]]]

    monkeypatch.setattr("voiceconv.commands.vocoder_train.read_segments_dump", with_two_short)
    monkeypatch.setattr("voiceconv.commands.vocoder_train.read_val", lambda dump, extractor: [])
    train_vocoder_command([*arguments, "trainer.n_steps=1"])
    sentence = (
        "2 of 6 utterances are shorter than a segment of 16 frames and are left out; lower "
        "data.n_frames to use them"
    )
    assert f"voiceconv: {sentence}\n" in capfd.readouterr().err
    assert f"[WARNING] - {sentence}\n" in (tmp_path / "a run/train.log").read_text()


@pytest.mark.skipif(not with_pesq(), reason="pesq is not installed")
def test_what_copies_best_ships(tmp_path, arguments):
    train_vocoder_command(arguments)
    run = tmp_path / "a run"
    history = json.loads((run / "validation.json").read_text())
    assert [entry["step"] for entry in history] == [2, 4]
    assert {entry["rule"] for entry in history} == {"greatest PESQ over 2 copies of val"}
    for entry in history:
        measures = entry["measures"]
        assert measures["score"] == -measures["pesq"] and 1 <= measures["pesq"] <= 4.65
        assert measures["stft_distance"] > 0
    best = max(history, key=lambda entry: entry["measures"]["pesq"])
    assert read_vocoder(run / "model")[0]["card"]["steps"] == best["step"]


def prepared(arguments: list[str], folder: Path, *more: str):
    config = compose_config([*arguments[:-1], "name=vocos_small", *more], root="train_vocoder")
    config.run_dir = str(folder)
    return prepare_vocoder_trainer(config, folder)


def test_it_begins_with_the_mels_own_levels(tmp_path, arguments):
    weight, bias = MelSpectrogram(RATE, 512, 128, 40).log_magnitude_map()
    levels = prepared(arguments, tmp_path).network.levels
    assert torch.equal(levels.weight, weight) and torch.equal(levels.bias, bias)


def test_it_goes_on_from_another_vocoder(tmp_path, arguments):
    train_vocoder_command(arguments)
    weights = read_vocoder(tmp_path / "a run/model")[1]
    network = prepared(arguments, tmp_path / "next", f"init_from='{tmp_path}/a run'").network
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    for override, message in (
        ("generator.channels=12", r"init_from=.* holds another network than .*Vocos"),
        ("generator.n_fft=1024", r"init_from=.* holds another network"),
    ):
        with pytest.raises(InputError, match=message):
            prepared(arguments, tmp_path / "no", f"init_from='{tmp_path}/a run'", override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features.n_mels=36", r"n_mels 40.*36"),
        ("data.loudness=null", r"was extracted at -23.0 LUFS"),
        ("data.dump=nowhere", r"nowhere/train/features.yaml is not readable"),
        ("data.n_frames=500", r"as long as a training segment of 500 frames"),
        ("data.n_frames=8", r"n_frames is 8, 1024 samples; the losses take 9 frames or more"),
        ("data.n_frames=0", r"data.n_frames is 0; it takes a whole number, 1 or more"),
        ("objective.gan_mode=chess", r"gan_mode is 'chess'"),
        ("+objective.weights.generator.loudness=1", r"weights.generator names"),
        ("init_from=nowhere", r"no vocoder 'nowhere'"),
        ("experiment=cyclegan_vc2", r"'translator'.*`voiceconv train` takes converters"),
    ],
)
def test_a_wrong_argument_is_one_sentence(tmp_path, arguments, override, message):
    with pytest.raises(InputError, match=message) as caught:
        train_vocoder_command([*arguments, override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("empty", [False, True])
def test_without_val_the_newest_ships_and_it_is_said(tmp_path, arguments, dump, empty):
    """A corpus that was too small to be split, or `vocoder finetuning-data` of one."""
    shutil.copytree(dump, tmp_path / "dump")  # its arks are named relative to it
    shutil.rmtree(tmp_path / "dump/val")
    if empty:
        (tmp_path / "dump/val").mkdir()
        (tmp_path / "dump/val/feats.scp").write_text("")
    train_vocoder_command([*arguments, f"data.dump={tmp_path}/dump"])
    assert read_vocoder(tmp_path / "a run/model")[0]["card"]["steps"] == 4
    assert (
        "val has no utterance): the newest vocoder ships"
        in (tmp_path / "a run/train.log").read_text()
    )


def test_without_pesq_the_newest_ships_and_it_is_said(tmp_path, arguments, monkeypatch):
    def missing() -> None:
        raise InputError("pesq is not installed")

    monkeypatch.setattr(copy_synthesis, "Pesq", missing)
    train_vocoder_command(arguments)
    run = tmp_path / "a run"
    assert read_vocoder(run / "model")[0]["card"]["steps"] == 4
    assert "no PESQ (pesq is not installed): the newest" in (run / "train.log").read_text()
    assert not (run / "validation.json").exists()


def test_val_of_another_mel_is_one_sentence(tmp_path, arguments, dump):
    shutil.copytree(dump, tmp_path / "dump")
    path = tmp_path / "dump/val/features.yaml"
    path.write_text(path.read_text().replace("n_mels: 40", "n_mels: 36"))
    with pytest.raises(InputError, match=r"val was extracted with other features.*n_mels 36, not"):
        train_vocoder_command([*arguments, f"data.dump={tmp_path}/dump"])


def test_a_dump_without_waves_says_how_to_make_them(tmp_path, arguments, dump, monkeypatch, capsys):
    for split in ("train", "val"):
        (tmp_path / "dump" / split).mkdir(parents=True)
        for path in (dump / split).iterdir():
            if not path.name.startswith("waves"):
                (tmp_path / "dump" / split / path.name).symlink_to(path)
    said = make_cli(monkeypatch, capsys)(
        "vocoder", "train", *arguments, f"data.dump={tmp_path}/dump"
    )
    assert said.code == 2
    assert said.err.count("\n") == 1 and "extract with --waves" in said.err
