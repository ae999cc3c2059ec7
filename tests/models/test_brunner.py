"""Brunner's networks: counts and padding of the authors' code; songs phrase by phrase, seamless."""

from functools import partial

import pytest
import torch
from tiny import OneBatch, halves, learn, unpaired
from torch import Tensor
from torch.nn import functional as F

from voiceconv.models.brunner import (
    GenreClassifier,
    PhraseTranslator,
    RollDiscriminator,
    RollGenerator,
)
from voiceconv.objectives.cyclegan import CycleGAN


def n_parameters(network: torch.nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def rolls(n: int, seed: int = 0) -> Tensor:
    """(n, 84, 64) of 0 and 1."""
    return (torch.rand(n, 84, 64, generator=torch.Generator().manual_seed(seed)) < 0.05).float()


def test_parameters_are_those_of_the_authors_code():
    assert n_parameters(RollGenerator(84)) == 12_551_552
    assert n_parameters(RollDiscriminator(84)) == 819_008
    assert n_parameters(GenreClassifier()) == 1_156_608


def test_outputs_have_their_shapes_and_a_roll_is_in_0_to_1():
    made = RollGenerator(84, 4, 1)(rolls(2))
    assert made.shape == (2, 84, 64) and 0 < made.min() and made.max() < 1
    (verdict,) = RollDiscriminator(84, 4)(rolls(2))
    assert verdict.logits.shape == (2, 1, 21, 16)
    assert GenreClassifier(4)(rolls(2)).shape == (2, 2)
    with pytest.raises(ValueError, match="82 pitches are no multiple of 4"):
        RollGenerator(82)


def test_strides_pad_as_tensorflow_does():
    """3x3: nothing before, one after; 7x7: two before, three after."""
    pad, conv, *_ = RollGenerator(84, 4, 1).layers[4:]
    x = torch.randn(1, 4, 8, 8)
    wanted = F.conv2d(F.pad(x, (0, 1, 0, 1)), conv.weight, stride=2)
    torch.testing.assert_close(conv(pad(x)), wanted)
    first = RollDiscriminator(84, 4).layers[0]
    wanted = F.conv2d(F.pad(rolls(1)[:, None], (2, 3, 2, 3)), first[1].weight, stride=2)
    torch.testing.assert_close(first(rolls(1)[:, None]), F.leaky_relu(wanted, 0.2))


def test_a_residual_block_ends_in_a_relu():
    block = RollGenerator(84, 4, 1).layers[12]
    assert type(block).__name__ == "ReluResidualBlock"
    assert block(torch.randn(1, 16, 8, 8)).min() == 0


def translator() -> PhraseTranslator:
    torch.manual_seed(0)
    return PhraseTranslator(84, 2, partial(RollGenerator, base_channels=4, n_residual_blocks=1))


def test_one_phrase_is_converted_as_the_network_does():
    network = translator()
    wanted = network.generators["0_to_1"](rolls(2))
    torch.testing.assert_close(network(rolls(2), 0, 1), wanted)


def test_a_song_is_made_of_phrases_that_overlap_by_half():
    network, song = translator(), torch.cat([*rolls(2)], 1)[None, :, :96]
    made = network(song, 0, 1)
    first, second = (network(song[..., start : start + 64], 0, 1) for start in (0, 32))
    torch.testing.assert_close(made[..., :32], first[..., :32])
    torch.testing.assert_close(made[..., 64:], second[..., 32:])
    share = (torch.arange(32) + 0.5) / 32
    torch.testing.assert_close(
        made[..., 32:64], first[..., 32:] * (1 - share) + second[..., :32] * share
    )


def test_a_short_or_odd_song_is_padded_with_silence():
    network, song = translator(), rolls(1)
    for n_frames in (1, 17, 33):
        padded = torch.zeros(1, 84, 64)
        padded[..., :n_frames] = song[..., :n_frames]
        made = network(song[..., :n_frames], 0, 1)
        torch.testing.assert_close(made, network(padded, 0, 1)[..., :n_frames])


def test_noise_is_for_training_and_the_same_for_a_batch():
    judge = RollDiscriminator(84, 4, noise=1.0)
    logits = judge(rolls(1).repeat(2, 1, 1))[0].logits
    torch.testing.assert_close(logits[0], logits[1])
    assert (judge(rolls(1))[0].logits - logits[:1]).abs().max() > 1e-6
    judge.eval()
    torch.testing.assert_close(judge(rolls(1))[0].logits, judge(rolls(1))[0].logits)


def test_one_batch_of_phrases_is_learnt():
    torch.manual_seed(0)
    network = PhraseTranslator(84, 2, partial(RollGenerator, base_channels=8, n_residual_blocks=1))
    weights = {
        "generator": {"adversarial_converted": 1.0, "cycle": 10.0, "identity": 0.0},
        "discriminator": {"adversarial_converted": 0.5},
    }
    objective = CycleGAN(
        network, partial(RollDiscriminator, 84, 8), 2, weights, ["converted"], identity_steps=0
    )
    batch = OneBatch(unpaired(rolls(1), rolls(1, seed=1))).batch(0)
    assert halves(learn(objective, batch, (2e-3, 2e-4), 60), "cycle")


def test_with_a_skip_a_new_network_copies_and_without_it_does_not():
    roll = (torch.rand(4, 84, 64, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    torch.manual_seed(0)
    copies = RollGenerator(84, 4, 1, skip=4.0)
    assert ((copies(roll) >= 0.5) == (roll > 0)).float().mean() > 0.999
    plain = RollGenerator(84, 4, 1)
    plain.load_state_dict(copies.state_dict())
    logits = torch.logit(copies(roll)) - torch.logit(plain(roll))
    torch.testing.assert_close(logits, 4 * (2 * roll - 1), atol=1e-3, rtol=0)
