"""`--model baseline:NAME`: what each rung changes, and what it says when it cannot be made."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from dumps import write_dump
from tiny import vowel
from tiny_model import (
    MEL,
    PITCH,
    RATE,
    WORLD,
    Cli,
    make_cli,
    make_converter,
    normalized,
    record,
    speech,
)

from voiceconv.audio import loudness_gain
from voiceconv.baselines import BASELINES, registry
from voiceconv.baselines.knn import NearestFrames
from voiceconv.build import build
from voiceconv.commands.convert import open_converter
from voiceconv.converter import Converter, through_features
from voiceconv.converter.unseen import SAME_VOICE, distance, listen, own_stats
from voiceconv.data.archive import Archive
from voiceconv.data.pairs import Corpus
from voiceconv.data.statistics import read_stats
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor
from voiceconv.models.identity import IdentityTranslator
from voiceconv.vocoders import Vocoder
from voiceconv.vocoders.fitting import fitting_vocoder


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    return write_dump(tmp_path_factory.mktemp("registry") / "dump")


@pytest.fixture(scope="module")
def mel_dump(tmp_path_factory) -> Path:
    return write_dump(tmp_path_factory.mktemp("registry") / "mel", MEL)


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def stranger(seconds: float = 2.0) -> torch.Tensor:
    """A voice that is none of the dump's: pitch and tilt of its own."""
    wave = vowel(150.0, seconds, RATE)
    tilted = torch.nn.functional.conv1d(wave[None, None], torch.tensor([[[0.5, 0.3, 0.2]]]))[0, 0]
    return tilted + 1e-3 * torch.randn(len(tilted))


def mean_log_f0(f0: torch.Tensor) -> float:
    return float(f0[f0 > 0].log().mean())


def test_the_rungs():
    assert list(BASELINES) == ["copy", "statistics", "f0shift", "gmm", "knn"]


@pytest.mark.parametrize("folder", ["dump", "mel_dump"])
@pytest.mark.parametrize("source", ["low", None])
def test_identity_is_copy_synthesis_to_the_bit(request, folder, source):
    converter = open_converter("baseline:copy", request.getfixturevalue(folder))
    wave = speech("low", 1.0, seed=8) if source else stranger(1.0)
    gain = loudness_gain(wave, RATE, -23.0)
    expected = through_features(converter.vocoder, wave, gain=gain)
    assert torch.equal(converter.convert(wave, "high", source), expected)
    assert expected.abs().max() > 0.1 * wave.abs().max()


@pytest.mark.parametrize("folder", ["dump", "mel_dump"])
@pytest.mark.parametrize("source", ["low", None])
def test_statistics_is_a_converter_without_its_network(request, folder, source):
    folder = request.getfixturevalue(folder)
    converter = open_converter("baseline:statistics", folder)
    plain = Converter(converter.config, read_stats(folder / "train"))
    plain.translator = IdentityTranslator()
    wave = speech("low", 1.0, seed=8) if source else stranger(1.0)
    assert torch.equal(converter.convert(wave, "high", source), plain.convert(wave, "high", source))


def test_statistics_by_hand(dump):
    """(x - mean of low) / deviation of low * deviation of high + mean of high."""
    converter = open_converter("baseline:statistics", dump)
    low, high = converter.stats["low"], converter.stats["high"]
    heard = converter.extractor.extract(normalized(speech("low", 1.0, seed=8)))
    moved = converter.translate(heard, low, "low", "high")
    standard = (heard.frames - low.frames_mean[:, None]) / low.frames_std[:, None]
    expected = standard * high.frames_std[:, None] + high.frames_mean[:, None]
    torch.testing.assert_close(moved.frames, expected, atol=1e-5, rtol=1e-5)


def test_f0shift_moves_the_pitch_and_nothing_else(dump):
    """Pitch of `low` gets the mean of `high`; all else is equal to the bit."""
    converter = open_converter("baseline:f0shift", dump)
    heard = converter.extractor.extract(normalized(speech("low", 1.5, seed=1)))
    moved = converter.translate(heard, converter.stats["low"], "low", "high")
    assert torch.equal(moved.frames, heard.frames)
    assert torch.equal(moved.aperiodicity, heard.aperiodicity)
    assert torch.equal(moved.f0 == 0, heard.f0 == 0)
    assert mean_log_f0(moved.f0) == pytest.approx(np.log(PITCH["high"]), abs=0.01)
    wave = speech("low", 1.5, seed=8)
    spoken = converter.extractor.extract(converter.convert(wave, "high", "low"))
    assert mean_log_f0(spoken.f0) == pytest.approx(np.log(PITCH["high"]), abs=0.02)


