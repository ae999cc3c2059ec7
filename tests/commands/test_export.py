"""Exported networks are torch's to 1e-4 at any length, and so are the waves made by them."""

import json
import os
import shutil
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from tiny_model import (
    CONFIG,
    MEL,
    MEL_CONFIG,
    RATE,
    Cli,
    fit_stats,
    make_cli,
    make_converter,
    record,
    speech,
)
from torch import Tensor

from voiceconv import conf
from voiceconv.audio import read
from voiceconv.build import build
from voiceconv.commands import export as exporting
from voiceconv.converter import Converter
from voiceconv.errors import InputError, RunError
from voiceconv.features import FeatureExtractor
from voiceconv.features.mel import MelSpectrogram
from voiceconv.models.base import Translator
from voiceconv.models.exported import Graph, OnnxGenerator, OnnxTranslator
from voiceconv.models.hifigan import HifiGan
from voiceconv.models.layers import fold_weight_norm
from voiceconv.models.vocos import Vocos
from voiceconv.vocoders.directory import write_vocoder

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
for package in ("onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason="needs the extra `export`")

FAMILIES = sorted((Path(conf.__file__).parent / "translator").glob("*.yaml"))
FAMILIES = [path for path in FAMILIES if path.stem != "streaming"]  # test_distill exports it
ROWS = 16  # MUNIT's style encoder halves them four times
PAPER = {"base_channels": 8, "n_residual_blocks": 1}
SIZES = {  # of each family, for a graph that is small
    "any_to_many": {"width": 8},
    "brunner": PAPER,
    "cut": PAPER,
    "cyclegan": PAPER,
    "cyclegan_vc": PAPER,
    "cyclegan_vc2": PAPER,
    "cyclegan_vc3": PAPER,
    "maskcyclegan_vc": PAPER,
    "munit": {**PAPER, "n_hidden": 16},
    "pix2pix": {"base_channels": 4, "n_downs": 4},
    "pix2pixhd": PAPER,
    "pix2pixhd_enhancer": {**PAPER, "n_downs": 2},
    "stargan_vc": {"base_channels": 4},
    "stargan_vc2": {"base_channels": 8, "n_blocks": 1},
    "unit": PAPER,
}
VOCODER = {
    "_target_": "voiceconv.models.vocos.Vocos",
    "n_fft": 512,
    "channels": 16,
    "hidden": 32,
    "n_blocks": 1,
    "n_refinements": 1,
    "with_levels": True,
}
FILES = [
    "README.md",
    "config.yaml",
    "export.json",
    "stats.safetensors",
    "translator_0_to_1.onnx",
    "translator_1_to_0.onnx",
    "vocoder/README.md",
    "vocoder/config.yaml",
    "vocoder/generator.onnx",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A mel model that speaks by a network."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(2)
    keywords = {key: value for key, value in VOCODER.items() if key != "_target_"}
    spec = MelSpectrogram(**{key: value for key, value in MEL.items() if key != "_target_"}).spec
    config = {"features": spec.node, "generator": VOCODER, "card": {}}
    write_vocoder(folder / "vocoder", config, Vocos(40, 128, **keywords).state_dict())
    neural = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": f"{folder}/vocoder"}
    made = make_converter(MEL_CONFIG | {"features": spec.node, "vocoder": neural})
    made.save_pretrained(folder / "tiny", {"steps": 0})
    return folder / "tiny"


@pytest.fixture(scope="module")
def exported(model) -> Path:
    """Beside it, the export."""
    exporting.export(model, model.parent / "exported")
    return model.parent / "exported"


@pytest.fixture
def damaged(exported, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported, tmp_path / "damaged"))


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def noise(n_channels: int, n_frames: int) -> Tensor:
    return torch.randn(1, n_channels, n_frames, generator=torch.Generator().manual_seed(n_frames))


def draws(n_channels: int) -> list[exporting.Draw]:
    """Frames alone, as write_graph takes its inputs."""
    return [lambda n_frames: {"frames": noise(n_channels, n_frames)}]


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def refused(model: Path, engine: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        Converter.from_pretrained(model, engine).convert(speech("low", 0.2), "high", "low")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_family_is_looked_at():
    assert [path.stem for path in FAMILIES] == sorted(SIZES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda path: path.stem)
def test_a_translator_is_torchs_at_any_length(family, tmp_path):
    """Fact 33 of the fact sheet: any T, no state of a module, no dropout."""
    node = yaml.safe_load(family.read_text())
    inner = node.get("generator", node)
    inner |= SIZES[family.stem]
    translator = build(node, Translator, n_channels=ROWS, n_domains=2).eval()
    network = exporting.Direction(translator, 1, 0)
    path = tmp_path / "graph.onnx"
    stated = exporting.write_graph(network, draws(ROWS), path)
    assert 0 <= stated < 1e-4
    graph = Graph(path, ROWS)
    for n_frames in (1, 3, 4, 15, 36, 38, 129):
        with torch.no_grad():
            wanted = network(noise(ROWS, n_frames))
        torch.testing.assert_close(graph(noise(ROWS, n_frames)), wanted, atol=1e-4, rtol=0)
    assert b".py" not in path.read_bytes()  # where each operator came from is nobody's business


def test_an_export_of_a_lone_target_takes_anybody_and_a_strength(tmp_path, voiceconv):
    torch.manual_seed(1)
    target = "voiceconv.models.any_to_many.AnyToManyTranslator"
    config = CONFIG | {"translator": {"_target_": target, "width": 8}}
    stats = {"low": fit_stats(build(CONFIG["features"], FeatureExtractor), "low")}
    Converter(config, stats).save_pretrained(tmp_path / "model", {"steps": 0})
    exporting.export(tmp_path / "model", tmp_path / "exported")
    record(tmp_path / "in.wav", speech("high", 0.5))
    made = {}
    for folder in ("model", "exported"):
        for strength in ("1", "0.5"):
            path = tmp_path / f"{folder}-{strength}.wav"
            options = ["--target", "low", "--model", tmp_path / folder, "--strength", strength]
            said = voiceconv("convert", tmp_path / "in.wav", *options, "-o", path)
            assert said.code == 0, said.err
            made[folder, strength] = read(path).samples
    for strength in ("1", "0.5"):
        difference = made["model", strength] - made["exported", strength]
        assert difference.abs().max() < 1e-3
    assert (made["model", "1"] - made["model", "0.5"]).abs().max() > 0.01


def test_a_model_without_strength_says_so(tmp_path, model, voiceconv):
    record(tmp_path / "in.wav", speech("high", 0.5))
    arguments = [
        "--target",
        "low",
        "--model",
        model,
        "--strength",
        "0.5",
        "-o",
        tmp_path / "out.wav",
    ]
    said = voiceconv("convert", tmp_path / "in.wav", *arguments)
    assert said.code == 2
    assert "--strength 0.5: this model takes none; leave it out" in said.err
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "centre"),
    [
        (partial(Vocos, n_fft=64, channels=8, hidden=16, n_blocks=2), 0),
        (partial(Vocos, n_fft=64, channels=8, hidden=16, n_blocks=1, n_refinements=2), 0),
        (partial(HifiGan, rates=(4, 4), kernels=(8, 8), channels=16), 8),
    ],
    ids=["vocos", "refined", "hifigan"],
)
def test_a_generator_is_torchs_at_any_length(network, centre, tmp_path):
    generator = network(n_channels=6, hop_length=16).eval()
    fold_weight_norm(generator)
    metadata = {"frame_centre": str(generator.frame_centre)}
    exporting.write_graph(generator, draws(6), tmp_path / "generator.onnx", metadata)
    found = OnnxGenerator(tmp_path, 6, 16)
    assert (found.hop_length, found.frame_centre) == (16, centre)
    frames = torch.cat((noise(6, 50), noise(6, 50).flip(2)))
    for n_frames in (1, 2, 50):
        with torch.no_grad():
            wanted = generator(frames[..., :n_frames])
        assert wanted.shape == (2, 16 * n_frames)
        torch.testing.assert_close(found(frames[..., :n_frames]), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "translator",
    [
        {"directions": None}, {"directions": [[0]]}, {"directions": [[0, 2]]}, {"directions": "ab"},
        {"directions": [["a", 1]]}, {"shared": "no"}, {"condition": [1]}, {"condition": {"a": "b"}},
        {"condition": {"a": [[1], [2, 3]]}}, {"condition": {"a": None}},
    ],
)  # fmt: skip
def test_a_damaged_list_of_graphs_is_refused_in_a_sentence(damaged, translator):
    stated = json.loads((damaged / "export.json").read_text())
    stated["translator"] |= translator
    (damaged / "export.json").write_text(json.dumps(stated))
    with pytest.raises(InputError, match=r"export.json is damaged; export the model again"):
        OnnxTranslator(damaged, 1, 2)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"translator": 3}', "[" * 100_000])
