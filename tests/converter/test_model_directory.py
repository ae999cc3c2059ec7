"""A model's directory: exactly four files, nothing in them runs, and what is wrong is said."""

import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_model import CONFIG, make_converter, speech

from voiceconv.commands.info import list_models, model_info
from voiceconv.converter import Converter
from voiceconv.converter import directory as model_directory
from voiceconv.converter.directory import find_model
from voiceconv.errors import InputError
from voiceconv.vocoders import directory


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    make_converter().save_pretrained(
        folder, {"steps": 7, "licence": "CC0-1.0", "scores": {"test": {"mcd": "7.1 dB"}}}
    )
    return folder


@pytest.fixture
def model(saved, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def edit(model: Path, **changes: object) -> None:
    config = yaml.safe_load((model / "config.yaml").read_text())
    (model / "config.yaml").write_text(yaml.safe_dump(config | changes))


def refused(model: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        Converter.from_pretrained(model)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_four_files_and_no_other(saved):
    assert sorted(os.listdir(saved)) == [
        "README.md",
        "config.yaml",
        "stats.safetensors",
        "translator.safetensors",
    ]
    config = yaml.safe_load((saved / "config.yaml").read_text())
    assert list(config) == [
        "format",
        "features",
        "translator",
        "vocoder",
        "domains",
        "loudness",
        "card",
    ]
    assert (config["format"], config["domains"], config["loudness"]) == (1, ["high", "low"], -23.0)
    names = set(load_file(saved / "translator.safetensors"))
    assert {name.split(".")[1] for name in names} == {"0_to_1", "1_to_0"}


def test_the_card_says_what_was_stated(saved):
    card = (saved / "README.md").read_text()
    for line in (
        "# high, low",
        "| network | Generator212 |",
        "| steps | 7 |",
        "| data | not stated |",
        "| licence | CC0-1.0 |",
        "- mcd: 7.1 dB",
        "voiceconv convert in.wav --target high --model DIR",
    ):
        assert line in card.splitlines()
    shown = model_info(saved)
    assert (shown["domains"], shown["steps"], shown["licence"]) == (["high", "low"], 7, "CC0-1.0")


def test_saving_again_replaces_and_leaves_nothing_beside(model):
    make_converter().save_pretrained(model, {"steps": 8})
    assert len(os.listdir(model)) == 4
    assert model_info(model)["steps"] == 8


def test_it_is_found_by_itself_by_its_run_and_by_its_name(model, monkeypatch):
    assert find_model(model) == model
    assert find_model(model.parent) == model
    (model.parent / "config.yaml").write_text("run: configuration\n")  # as a run directory has
    assert find_model(model.parent) == model
    for module in (model_directory, directory):
        monkeypatch.setattr(module, "BUNDLED", model.parent)
    monkeypatch.setattr(model_directory, "DEFAULT", "model")
    monkeypatch.chdir("/")
    assert find_model("model") == find_model(None) == model
    assert [card["name"] for card in list_models()] == [model.parent.name]


def test_a_folder_may_have_a_name_that_is_no_utf_8(model, tmp_path):
    place = tmp_path / os.fsdecode(b"\xfcber")
    shutil.copytree(model, place)
    weights, others = (
        Converter.from_pretrained(one).translator.state_dict() for one in (model, place)
    )
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_links_are_followed(model, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in model.iterdir():
        (linked / file.name).symlink_to(file)
    (tmp_path / "link").symlink_to(linked)
    assert Converter.from_pretrained(tmp_path / "link").domains == ["high", "low"]


def test_a_link_to_nowhere_is_a_missing_file(model):
    (model / "translator.safetensors").unlink()
    (model / "translator.safetensors").symlink_to(model / "gone")
    assert "translator.safetensors" in refused(model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_load_as_float32(model, dtype):
    path = model / "translator.safetensors"
    full = Converter.from_pretrained(model)
    save_file({name: weight.to(dtype) for name, weight in load_file(path).items()}, path)
    half = Converter.from_pretrained(model)
    assert {weight.dtype for weight in half.translator.parameters()} == {torch.float32}
    frames = torch.randn(1, 24, 32)
    error = (half.translator(frames, 0, 1) - full.translator(frames, 0, 1)).abs().max()
    assert 0 < error < 0.1
    assert half.convert(speech("low", 0.2), "high").shape == (3200,)


@pytest.mark.parametrize("name", ["translator.safetensors", "stats.safetensors"])
@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_cut_file_is_named(model, name, kept):
    whole = (model / name).read_bytes()
    (model / name).write_bytes(whole[:kept])
    assert f"{name}" in refused(model)


@pytest.mark.parametrize("name", ["translator.safetensors", "stats.safetensors"])
def test_a_flipped_bit_is_seen_and_a_file_without_a_checksum_read(model, name):
    path = model / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    assert name in (said := refused(model)) and "its checksum is that of other numbers" in said
    save_file(load_file(path), path)
    Converter.from_pretrained(model)


@pytest.mark.parametrize("name", ["translator.safetensors", "stats.safetensors"])
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    assert name in refused(model)


def test_without_its_configuration_it_is_no_model(model):
    (model / "config.yaml").unlink()
    assert refused(model).startswith(f"no model '{model}'")
    assert "bundled" in refused("none-such")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no mapping"),
        (b"- a\n- list\n", "no mapping"),
        (b"text", "no mapping"),
        (b"\x00\xff\xfe\x80", "not readable as YAML"),
        (b"a: [1, 2", "not readable as YAML"),
        (b"a: !!python/object/apply:os.system [touch owned]", "not readable as YAML"),
        (b"[" * 100_000, "not readable as YAML"),
        (b"format: 1\n", "lacks domains, features, loudness, translator, vocoder"),
        (b"run: 1\nseed: 0\n", "lacks "),
    ],
    ids=["empty", "list", "text", "binary", "cut", "python", "deep", "few", "run"],
)
def test_what_is_no_configuration_is_refused(model, monkeypatch, content, message):
    monkeypatch.chdir(model)
    (model / "config.yaml").write_bytes(content)
    assert message in refused(model)
    assert not (model / "owned").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "is of format 2, this version reads 1"),
        ({"format": "1"}, "is of format 1, this"),
        ({"domains": ["high", "tenor"]}, "statistics of ['high', 'low'], configuration of "),
        ({"domains": []}, "domains are []; a conversion needs a target"),
        ({"domains": [["high"], "low"]}, "statistics of ['high', 'low']"),
        ({"domains": None}, "domains is None"),
        ({"domains": "high low"}, "domains is 'high low'"),
        ({"loudness": "loud"}, "loudness is 'loud'"),
        ({"features": None}, "features is None"),
        ({"features": {}}, "names no class"),
        ({"vocoder": ["world"]}, "vocoder is ['world']"),
        ({"card": ["CC0"]}, "card is ['CC0']"),
        ({"features": CONFIG["features"] | {"n_coefficients": 36}}, "of 24 channels"),
        ({"features": CONFIG["features"] | {"pitch": 1}}, "could not be built"),
        ({"features": CONFIG["features"] | {"sample_rate": "x"}}, "could not be built"),
        ({"vocoder": {"_target_": "voiceconv.vocoders.griffin_lim.GriffinLim"}}, "makes waves of "),
        ({"vocoder": CONFIG["features"]}, "is no Vocoder"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(model, change, message):
    edit(model, **change)
    assert message in refused(model)


def test_weights_of_another_network_are_refused(model):
    translator = {**CONFIG["translator"]}
    translator["generator"] = translator["generator"] | {"base_channels": 16}
    edit(model, translator=translator)
    message = refused(model)
    assert "weights are not those of its configuration" in message
    assert "fetch the model again" in message


@pytest.mark.parametrize("part", ["features", "translator", "vocoder"])
@pytest.mark.parametrize("target", ["os.system", "subprocess.run", "builtins.exec"])
def test_a_configuration_cannot_run_anything(model, tmp_path, part, target):
    owned = tmp_path / "owned"
    edit(model, **{part: {"_target_": target, "_args_": [f"touch {owned}"]}})
    assert f"asks for '{target}'" in refused(model)
    assert not owned.exists()


def test_nor_deep_within_it_nor_by_an_interpolation(model, tmp_path):
    owned = tmp_path / "owned"
    evil = {"_target_": "os.system", "_args_": [f"touch {owned}"]}
    edit(model, features=CONFIG["features"] | {"alpha": [evil]})
    assert "asks for 'os.system'" in refused(model)
    edit(
        model,
        features=CONFIG["features"]
        | {"alpha": f"${{oc.create:{{_target_:os.mkdir,path:{owned}}}}}"},
    )
    assert "write the value itself" in refused(model)
    assert not owned.exists()


def test_a_pickle_under_the_name_of_safetensors_is_not_loaded(model):
    torch.save({"a": torch.zeros(1)}, model / "translator.safetensors")
    assert "not readable as safetensors" in refused(model)
