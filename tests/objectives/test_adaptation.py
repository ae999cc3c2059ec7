"""Adapting: the new voice learns, and nothing of the old ones moves, not by a bit."""

from functools import partial

import pytest
import torch
from tiny import learn
from torch import Tensor

from voiceconv.data.batches import Perturbed
from voiceconv.models.any_to_many import AnyToManyTranslator, ProjectionDiscriminator
from voiceconv.objectives.adaptation import Adaptation

C, T, D, NEW = 6, 32, 3, 1
WEIGHTS = {
    "generator": {"identity": 10.0, "parallel": 3.0, "adversarial": 0.5, "feature_matching": 2.0},
    "discriminator": {"adversarial": 1.0, "penalty": 10.0},
}


@pytest.fixture
def objective() -> Adaptation:
    torch.manual_seed(0)
    judge = partial(ProjectionDiscriminator, C, width=8, patch_width=4)
    translator = AnyToManyTranslator(
        C, D, width=32, code_channels=8, code_noise=0.0, adapter_rank=8
    )
    return Adaptation(translator, judge, WEIGHTS, NEW)


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


def test_a_new_voice_learns_and_the_old_ones_stay_to_the_bit(objective, batch):
    translator, frames = objective.translator, crops(2)
    before = {name: weight.clone() for name, weight in translator.state_dict().items()}
    said = [translator(frames, 0, domain_id) for domain_id in range(D)]
    course = list(learn(objective, batch, (5e-3, 2e-4), 100))
    assert course[-1]["identity"] < 0.7 * course[0]["identity"]
    assert course[-1]["parallel"] < 0.75 * course[0]["parallel"]
    old = [domain_id for domain_id in range(D) if domain_id != NEW]
    of_domains = {id(one) for one in translator.of_domains()}
    for name, weight in translator.named_parameters():
        if id(weight) in of_domains:
            assert torch.equal(weight[old], before[name][old]), name
            assert not torch.equal(weight[NEW], before[name][NEW]), name
        else:
            assert torch.equal(weight, before[name]), name
    for domain_id in old:
        assert torch.equal(translator(frames, 0, domain_id), said[domain_id])
    assert not torch.allclose(translator(frames, 0, NEW), said[NEW], atol=0.1)


def test_the_losses_are_those_of_any_to_many_for_its_one_voice(objective, batch):
    losses, generated = objective.generator_losses(batch, 0)
    assert losses.keys() == WEIGHTS["generator"].keys()
    same = objective.translator(batch.bent, 0, NEW)
    wanted = ((same - batch.frames).abs() * batch.scale[..., None]).mean()
    assert losses["identity"].item() == pytest.approx(wanted.item(), rel=1e-4)
    said = objective.translator(batch.one, 0, NEW)
    wanted = ((said - batch.said).abs() * batch.scale[..., None]).mean()
    assert losses["parallel"].item() == pytest.approx(wanted.item(), rel=1e-4)
    (fake,) = generated["converted"]
    both = objective.translator(torch.cat([batch.one, batch.others]), 0, NEW)
    assert torch.allclose(fake.frames, both, atol=1e-5)
    assert fake.condition["domain_ids"].tolist() == [0] * 5
    ((heard, made),) = objective.examples(batch)
    assert heard is batch.others and torch.allclose(made, both[3:], atol=1e-5)
