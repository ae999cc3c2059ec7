"""Adapting: the new voice learns, and nothing of the old ones moves, not by a bit."""

import pytest
import torch
from tiny import OneBatch
from tiny_model import CONFIG, make_converter, speech
from torch import Tensor

from voiceconv.data.batches import Perturbed
from voiceconv.errors import RunError
from voiceconv.models.any_to_many import AnyToManyTranslator
from voiceconv.runs import adaptation
from voiceconv.runs.adaptation import Adaptation, by_teachers

C, T, D, NEW = 6, 32, 3, 1


def translator() -> AnyToManyTranslator:
    torch.manual_seed(0)
    return AnyToManyTranslator(
        C, D, width=32, code_channels=8, code_noise=0.0, adapter_rank=8
    ).eval()


def crops(n_items: int) -> Tensor:
    return torch.nn.functional.avg_pool1d(torch.randn(n_items, C, T + 3), 4, 1) * 2


@pytest.fixture
def batch() -> Perturbed:
    torch.manual_seed(1)
    frames, one, others = crops(4), crops(3), crops(2)
    nobody = [torch.zeros(n, dtype=torch.long) for n in (4, 2, 3)]
    bent, said = 0.8 * frames + 0.5, 1.2 * one - 0.5
    scale = torch.linspace(0.5, 1.5, C)[None]
    return Perturbed(frames, nobody[0], bent, scale, others, nobody[1], one, one, said, nobody[2])


def test_a_new_voice_learns_and_the_old_ones_stay_to_the_bit(batch):
    base, frames = translator(), crops(2)
    learner = Adaptation(base, NEW, OneBatch(batch), 100)
    course = [learner.step() for _ in range(100)]
    for name in ("identity", "parallel"):
        assert course[-1][name] < 0.8 * course[0][name], name
    made = learner.averaged()
    old = [domain_id for domain_id in range(D) if domain_id != NEW]
    of_domains = {id(one) for one in made.of_domains()}
    before = dict(base.named_parameters())
    for name, weight in made.named_parameters():
        if id(weight) in of_domains:
            assert torch.equal(weight[old], before[name][old]), name
            assert not torch.equal(weight[NEW], before[name][NEW]), name
        else:
            assert torch.equal(weight, before[name]), name
    for domain_id in old:
        assert torch.equal(made(frames, 0, domain_id), base(frames, 0, domain_id))
    assert not torch.allclose(made(frames, 0, NEW), base(frames, 0, NEW), atol=0.1)


def test_the_first_losses_are_distances_with_weighted_channels(batch):
    base = translator()
    losses = Adaptation(base, NEW, OneBatch(batch), 10).step()
    for name, heard, wanted in [
        ("identity", batch.bent, batch.frames),
        ("parallel", batch.one, batch.said),
    ]:
        distance = ((base(heard, 0, NEW) - wanted).abs() * batch.scale[..., None]).mean()
        assert losses[name] == pytest.approx(distance.item(), rel=0.02), name  # bf16


def test_a_loss_that_is_not_finite_ends_it(batch):
    batch.frames[0, 0, 0] = float("nan")
    with pytest.raises(RunError, match="step 0: the loss is not finite"):
        Adaptation(translator(), NEW, OneBatch(batch), 10).step()


def test_teachers_say_each_phrase_in_turns_frame_for_frame(monkeypatch):
    monkeypatch.setattr(adaptation, "N_TEACHERS", 1)
    node = {"_target_": f"{AnyToManyTranslator.__module__}.AnyToManyTranslator", "width": 16}
    base = make_converter(CONFIG | {"translator": node})
    phrases = {
        str(n): base.extractor.extract(speech(150.0, 0.5 + 0.1 * n, seed=n)) for n in range(3)
    }
    said = by_teachers(base, phrases)
    assert {voice: list(some) for voice, some in said.items()} == {
        "high": ["0", "2"],
        "low": ["1"],
    }
    assert said["high"]["2"].shape == tuple(phrases["2"].frames.T.shape)
    mean, std = said["low"]["1"].mean(0), base.stats["low"].frames_std.numpy()
    assert (abs(mean - base.stats["low"].frames_mean.numpy()) < 1.5 * std).all()
