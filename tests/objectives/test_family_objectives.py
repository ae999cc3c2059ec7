"""What holds for the training of every family; `fact_NN` names a test of the fact sheet."""

import pytest
import torch
from test_config import tiny_config
from torch import nn

from voiceconv.commands.train import prepare_trainer
from voiceconv.training.trainer import Trainer

EXPERIMENTS = [
    "stargan_vc_small",
    "stargan_vc2_small",
    "unit_small",
    "munit",
    "munit_small",
    "cut_small",
    "cyclegan",
    "pix2pix_small",
    "pix2pixhd_small",
    "cyclegan_vc2_semi_small",
]


@pytest.fixture(params=EXPERIMENTS)
def trainer(request, tmp_path) -> Trainer:
    return prepare_trainer(tiny_config(tmp_path, request.param, "data.batch_size=2"), tmp_path)


def without_gradient(network: nn.Module) -> list[str]:
    return [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]


def test_fact_22_and_08_each_step_reaches_its_own_player_whole(trainer):
    objective, batch = trainer.objective, trainer.batches.batch(0)
    losses, generated = objective.generator_losses(batch, 0)
    objective.total("generator", losses).backward()
    assert without_gradient(objective.player("generator")) == []
    objective.zero_grad()
    detached = {kind: [fake.detach() for fake in fakes] for kind, fakes in generated.items()}
    losses = objective.discriminator_losses(batch, detached)
    objective.total("discriminator", losses).backward()
    assert without_gradient(objective.player("discriminator")) == []
    mine = list(objective.player("generator").parameters())
    assert all(parameter.grad is None for parameter in mine)  # fact 8: no gradient in G


def test_losses_have_chance_levels_of_the_same_names(trainer):
    objective, batch = trainer.objective, trainer.batches.batch(0)
    with torch.no_grad():
        _, generated = objective.generator_losses(batch, 0)
        losses = objective.discriminator_losses(batch, generated)
    assert objective.chance_levels.keys() <= losses.keys()
    assert all(len(before) == len(after) for before, after in objective.examples(batch))


def test_fact_11_half_the_discriminators_loss_is_the_same_step_of_adam():
    """Adam divides by the gradient's size: a factor on the whole loss moves nothing."""
    moved = []
    for factor in (1.0, 0.5):
        weight = nn.Parameter(torch.linspace(-1, 1, 8))
        optimizer = torch.optim.Adam([weight], lr=2e-4, betas=(0.5, 0.999), eps=0.0)
        for step in range(20):
            optimizer.zero_grad()
            (factor * (weight * (1 + step) - 2).square().mean()).backward()
            optimizer.step()
        moved.append(weight.detach())
    assert torch.equal(*moved)
