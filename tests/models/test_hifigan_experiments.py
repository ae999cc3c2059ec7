"""hifigan_v1, v2 and v3: the paper's networks and settings, and a run that goes on where it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from networks import waves
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, compose_config
from voiceconv.commands.vocoder_train import prepare_vocoder_trainer
from voiceconv.data.archive import ArchiveWriter
from voiceconv.data.batches import Segments
from voiceconv.features import MelSpectrogram
from voiceconv.models.hifigan import HifiGan
from voiceconv.models.layers import fold_weight_norm
from voiceconv.objectives import PLAYERS
from voiceconv.objectives.vocoder import Vocoding
from voiceconv.vocoders import NeuralVocoder
from voiceconv.vocoders.directory import read_vocoder

SIZES = {"hifigan_v1": 13_926_017, "hifigan_v2": 925_985, "hifigan_v3": 1_462_273}
MEL = {"sample_rate": 16000, "n_fft": 512, "hop_length": 64, "n_mels": 20}
TINY = [
    *(f"features.{name}={value}" for name, value in MEL.items()),
    *("generator.rates=[4,4,4]", "generator.kernels=[8,8,8]", "generator.channels=16"),
    "objective.discriminators.period.base_channels=2",
    "objective.discriminators.scale.base_channels=16",
    *("data.n_frames=32", "data.batch_size=2", "trainer.device=cpu", "validation.n_scored=1"),
]


def composed(experiment: str, *overrides: str) -> DictConfig:
    words = [f"experiment={experiment}", f"name={experiment}", "data.dump=none", *overrides]
    return compose_config(words, root="train_vocoder")


@pytest.mark.parametrize("experiment", SIZES)
def test_an_experiment_has_the_papers_generator(experiment):
    config = composed(experiment)
    mel = build(config.features, MelSpectrogram)
    generator = build(config.generator, HifiGan, n_channels=80, hop_length=mel.hop_length)
    fold_weight_norm(generator)
    assert sum(p.numel() for p in generator.parameters()) == SIZES[experiment]


@pytest.mark.parametrize("experiment", SIZES)
def test_an_experiment_has_the_papers_settings(experiment):
    config = composed(experiment)
    for player in PLAYERS:
        node = OmegaConf.to_container(config.optimizer[player])
        assert (node["_target_"], node["lr"]) == ("torch.optim.AdamW", 2e-4)
        assert node["betas"] == [0.8, 0.99]
    assert (config.data.batch_size, config.data.n_frames * config.features.hop_length) == (16, 8192)
    assert config.trainer.n_steps == 2_500_000
    assert config.objective.gan_mode == "least_squares"


def test_losses_weigh_what_the_papers_sums_weigh():
    # L_G = sum of L_Adv + 2 sum of L_FM + 45 L_Mel over 5 periods and 3 scales (eq. 5 to 7), of
    # judges whose verdicts and features are all the same: all but the mel is a number times 1.
    node = OmegaConf.to_container(composed("hifigan_v1", *TINY).objective)
    generator = HifiGan(20, 64, (4, 4, 4), (8, 8, 8), 16)
    objective = build(node, Vocoding, generator=generator, mel=MelSpectrogram(**MEL).log_mel)
    frames, wave = waves(2, 20, 32), 0.1 * waves(2, 2048)
    with torch.no_grad():
        losses, _ = objective.generator_losses(Segments(frames, wave), step=0)
        spoken = generator(frames)
        expected = 45 * losses["mel"]
        for judge in objective.discriminators.values():
            for real, fake in zip(judge(wave), judge(spoken), strict=True):
                expected += (fake.logits - 1).square().mean()
                expected += 2 * sum(
                    (a - b).abs().mean() for a, b in zip(real.features, fake.features, strict=True)
                )
    torch.testing.assert_close(objective.total("generator", losses), expected, rtol=1e-3, atol=0)


@pytest.fixture
def dump(tmp_path) -> Path:
    """Noise with its mel."""
    extractor = MelSpectrogram(**MEL)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 4000)).astype(np.float32)
    frames = [extractor.extract(torch.from_numpy(wave)).frames.T.numpy() for wave in noise]
    for split in ("train", "val"):
        folder = tmp_path / "dump" / split
        folder.mkdir(parents=True)
        for kind, arrays in (("feats", frames), ("waves", noise)):
            with ArchiveWriter(folder, kind, 0) as writer:
                for number, array in enumerate(arrays):
                    writer.write(f"one-{number}", array)
            (folder / f"{kind}.0.scp").rename(folder / f"{kind}.scp")
        (folder / "features.yaml").write_text(yaml.safe_dump(extractor.spec.node))
        (folder / "processing.yaml").write_text("trim: null\nloudness: -23.0\n")
    return tmp_path / "dump"


def trainer(dump: Path, folder: Path, n_steps: int, *overrides: str):
    config = composed("hifigan_v1", *TINY, f"trainer.n_steps={n_steps}", *overrides)
    OmegaConf.update(config, "data.dump", str(dump))
    OmegaConf.update(config, "run_dir", str(folder))
    return prepare_vocoder_trainer(config, folder)


def test_a_run_ships_folded_weights_and_goes_on_from_them(dump, tmp_path):
    run = trainer(dump, tmp_path / "run", 2)
    before = {name: p.detach().clone() for name, p in run.objective.named_parameters()}
    assert run.run() is True
    still = [n for n, p in run.objective.named_parameters() if torch.equal(p, before[n])]
    assert still == []
    weights = read_vocoder(tmp_path / "run" / "model")[1]
    assert not any("parametrizations" in name for name in weights)
    frames = waves(1, 20, 16)
    shipped = NeuralVocoder(MelSpectrogram(**MEL), tmp_path / "run").generator(frames)
    with torch.no_grad():
        torch.testing.assert_close(run.network(frames), shipped, atol=1e-6, rtol=0)
        tuned = trainer(dump, tmp_path / "next", 1, f"init_from='{tmp_path}/run'").network
        torch.testing.assert_close(tuned(frames), shipped, atol=1e-6, rtol=0)
    assert tuned.state_dict().keys() == run.network.state_dict().keys()


def test_killed_and_resumed_is_uninterrupted(dump, tmp_path):
    # Spectral norm has a state of its own, which the discriminators' checkpoint holds.
    trainer(dump, tmp_path / "whole", 3, "trainer.decay_start=null").run()
    trainer(dump, tmp_path / "parts", 1, "trainer.decay_start=null").run()
    trainer(dump, tmp_path / "parts", 3, "trainer.decay_start=null").run()
    states = [
        torch.load(tmp_path / run / "checkpoints/last.pt", weights_only=True)
        for run in ("whole", "parts")
    ]
    assert [state["step"] for state in states] == [3, 3]
    networks = [state["objective"] for state in states]
    assert any(name.endswith("0._u") for name in networks[0])
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())