def test_a_foreign_list_of_graphs_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(InputError, match=r"export.json is damaged; export the model again"):
        OnnxTranslator(tmp_path, 1, 2)


def test_the_list_of_an_older_version_names_no_directions(damaged):
    (damaged / "export.json").write_text("{}", encoding="utf-8-sig")
    assert OnnxTranslator(damaged, 1, 2).directions(2) == [(0, 1), (1, 0)]


def test_a_vocoder_that_does_not_say_where_its_frames_are_centred_is_refused(exported, tmp_path):
    for centre in (None, "-1", "x"):
        graph = onnx.load(exported / "vocoder" / "generator.onnx")
        (entry,) = graph.metadata_props
        assert entry.key == "frame_centre"
        if centre is None:
            graph.metadata_props.remove(entry)
        else:
            entry.value = centre
        onnx.save(graph, tmp_path / "generator.onnx")
        with pytest.raises(InputError, match="generator.onnx does not say where its frames are "):
            OnnxGenerator(tmp_path, 40, 128)


def test_an_export_is_a_models_directory(model, exported):
    assert files(exported) == FILES
    for name in ("config.yaml", "stats.safetensors", "README.md", "vocoder/config.yaml"):
        assert (exported / name).read_bytes() == (model / name).read_bytes()
    stated = json.loads((exported / "export.json").read_text())
    assert list(stated["graphs"]) == [name for name in FILES if name.endswith(".onnx")]
    assert [(g.get("source"), g.get("target")) for g in stated["graphs"].values()] == [
        ("high", "low"),
        ("low", "high"),
        (None, None),
    ]
    assert all(graph["largest_difference"] <= 1e-4 for graph in stated["graphs"].values())
    assert stated["opset"] == 20
    assert stated["versions"]["torch"] == version("torch")


