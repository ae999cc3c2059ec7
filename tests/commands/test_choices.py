"""Features and vocoders by name: which pair is built, and what is no such name."""

import shutil
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from tiny_model import RATE, make_cli, make_converter, record, speech

from voiceconv.commands.choices import features_node, open_vocoder
from voiceconv.converter import through_features
from voiceconv.data.archive import Archive
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor, MelSpectrogram, World
from voiceconv.models.vocos import Vocos
from voiceconv.vocoders import GriffinLim, NeuralVocoder, WorldSynthesis
from voiceconv.vocoders.directory import write_vocoder
from voiceconv.vocoders.fitting import fitting_vocoder, plain_vocoders

OWN = MelSpectrogram(sample_rate=RATE, n_fft=256, hop_length=64, n_mels=20)
VOCOS = {"n_fft": 256, "channels": 8, "hidden": 16, "n_blocks": 1}


@pytest.fixture(scope="module")
def neural(tmp_path_factory) -> Path:
    """A vocoder of random weights and a mel definition of its own."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vocoders") / "tiny"
    node = {"_target_": "voiceconv.models.vocos.Vocos", **VOCOS}
    weights = Vocos(n_channels=20, hop_length=64, **VOCOS).state_dict()
    write_vocoder(folder, {"features": OWN.spec.node, "generator": node, "card": {}}, weights)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_converter().save_pretrained(folder, {})
    return folder


def test_each_choice_brings_features_and_a_vocoder(neural, model):
    def kinds(*choice):
        vocoder = open_vocoder(*choice)
        return type(vocoder.extractor), type(vocoder), vocoder.extractor.sample_rate

    assert kinds("world") == (World, WorldSynthesis, 24000)
    assert kinds("experiment=cyclegan_vc2_small") == (World, WorldSynthesis, 24000)
    assert kinds("mel", "griffin_lim")[:2] == (MelSpectrogram, GriffinLim)
    assert kinds(None, None, str(model)) == (World, WorldSynthesis, RATE)
    assert kinds(None, "world", str(model)) == (World, WorldSynthesis, RATE)
    for choice in ((None, str(neural)), (str(neural), None), (str(neural), str(neural))):
        assert kinds(*choice) == (MelSpectrogram, NeuralVocoder, RATE)
        assert open_vocoder(*choice).extractor.definition == OWN.definition


@pytest.fixture
def own_features(tmp_path) -> Path:
    """A configuration directory with features of one's own, of a class that is there."""
    (tmp_path / "conf/features").mkdir(parents=True)
    (tmp_path / "conf/features/coarse.yaml").write_text(yaml.safe_dump(dict(COARSE)))
    return tmp_path / "conf"


COARSE = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": RATE, "n_mels": 10}


def test_features_are_chosen_by_the_name_of_their_file(own_features):
    assert features_node("coarse", own_features) == COARSE
    assert features_node("mel", own_features)["n_mels"] == 80
    said = "no features 'lpc'; choose from coarse, mel, piano_roll, world, experiment=NAME, or name"
    with pytest.raises(InputError, match=said):
        features_node("lpc", own_features)
    with pytest.raises(InputError, match="choose from mel, piano_roll, world, experiment"):
        features_node("coarse")


