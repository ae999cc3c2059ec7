"""Every experiment that ships composes, builds and runs one step."""

import inspect
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from dumps import write_dump
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, class_of, compose_config
from voiceconv.commands.train import prepare_trainer
from voiceconv.converter import PARTS
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.data.archive import ArchiveWriter
from voiceconv.data.dump import read_loudness
from voiceconv.data.statistics import write_stats
from voiceconv.errors import InputError
from voiceconv.features import (
    DomainStats,
    FeatureExtractor,
    Features,
    MelSpectrogram,
    Representation,
    save_stats,
)
from voiceconv.models import Discriminator, Translator
from voiceconv.models.base import WaveGenerator
from voiceconv.objectives import PLAYERS
from voiceconv.objectives.cyclegan import TWO_STEP, FillingInFrames, WholeFrames
from voiceconv.objectives.vocoder import Vocoding
from voiceconv.runs.settings import CONVERTER, STUDENT, VOCODER, check_settings

CONF = Path(str(files("voiceconv.conf")))
ALL = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
VOCODERS = [name for name in ALL if name.startswith(("vocos", "hifigan"))]
STUDENTS = [name for name in ALL if name.startswith("streaming")]
EXPERIMENTS = [name for name in ALL if name not in VOCODERS + STUDENTS]
FAMILY = ["cyclegan_vc", "cyclegan_vc2", "cyclegan_vc3", "maskcyclegan_vc"]
TINY = [
    "translator.generator.base_channels=8",
    "translator.generator.n_residual_blocks=1",
    "discriminator.base_channels=8",
    "data.n_frames=32",
    "trainer.device=cpu",
    "trainer.n_steps=1",
    "seed=5",
]
COMMON = TINY[3:]
NARROW = ["translator.base_channels=4", "discriminator.base_channels=4"]
SIZES = {  # what makes a family's networks small, by how the names of its experiments begin
    "any_to_many": [
        "translator.width=8",
        "translator.code_channels=4",
        "discriminator.width=8",
        "discriminator.patch_width=4",
    ],
    "brunner": [TINY[0], "data.batch_size=1", TINY[2]],
    "cut": TINY[:3],
    "munit": [*NARROW, "translator.n_residual_blocks=1"],
    "pix2pix": ["translator.generator.base_channels=4", "discriminator.base_channels=4"],
    "stargan_vc2": [*NARROW, "translator.n_blocks=1"],
    "stargan_vc": NARROW,
    "unit": [*NARROW, "translator.n_residual_blocks=1"],
}


def tiny(experiment: str) -> list[str]:
    """The overrides that make an experiment as small as a test's."""
    sizes = (some for start, some in SIZES.items() if experiment.startswith(start))
    return [*next(sizes, TINY[:3]), *COMMON]


def make_dump(
    folder: Path, features: dict, lengths: dict[str, list[int]], loudness: float | None = -23.0
) -> Path:
    """DUMP/train of noise for this representation, with statistics."""
    train = folder / "train"
    train.mkdir(parents=True)
    n_channels = build(features, Representation).n_channels
    rng = np.random.default_rng(0)
    stats, speakers = {}, []
    with ArchiveWriter(train, "feats", 0) as writer:
        for domain, n_frames_of in lengths.items():
            made = [rng.standard_normal((n, n_channels)).astype(np.float32) for n in n_frames_of]
            for number, matrix in enumerate(made):
                writer.write(f"{domain}-{number}", matrix)
                speakers.append(f"{domain}-{number} {domain}\n")
            if made:
                stats[domain] = DomainStats.fit(Features(torch.from_numpy(m).T) for m in made)
    (train / "feats.0.scp").rename(train / "feats.scp")
    (train / "utt2spk").write_text("".join(speakers))
    (train / "features.yaml").write_text(yaml.safe_dump(features))
    (train / "processing.yaml").write_text(yaml.safe_dump({"trim": None, "loudness": loudness}))
    save_stats(train / "stats.safetensors", stats)
    return folder