@pytest.mark.parametrize("source", ["low", None])
@pytest.mark.parametrize("n_samples", [1, 600, RATE + 77])
def test_both_engines_make_the_same_wave(model, exported, source, n_samples):
    one, other = Converter.from_pretrained(model, "torch"), Converter.from_pretrained(exported)
    wave = speech("low", 2.0)[:n_samples]
    wanted, found = (converter.convert(wave, "high", source) for converter in (one, other))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    assert n_samples == 1 or wanted.abs().max() > 0.01


def test_a_long_wave_is_pieced_together_the_same(model, exported):
    wave = speech("low", 21.0)
    wanted = Converter.from_pretrained(model).convert(wave, "high", "low")
    found = Converter.from_pretrained(exported, "onnx").convert(wave, "high", "low")
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_the_command_line_converts_by_the_engine_that_a_model_is_for(
    voiceconv, model, exported, tmp_path
):
    record(tmp_path / "in.wav", speech("low", 0.5))
    made = []
    for folder, engine in ((model, []), (exported, []), (exported, ["--engine", "onnx"])):
        out = tmp_path / f"{len(made)}.wav"
        arguments = [tmp_path / "in.wav", "-o", out, "--target", "high", "--model", folder]
        assert voiceconv("convert", *arguments, *engine) == (0, "", "")
        made.append(torch.from_numpy(soundfile.read(out)[0]))
    assert torch.equal(made[1], made[2])
    torch.testing.assert_close(made[0], made[1], atol=2e-4, rtol=0)  # 16 bit


def test_copies_are_made_by_the_exported_vocoder(voiceconv, exported, tmp_path):
    record(tmp_path / "in.wav", speech("low", 0.5))
    said = voiceconv("resynth", tmp_path / "in.wav", "-o", tmp_path / "o.wav", "--model", exported)
    assert said == (0, "", "")
    assert soundfile.info(tmp_path / "o.wav").frames == RATE // 2


def test_as_many_threads_as_torch_has(exported):
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            graph = Graph(exported / "translator_0_to_1.onnx", 40)
            assert graph._session.get_session_options().intra_op_num_threads == n_threads
    finally:
        torch.set_num_threads(before)


def test_another_engine_than_the_models_is_refused(model, exported):
    assert refused(model, "onnx") == (
        f"{model} holds no graphs for onnx; make them by `voiceconv export {model} -o DIR` and "
        "convert with --model DIR"
    )
    assert refused(exported, "torch") == (
        f"{exported} is an export, without weights for torch; leave --engine out, or name the "
        "model that it was made of"
    )
    assert refused(model, "tensorflow") == "no engine 'tensorflow'; choose torch or onnx"


def test_a_baseline_has_no_engine(voiceconv, tmp_path):
    record(tmp_path / "in.wav", speech("low", 0.1))
    arguments = ["--target", "nathalie", "--model", "baseline:copy", "--engine", "onnx"]
    said = voiceconv("convert", tmp_path / "in.wav", *arguments)
    assert said.code == 2
    assert "--engine onnx is for networks, and baseline:copy has none" in said.err


