"""The mask: heard, and never seen through."""

import torch
from networks import N_FRAMES, filled, waves

from voiceconv.models.base import PairTranslator
from voiceconv.models.cyclegan_vc2 import Generator212
from voiceconv.models.maskcyclegan_vc import MaskedGenerator


def network() -> MaskedGenerator:
    return filled(MaskedGenerator(8, base_channels=4, n_residual_blocks=1))


def mask_of(first: int, last: int) -> torch.Tensor:
    mask = torch.ones(1, 8, N_FRAMES)
    mask[..., first:last] = 0
    return mask


def test_what_is_hidden_has_no_influence():
    frames, mask = waves(1, 8, N_FRAMES), mask_of(10, 20)
    others = torch.where(mask == 0, 100 * torch.ones_like(frames), frames)
    masked = network()
    assert torch.equal(masked(frames, mask), masked(others, mask))
    assert not torch.equal(masked(frames), masked(others))


def test_the_mask_itself_is_an_input():
    # Frames of 0 that are shown are silence of the mean spectrum; hidden, they are to be made up.
    frames = waves(1, 8, N_FRAMES) * mask_of(10, 20)
    masked = network()
    assert not torch.allclose(masked(frames, mask_of(10, 20)), masked(frames))


def test_no_mask_is_a_mask_of_ones_and_one_row_is_enough():
    frames = waves(2, 8, N_FRAMES)
    masked = network()
    assert torch.equal(masked(frames), masked(frames, torch.ones_like(frames)))
    row = mask_of(4, 9)[:, :1]
    assert torch.equal(masked(frames, row), masked(frames, row.expand(2, 8, -1)))


def test_it_is_cyclegan_vc2s_network_where_the_masks_kernels_are_zero():
    masked, plain = network(), Generator212(8, base_channels=4, n_residual_blocks=1)
    weights = masked.trunk.state_dict()
    weights["entry.conv.weight"][:, 1] = 0
    plain.load_state_dict(weights | {"entry.conv.weight": weights["entry.conv.weight"][:, :1]})
    frames = waves(1, 8, N_FRAMES)
    torch.testing.assert_close(masked(frames), plain(frames), atol=1e-5, rtol=1e-5)


def test_a_translator_lengthens_the_mask_with_the_frames():
    translator = PairTranslator(
        8, 2, lambda n_channels: MaskedGenerator(n_channels, base_channels=4)
    )
    frames, mask = waves(1, 8, 30), mask_of(3, 7)[..., :30]
    others = torch.where(mask == 0, -frames, frames)
    assert torch.equal(translator(frames, 0, 1, mask=mask), translator(others, 0, 1, mask=mask))
