"""Segments of waves with their frames: they lie together, and a batch is a function of the step."""

import numpy as np
import pytest
import torch

from voiceconv.data.archive import ArchiveWriter, read_scp, write_scp
from voiceconv.data.segments import WaveSegments, read_segments_dump
from voiceconv.errors import InputError

HOP = 10


def utterance(n_samples: int, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A wave that counts, and frames of one channel that say which sample they are centred on."""
    wave = np.arange(n_samples, dtype=np.float32) + 100_000 * number
    return wave[::HOP, None].copy(), wave


@pytest.mark.parametrize("centre", [0, 5])
def test_frames_lie_on_their_samples(centre):
    segments = WaveSegments([utterance(1003)], HOP, n_frames=8, batch_size=4, frame_centre=centre)
    for step in range(50):
        frames, waves = segments.batch(step).tensors()
        assert frames.shape == (4, 1, 8) and waves.shape == (4, 80)
        torch.testing.assert_close(waves[:, centre::HOP], frames[:, 0])
        torch.testing.assert_close(waves.diff(dim=1), torch.ones(4, 79))


def test_a_segment_ends_where_the_wave_does():
    """A wave of 80 samples has 9 frames, of which the last has no hop."""
    frames = WaveSegments([(np.zeros((9, 1)), np.zeros(80))], HOP, 8, 1).batch(0).frames
    assert frames.shape == (1, 1, 8)
    with pytest.raises(
        InputError, match=r"none of 1 utterances .* of 8 frames \(the longest has 7"
    ):
        WaveSegments([(np.zeros((8, 1)), np.zeros(79))], HOP, 8, 1)


def test_what_is_too_short_is_counted():
    utterances = [utterance(n) for n in (1003, 79, 80, 10)]
    assert WaveSegments(utterances, HOP, n_frames=8, batch_size=1).n_left_out == 2
    assert WaveSegments(utterances, HOP, n_frames=1, batch_size=1).n_left_out == 0


def test_a_batch_is_a_function_of_seed_rank_and_step():
    def batch(step: int, **keywords: int) -> torch.Tensor:
        many = [utterance(500, number) for number in range(5)]
        return WaveSegments(many, HOP, 8, 3, **keywords).batch(step).waves

    assert torch.equal(batch(7), batch(7))
    segments = WaveSegments([utterance(500, number) for number in range(5)], HOP, 8, 3)
    # 30 turns: 7 and 9 are of the first pass, 19 of the second one, 29 of the third
    for step in (9, 29, 7, 19, 7):
        assert torch.equal(segments.batch(step).waves, batch(step))
    others = [batch(8), batch(7, seed=1), batch(7, rank=1, world_size=2)]
    assert not any(torch.equal(batch(7), other) for other in others)


def test_a_pass_hears_each_as_often_as_segments_fit():
    """160 and 320 samples at 80 a segment: 2 + 4 turns, half of them in each of two ranks."""
    both = [utterance(160, 1), utterance(320, 2)]
    heard: list[int] = []
    for rank in range(2):
        segments = WaveSegments(both, HOP, 8, 1, rank=rank, world_size=2)
        for step in range(3):
            heard.append(int(segments.batch(step).waves[0, 0]) // 100_000)
    assert sorted(heard) == [1, 1, 2, 2, 2, 2]


def test_a_dump_without_waves_is_refused(tmp_path):
    frames, wave = utterance(100)
    for kind, array, names in (("feats", frames, "ab"), ("waves", wave, "a")):
        with ArchiveWriter(tmp_path, kind, 0) as writer:
            for name in names:
                writer.write(name, array)
        write_scp(tmp_path / f"{kind}.scp", read_scp(tmp_path / f"{kind}.0.scp"))
    with pytest.raises(InputError, match=r"waves.scp lacks 'b'; extract again"):
        read_segments_dump(tmp_path)
    (tmp_path / "waves.scp").unlink()
    with pytest.raises(InputError, match=r"has no waves.scp; .* extract with --waves"):
        read_segments_dump(tmp_path)
