"""The image networks of CycleGAN: the sizes of the authors' code, and frames in place of images."""

import pytest
import torch
from networks import filled, waves
from tiny import unpaired

from voiceconv.build import build, build_factory, compose_config
from voiceconv.models import Discriminator, Translator
from voiceconv.models.complexity import context_frames
from voiceconv.models.cyclegan import PatchGan, ResidualBlock2d, ResnetGenerator
from voiceconv.objectives.base import PLAYERS
from voiceconv.objectives.cyclegan import CycleGAN

C, T = 36, 32


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: ResnetGenerator(36), 11_365_633),
        (lambda: ResnetGenerator(80), 11_365_633),
        (lambda: ResnetGenerator(80, n_residual_blocks=6), 7_825_153),
        (lambda: PatchGan(36), 2_762_689),
        (lambda: PatchGan(80), 2_762_689),
    ],
)
def test_fact_01_parameters(network, expected):
    with torch.device("meta"):
        assert sum(p.numel() for p in network().parameters()) == expected


@pytest.mark.parametrize(("n_channels", "verdicts"), [(36, (2, 14)), (80, (8, 14))])
def test_patches_of_a_crop(n_channels, verdicts):
    (verdict,) = PatchGan(n_channels, 2)(waves(1, n_channels, 128))
    assert verdict.logits.shape == (1, 1, *verdicts)


def test_the_generator_hears_about_170_frames():
    assert context_frames(ResnetGenerator(8, 2, 9), 8) == pytest.approx(170, abs=5)


def test_fact_24_the_discriminators_first_layer_keeps_level():
    """Twice the frames, twice the first features; the next layer's norm takes level away."""
    judge, frames = PatchGan(C, 4), waves(1, C, T)
    (quiet,), (loud,) = judge(frames), judge(2 * frames)
    assert torch.allclose(loud.features[0], 2 * quiet.features[0], atol=1e-6)
    assert not torch.allclose(loud.features[1], 2 * quiet.features[1], atol=0.1)


def test_fact_25_nothing_bounds_the_output():
    """The last convolution's weights times 100, the output times 100: there is no tanh."""
    network, frames = ResnetGenerator(C, 4, 1), waves(1, C, T)
    before = network(frames)
    with torch.no_grad():
        network.decoder[-1][-1].weight.mul_(100)
    after = network(frames)
    assert after.abs().max() > 1
    assert torch.allclose(after, 100 * before, rtol=1e-4, atol=1e-4)


def test_a_residual_block_ends_in_its_sum():
    """Without a ReLU: when its convolutions are 0, what comes in goes out, below 0, too."""
    block, x = ResidualBlock2d(3), waves(1, 3, 8, 8)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    assert torch.equal(block(x), x)
    assert x.min() < 0


def test_features_are_the_plane_and_every_layer_of_the_encoder():
    network, frames = filled(ResnetGenerator(C, 4, 2)), waves(2, C, 30)
    features = network.features(frames)
    shapes = [tuple(one.shape[1:]) for one in features]
    assert shapes == [(1, C, 32), (4, C, 32), (8, 18, 16), (16, 9, 8), (16, 9, 8), (16, 9, 8)]
    assert torch.equal(features[0][:, 0, :, :30], frames)
    assert torch.equal(features[0][:, 0, :, 30:], frames[..., -1:].expand(-1, -1, 2))
    assert torch.equal(network.decoder(features[-1])[:, 0, :, :30], network(frames))


def made(*overrides: str) -> CycleGAN:
    """The experiment's objective at width 4."""
    small = ["translator.generator.base_channels=4", "translator.generator.n_residual_blocks=1"]
    given = ["experiment=cyclegan", "data.dump=none", *small, "discriminator.base_channels=4"]
    config = compose_config([*given, *overrides])
    torch.manual_seed(0)
    return build(
        config.objective,
        CycleGAN,
        translator=build(config.translator, Translator, n_channels=C, n_domains=2),
        discriminator=build_factory(config.discriminator, Discriminator, n_channels=C),
        n_domains=2,
    )


def test_fact_07_identity_lasts_for_the_whole_run():
    """It reads the target's frames, and the network to that target; the voice papers stop it."""
    objective, batch = made(), unpaired(waves(1, C, T), waves(1, C, T).flip(2))
    losses, generated = objective.generator_losses(batch, 399_999)
    wanted = sum(
        (objective.translator(batch.frames[target], 1 - target, target) - batch.frames[target])
        .abs()
        .mean()
        .item()
        for target in (0, 1)
    )
    assert losses["identity"].item() == pytest.approx(wanted, rel=1e-4)
    assert set(generated) == {"converted"}
    assert objective.weights == {
        "generator": {"adversarial_converted": 1.0, "cycle": 10.0, "identity": 5.0},
        "discriminator": {"adversarial_converted": 0.5},
    }


def test_the_experiment_has_the_authors_rates_and_pool():
    config = compose_config(["experiment=cyclegan", "data.dump=none"])
    for player in PLAYERS:
        assert (config.optimizer[player].lr, config.optimizer[player].betas) == (2e-4, [0.5, 0.999])
    assert (config.trainer.replay_size, config.data.batch_size) == (50, 1)


def test_one_batch_is_overfitted():
    objective, batch = made(), unpaired(waves(1, C, T), waves(1, C, T).flip(2))
    optimizers = {p: torch.optim.Adam(objective.player(p).parameters(), 5e-3) for p in PLAYERS}
    cycles = []
    for step in range(40):
        losses, generated = objective.generator_losses(batch, step)
        cycles.append(losses["cycle"].item())
        optimizers["generator"].zero_grad()
        objective.total("generator", losses).backward()
        optimizers["generator"].step()
        fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
        optimizers["discriminator"].zero_grad()
        objective.total("discriminator", objective.discriminator_losses(batch, fakes)).backward()
        optimizers["discriminator"].step()
    assert cycles[-1] < 0.5 * cycles[0]
