"""Each paper's experiment builds the paper's networks, and each of the four learns one batch."""

import pytest
import torch
from networks import waves
from tiny import halves, learn, unpaired

from voiceconv.build import build, build_factory, compose_config
from voiceconv.features import FeatureExtractor
from voiceconv.models import Discriminator, Translator
from voiceconv.models.complexity import describe
from voiceconv.objectives import Objective

PAPERS = {  # frames, parameters of one generator, of one discriminator
    "cyclegan_vc": ((24, 128), 38_055_704, 21_885_953),
    "cyclegan_vc2": ((36, 128), 14_999_233, 5_729_281),
    "cyclegan_vc3": ((80, 64), 27_321_665, 5_729_281),
    "maskcyclegan_vc": ((80, 64), 16_459_073, 5_729_281),
}


def built(name: str, *overrides: str, device: str = "cpu") -> tuple[Objective, tuple[int, int]]:
    """The experiment's objective, with its networks, and the shape of a crop."""
    config = compose_config([f"experiment={name}", "data.dump=none", *overrides])
    n_channels = build(config.features, FeatureExtractor).n_channels
    with torch.device(device):
        objective = build(
            config.objective,
            Objective,
            translator=build(config.translator, Translator, n_channels=n_channels, n_domains=2),
            discriminator=build_factory(config.discriminator, Discriminator, n_channels=n_channels),
            n_domains=2,
        )
    return objective, (n_channels, config.data.n_frames)


@pytest.mark.parametrize("name", PAPERS)
def test_the_experiment_has_the_papers_networks(name):
    objective, shape = built(name, device="meta")  # only shapes: nothing is allocated
    generator = objective.translator.generators["0_to_1"]
    judge = objective.discriminators["converted"][0]
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, judge)]
    assert (shape, *sizes) == PAPERS[name]


@pytest.mark.parametrize("name", PAPERS)
def test_the_small_one_is_a_sixteenth_of_it(name):
    # A quarter of the widths: a sixteenth of the weights, but for first and last layers.
    objective, (n_channels, _) = built(f"{name}_small")
    figures = describe(objective.translator.generators["0_to_1"], n_channels, 100.0)
    assert PAPERS[name][1] / 17 < figures["parameters"] < PAPERS[name][1] / 14
    assert figures["context_frames"] == 161


@pytest.mark.parametrize("name", PAPERS)
def test_one_batch_is_overfitted(name):
    objective, shape = built(
        f"{name}_small",
        "translator.generator.base_channels=8",
        "discriminator.base_channels=8",
        "data.n_frames=32",
    )
    batch = unpaired(waves(1, *shape), waves(1, *shape).flip(2))
    assert halves(learn(objective, batch, (2e-3, 1e-3), 60), "cycle")
