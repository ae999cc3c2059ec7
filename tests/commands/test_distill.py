"""A teacher's pairs, and a student that is trained on them, shipped, exported and streamed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_model import RATE, WORLD, make_cli, make_converter, normalized, speech
from tiny_stream import SETTINGS, streamed

from voiceconv.commands.distill_pairs import write_pairs
from voiceconv.commands.distill_train import train_student_command
from voiceconv.commands.export import export
from voiceconv.converter import Converter, open_model
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.data.archive import Archive, ArchiveWriter, read_scp, write_scp
from voiceconv.data.taught import TaughtCrops, fit_scales, read_taught
from voiceconv.errors import InputError
from voiceconv.features import CausalSpectrum, World, load_stats

KINDS = ("waves", "f0", "ap", "feats")
IDS = {"high-1": "high", "low-1": "low", "other-1": "other", "other-2": "other"}
PITCHES = {"high": 210.0, "low": 105.0, "other": 150.0}


def write_split(folder: Path, seed: int) -> None:
    """What `voiceconv extract --waves` leaves."""
    folder.mkdir(parents=True)
    world = World(**{key: value for key, value in WORLD.items() if key != "_target_"})
    said = {}
    for number, (name, domain) in enumerate(IDS.items()):
        wave = normalized(speech(PITCHES[domain], 0.6, seed=seed + number))
        features = world.extract(wave)
        said[name] = (wave, features.f0, features.aperiodicity.T, features.frames.T)
    for place, kind in enumerate(KINDS):
        with ArchiveWriter(folder, kind, 0) as writer:
            for name, parts in said.items():
                writer.write(name, parts[place].contiguous().numpy())
        write_scp(folder / f"{kind}.scp", read_scp(folder / f"{kind}.0.scp"))
    (folder / "utt2spk").write_text("".join(f"{n} {d}\n" for n, d in IDS.items()))
    (folder / "features.yaml").write_text(yaml.safe_dump(WORLD))
    (folder / "processing.yaml").write_text(
        yaml.safe_dump({"trim": None, "loudness": -23.0, "waves": True})
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A dump, a teacher, and its pairs."""
    place = tmp_path_factory.mktemp("distill")
    for split, seed in (("train", 0), ("val", 10)):
        write_split(place / "dump" / split, seed)
    make_converter().save_pretrained(place / "teacher", {})
    counts = write_pairs(place / "dump", place / "pairs", place / "teacher")
    assert counts == {"train": 4, "val": 6}
    return place


def arguments(place: Path, run: str, *more: str) -> list[str]:
    node = [f"translator.{key}={value}" for key, value in SETTINGS.items() if key != "_target_"]
    return [
        "experiment=streaming_small",
        f"data.dump={place}/pairs",
        f"run_dir={place}/{run}",
        "features={sample_rate:16000,n_coefficients:24,frame_period:10.0,f0_method:dio}",
        *node,
        "discriminator.width=8",
        "discriminator.patch_width=4",
        "data.n_frames=40",
        "data.batch_size=2",
        "trainer.n_steps=4",
        "trainer.decay_start=2",
        "trainer.device=cpu",
        "trainer.precision=float32",
        "trainer.validate_every=2",
        "trainer.checkpoint_every=2",
        "trainer.log_every=1",
        *more,
    ]