def tiny_config(folder: Path, experiment: str, *overrides: str, lengths=None):
    """The experiment at width 8 on a dump of noise."""
    config = compose_config([f"experiment={experiment}", *tiny(experiment), *overrides])
    features = OmegaConf.to_container(config.features, resolve=True)
    OmegaConf.update(config, "data.dump", str(folder / "dump"))
    if not (folder / "dump").exists():
        lengths = lengths or {"low": [40, 60], "high": [50, 33]}
        make_dump(folder / "dump", features, lengths, config.data.loudness)
    OmegaConf.update(config, "name", experiment)
    OmegaConf.update(config, "run_dir", str(folder / "run"))
    return config


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs_one_step(tmp_path, experiment):
    run = prepare_trainer(tiny_config(tmp_path, experiment), tmp_path / "run")
    before = {name: p.detach().clone() for name, p in run.objective.named_parameters()}
    assert run.run() is True
    assert run.step == 1
    moved = [
        name for name, p in run.objective.named_parameters() if not torch.equal(p, before[name])
    ]
    assert {name.split(".")[0] for name in moved} >= {"generator", "discriminators"}
    for written in ("config.yaml", "provenance.json", "checkpoints/last.pt", "model/config.yaml"):
        assert (tmp_path / "run" / written).exists(), written


def test_no_experiment_is_left_out():
    """A test over files must count what it tests: also those in folders below, should any come."""
    there = list((CONF / "experiment").rglob("*.yaml"))
    assert len(EXPERIMENTS) + len(VOCODERS) + len(STUDENTS) == len(there)
    assert len(EXPERIMENTS) >= 8 and len(VOCODERS) >= 2 and STUDENTS


def test_the_four_models_are_there_in_both_sizes():
    assert {f"{name}{size}" for name in FAMILY for size in ("", "_small")} <= set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiments_own_sizes_fit_each_other(experiment):
    """Features, networks and crop as the file has them, nothing made smaller; on no real memory."""
    config = compose_config([f"experiment={experiment}", "name=x", "data.dump=x"])
    check_settings(config, CONVERTER)
    n_channels = build(config.features, Representation).n_channels
    with torch.device("meta"):
        translator = build(config.translator, Translator, n_channels=n_channels, n_domains=2)
        judge = discriminator_of(config.discriminator, n_channels)
        frames = torch.zeros(1, n_channels, config.data.n_frames)
        converted = translator(frames, 0, 1)
        assert converted.shape == frames.shape
        assert judge(converted, **judge.default_condition())[0].logits.numel() >= 1
    assert config.data.n_frames % translator.frame_multiple == 0


def discriminator_of(node: DictConfig, n_channels: int) -> Discriminator:
    """Of two domains, where it is told of domains."""
    takes = inspect.signature(class_of(node, Discriminator)).parameters
    domains = {"n_domains": 2} if "n_domains" in takes else {}
    return build(node, Discriminator, n_channels=n_channels, **domains)


