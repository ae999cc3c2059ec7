"""The pool of past fakes: its rule, and that it goes through a checkpoint."""

import pytest
import torch

from voiceconv.objectives import Fake, Generated
from voiceconv.training.replay import ReplayPool


def numbered(*values: float, kind: str = "converted") -> Generated:
    """One domain's fakes, each filled with its number."""
    return {kind: [Fake(torch.stack([torch.full((2, 3), value) for value in values]))]}


def shown(pool: ReplayPool, step: int, *values: float) -> list[float]:
    (fake,) = pool(numbered(*values), step)["converted"]
    fakes = fake.frames
    assert fake.condition == {}
    assert fakes.shape == (len(values), 2, 3)
    assert (fakes == fakes[:, :1, :1]).all()
    return fakes[:, 0, 0].tolist()


def test_size_0_hands_through():
    pool, fakes = ReplayPool(0), numbered(1.0)
    assert pool(fakes, 0) is fakes
    assert pool.state_dict() == {}


def test_a_pool_that_fills_shows_the_new_ones():
    pool = ReplayPool(4)
    assert [shown(pool, step, float(step)) for step in range(4)] == [[0.0], [1.0], [2.0], [3.0]]
    assert pool.state_dict()["converted/0"][:, 0, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_half_of_what_is_shown_is_from_the_pool():
    pool = ReplayPool(10)
    n_old, ages = 0, []
    for step in range(2000):
        (value,) = shown(pool, step, float(step))
        if step >= 10 and value != step:
            n_old += 1
            ages.append(step - value)
    assert n_old == pytest.approx(995, abs=100)  # deviation 22
    # One of ten leaves with probability 1/20 a step: 20 steps on average.
    assert sum(ages) / len(ages) == pytest.approx(20, abs=3)
    assert len(set(pool.state_dict()["converted/0"][:, 0, 0].tolist())) == 10


def test_nothing_is_lost_and_nothing_shown_twice():
    """What is shown is new, or leaves the pool for a new one."""
    pool = ReplayPool(5)
    seen = [value for step in range(200) for value in shown(pool, step, 2.0 * step, 2.0 * step + 1)]
    # While it fills, a fake is shown at once and kept: it may come a second time, but not a third.
    kept = pool.state_dict()["converted/0"][:, 0, 0].tolist()
    assert set(seen) | set(kept) == set(map(float, range(400)))
    twice = {value for value in seen if seen.count(value) > 1}
    assert twice <= set(map(float, range(5)))
    assert max(map(seen.count, twice), default=2) == 2


def test_kinds_and_domains_have_pools_of_their_own():
    pool = ReplayPool(1)
    fakes = {kind: [Fake(torch.full((1, 2, 3), v)) for v in (a, b)] for kind, a, b in (
        ("converted", 1.0, 2.0), ("cycled", 3.0, 4.0))}  # fmt: skip
    for step in range(20):
        found = pool(fakes, step)
        assert [fake.frames[0, 0, 0].item() for fake in found["converted"]] == [1.0, 2.0]
        assert [fake.frames[0, 0, 0].item() for fake in found["cycled"]] == [3.0, 4.0]
    assert sorted(pool.state_dict()) == ["converted/0", "converted/1", "cycled/0", "cycled/1"]


def test_what_was_shown_does_not_change_when_the_pool_does():
    pool = ReplayPool(1)
    kept = [(step, pool(numbered(float(step)), step)["converted"][0].frames) for step in range(30)]
    values = [fake[0, 0, 0].item() for _, fake in kept]
    assert all(value <= step for value, (step, _) in zip(values, kept, strict=True))
    assert len(set(values)) > 20


def test_state_goes_round():
    one = ReplayPool(3, seed=1)
    for step in range(20):
        shown(one, step, float(step))
    other = ReplayPool(3, seed=1)
    other.load_state_dict({name: fakes.clone() for name, fakes in one.state_dict().items()})
    after = [(shown(one, s, float(s)), shown(other, s, float(s))) for s in range(20, 60)]
    assert [a for a, _ in after] == [b for _, b in after]
    assert len({tuple(a) for a, _ in after}) > 20


def described(*numbers: int) -> Generated:
    """Fakes of two judges, filled with their number, which is their label and their source, too."""
    one = torch.stack([torch.full((2, 3), float(number)) for number in numbers])
    label = torch.tensor(numbers)
    return {"converted": [Fake(one, {"label": label, "source": one + 0.5}), Fake(one + 1000)]}


def test_a_fake_and_what_describes_it_stay_together():
    pool, n_old = ReplayPool(4), 0
    for step in range(200):
        numbers = [2 * step, 2 * step + 1]
        (fake, alone) = pool(described(*numbers), step)["converted"]
        assert fake.condition["label"].dtype == torch.int64
        assert fake.frames[:, 0, 0].tolist() == fake.condition["label"].tolist()
        assert torch.equal(fake.condition["source"], fake.frames + 0.5)
        assert (alone.frames >= 1000).all() and alone.condition == {}
        n_old += sum(label not in numbers for label in fake.condition["label"].tolist())
    assert n_old == pytest.approx(198, abs=50)  # deviation 10
    state = pool.state_dict()
    assert sorted(state) == [
        "converted/0", "converted/0/label", "converted/0/source", "converted/1",
    ]  # fmt: skip
    assert state["converted/0"][:, 1, 2].tolist() == state["converted/0/label"].tolist()


def test_what_describes_fakes_goes_through_a_checkpoint():
    one, other = ReplayPool(3, seed=1), ReplayPool(3, seed=1)
    for step in range(20):
        one(described(step), step)
    other.load_state_dict({name: part.clone() for name, part in one.state_dict().items()})
    for step in range(20, 60):
        found, expected = (pool(described(step), step)["converted"][0] for pool in (other, one))
        assert torch.equal(found.frames, expected.frames)
        assert torch.equal(found.condition["label"], expected.condition["label"])


def test_detached_is_what_describes_them_too():
    frames, style = torch.ones(1, 2, 3, requires_grad=True), torch.ones(1, requires_grad=True)
    fake = Fake(frames * 2, {"style": style * 3}).detach()
    assert not fake.frames.requires_grad and not fake.condition["style"].requires_grad
    assert (fake.frames[0, 0, 0].item(), fake.condition["style"].item()) == (2.0, 3.0)


def test_golden_draws():
    """What runs of before drew, whose checkpoints go on: two fakes a step into a pool of three."""
    pool = ReplayPool(3, seed=1)
    seen = [v for step in range(12) for v in shown(pool, step, 2.0 * step, 2.0 * step + 1)]
    assert seen == [
        *(0, 1, 2, 1, 2, 3, 4, 0, 5, 9, 8, 11, 10, 13, 12, 15, 16, 17, 18, 19, 20, 14, 6, 23)
    ]
    assert pool.state_dict()["converted/0"][:, 0, 0].tolist() == [7, 21, 22]


def test_another_seed_draws_otherwise():
    one, other = ReplayPool(3, seed=0), ReplayPool(3, seed=1)
    assert [shown(one, s, float(s)) for s in range(40)] != [
        shown(other, s, float(s)) for s in range(40)
    ]