def test_pairs_are_what_the_teacher_says_of_what_is_heard(place):
    out, dump = place / "pairs/train", place / "dump/train"
    names = [line.split() for line in (out / "utt2spk").read_text().splitlines()]
    assert [target for _, target in names].count("low") == 2
    assert "high-high-1" not in dict(names) and "low-high-1" in dict(names)
    assert yaml.safe_load((out / "features.yaml").read_text())["frame_period"] == 10.0
    waves = [Archive(one / "waves.scp") for one in (out, dump)]
    np.testing.assert_array_equal(waves[0]["low-high-1"], waves[1]["high-1"])
    f0 = [Archive(one / "f0.scp") for one in (out, dump)]
    np.testing.assert_array_equal(f0[0]["low-high-1"], f0[1]["high-1"][::2])
    frames = [
        np.array(Archive(one / "feats.scp")[name])
        for one, name in ((out, "low-high-1"), (dump, "high-1"))
    ]
    assert len(frames[0]) == -(-len(frames[1]) // 2)
    world = World(**{key: value for key, value in WORLD.items() if key != "_target_"})
    powers = [float(world.mel_cepstrum.decode(torch.from_numpy(one.T)).mean()) for one in frames]
    assert powers[0] == pytest.approx(powers[1], rel=0.1)  # as loud as the recording
    assert np.abs(frames[0] - frames[1][::2]).mean() > 0.01
    teacher = Converter.from_pretrained(place / "teacher")
    stats = load_stats(out / "stats.safetensors")
    assert torch.equal(stats["low"].log_f0, teacher.stats["low"].log_f0)


def test_pairs_refuse_what_does_not_fit(place, tmp_path):
    given = place / "dump", tmp_path / "out", place / "teacher"
    with pytest.raises(InputError, match="no multiple of the teacher's 5"):
        write_pairs(*given, frame_period=7.0)
    with pytest.raises(InputError, match="is not of the teacher's features: sample_rate"):
        write_pairs(place / "dump", tmp_path / "out", "four-voices")
    assert not (tmp_path / "out").exists()


def test_crops_depend_only_on_seed_rank_and_step(place):
    spectrum = CausalSpectrum(RATE, 160)
    utterances = read_taught(place / "pairs/train")
    usual = fit_scales(utterances, spectrum, 40).usual
    make = lambda **others: TaughtCrops(utterances, spectrum, usual, 40, 3, **others)  # noqa: E731
    one, again, other = make().batch(5), make().batch(5), make(rank=1, world_size=2).batch(5)
    assert all(torch.equal(a, b) for a, b in zip(one.tensors(), again.tensors(), strict=True))
    assert not torch.equal(one.heard, other.heard)
    assert one.heard.shape == (3, 209, 40) and one.frames.shape == (3, 24, 40)
    assert sorted(set(one.target_ids.tolist())) == [0, 1]
    with pytest.raises(InputError, match="training crop of 500 frames"):
        TaughtCrops(utterances, spectrum, usual, 500, 3)


def test_a_student_is_trained_shipped_and_streams(place, monkeypatch, capsys):
    train_student_command(arguments(place, "run"))
    history = json.loads((place / "run/validation.json").read_text())
    assert [entry["step"] for entry in history] == [2, 4]
    assert {"mel_cepstral_distortion", "voicing_error"} <= history[0]["measures"].keys()
    student = open_model(place / "run")
    assert isinstance(student, StreamingConverter) and student.domains == ["high", "low"]
    wave = speech("low", 0.3)
    found = streamed(student.stream("high"), wave, [100])
    assert torch.equal(found, student.convert(wave, "high")) and found.abs().max() > 0
    voiceconv = make_cli(monkeypatch, capsys)
    assert "high, low" in voiceconv("info", place / "run").out
    assert (
        "parameters: 3432384"
        in voiceconv("info", "experiment=streaming_small", "--domains", "4").out
    )

    written = export(place / "run", place / "exported", streaming=True)
    assert sorted(written) == ["step_0.onnx", "step_2.onnx"]
    assert all(one["largest_difference"] < 1e-4 for one in written.values())
    exported = open_model(place / "exported")
    assert exported.translator.is_export
    by_graph = streamed(exported.stream("high"), wave, [100])
    assert float((by_graph - found).abs().max()) < 1e-3
    with pytest.raises(InputError, match="does not stream; leave --streaming out"):
        export(place / "teacher", place / "no", streaming=True)


def test_a_run_that_continues_has_the_same_student(place):
    train_student_command(arguments(place, "whole"))
    train_student_command(arguments(place, "parts", "trainer.n_steps=2"))
    longer = arguments(place, "parts")
    train_student_command(longer)
    one, other = (open_model(place / run).translator.state_dict() for run in ("whole", "parts"))
    assert one.keys() == other.keys() and len(one) > 20
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_no_student_is_refused(place):
    for override, said in (
        ("data.n_frames=500", "training crop of 500 frames"),
        ("data.loudness=-20", "data.loudness is -20"),
        (f"data.dump={place}/dump", "hop_length 80, not 160"),
        ("objective.weights.generator.spectrum=-1", "0 or more"),
    ):
        with pytest.raises(InputError, match=said):
            train_student_command(arguments(place, "refused", override))
    assert not (place / "refused/model").exists()
