"""A neural vocoder on disk and in a converter: itself, whole, and beside the frames."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from tiny_model import MEL, MEL_CONFIG, make_cli, make_converter, record, speech
from torch import Tensor

from voiceconv.converter import Converter
from voiceconv.converter import directory as model_directory
from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram
from voiceconv.models.base import WaveGenerator
from voiceconv.models.vocos import Vocos
from voiceconv.vocoders import NeuralVocoder, directory
from voiceconv.vocoders.directory import copy_vocoder, read_vocoder, write_vocoder

EXTRACTOR = MelSpectrogram(**{key: value for key, value in MEL.items() if key != "_target_"})
SIZE = {"n_fft": 512, "channels": 8, "hidden": 16, "n_blocks": 1, "n_refinements": 1}
NODE = {"_target_": "voiceconv.models.vocos.Vocos", **SIZE}
CONFIG = {"features": EXTRACTOR.spec.node, "generator": NODE, "card": {"licence": "CC0-1.0"}}


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(0)
    write_vocoder(tmp_path / "vocoder", CONFIG, Vocos(40, 128, **SIZE).state_dict())
    return tmp_path / "vocoder"


def test_the_network_that_was_written_speaks(folder):
    torch.manual_seed(0)
    network = Vocos(40, 128, **SIZE).eval()
    frames = EXTRACTOR.extract(speech("low", 0.3)).frames
    with torch.no_grad():
        expected = network(frames[None])[0]
    wave = NeuralVocoder(EXTRACTOR, folder).synthesize(Features(frames))
    assert wave.shape == (frames.shape[1] * 128,)
    assert torch.equal(wave, expected) and not wave.requires_grad


def test_half_precision_is_read_as_single(folder, tmp_path):
    config, weights = read_vocoder(folder)
    write_vocoder(tmp_path / "half", config, {name: w.half() for name, w in weights.items()})
    half = NeuralVocoder(EXTRACTOR, tmp_path / "half").generator
    assert {weight.dtype for weight in half.parameters()} == {torch.float32}
    assert (tmp_path / "half/generator.safetensors").stat().st_size < 0.6 * (
        folder / "generator.safetensors"
    ).stat().st_size


class Late(WaveGenerator):
    """Each frame's first channel on the middle sample of its hop, as HiFi-GAN aligns."""

    def __init__(self, n_channels: int, hop_length: int) -> None:
        super().__init__()
        self.hop_length, self.frame_centre = hop_length, hop_length // 2

    def forward(self, frames: Tensor) -> Tensor:
        waves = torch.zeros(len(frames), frames.shape[-1], self.hop_length)
        waves[:, :, self.frame_centre] = frames[:, 0]
        return waves.flatten(1)


def test_a_network_that_speaks_half_a_hop_late_is_set_right(folder):
    """Frame t on sample 128 t, and as many samples as ever."""
    vocoder = NeuralVocoder(EXTRACTOR, folder)
    vocoder.generator = Late(40, 128)
    frames = torch.randn(40, 9)
    wave = vocoder.synthesize(Features(frames))
    assert wave.shape == (9 * 128,)
    torch.testing.assert_close(wave[::128], frames[0])


