"""Where networks run: what devices are called, and that frames go to them and come back."""

import pytest
import torch
from tiny_model import MEL_CONFIG, make_converter, speech
from torch import nn

from voiceconv.device import device_of, pick_device
from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram
from voiceconv.models.vocos import Vocos
from voiceconv.vocoders import NeuralVocoder
from voiceconv.vocoders.directory import write_vocoder


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def with_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_auto_is_cuda_where_there_is_one(without_cuda, monkeypatch):
    assert pick_device("auto", "--device ") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto", "--device ") == torch.device("cuda")


@pytest.mark.parametrize("option", ["--device ", "trainer.device="])
def test_an_error_names_the_option_that_was_given(without_cuda, option):
    with pytest.raises(InputError) as raised:
        pick_device("cuda", option)
    assert str(raised.value) == f"{option}cuda: no CUDA device is there; use {option}cpu"
    for name in ("gpu", "meta", "mps", ""):
        with pytest.raises(InputError) as raised:
            pick_device(name, option)
        assert str(raised.value) == f"{option}{name} is no device; use auto, cpu or cuda"


def test_a_device_by_its_number(with_cuda):
    assert pick_device("cuda:1", "--device ") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="--device cuda:2: there is no CUDA device beyond cuda:1"):
        pick_device("cuda:2", "--device ")


def test_a_network_is_where_its_weights_are():
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")


@pytest.mark.parametrize("config", [None, MEL_CONFIG], ids=["world", "mel"])
def test_on_the_cpu_a_moved_converter_gives_the_same_bits(config):
    wave = speech("low", 0.5)
    one, other = (make_converter() if config is None else make_converter(config) for _ in range(2))
    moved = other.to("cpu")
    assert moved is other
    assert torch.equal(one.convert(wave, "high", "low"), moved.convert(wave, "high", "low"))


def test_frames_go_to_where_the_networks_are(tmp_path):
    """A meta device computes shapes alone: nothing can be fetched from it, which shows the move."""
    wave = speech("low", 0.3)
    with pytest.raises(NotImplementedError, match="meta"):
        make_converter().to("meta").convert(wave, "high", "low")
    size = {"n_fft": 512, "channels": 8, "hidden": 16, "n_blocks": 1}
    extractor = MelSpectrogram(16000, 512, 128, 40)
    node = {"_target_": "voiceconv.models.vocos.Vocos", **size}
    config = {"features": extractor.spec.node, "generator": node, "card": {}}
    write_vocoder(tmp_path / "vocoder", config, Vocos(40, 128, **size).state_dict())
    vocoder = NeuralVocoder(extractor, tmp_path / "vocoder")
    frames = extractor.extract(wave).frames
    vocoder.to("meta")
    with pytest.raises(NotImplementedError, match="meta"):
        vocoder.synthesize(Features(frames))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_says_what_the_cpu_says():
    wave = speech("low", 0.5)
    on_cpu = make_converter().convert(wave, "high", "low")
    on_cuda = make_converter().to("cuda").convert(wave, "high", "low")
    assert on_cuda.device.type == "cpu"
    assert (on_cuda - on_cpu).abs().max() < 0.02 * on_cpu.abs().max()
