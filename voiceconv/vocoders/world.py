"""WORLD synthesis (Morise et al. 2016, IEICE Trans. E99-D(7)) from mel-cepstra."""

import numpy as np
import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.frames import Features
from voiceconv.features.world import World, pyworld
from voiceconv.vocoders.base import Vocoder


class WorldSynthesis(Vocoder[World]):
    """Mel-cepstra, F0 and coded aperiodicity -> wave."""

    takes = World

    def synthesize(self, features: Features) -> Tensor:
        """See Vocoder."""
        self._check(features)
        if features.f0 is None or features.aperiodicity is None:
            raise InputError("WORLD synthesis needs F0 and aperiodicity beside the mel-cepstra")
        world = self.extractor
        n_samples = features.frames.shape[1] * world.hop_length
        aperiodicity = pyworld.decode_aperiodicity(
            _rows(features.aperiodicity), world.sample_rate, world.n_fft
        )
        envelope = world.mel_cepstrum.decode(features.frames)  # (F, T)
        wave = pyworld.synthesize(
            _lengthened(_rows(features.f0)),
            _lengthened(_rows(envelope)),
            _lengthened(aperiodicity),
            world.sample_rate,
            world.frame_period,
        )
        return torch.from_numpy(wave[:n_samples]).float()


def _rows(track: Tensor) -> np.ndarray:
    """(K, T) or (T,) -> (T, K) or (T,), contiguous float64 for WORLD."""
    return np.ascontiguousarray(
        track.detach().double().T.numpy() if track.ndim == 2 else track.double().numpy()
    )


def _lengthened(rows: np.ndarray) -> np.ndarray:
    """Repeat the last frame: WORLD's wave ends at its centre, ours one hop later."""
    return np.concatenate([rows, rows[-1:]])
