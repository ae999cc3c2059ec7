"""The streaming network: causal, the same step by step, with explicit states."""

import pytest
import torch

from voiceconv.models.streaming import Spoken, StreamingTranslator, f0_of

N_INPUTS = 13


def make(**others) -> StreamingTranslator:
    torch.manual_seed(0)
    sizes = {"n_inputs": N_INPUTS, "n_mels": 4, "n_bands": 2, "n_pitches": 9, "width": 8}
    return StreamingTranslator(6, 3, **(sizes | others)).eval().requires_grad_(False)


def frames(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, N_INPUTS, n, generator=torch.Generator().manual_seed(seed))


def test_size_of_the_network_that_ships():
    network = StreamingTranslator(36, 4)
    assert sum(p.numel() for p in network.parameters()) == 3_432_384
    assert network.look_ahead == 2
    assert [tuple(s.shape) for s in network.start(4)][-2:] == [(1, 192, 2), (1, 209, 4)]


@pytest.mark.parametrize("look_ahead", [0, 2, 4, 8])
@pytest.mark.parametrize("chunk", [1, 3])
def test_steps_are_the_whole(look_ahead, chunk):
    network, heard = make(), frames(30)
    whole = network.speak(heard, 1)[look_ahead]
    states, parts = network.start(look_ahead), []
    for t in range(0, 30, chunk):
        spoken, states = network.step(heard[..., t : t + chunk], states, 1, look_ahead)
        parts.append(spoken)
    for name in Spoken._fields:
        joined = torch.cat([getattr(one, name) for one in parts], -1)[..., look_ahead:]
        assert torch.allclose(joined, getattr(whole, name), atol=1e-5), name


@pytest.mark.parametrize("look_ahead", [0, 2, 4, 8])
def test_a_frame_depends_on_nothing_beyond_its_look_ahead(look_ahead):
    network, heard = make(), frames(40)
    other = heard.clone()
    other[..., 25:] += 1
    one, two = (network.speak(some, 0)[look_ahead].cepstra for some in (heard, other))
    same = (one == two).all(1)[0]
    assert same[: 25 - look_ahead].all() and not same[25 - look_ahead]


def test_states_are_arguments_and_nothing_else():
    network, heard = make(), frames(10)
    states = network.start(2)
    kept = [state.clone() for state in states]
    first = network.step(heard, states, 0, 2)
    again = network.step(heard, states, 0, 2)
    assert all(torch.equal(a, b) for a, b in zip(first[0], again[0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(states, kept, strict=True))


def test_targets_may_differ_within_a_batch():
    network, heard = make(), frames(12).expand(2, -1, -1)
    both = network.speak(heard, torch.tensor([0, 2]))[2].cepstra
    assert torch.allclose(both[1], network.speak(heard[:1], 2)[2].cepstra[0], atol=1e-6)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


def test_as_a_translator_it_gives_cepstra_of_every_frame():
    assert make()(frames(12), 0, 1).shape == (1, 6, 12)
    assert make().directions(1) == [(0, 0)] and len(make().directions(3)) == 6


def test_f0_is_read_between_the_pitches():
    pitches = 100 * 2 ** (torch.arange(25) / 12)
    pitch = torch.full((1, 25, 3), -20.0)
    pitch[0, 12, 0] = pitch[0, 13, 0] = 0.0  # half way between two
    pitch[0, 12, 1] = 0.0
    pitch[0, 12, 2] = 0.0
    voicing = torch.tensor([[1.0, 2.0, -1.0]])
    spoken = Spoken(torch.zeros(1, 6, 3), torch.zeros(1, 2, 3), voicing, pitch)
    found = f0_of(spoken, pitches)[0]
    assert found[0].item() == pytest.approx(200 * 2 ** (0.5 / 12), rel=1e-4)
    assert found[1].item() == pytest.approx(200, rel=1e-4) and found[2] == 0


@pytest.mark.parametrize("given", [[], [2, 0], [1, 1]])
def test_look_aheads_rise(given):
    with pytest.raises(ValueError, match="look_aheads are"):
        make(look_aheads=given)
