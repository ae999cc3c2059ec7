"""Families that are no pair of unpaired speakers, each of its own files only: the seams hold."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from dumps import write_dump
from overlay import DRIVER, END, added, overlay, require_equal_runs, run_python, told
from tiny_model import RATE, record, speech

HERE = Path(__file__).parent
PITCHES = {"high": 210.0, "low": 105.0, "mid": 150.0}
DOMAINS = {"labelled": 3, "paired": 2, "latent": 2}
DIRECTION = {"labelled": ("low", "mid"), "paired": ("high", "low"), "latent": ("low", "high")}
FILES = {
    "labelled": [
        "conf/discriminator/tiny_labelled.yaml",
        "conf/experiment/tiny_labelled.yaml",
        "conf/objective/tiny_labelled.yaml",
        "conf/translator/tiny_labelled.yaml",
        "models/tiny_labelled.py",
        "objectives/tiny_labelled.py",
    ],
    "paired": [
        "conf/discriminator/tiny_paired.yaml",
        "conf/experiment/tiny_paired.yaml",
        "conf/objective/tiny_paired.yaml",
        "conf/translator/tiny_paired.yaml",
        "models/tiny_paired.py",
        "objectives/tiny_paired.py",
    ],
    "latent": [
        "conf/experiment/tiny_latent.yaml",
        "conf/objective/tiny_latent.yaml",
        "conf/translator/tiny_latent.yaml",
        "models/tiny_latent.py",
        "objectives/tiny_latent.py",
    ],
}
SCRIPT = """
family, source, target = FAMILY
TRAIN = ["train", f"experiment=tiny_{family}", "data.dump=dump", "trainer.n_steps=20",
         "trainer.decay_start=10", "trainer.validate_every=20", "trainer.log_every=5",
         "trainer.device=cpu", "trainer.ship=last"]
