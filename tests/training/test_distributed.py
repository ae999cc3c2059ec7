"""Two processes over gloo, as torchrun starts them."""

import os
import signal
import socket
from pathlib import Path

import pytest
import torch
from runs import CONTEXT, rank
from tiny import NoiseBatches, cyclegan, differing, trainer

from voiceconv.data.batches import Unpaired
from voiceconv.errors import InputError, RunError
from voiceconv.objectives import PLAYERS, Fake
from voiceconv.objectives.cyclegan import CycleGAN
from voiceconv.training.distributed import LostRankError, Ranks, joined_ranks

N_STEPS = 4


def start_two(folder: Path, body) -> None:
    assert exit_codes_of_two(folder, body) == [0, 0]


def exit_codes_of_two(folder: Path, body) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        CONTEXT.Process(target=rank, args=(number, 2, port, folder, body)) for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


class Described(CycleGAN):
    """Fakes say their own mean, and a whole number of their step and their rank."""

    rank: int

    def generator_losses(self, batch, step):
        losses, generated = super().generator_losses(batch, step)
        for fakes in generated.values():
            for index, fake in enumerate(fakes):
                number = torch.full((len(fake.frames),), 10 * step + self.rank)
                mean = fake.frames.mean((1, 2))
                fakes[index] = Fake(fake.frames, {"mean": mean, "number": number})
        return losses, generated


def described(ranks: Ranks, seed: int) -> CycleGAN:
    objective = cyclegan(seed=seed)
    objective.__class__, objective.rank = Described, ranks.rank
    return objective


def train(ranks: Ranks, folder: Path) -> None:
    """Different networks and different data at first; the state of each rank to a file."""
    objective = described(ranks, seed=ranks.rank)
    first = {}
    run = trainer(
        folder, N_STEPS, objective, NoiseBatches(rank=ranks.rank), ranks=ranks, replay_size=2
    )
    for player, optimizer in run.optimizers.items():

        def note(*args, player=player):
            parameters = run.objective.player(player).parameters()
            first.setdefault(player, [p.grad.clone() for p in parameters])

        optimizer.register_step_pre_hook(note)
    assert run.run()
    resumed = trainer(
        folder, N_STEPS, described(ranks, 0), NoiseBatches(rank=ranks.rank), ranks=ranks,
        replay_size=2,
    )  # fmt: skip
    assert resumed.run()
    torch.save(
        {
            "objective": run.objective.state_dict(),
            "replay": run._replay.state_dict(),
            "resumed": resumed.objective.state_dict(),
            "resumed_replay": resumed._replay.state_dict(),
            "first": first,
            "any": [ranks.any(ranks.rank == 1), ranks.any(False)],
            "gathered": ranks.gather(torch.tensor([float(ranks.rank)])),
        },
        folder / f"rank{ranks.rank}.pt",
    )


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> list[dict]:
    """What two ranks had after N_STEPS."""
    folder = tmp_path_factory.mktemp("ranks")
    start_two(folder, train)
    return [torch.load(folder / f"rank{number}.pt") for number in range(2)]


def test_ranks_have_equal_parameters(states):
    one, other = states
    assert differing(one["objective"], other["objective"]) == []
    assert differing(one["objective"], cyclegan(seed=0).state_dict())  # they moved


def test_ranks_have_fakes_of_their_own(states):
    """Else they had seen the same data."""
    one, other = (state["replay"] for state in states)
    assert sorted(one) == sorted(other)
    assert all(not torch.equal(one[name], other[name]) for name in one)


def test_the_gradient_is_the_mean_of_single_ranks(states):
    """Of the first step, before the players moved: each rank's batch, alone, by hand."""
    objective = cyclegan(seed=0)
    single = {player: [] for player in PLAYERS}
    for number in range(2):
        batch = NoiseBatches(rank=number).batch(0)
        of_generator, generated = objective.generator_losses(batch, 0)
        parameters = list(objective.translator.parameters())
        total = objective.total("generator", of_generator)
        single["generator"].append(torch.autograd.grad(total, parameters))
    for found, *alone in zip(states[0]["first"]["generator"], *single["generator"], strict=True):
        torch.testing.assert_close(found, sum(alone) / 2, rtol=1e-4, atol=1e-5)
    for player in PLAYERS:
        one, other = (state["first"][player] for state in states)
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_rank_resumes_with_what_was_its_own(states):
    for state in states:
        assert differing(state["objective"], state["resumed"]) == []
        assert differing(state["replay"], state["resumed_replay"]) == []


