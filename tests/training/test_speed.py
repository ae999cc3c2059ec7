"""trainer.speed: other ways to the same losses, and the same checkpoints."""

from functools import partial

import pytest
import torch
from tiny import NoiseBatches, cyclegan, differing, trainer

from voiceconv.errors import InputError
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.models.unit import UnitTranslator
from voiceconv.models.vocos import ConvNextBlock, Vocos
from voiceconv.objectives import PLAYERS
from voiceconv.training import speed
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Trainer


def fused(lr: float):
    return partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999), fused=True)


def fused_trainer(folder, **keywords) -> Trainer:
    rates = dict(zip(PLAYERS, (2e-4, 1e-4), strict=True))
    optimizers = {player: fused(rate) for player, rate in rates.items()}
    return Trainer(cyclegan(), NoiseBatches(), optimizers, LinearDecay(10), folder, **keywords)


def require_same_losses(one: Trainer, other: Trainer, n_steps: int = 4) -> None:
    """To 0.1%: rounding differs, and each step passes it on to the next."""
    for _ in range(n_steps):
        ours, theirs = one.train_step(), other.train_step()
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert theirs[name].item() == pytest.approx(value.item(), rel=1e-3), name


def test_fused_adam_gives_the_losses_of_plain_adam(tmp_path):
    require_same_losses(trainer(tmp_path), fused_trainer(tmp_path))


def test_channels_last_gives_the_same_losses(tmp_path):
    run = fused_trainer(tmp_path, speed=["channels_last"])
    weights = [p for p in run.objective.parameters() if p.ndim == 4]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    require_same_losses(fused_trainer(tmp_path), run)


@pytest.mark.parametrize("switches", [[["channels_last"], []], [[], ["channels_last"]]])
def test_a_run_may_change_the_order_in_memory(tmp_path, switches):
    """A fused optimiser reads weights, gradients and its own state in a row."""
    whole = fused_trainer(tmp_path / "whole")
    for _ in range(2):
        whole.train_step()
    first = fused_trainer(tmp_path / "parts", speed=switches[0])
    for _ in range(2):
        first.train_step()
    first.save()
    second = fused_trainer(tmp_path / "parts", speed=switches[1])
    second.load_state_dict(torch.load(first.checkpoint_path, weights_only=True))
    require_same_losses(whole, second, 3)


@pytest.mark.slow
def test_compiled_networks_give_the_same_losses(tmp_path):
    plain, compiled = (fused_trainer(tmp_path, speed=switches) for switches in ([], ["compile"]))
    assert compiled.objective.state_dict().keys() == plain.objective.state_dict().keys()
    require_same_losses(plain, compiled)
    with speed.uncompiled(["compile"]):
        network = compiled.network.eval()
        assert network(torch.randn(1, 16, 37), 0, 1).shape == (1, 16, 37)


def test_what_is_compiled_is_what_objectives_call():
    parts = list(speed.called_parts(cyclegan()))
    assert [type(part) for part in parts] == [Generator212] * 2 + [PatchDiscriminator] * 4
    unit = UnitTranslator(16, 2, base_channels=4)
    assert unit not in list(speed.called_parts(unit))
    blocks = list(speed.called_parts(Vocos(10, 32, 128, 8, 16, 2)))
    assert [type(part) for part in blocks] == [ConvNextBlock] * 2


def test_compiling_keeps_the_names_of_a_checkpoint(tmp_path):
    plain, compiled = trainer(tmp_path, 2), trainer(tmp_path, 2, speed=["compile"])
    assert differing(plain.state_dict(), compiled.state_dict()) == []


def test_what_cannot_work_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cuda_graphs, which need CUDA, not cpu; use compile"):
        trainer(tmp_path, speed=["cuda_graphs"])
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"compile, and there is no C\+\+ compiler no-such-com"):
        trainer(tmp_path, speed=["compile"])
    trainer(tmp_path, speed=["channels_last"])