def test_f0shift_of_a_stranger_goes_by_its_own_pitch(dump):
    """From 150 Hz to high's 210: with the statistics of low (105 Hz) it would go far above."""
    converter = open_converter("baseline:f0shift", dump)
    wave = stranger()
    own = own_stats(converter.extractor, listen(converter.extractor, normalized(wave)))
    assert min(distance(own, one) for one in converter.stats.values()) > SAME_VOICE
    spoken = converter.extractor.extract(converter.convert(wave, "high"))
    assert mean_log_f0(spoken.f0) == pytest.approx(np.log(PITCH["high"]), abs=0.02)


def test_knn_gives_frames_of_the_targets_training_part(dump):
    """With k = 1, c1 and above of each converted frame are a frame of high's, as it was dumped."""
    converter = open_converter("baseline:knn", dump)
    corpus = Corpus(dump, converter.stats)
    converter.translator = NearestFrames(lambda domain: corpus.train(["high", "low"][domain]), 1)
    heard = converter.extractor.extract(normalized(speech("low", 0.5, seed=8)))
    moved = converter.translate(heard, converter.stats["low"], "low", "high").frames
    archive = Archive(dump / "train/feats.scp")
    bank = torch.from_numpy(np.concatenate([archive["high-01"], archive["high-02"]]))
    distances = torch.cdist(moved.T[:, 1:].double(), bank[:, 1:].double())
    assert distances.min(1).values.max() < 1e-5


def test_knn_without_a_frame_of_the_target_says_so(tmp_path):
    write_dump(tmp_path / "dump")
    train = tmp_path / "dump/train"
    for name in ("utt2spk", "feats.scp"):
        lines = (train / name).read_text().splitlines(keepends=True)
        (train / name).write_text("".join(line for line in lines if line.startswith("low")))
    converter = open_converter("baseline:knn", tmp_path / "dump")
    with pytest.raises(InputError, match="train: feats.scp has no utterance of 'high'; extract ag"):
        converter.convert(speech("low", 0.5), "high", "low")


@pytest.mark.parametrize("name", ["gmm", "knn"])
@pytest.mark.parametrize("source", ["low", None])
def test_what_learns_is_the_same_to_the_bit_when_made_again(dump, name, source):
    wave = speech("low", 0.7, seed=8) if source else stranger(0.7)
    one, other = (
        open_converter(f"baseline:{name}", dump).convert(wave, "high", source) for _ in range(2)
    )
    assert torch.equal(one, other)
    assert one.shape == wave.shape
    assert one.isfinite().all()


def test_pairs_are_of_train_and_val_and_where_there_is_one_of_paired_alone(tmp_path):
    splits = {"train": ("01", "02"), "val": ("11",), "test": ("21",)}
    folder = write_dump(tmp_path / "dump", splits=splits, seconds=0.3)
    stats = read_stats(folder / "train")
    pairs = Corpus(folder, stats).pairs("low", "high")
    archive = Archive(folder / "train/feats.scp")
    assert len(pairs) == 3
    expected = stats["low"].normalize(torch.from_numpy(np.array(archive["low-01"]).T)).T
    assert torch.equal(pairs[0][0], expected)
    write_dump(tmp_path / "more", splits={"train": ("31", "32")}, seconds=0.3)
    (tmp_path / "more/train").rename(folder / "paired")
    pairs = Corpus(folder, stats).pairs("low", "high")
    archive = Archive(folder / "paired/feats.scp")
    expected = stats["high"].normalize(torch.from_numpy(np.array(archive["high-32"]).T)).T
    assert len(pairs) == 2
    assert torch.equal(pairs[1][1], expected)


def test_without_a_dump_the_bundled_models_statistics_are_taken(tmp_path, monkeypatch):
    bundled = make_converter()
    bundled.save_pretrained(tmp_path / "tiny", {"steps": 0})
    monkeypatch.setattr("voiceconv.converter.directory.BUNDLED", tmp_path)
    monkeypatch.setattr("voiceconv.converter.directory.DEFAULT", "tiny")
    converter = open_converter("baseline:statistics")
    wave = speech("low", 0.5)
    bundled.translator = IdentityTranslator()
    assert torch.equal(converter.convert(wave, "high"), bundled.convert(wave, "high"))