CONVERT = ["convert", "in.wav", "--target", target, "--source", source]
voiceconv(*TRAIN, "run_dir=whole")
interrupted(10, *TRAIN, "run_dir=parts")
voiceconv(*TRAIN, "run_dir=parts")
voiceconv(*TRAIN, "run_dir=refused", "batches=OTHER")
voiceconv("info", f"experiment=tiny_{family}", "--json")
voiceconv(*CONVERT, "--model", "whole", "-o", "torch.wav")
voiceconv("convert", "in.wav", "--target", source, "--model", "whole", "-o", "back.wav")
voiceconv("export", "whole", "-o", "onnx")
voiceconv(*CONVERT, "--model", "onnx", "-o", "onnx.wav")
STYLE = ["--condition", "style=20,-10"]
voiceconv(*CONVERT, *STYLE, "--model", "whole", "-o", "styled.wav")
voiceconv(*CONVERT, *STYLE, "--model", "onnx", "-o", "styled-onnx.wav")
LIKE = ["--condition", "reference=like.wav"]
voiceconv(*CONVERT, *LIKE, "--model", "whole", "-o", "like-torch.wav")
voiceconv(*CONVERT, *LIKE, "--model", "onnx", "-o", "like-onnx.wav")
voiceconv(*CONVERT, "--condition", "style=1,2,3", "--model", "whole", "-o", "x.wav")
voiceconv(*CONVERT, "--condition", "accent=1", "--model", "whole", "-o", "x.wav")
"""
OTHER = {"labelled": "unpaired", "paired": "unpaired", "latent": "labelled"}


@pytest.fixture(scope="module", params=FILES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def place(family, tmp_path_factory) -> Path:
    made = overlay(tmp_path_factory.mktemp(family), HERE / family)
    pitches = dict(list(PITCHES.items())[: DOMAINS[family]])
    write_dump(made / "dump", seconds=0.8, pitches=pitches)
    record(made / "like.wav", speech(180.0, 0.3, seed=5))
    record(made / "in.wav", speech(PITCHES[DIRECTION[family][0]], 0.5))
    script = SCRIPT.replace("FAMILY", repr((family, *DIRECTION[family])))
    ended = run_python(made, DRIVER + script.replace("OTHER", OTHER[family]) + END)
    assert ended.returncode == 0, ended.stderr
    return made


@pytest.fixture(scope="module")
def said(place) -> dict[str, tuple[int, str, str]]:
    return told(place)


def ended(said: dict, *words: str) -> tuple[int, str, str]:
    """What the one command with these words said."""
    (found,) = (end for command, end in said.items() if set(words) <= set(command.split()))
    return found


def sound(path: Path) -> np.ndarray:
    wave, rate = soundfile.read(path)
    assert rate == RATE
    return wave


def test_adding_it_touches_its_own_files_only(family, place):
    assert added(place, HERE / family) == FILES[family]


def test_it_trains_and_resumes_exactly(place, said):
    assert ended(said, "run_dir=whole")[0] == 0
    code, _, err = ended(said, "run_dir=parts")
    assert code == 1 and "stopped at step 10 and saved" in err
    assert require_equal_runs(place, "whole", "parts", step=20) > 5


def test_other_batches_than_it_takes_are_refused(family, place, said):
    code, _, err = ended(said, "run_dir=refused")
    assert code == 2
    takes = {"labelled": "Labelled", "paired": "Paired", "latent": "Unpaired"}[family]
    assert f"trains on {takes} batches, and {OTHER[family].capitalize()}Crops gives" in err
    assert not (place / "refused" / "checkpoints").exists()


def test_it_converts_by_torch_and_by_onnxruntime(place, said):
    assert ended(said, "torch.wav")[0] == ended(said, "export")[0] == 0, said
    source, made = sound(place / "in.wav"), sound(place / "torch.wav")
    assert len(made) == len(source) and np.abs(made - source).max() > 0.01
    np.testing.assert_allclose(sound(place / "onnx.wav"), made, atol=2e-4)


def test_each_direction_it_has_is_a_graph_and_a_shared_network_is_one(family, place):
    graphs = sorted(path.name for path in (place / "onnx").glob("*.onnx"))
    assert (
        graphs
        == {
            "labelled": ["translator.onnx"],
            "paired": ["translator_0_to_1.onnx"],
            "latent": ["translator_0_to_1.onnx", "translator_1_to_0.onnx"],
        }[family]
    )


def test_the_way_back_is_there_or_refused_in_a_sentence(family, said):
    code, _, err = ended(said, "back.wav")
    if family == "paired":
        assert code == 2
        assert "no conversion from any voice to high: this model has high to low" in err
    else:
        assert (code, err) == (0, "")


def test_a_style_reaches_the_network_from_convert_and_in_an_export(family, place, said):
    code, _, err = ended(said, "styled.wav")
    if family != "labelled":
        takes = {"paired": "none", "latent": "reference"}[family]
        assert code == 2 and f"no condition 'style': this model takes {takes}" in err
        return
    plain, styled = sound(place / "torch.wav"), sound(place / "styled.wav")
    assert np.abs(styled - plain).max() > 0.01
    np.testing.assert_allclose(sound(place / "styled-onnx.wav"), styled, atol=2e-4)
    assert "condition 'style' is [1, 3], this model takes [1, 2]" in ended(said, "style=1,2,3")[2]
    assert "no condition 'accent': this model takes style" in ended(said, "accent=1")[2]


def test_a_recording_is_a_reference_of_any_length(family, place, said):
    code, _, err = ended(said, "like-torch.wav")
    if family != "latent":
        assert code == 2 and "no condition 'reference'" in err
        return
    plain, like = sound(place / "torch.wav"), sound(place / "like-torch.wav")
    assert (code, err) == (0, "") and np.abs(like - plain).max() > 0.002
    np.testing.assert_allclose(sound(place / "like-onnx.wav"), like, atol=2e-4)


def test_info_describes_its_networks(family, said):
    code, out, _ = ended(said, "info")
    networks = yaml.safe_load(out)["networks"]
    assert (code, sorted(networks)) == (0, ["discriminator", "translator"])
    n_parameters = {"paired": 24 * 5 * 16 + 16 + 16 * 5 * 24 + 24}.get(family)
    assert networks["translator"]["parameters"] == (n_parameters or pytest.approx(4000, rel=0.6))


def test_fakes_in_the_pool_keep_what_describes_them(family, place):
    pool = torch.load(place / "whole" / "checkpoints" / "last.pt", weights_only=True)["replay"][0]
    kept = {name: tuple(fakes.shape) for name, fakes in pool.items()}
    assert (
        kept
        == {
            "labelled": {"converted/0": (3, 24, 32), "converted/0/domain_ids": (3,)},
            "paired": {"converted/0": (2, 24, 32), "converted/0/source": (2, 24, 32)},
            "latent": {},
        }[family]
    )
