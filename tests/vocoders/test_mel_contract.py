"""A mel of another definition is refused by name, wherever two of them meet."""

import pytest
import torch
import yaml
from tiny_model import make_cli

from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram
from voiceconv.train import require_same_frames
from voiceconv.vocoders import GriffinLim

MEL = {
    "sample_rate": 16000, "n_fft": 512, "hop_length": 128, "n_mels": 40, "f_min": 20.0,
    "f_max": 7600.0, "win_length": 500, "window": "hann", "norm": "slaney", "power": 1.0,
    "log": "natural",
}  # fmt: skip
MISMATCHES = {
    "sample_rate": 24000, "hop_length": 160, "n_fft": 1024, "window": "hamming", "f_min": 0.0,
    "f_max": 8000.0, "n_mels": 36, "log": "10", "norm": None, "power": 2.0,
}  # fmt: skip
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
def test_training_refuses_a_dump_of_another_definition(tmp_path, name):
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(other(name).spec.node))
    assert refused(require_same_frames, MelSpectrogram(**MEL), tmp_path) == (
        f"{tmp_path} was extracted with other features than this experiment's{sentence(name)}"
        "extract with this experiment into another directory"
    )


def test_training_takes_a_dump_of_the_same_definition_in_other_words(tmp_path):
    """A dump names what its extractor was given; what follows from that may be left out."""
    node = {"_target_": "voiceconv.features.mel.MelSpectrogram", "sample_rate": 24000}
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(node))
    require_same_frames(MelSpectrogram(24000, f_max=12000, win_length=1024), tmp_path)


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
