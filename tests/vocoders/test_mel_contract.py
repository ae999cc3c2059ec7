"""A mel of another definition is refused by name, wherever two of them meet."""

from pathlib import Path

import pytest
import torch
import yaml
from tiny_model import MEL_CONFIG, make_cli, make_converter, record, speech

from voiceconv.commands.train import require_same_frames
from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram
from voiceconv.models.vocos import Vocos
from voiceconv.vocoders import GriffinLim
from voiceconv.vocoders.directory import write_vocoder
from voiceconv.vocoders.neural import NeuralVocoder

MEL = {
    "sample_rate": 16000, "n_fft": 512, "hop_length": 128, "n_mels": 40, "f_min": 20.0,
    "f_max": 7600.0, "win_length": 500, "window": "hann", "norm": "slaney", "power": 1.0,
    "log": "natural",
}  # fmt: skip
MISMATCHES = {
    "sample_rate": 24000, "hop_length": 160, "n_fft": 1024, "window": "hamming", "f_min": 0.0,
    "f_max": 8000.0, "n_mels": 36, "log": "10", "norm": None, "power": 2.0,
}  # fmt: skip
SIZE = {"n_fft": 512, "channels": 8, "hidden": 16, "n_blocks": 1}
mismatches = pytest.mark.parametrize("name", MISMATCHES)


def sentence(name: str) -> str:
    """What is said of a field that differs, and of no other."""
    return f": {name} {MISMATCHES[name]}, not {MEL[name]}; "


def other(*names: str) -> MelSpectrogram:
    return MelSpectrogram(**MEL | {name: MISMATCHES[name] for name in names})


def refused(make, *arguments, **keywords) -> str:
    with pytest.raises(InputError) as caught:
        make(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def griffin_lim() -> GriffinLim:
    return GriffinLim(MelSpectrogram(**MEL), n_iterations=1)


@pytest.fixture(scope="module")
def neural(tmp_path_factory) -> Path:
    """The directory of a neural vocoder, untrained."""
    return write_neural(tmp_path_factory.mktemp("neural"), MEL)


def write_neural(folder: Path, mel: dict[str, object]) -> Path:
    extractor = MelSpectrogram(**mel)
    generator = {"_target_": "voiceconv.models.vocos.Vocos", **SIZE}
    config = {"features": extractor.spec.node, "generator": generator, "card": {}}
    weights = Vocos(extractor.n_channels, extractor.hop_length, **SIZE).state_dict()
    write_vocoder(folder, config, weights)
    return folder


@mismatches
def test_a_vocoder_refuses_features_of_another_definition(griffin_lim, name):
    features = other(name).extract(torch.zeros(1000))
    assert refused(griffin_lim.synthesize, features) == (
        f"GriffinLim got features of another definition{sentence(name)}extract with its own"
    )


def test_it_takes_features_of_its_own(griffin_lim):
    frames = MelSpectrogram(**MEL).extract(torch.zeros(1000))
    assert griffin_lim.synthesize(frames).shape == (8 * 128,)
    assert griffin_lim.synthesize(Features(frames.frames)).shape == (8 * 128,)


def test_all_that_differs_is_said_at_once(griffin_lim):
    said = refused(griffin_lim.synthesize, other(*MISMATCHES).extract(torch.zeros(1000)))
    listed = said.removeprefix("GriffinLim got features of another definition: ").split("; ")
    wanted = [f"{name} {MISMATCHES[name]}, not {MEL[name]}" for name in MEL if name in MISMATCHES]
    assert listed == [*wanted, "extract with its own"]


@mismatches
def test_a_neural_vocoder_refuses_an_extractor_of_another_definition(neural, name):
    assert refused(NeuralVocoder, other(name), neural) == (
        f"the vocoder {neural} speaks another mel than these features{sentence(name)}"
        "choose a vocoder that was trained on them, or extract with its definition"
    )


@mismatches
def test_a_neural_vocoder_refuses_features_of_another_definition(neural, name):
    vocoder = NeuralVocoder(MelSpectrogram(**MEL), neural)
    features = other(name).extract(torch.zeros(1000))
    assert refused(vocoder.synthesize, features) == (
        f"NeuralVocoder got features of another definition{sentence(name)}extract with its own"
    )


def test_a_neural_vocoder_takes_its_own(neural):
    vocoder = NeuralVocoder(MelSpectrogram(**MEL), neural)
    assert vocoder.synthesize(vocoder.extractor.extract(torch.zeros(1000))).shape == (8 * 128,)


@mismatches
def test_training_refuses_a_dump_of_another_definition(tmp_path, name):
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(other(name).spec.node))
    assert refused(require_same_frames, MelSpectrogram(**MEL).spec.node, tmp_path) == (
        f"{tmp_path} was extracted with other features than this experiment's{sentence(name)}"
        "extract with this experiment into another directory"
    )


def test_training_takes_a_dump_of_the_same_definition_in_other_words(tmp_path):
    """A dump names what its extractor was given; what follows from that may be left out."""
    node = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": 24000}
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(node))
    require_same_frames(node | {"f_max": 12000, "win_length": 1024}, tmp_path)


def test_the_command_line_says_it_in_a_sentence(tmp_path, monkeypatch, capsys):
    train = tmp_path / "dump/train"
    train.mkdir(parents=True)
    (train / "features.yaml").write_text(yaml.safe_dump(MelSpectrogram(**MEL).spec.node))
    monkeypatch.chdir(tmp_path)
    said = make_cli(monkeypatch, capsys)(
        "train", "experiment=maskcyclegan_vc_small", "data.dump=dump", "run_dir=run",
        *(f"++features.{name}={value}" for name, value in (MEL | {"hop_length": 160}).items()),
    )  # fmt: skip
    assert said.code == 2
    assert said.err == (
        "voiceconv: error: dump/train was extracted with other features than this experiment's: "
        "hop_length 128, not 160; extract with this experiment into another directory\n"
    )
    assert "Traceback" not in said.out
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_a_model_whose_vocoder_was_exchanged_converts_nothing(tmp_path, monkeypatch, capsys):
    """The vocoder's directory in a model's may be anybody's: it is compared when it is opened."""
    mel = {name: value for name, value in MEL_CONFIG["features"].items() if name != "_target_"}
    own = write_neural(tmp_path / "own", mel)
    node = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": str(own)}
    make_converter(MEL_CONFIG | {"vocoder": node}).save_pretrained(tmp_path / "model", {})
    written = yaml.safe_load((tmp_path / "model/config.yaml").read_text())
    assert written["features"] == MelSpectrogram(**mel).spec.node  # whole, whatever was given
    record(tmp_path / "in.wav", speech("low", 0.3))
    monkeypatch.chdir(tmp_path)
    convert = ["convert", "in.wav", "-o", "out.wav", "--target", "high", "--model", "model"]
    voiceconv = make_cli(monkeypatch, capsys)
    assert voiceconv(*convert, "--source", "low").code == 0
    (tmp_path / "out.wav").unlink()
    write_neural(tmp_path / "model/vocoder", mel | {"f_max": 7600.0, "log": "10"})
    said = voiceconv(*convert)
    assert said.code == 2
    assert said.err == (
        "voiceconv: error: the vocoder model/vocoder speaks another mel than these features: "
        "f_max 8000.0, not 7600.0; log natural, not 10; choose a vocoder that was trained on "
        "them, or extract with its definition\n"
    )
    assert "Traceback" not in said.out and not (tmp_path / "out.wav").exists()
