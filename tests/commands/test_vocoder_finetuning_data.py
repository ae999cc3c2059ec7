"""What a vocoder is tuned on: frames there and back, each beside its own recording."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_model import MEL, MEL_CONFIG, RATE, WORLD, make_cli, make_converter, normalized, speech

from voiceconv.commands import vocoder_finetuning_data as finetuning
from voiceconv.commands.vocoder_finetuning_data import write_finetuning_data
from voiceconv.converter import Converter
from voiceconv.data.archive import Archive, ArchiveWriter, read_scp, write_scp
from voiceconv.data.segments import read_segments_dump
from voiceconv.errors import InputError, RunError
from voiceconv.features import MelSpectrogram

IDENTITY = {"_target_": "voiceconv.models.identity.IdentityTranslator"}
PROCESSING = {"trim": 40.0, "loudness": -23.0, "waves": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A converter of random weights, on mel."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_converter(MEL_CONFIG).save_pretrained(folder, {})
    return folder


@pytest.fixture
def dump(tmp_path) -> Path:
    """Two domains that the tiny converter knows, and one that it does not."""
    extractor = MelSpectrogram(**{k: v for k, v in MEL.items() if k != "_target_"})
    for split, seed in (("train", 0), ("val", 1), ("test", 2)):
        folder = tmp_path / "dump" / split
        folder.mkdir(parents=True)
        ids = {"high-1": "high", "low-1": "low", "other-1": "other"}
        for kind in ("waves", "feats"):
            with ArchiveWriter(folder, kind, 0) as writer:
                for name, domain in ids.items():
                    wave = normalized(speech("low" if domain == "low" else "high", 0.5, seed=seed))
                    frames = extractor.extract(wave).frames.T
                    writer.write(name, (wave if kind == "waves" else frames).numpy())
            write_scp(folder / f"{kind}.scp", read_scp(folder / f"{kind}.0.scp"))
        (folder / "utt2spk").write_text("".join(f"{n} {d}\n" for n, d in ids.items()))
        (folder / "features.yaml").write_text(yaml.safe_dump(MEL))
        (folder / "processing.yaml").write_text(yaml.safe_dump(PROCESSING))
    return tmp_path / "dump"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_translator_that_changes_nothing_gives_the_frames_back(dump, tmp_path):
    make_converter(MEL_CONFIG | {"translator": IDENTITY}).save_pretrained(tmp_path / "model", {})
    before = tree(dump)
    assert write_finetuning_data(dump, tmp_path / "out", tmp_path / "model") == {
        "train": 2,
        "val": 2,
    }
    assert tree(dump) == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train", "val"]
    for split in ("train", "val"):
        out, given = tmp_path / "out" / split, dump / split
        assert (out / "utt2spk").read_text() == "high-1-low high\nlow-1-high low\n"
        for name in ("features.yaml", "processing.yaml"):
            assert (out / name).read_bytes() == (given / name).read_bytes()
        frames, waves = Archive(out / "feats.scp"), Archive(out / "waves.scp")
        for new, old in (("high-1-low", "high-1"), ("low-1-high", "low-1")):
            np.testing.assert_allclose(frames[new], Archive(given / "feats.scp")[old], atol=1e-4)
            np.testing.assert_array_equal(waves[new], Archive(given / "waves.scp")[old])
        assert [f.shape for f, _ in read_segments_dump(out)] == 2 * [(63, 40)]


def test_the_frames_are_the_translators_twice(dump, tmp_path, model):
    write_finetuning_data(dump, tmp_path / "out", model)
    converter = Converter.from_pretrained(model)
    high = converter.stats["high"]
    frames = torch.from_numpy(np.array(Archive(dump / "train/feats.scp")["high-1"]).T)
    there = converter.translator(high.normalize(frames)[None], 0, 1)  # low's own two cancel out
    expected = high.denormalize(converter.translator(there, 1, 0)[0]).T.numpy()
    found = Archive(tmp_path / "out/train/feats.scp")["high-1-low"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - frames.T.numpy()).mean() > 0.1


def change(path: Path, **values: object) -> None:
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


def refused(sentence: str, dump: Path, model: Path) -> None:
    output = dump.parent / "out"
    with pytest.raises(InputError, match=sentence):
        write_finetuning_data(dump, output, model)
    assert sorted(path.name for path in dump.parent.iterdir()) == ["dump"]


def test_what_no_vocoder_of_this_model_could_learn_from(dump, model):
    change(dump / "val/processing.yaml", loudness=None)
    refused("dump/val .*: loudness None, not -23.0; extract with", dump, model)
    change(dump / "val/features.yaml", hop_length=64, n_mels=20)
    refused("hop_length 64, not 128; n_mels 20, not 40; loudness None", dump, model)
    (dump / "train/features.yaml").write_text(yaml.safe_dump(WORLD))
    refused("dump/train .*: kind world, not mel", dump, model)
    (dump / "train/utt2spk").write_text("high-1 a\nlow-1 b\nother-1 b\n")
    (dump / "train/features.yaml").write_text(yaml.safe_dump(MEL))
    refused("dump/train has a, b, the model knows high, low; give", dump, model)
    (dump / "train/waves.scp").unlink()
    refused("dump/train has no waves.scp; .* extract with --waves", dump, model)


def test_an_output_that_is_there_stays_as_it_is(dump, tmp_path, model, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    before = tree(dump)
    said = voiceconv("vocoder", "finetuning-data", dump, "-o", dump, "--model", model)
    assert said.code == 2 and f"cannot write {dump}: it is there already" in said.err
    assert tree(tmp_path) == {f"dump/{name}": content for name, content in before.items()}
    said = voiceconv("vocoder", "finetuning-data", dump, "-o", tmp_path / "a/out", "--model", model)
    out = tmp_path / "a/out"
    assert (said.code, said.out) == (0, f"{out}/train: 2 utterances\n{out}/val: 2 utterances\n")
    assert Archive(out / "train/waves.scp")["low-1-high"].shape == (RATE // 2,)


def test_frames_that_are_not_finite_are_left_out_and_named(dump, tmp_path, model, monkeypatch):
    cycle = finetuning._there_and_back

    def spoilt(frames, turn, converter):
        return cycle(frames, turn, converter) * (math.inf if turn.source == "low" else 1.0)

    monkeypatch.setattr(finetuning, "_there_and_back", spoilt)
    with pytest.raises(RunError, match="2 of 4 utterances .*: train/low-1-high, val/low-1-high$"):
        write_finetuning_data(dump, tmp_path / "out", model)
    for split in ("train", "val"):
        out = tmp_path / "out" / split
        assert [*read_scp(out / "feats.scp")] == [*read_scp(out / "waves.scp")] == ["high-1-low"]
        assert (out / "utt2spk").read_text() == "high-1-low high\n"