def test_each_rank_keeps_what_describes_its_fakes(states):
    for number, state in enumerate(states):
        pools = state["resumed_replay"]
        assert sorted(pools) == [
            f"{kind}/{index}{part}"
            for kind in ("converted", "cycled")
            for index in range(2)
            for part in ("", "/mean", "/number")
        ]
        for name in [name for name in pools if name.count("/") == 1]:
            torch.testing.assert_close(pools[name].mean((1, 2)), pools[f"{name}/mean"])
            assert pools[f"{name}/number"].dtype == torch.int64
            assert (pools[f"{name}/number"] % 10).tolist() == [number, number]


def test_ranks_agree_on_flags_and_gather_in_order(states):
    for state in states:
        assert state["any"] == [True, False]
        assert [one.item() for one in state["gathered"]] == [0.0, 1.0]


def test_alone_nothing_is_exchanged():
    with joined_ranks() as ranks:
        assert ranks == Ranks(0, 1)
    network = torch.nn.Linear(2, 1)
    network.weight.grad = torch.tensor([[1.0, 2.0]])
    ranks.average_gradients(network)
    assert network.weight.grad.tolist() == [[1.0, 2.0]]
    assert network.bias.grad is None
    assert (ranks.any(True), ranks.any(False)) == (True, False)
    assert ranks.is_main


def test_another_number_of_ranks_does_not_resume(tmp_path):
    run = trainer(tmp_path, 2)
    run.run()
    state = torch.load(run.checkpoint_path, weights_only=True)
    state["torch_rng"] *= 2
    with pytest.raises(InputError, match="written by 2 processes, now there are 1"):
        run.load_state_dict(state)


class Fatal(NoiseBatches):
    """Kills its process at a step, as an operating system does that lacks memory."""

    def batch(self, step: int) -> Unpaired:
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step)


def train_until_one_dies(ranks: Ranks, folder: Path) -> None:
    """The first call's second rank dies; what the first rank says goes to a file."""
    is_first = not (folder / "said").exists()
    batches = Fatal(rank=1) if ranks.rank and is_first else NoiseBatches(rank=ranks.rank)
    run = trainer(folder, 6, cyclegan(), batches, ranks=ranks, checkpoint_every=2)
    try:
        assert run.run()
    except RunError as error:
        (folder / "said").write_text(str(error))


def test_a_rank_that_is_killed_ends_the_others_with_a_sentence(tmp_path):
    """And the same call goes on from the last checkpoint, to where it would have been."""
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    parts.mkdir()
    whole.mkdir()
    assert exit_codes_of_two(parts, train_until_one_dies) == [0, -signal.SIGKILL]
    said = (parts / "said").read_text()
    assert said.startswith("step 3: rank 0 has lost another of the 2 ranks, which ended or hangs (")
    assert said.endswith("); the same command goes on from step 2")
    assert "\n" not in said
    start_two(parts, train_until_one_dies)
    (whole / "said").write_text("nobody dies here")
    start_two(whole, train_until_one_dies)
    states = [torch.load(folder / "checkpoints" / "last.pt") for folder in (parts, whole)]
    assert differing(*states) == []


def test_averaged_gradients_lie_in_memory_as_their_parameters_do(monkeypatch):
    """A fused optimiser reads both in a row."""
    monkeypatch.setattr("torch.distributed.all_reduce", lambda flat: flat.mul_(2))
    layer = torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    layer(torch.randn(1, 3, 5, 5)).square().sum().backward()
    before = layer.weight.grad.clone()
    Ranks(0, 2).average_gradients(layer)
    assert torch.equal(layer.weight.grad, before)
    assert layer.weight.grad.stride() == layer.weight.stride()


def train_with_patience(ranks: Ranks, folder: Path) -> None:
    """The main rank alone measures, and all must end at the same step."""

    class Worse:
        def measure(self, step, translator, tracker):
            assert ranks.is_main
            return {1: 2.0, 2: 1.0}.get(step, 3.0)

        def ship(self, step, translator):
            assert ranks.is_main

    settings = {"validate_every": 1, "validator": Worse(), "ship": "best", "patience": 2}
    batches = NoiseBatches(rank=ranks.rank)
    ended = []
    for _ in range(2):  # the second one does nothing more
        run = trainer(folder, 9, batches=batches, ranks=ranks, **settings)
        assert run.run()
        ended.append((run.step, run.best.state_dict()))
    torch.save(ended, folder / f"rank{ranks.rank}.pt")


def test_ranks_lose_patience_together(tmp_path):
    start_two(tmp_path, train_with_patience)
    best = {"score": 1.0, "step": 2, "n_since": 2}
    for number in range(2):
        assert torch.load(tmp_path / f"rank{number}.pt") == [(4, best)] * 2


def test_only_what_is_said_of_ranks_is_a_lost_rank():
    ranks = Ranks(0, 2)
    with pytest.raises(torch.OutOfMemoryError), ranks._together():
        raise torch.OutOfMemoryError("no memory")
    with pytest.raises(LostRankError, match=r"\(RuntimeError\)$"), ranks._together():
        raise RuntimeError