def test_any_other_model_is_opened_as_ever(tmp_path):
    before = make_converter()
    before.save_pretrained(tmp_path / "tiny", {"steps": 0})
    wave = speech("low", 0.5)
    opened = open_converter(tmp_path / "tiny")
    assert torch.equal(opened.convert(wave, "high"), before.convert(wave, "high"))


def test_on_the_command_line(voiceconv, tmp_path, dump):
    record(tmp_path / "in.wav", speech("low", 0.5))
    command = ["convert", tmp_path / "in.wav", "--target", "high", "--source", "low"]
    out = tmp_path / "out.wav"
    said = voiceconv(*command, "--model", "baseline:f0shift", "--dump", dump, "-o", out)
    assert said.code == 0, said.err
    expected = open_converter("baseline:f0shift", dump).convert(speech("low", 0.5), "high", "low")
    got = soundfile.read(out, dtype="float32")[0]
    assert np.abs(got - expected.numpy()).max() < 1e-3


def refusal(name: str, dump: Path | None) -> str:
    with pytest.raises(InputError) as refused:
        open_converter(name, dump)
    return str(refused.value)


def test_what_is_refused(dump, mel_dump, tmp_path):
    assert refusal("baseline:gan", dump) == (
        f"no baseline 'gan'; choose from {', '.join(BASELINES)}"
    )
    assert "--dump" in refusal("tiny", dump) and "leave --dump out" in refusal("tiny", dump)
    assert refusal("baseline:statistics", tmp_path) == (
        f"{tmp_path}/train/features.yaml is not readable as YAML; run `voiceconv extract` first"
    )
    assert refusal("baseline:f0shift", mel_dump) == (
        "baseline:f0shift moves F0, which MelSpectrogram features have not; extract with "
        "--features world"
    )


@pytest.mark.parametrize("name", ["gmm", "knn"])
def test_what_learns_says_what_it_needs(dump, mel_dump, name):
    assert refusal(f"baseline:{name}", None) == (
        f"baseline:{name} learns from an extracted corpus; give the folder that `voiceconv "
        "extract` has written with --dump"
    )
    assert refusal(f"baseline:{name}", mel_dump) == (
        f"baseline:{name} maps mel-cepstra, which MelSpectrogram features have not; extract with "
        "--features world"
    )


def test_gmm_without_pairs_is_refused_and_says_where_they_go(tmp_path):
    folder = write_dump(tmp_path, splits={"train": ("01", "02")}, seconds=0.3)
    lines = (folder / "train/utt2spk").read_text().splitlines()
    kept = [line for line in lines if line.split()[0] in ("low-01", "high-02")]
    (folder / "train/utt2spk").write_text("\n".join(kept) + "\n")
    assert refusal("baseline:gmm", folder) == (
        f"{folder}: no sentence that two domains say in train or val, and baseline:gmm learns from "
        f"such pairs; extract some to {folder}/paired, or take baseline:knn"
    )


def test_pairs_of_other_features_are_refused(tmp_path):
    folder = write_dump(tmp_path, splits={"train": ("01",), "val": ("11",)}, seconds=0.3)
    (folder / "val/features.yaml").write_text(yaml.safe_dump(WORLD | {"alpha": 0.4}))
    with pytest.raises(InputError, match="val was extracted with other features than .*train"):
        Corpus(folder, read_stats(folder / "train")).pairs("low", "high")


def test_a_dump_without_statistics_is_refused(tmp_path):
    folder = write_dump(tmp_path, splits={"train": ("01",)}, seconds=0.3)
    (folder / "train/stats.safetensors").unlink()
    assert refusal("baseline:statistics", folder).endswith(
        f"run `voiceconv stats {folder}/train` first"
    )


@pytest.mark.parametrize("features", [WORLD, MEL])
def test_a_rungs_vocoder_is_the_one_that_its_features_are_copied_by(tmp_path, features):
    """As `voiceconv resynth --features` finds it, by the same function."""
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(dict(features)))
    (tmp_path / "processing.yaml").write_text("loudness: -23.0\n")
    made = registry._config(tmp_path)
    extractor = build(features, FeatureExtractor)
    assert made["vocoder"] == fitting_vocoder(type(extractor))
    assert made["features"] == features
    assert build(made["vocoder"], Vocoder, extractor=extractor).has_weights is False