def test_extract_takes_features_of_ones_own(own_features, tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    record(tmp_path / "a.wav", speech("low", 0.5))
    data, dump = tmp_path / "data", tmp_path / "dump"
    data.mkdir()
    (data / "wav.scp").write_text(f"low-a {tmp_path}/a.wav\n")
    (data / "utt2spk").write_text("low-a low\n")
    chosen = ["--features", "coarse", "--config-dir", own_features]
    said = voiceconv("extract", data, dump, *chosen, "--jobs", "1", "--trim", "0")
    assert said.code == 0, said.err
    n_frames = MelSpectrogram(sample_rate=RATE, n_mels=10).extract(speech("low", 0.5)).frames.shape
    assert Archive(dump / "feats.scp")["low-a"].shape == n_frames[::-1]
    assert yaml.safe_load((dump / "features.yaml").read_text()) == COARSE


class Wider(MelSpectrogram):
    """A mel of another class."""


class Unspoken(FeatureExtractor):
    """Features that nobody can make a wave of."""


def test_the_vocoder_is_the_one_that_takes_the_features(monkeypatch):
    world = {"_target_": "voiceconv.vocoders.world.WorldSynthesis"}
    griffin_lim = {"_target_": "voiceconv.vocoders.griffin_lim.GriffinLim", "n_iterations": 64}
    harmonic = {"_target_": "voiceconv.vocoders.harmonic.HarmonicNoise"}
    assert plain_vocoders() == {"griffin_lim": griffin_lim, "harmonic": harmonic, "world": world}
    assert fitting_vocoder(World) == world
    assert fitting_vocoder(MelSpectrogram) == fitting_vocoder(Wider) == griffin_lim
    assert fitting_vocoder(Unspoken) is None

    class OfWider(GriffinLim):
        takes = Wider

    monkeypatch.setattr("voiceconv.vocoders.world.WorldSynthesis", OfWider)
    assert fitting_vocoder(Wider) == world  # its own goes before one of all mels
    assert fitting_vocoder(MelSpectrogram) == griffin_lim
    monkeypatch.setattr(OfWider, "has_weights", True)
    assert fitting_vocoder(Wider) == griffin_lim  # nobody need have trained it
    monkeypatch.setattr(GriffinLim, "takes", World)
    assert fitting_vocoder(Wider) == world


def test_features_without_a_vocoder_are_extracted_and_not_heard(monkeypatch):
    monkeypatch.setattr("voiceconv.commands.choices.fitting_vocoder", lambda extractor: None)
    assert features_node("mel")["n_mels"] == 80
    with pytest.raises(InputError, match="no vocoder makes waves of mel features; name one with"):
        open_vocoder("mel")
    assert type(open_vocoder("mel", "griffin_lim")) is GriffinLim


def test_griffin_lim_at_the_mel_of_a_neural_vocoder(neural):
    vocoder = open_vocoder(str(neural), "griffin_lim")
    wave = speech("high", 0.5)
    expected = through_features(GriffinLim(OWN, 64), wave)
    assert torch.equal(through_features(vocoder, wave), expected)
    assert features_node(str(neural)) == OWN.spec.node


def test_the_experiment_of_a_vocoder_has_features_and_no_vocoder_yet(neural):
    node = features_node("experiment=vocos_small")
    assert (node["sample_rate"], node["n_mels"]) == (24000, 80)
    vocoder = open_vocoder("experiment=vocos_small", "griffin_lim")
    assert vocoder.extractor.definition["sample_rate"] == 24000
    with pytest.raises(InputError, match="experiment=vocos_small trains a vocoder and has none"):
        open_vocoder("experiment=vocos_small")
    with pytest.raises(InputError, match="Could not find 'experiment/vocoos'"):
        features_node("experiment=vocoos")


def test_a_run_of_a_sweep_is_no_experiment(neural, tmp_path):
    """Hydra names its folder by the overrides."""
    folder = shutil.copytree(neural, tmp_path / "optimizer.generator.lr=0.1")
    assert open_vocoder(vocoder=str(folder)).extractor.definition == OWN.definition
    assert features_node(str(folder)) == OWN.spec.node


def test_what_does_not_fit_is_refused(neural):
    with pytest.raises(InputError, match="NeuralVocoder makes waves of MelSpectrogram features"):
        open_vocoder("world", str(neural))
    with pytest.raises(InputError, match="n_fft"):
        open_vocoder("mel", str(neural))
    with pytest.raises(InputError, match="WorldSynthesis makes waves of World features"):
        open_vocoder(str(neural), "world")
    with pytest.raises(InputError, match="no vocoder 'vocoos'"):
        open_vocoder("mel", "vocoos")
    with pytest.raises(
        InputError, match="no features 'vocoos'; choose from mel, piano_roll, world, exp"
    ):
        features_node("vocoos")


def test_resynth_of_one_domain_of_a_data_directory(neural, tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    data = tmp_path / "data"
    for name in ("high", "low"):
        record(tmp_path / f"{name}.wav", speech(name, 0.5))
    data.mkdir()
    (data / "wav.scp").write_text(f"high-1 {tmp_path}/high.wav\nlow-1 {tmp_path}/low.wav\n")
    (data / "utt2spk").write_text("high-1 high\nlow-1 low\n")
    out = tmp_path / "out"
    said = voiceconv("resynth", data, "--vocoder", neural, "--domain", "low", "-o", out)
    assert said.code == 0, said.err
    assert [path.name for path in out.iterdir()] == ["low-1.wav"]
    assert soundfile.info(out / "low-1.wav").frames == RATE // 2