@pytest.mark.parametrize("path", sorted((CONF / "features").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_feature_type_builds_as_it_is(path):
    node = compose_config([f"features={path.stem}"]).features
    representation = build(node, Representation)
    if isinstance(representation, FeatureExtractor):
        assert representation.n_frames(representation.hop_length * 3) == 4
    else:
        assert representation.frames_per_second == 8  # sixteenths of a piano roll


@pytest.mark.parametrize("experiment", VOCODERS)
def test_a_vocoders_own_sizes_fit_each_other(experiment):
    """As for a converter's; its losses have the names of its weights, or it would not be built."""
    given = [f"experiment={experiment}", "name=x", "data.dump=x"]
    config = compose_config(given, root="train_vocoder")
    check_settings(config, VOCODER)
    extractor = build(config.features, MelSpectrogram)
    n_channels, hop_length = extractor.n_channels, extractor.hop_length
    with torch.device("meta"):
        generator = build(
            config.generator, WaveGenerator, n_channels=n_channels, hop_length=hop_length
        )
        objective = build(config.objective, Vocoding, generator=generator, mel=extractor.log_mel)
    assert config.data.n_frames * hop_length >= 8192  # HiFi-GAN's segments, which judges fit
    assert generator.hop_length == hop_length
    assert objective.chance_levels.keys() == objective.weights["discriminator"].keys()


@pytest.mark.parametrize("experiment", STUDENTS)
def test_a_students_own_sizes_fit_each_other(experiment):
    """The network takes what `features.causal` gives, and gives what the vocoder takes."""
    given = [f"experiment={experiment}", "name=x", "data.dump=x"]
    config = compose_config(given, root="train_student")
    check_settings(config, STUDENT)
    model = {part: config[part] for part in PARTS} | {"loudness": config.data.loudness}
    zero = torch.zeros(36)
    stats = DomainStats(zero, zero + 1, torch.ones(2), torch.zeros(3), torch.ones(3))
    made = StreamingConverter(OmegaConf.to_container(OmegaConf.create(model)), {"a": stats})
    assert made.spectrum.n_channels == made.translator.n_inputs
    assert len(made.spectrum.pitches) == config.translator.n_pitches
    assert made.vocoder.n_bands == config.translator.n_bands
    assert made.stream("a").latency <= 0.05


@pytest.mark.parametrize("experiment", ALL)
def test_an_experiment_begins_with_its_command(experiment):
    """And no mark is left of what was to be filled in."""
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    command = "vocoder train" if experiment in VOCODERS else "train"
    command = "distill train" if experiment in STUDENTS else command
    assert f"#   voiceconv {command} experiment={experiment} data.dump=" in text
    assert "HOURS_" not in text


@pytest.mark.parametrize("experiment", FAMILY)
def test_the_papers_settings(experiment):
    """Rates, weights and decay of the papers; in two players, each at its own rate."""
    config = compose_config([f"experiment={experiment}"])
    rates = [config.optimizer[player].lr for player in PLAYERS]
    assert rates == [2e-4, 1e-4]
    assert all(list(config.optimizer[player].betas) == [0.5, 0.999] for player in PLAYERS)
    assert (
        config.objective.weights.generator.cycle,
        config.objective.weights.generator.identity,
    ) == (
        10.0,
        5.0,
    )
    assert config.objective.identity_steps == 10_000
    assert config.data.batch_size == 1


def test_mixed_data_weigh_as_much_as_a_domain(tmp_path):
    """Brunner et al., gamma 1."""
    run = prepare_trainer(
        tiny_config(tmp_path, "brunner_small", "objective=brunner_mixed"), tmp_path / "run"
    )
    names = {"adversarial_converted", "adversarial_mixed"}
    assert run.objective.weights["generator"] == dict.fromkeys(names, 1) | {
        "cycle": 10,
        "identity": 0,
    }
    assert run.objective.weights["discriminator"] == dict.fromkeys(names, 0.5)


@pytest.mark.parametrize(
    ("experiment", "judged", "corruption"),
    [
        ("cyclegan_vc", ["converted"], WholeFrames),
        ("cyclegan_vc2", list(TWO_STEP), WholeFrames),
        ("cyclegan_vc3", list(TWO_STEP), WholeFrames),
        ("maskcyclegan_vc", list(TWO_STEP), FillingInFrames),
    ],
)
def test_an_experiments_objective_is_its_papers(tmp_path, experiment, judged, corruption):
    objective = prepare_trainer(tiny_config(tmp_path, experiment), tmp_path / "run").objective
    assert sorted(objective.discriminators) == sorted(judged)
    assert type(objective.corruption) is corruption
    if corruption is FillingInFrames:
        assert objective.corruption.max_frames == 32


def test_the_same_seed_makes_the_same_run_and_another_seed_another(tmp_path):
    runs = [
        prepare_trainer(tiny_config(tmp_path, "cyclegan_vc2_small", override), tmp_path / name)
        for name, override in (("a", "seed=5"), ("b", "seed=5"), ("c", "seed=6"))
    ]
    losses = [run.train_step()["generator/cycle"].item() for run in runs]
    assert losses[0] == losses[1] != losses[2]


def test_a_folder_of_another_configuration_is_refused(tmp_path):
    prepare_trainer(tiny_config(tmp_path, "cyclegan_vc2_small"), tmp_path / "run")
    longer = tiny_config(tmp_path, "cyclegan_vc2_small", "trainer.n_steps=9")
    assert prepare_trainer(longer, tmp_path / "run").schedule.n_steps == 9
    other = tiny_config(tmp_path, "cyclegan_vc2_small", "objective.identity_steps=1")
    with pytest.raises(InputError, match=r"another configuration \(objective differ\)"):
        prepare_trainer(other, tmp_path / "run")


def test_a_dump_of_other_features_is_refused(tmp_path):
    make_dump(
        tmp_path / "dump",
        {"_target_": "voiceconv.features.mel.MelSpectrogram"},
        {"low": [40], "high": [40]},
    )
    config = tiny_config(tmp_path, "cyclegan_vc2_small")
    with pytest.raises(InputError, match="kind mel, not world"):
        prepare_trainer(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"low": [40], "high": [20, 31]}, r"domain 'high': none of its 2 utterances .* has 31\)"),
        ({"low": [40]}, r"one domain low; a conversion needs two, or data.targets=\[low\]"),
        ({"low": [40], "high": []}, r"one domain low; a conversion needs two"),
    ],
)
def test_too_little_data_is_named(tmp_path, lengths, message):
    config = tiny_config(tmp_path, "maskcyclegan_vc_small", lengths=lengths)
    with pytest.raises(InputError, match=message):
        prepare_trainer(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dump_without_statistics_says_how_to_make_them(tmp_path):
    config = tiny_config(tmp_path, "maskcyclegan_vc_small")
    (tmp_path / "dump/train/stats.safetensors").unlink()
    with pytest.raises(InputError, match="voiceconv stats"):
        prepare_trainer(config, tmp_path / "run")


def test_an_utterance_without_a_speaker_is_named(tmp_path):
    config = tiny_config(tmp_path, "maskcyclegan_vc_small")
    (tmp_path / "dump/train/utt2spk").write_text("low-0 low\nhigh-0 high\nhigh-1 high\n")
    with pytest.raises(InputError, match="utt2spk: no line for utterance 'low-1'"):
        prepare_trainer(config, tmp_path / "run")
    with pytest.raises(InputError, match="utt2spk: no line for utterance 'low-1'"):
        write_stats(tmp_path / "dump/train")


def test_a_track_that_only_some_have_is_refused(tmp_path):
    """Statistics of the others would be taken for those of all."""
    write_dump(tmp_path)
    scp = tmp_path / "train/ap.scp"
    first, *others = scp.read_text().splitlines(keepends=True)
    for torn in ("".join(others), "RIFF"):  # a torn last line is left out
        scp.write_text(torn)
        with pytest.raises(
            InputError, match=r"ap\.scp lacks 'high-01' of feats\.scp; extract again"
        ):
            write_stats(tmp_path / "train")


@pytest.mark.parametrize("content", ["trim: null\n", "loudness: loud\n", "loudness: true\n"])
def test_a_dump_that_does_not_state_its_loudness_is_refused(tmp_path, content):
    """It would be taken for one whose waves have their own."""
    (tmp_path / "processing.yaml").write_text(content)
    with pytest.raises(InputError, match="processing.yaml does not state loudness, in LUFS or n"):
        read_loudness(tmp_path)


def test_a_speaker_without_an_utterance_is_named(tmp_path):
    tiny_config(tmp_path, "maskcyclegan_vc_small")
    with open(tmp_path / "dump/train/utt2spk", "a") as table:
        table.write("none-0 none\n")
    with pytest.raises(InputError, match="train: feats.scp has no utterance of 'none'; extract"):
        write_stats(tmp_path / "dump/train")


def test_three_domains_train(tmp_path):
    lengths = {"low": [40], "high": [40], "mid": [40]}
    run = prepare_trainer(
        tiny_config(tmp_path, "maskcyclegan_vc_small", lengths=lengths), tmp_path / "run"
    )
    assert run.run() is True
    assert len(run.objective.translator.generators) == 6
    model = yaml.safe_load((tmp_path / "run/model/config.yaml").read_text())
    assert model["domains"] == ["high", "low", "mid"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_named(tmp_path):
    config = tiny_config(tmp_path, "cyclegan_vc2_small", "trainer.device=cuda")
    with pytest.raises(InputError, match="no CUDA device is there"):
        prepare_trainer(config, tmp_path / "run")