def test_a_model_holds_its_vocoder_and_needs_no_other(folder, tmp_path):
    node = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": str(folder)}
    converter = make_converter(MEL_CONFIG | {"vocoder": node})
    before = converter.convert(speech("low", 0.5), "high", "low")
    converter.save_pretrained(tmp_path / "model", {})
    shutil.rmtree(folder)
    (tmp_path / "model").rename(tmp_path / "moved")
    after = Converter.from_pretrained(tmp_path / "moved")
    assert torch.equal(after.convert(speech("low", 0.5), "high", "low"), before)
    written = yaml.safe_load((tmp_path / "moved/config.yaml").read_text())
    assert written["vocoder"] == node | {"model": "vocoder"}  # and no place of the machine
    after.save_pretrained(tmp_path / "again", {})
    for name in ("config.yaml", "vocoder/config.yaml", "vocoder/generator.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "moved" / name).read_bytes()


def test_a_model_does_not_name_a_place_outside_itself(folder, tmp_path):
    """What a stranger's configuration says of where the vocoder lies is not asked for."""
    node = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": str(folder)}
    make_converter(MEL_CONFIG | {"vocoder": node}).save_pretrained(tmp_path / "model", {})
    path = tmp_path / "model/config.yaml"
    path.write_text(path.read_text().replace("model: vocoder", f"model: {folder}"))
    shutil.rmtree(tmp_path / "model/vocoder")
    with pytest.raises(InputError, match=r"no vocoder '.*/model/vocoder'"):
        Converter.from_pretrained(tmp_path / "model")


def test_a_bundled_model_names_a_bundled_vocoder(folder, tmp_path, monkeypatch):
    """From wherever it is asked for, and where a user has copied it to."""
    bundled = tmp_path / "pretrained"
    for module in (directory, model_directory):
        monkeypatch.setattr(module, "BUNDLED", bundled)
    shutil.copytree(folder, bundled / "spoken")
    node = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": "spoken"}
    monkeypatch.chdir(tmp_path)
    make_converter(MEL_CONFIG | {"vocoder": node}).save_pretrained("pretrained/one", {})
    assert not (bundled / "one/vocoder").exists()
    assert yaml.safe_load((bundled / "one/config.yaml").read_text())["vocoder"] == node
    shutil.copytree(bundled / "one", tmp_path / "copy")
    for place in ("one", "pretrained/one", "copy"):
        assert Converter.from_pretrained(place).vocoder.folder == bundled / "spoken"


def test_a_copy_onto_itself_keeps_it(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    copy_vocoder(folder, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def damage(name: str, content: str | None):
    def do(folder: Path) -> None:
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(content)

    return do


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (damage("generator.safetensors", None), "no vocoder"),
        (damage("generator.safetensors", "no tensors"), "is not readable as safetensors"),
        (damage("config.yaml", None), "is not readable as YAML"),
        (damage("config.yaml", "- a\n- b"), "is no mapping of keys to values"),
        (damage("config.yaml", "format: 7"), "is of format 7, this version reads 1"),
        (damage("config.yaml", "format: 1\nfeatures: 3"), "features is 3; fetch the vocoder again"),
        (
            damage(
                "config.yaml",
                yaml.safe_dump({"format": 1, **CONFIG, "generator": NODE | {"channels": 4}}),
            ),
            "does not hold the weights of its configuration",
        ),
        (
            damage(
                "config.yaml",
                yaml.safe_dump({"format": 1, **CONFIG, "generator": {"_target_": "os.system"}}),
            ),
            "os.system",
        ),
    ],
)
def test_a_damaged_directory_is_one_sentence(folder, damaged, message):
    damaged(folder)
    with pytest.raises(InputError, match=message) as caught:
        NeuralVocoder(EXTRACTOR, folder)
    assert "\n" not in str(caught.value)


def test_its_card_says_what_it_is(folder):
    card = (folder / "README.md").read_text()
    weights = read_vocoder(folder)[1]
    assert f"| parameters | {sum(w.numel() for w in weights.values()):,} |" in card
    for said in ("| network | Vocos |", "hop_length 128", "| licence | CC0-1.0 |"):
        assert said in card


def test_resynth_through_it(folder, tmp_path, monkeypatch, capsys):
    cli = make_cli(monkeypatch, capsys)
    path = record(tmp_path / "in.wav", speech("low", 0.4))
    said = cli("resynth", path, "--vocoder", folder, "-o", tmp_path / "out.wav")
    assert said.code == 0, said.err
    assert (tmp_path / "out.wav").exists()
    said = cli("resynth", path, "--vocoder", tmp_path / "none", "-o", tmp_path / "no.wav")
    assert said.code == 2 and said.err.count("\n") == 1 and "no vocoder" in said.err
