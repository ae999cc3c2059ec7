"""A run that was interrupted ends where the uninterrupted one does, to the bit."""

from pathlib import Path

import pytest
import torch
from runs import train_with_kills, vocoder_with_everything, with_everything
from tiny import cyclegan, differing, pair_translator, tensors, trainer
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.models import Translator


def final_state(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "last.pt", weights_only=True)


@pytest.mark.parametrize(
    ("make", "kept"),
    [(with_everything, ["/replay/0/"]), (vocoder_with_everything, [])],
    ids=["converter", "vocoder"],
)
def test_resumed_equals_uninterrupted(tmp_path, make, kept):
    """Resumed at every second step, each time by a new trainer."""
    whole = make(tmp_path / "whole", 12)
    assert whole.run()
    for _ in range(6):
        torch.rand(7)  # what others do with the global generator does not matter
        part = make(tmp_path / "parts", 12)
        if part.checkpoint_path.exists():
            part.load_state_dict(torch.load(part.checkpoint_path, weights_only=True))
        for _ in range(2):
            part.train_step()
        part.save()
    assert make(tmp_path / "parts", 12).run()  # only validation is left to do
    one, other = final_state(tmp_path / "whole"), final_state(tmp_path / "parts")
    assert differing(one, other) == []
    assert one["step"] == 12
    # It is not equal for want of something to compare.
    names = tensors(one)
    for wanted in ("/objective/", "/average/", "/optimizers/discriminator/state/", *kept):
        assert [name for name in names if name.startswith(wanted)], wanted
    assert len(names) > 300


class Noisy(Translator):
    """A translator that draws from torch's own generator, as dropout would."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = pair_translator()

    def forward(self, frames: Tensor, source: int, target: int, **condition: Tensor) -> Tensor:
        return self.inner(frames + 0.1 * torch.randn_like(frames), source, target)


def test_networks_that_draw_random_numbers_resume_too(tmp_path):
    def run(folder: Path, n_steps: int) -> dict:
        torch.manual_seed(0)
        part = trainer(folder, 6, cyclegan(translator=Noisy()))
        if part.checkpoint_path.exists():
            part.load_state_dict(torch.load(part.checkpoint_path, weights_only=True))
        for _ in range(n_steps):
            part.train_step()
        part.save()
        return final_state(folder)

    whole = run(tmp_path / "whole", 4)
    for _ in range(4):
        parts = run(tmp_path / "parts", 1)
    assert differing(whole, parts) == []


def test_what_is_left_out_is_noticed(tmp_path):
    """The comparison itself: two different runs differ everywhere."""
    one, other = with_everything(tmp_path / "one", 12), with_everything(tmp_path / "other", 12)
    one.train_step()
    assert {name.split("/")[1] for name in differing(one.state_dict(), other.state_dict())} == {
        *("step", "objective", "optimizers", "average", "replay")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "n_steps", "seed"),
    [(with_everything, 120, 1), (vocoder_with_everything, 40, 0)],
    ids=["converter", "vocoder"],
)
def test_ten_kills_change_nothing(tmp_path, make, n_steps, seed):
    make(tmp_path / "whole", n_steps).run()
    assert train_with_kills(tmp_path / "killed", n_steps, n_kills=10, seed=seed, make=make) == 10
    assert differing(final_state(tmp_path / "whole"), final_state(tmp_path / "killed")) == []


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    trainer(tmp_path, 2).run()
    other = trainer(tmp_path, 3, cyclegan(judged=["converted"]))
    with pytest.raises(InputError, match="differently configured network"):
        other.run()


def test_an_average_begins_where_a_run_without_one_stopped(tmp_path):
    """A run of no average goes on with one: it starts from the translator as it was."""
    before = trainer(tmp_path, 2)
    before.run()
    after = trainer(tmp_path, 3, ema_decay=0.9)
    after.load_state_dict(torch.load(before.checkpoint_path, weights_only=True))
    saved = before.objective.translator.state_dict()
    assert differing(after.network.state_dict(), saved) == []