def test_an_export_is_not_exported_again(voiceconv, exported, tmp_path):
    said = voiceconv("export", exported, "-o", tmp_path / "new")
    assert (said.code, os.listdir(tmp_path)) == (2, [])
    assert said.err.endswith("is an export; export the model that it was made of\n")


def test_an_export_is_not_saved_as_a_model(exported, tmp_path):
    with pytest.raises(InputError, match="an export has no weights to save"):
        Converter.from_pretrained(exported).save_pretrained(tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


def test_nothing_is_left_of_an_export_that_differs(voiceconv, model, tmp_path, monkeypatch):
    def write_graph(network, draws, path, metadata=None):
        path.write_bytes(b"graph")
        raise RunError(f"{path.name} differs")

    monkeypatch.setattr(exporting, "write_graph", write_graph)
    said = voiceconv("export", model, "-o", tmp_path / "new")
    assert said == (1, "", "voiceconv: error: translator_0_to_1.onnx differs\n")
    assert os.listdir(tmp_path) == []


def test_a_graph_that_differs_is_no_export(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    monkeypatch.setattr(exporting, "LENGTHS", (3, 8))
    with pytest.raises(RunError, match=r"g.onnx differs from torch by 0 at 8 frames, more than -1"):
        exporting.write_graph(torch.nn.ReLU(), draws(8), tmp_path / "g.onnx")


def test_what_is_there_already_stays(voiceconv, model, tmp_path):
    (tmp_path / "mine").write_text("text")
    said = voiceconv("export", model, "-o", tmp_path)
    assert said.code == 2
    assert f"{tmp_path}" in said.err
    assert files(tmp_path) == ["mine"]


def test_without_onnxruntime_the_extra_is_named(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = refused(exported)
    assert "generator.onnx needs onnxruntime, which cannot be imported" in message
    assert message.endswith("install it with: pip install 'voiceconv[export]'")


def test_without_onnxscript_the_extra_is_named(voiceconv, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    said = voiceconv("export", model, "-o", tmp_path / "new")
    assert said.code == 2
    assert said.err.endswith("install it with: pip install 'voiceconv[export]'\n")


@pytest.mark.parametrize("name", ["translator_1_to_0.onnx", "vocoder/generator.onnx"])
def test_damaged_graphs_are_refused(damaged, name):
    (damaged / name).write_bytes((damaged / name).read_bytes()[:1000])
    assert f"{damaged / name} is not readable as an ONNX graph" in refused(damaged)


def test_missing_graphs_are_named(damaged):
    (damaged / "translator_1_to_0.onnx").unlink()
    assert refused(damaged) == (f"{damaged} lacks translator_1_to_0.onnx; export the model again")


def test_graphs_of_other_channels_are_refused(damaged):
    shutil.copy(adding(damaged, [0.0]), damaged / "translator_1_to_0.onnx")
    assert "[1, 24, 'T'], not frames of 40 channels" in refused(damaged)


@pytest.mark.parametrize("place", ["absolute", "above", "link", "inside"])
def test_no_graph_reads_outside_of_its_directory(damaged, place):
    """What onnxruntime sees to: a version that does not must not come in unnoticed."""
    secret = damaged.parent / "secret.bin"
    secret.write_bytes(torch.full((24, 1), 7.0).numpy().tobytes())
    (damaged / "link.bin").symlink_to(secret)
    shutil.copy(secret, damaged / "inside.bin")
    location = {"absolute": str(secret), "above": "../secret.bin"}.get(place, f"{place}.bin")
    path = adding(damaged, location)
    if place == "inside":
        assert torch.equal(Graph(path, 24)(torch.zeros(1, 24, 3)), torch.full((1, 24, 3), 7.0))
        return
    with pytest.raises(InputError, match="is not readable as an ONNX graph"):
        Graph(path, 24)


def adding(folder: Path, location: str | list[float]) -> Path:
    """A graph that adds weights, which lie in another file or are these, to frames (1, 24, T)."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    if isinstance(location, str):
        weights = onnx.TensorProto(name="w", data_type=kind, dims=[24, 1])
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    else:
        weights = helper.make_tensor("w", kind, [1], location)
    ends = [helper.make_tensor_value_info(name, kind, [1, 24, "T"]) for name in "xy"]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (folder / "adding.onnx").write_bytes(model.SerializeToString())
    return folder / "adding.onnx"
