"""Mel-cepstral distortion against a plain NumPy one, and against pymcd where it is installed."""

import math
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from test_mel_cepstral_distortion import vowel

from voiceconv import audio
from voiceconv.metrics import mel_cepstral_distortion as mcd
from voiceconv.metrics.analysis import MelCepstralProtocol, pyworld

SPEECH = Path(__file__).parents[3] / "shared/data/cc0_speech"


def plain_cepstra(envelope: np.ndarray, order: int, alpha: float) -> np.ndarray:
    """(T, F) power -> (T, order + 1) as SPTK goes about it: a cepstrum, then bent by recursion.

    Tokuda et al. 1994, ICSLP. Ours integrates the warped spectrum instead, so that an edge of a
    few bins, as where a resampler's band ends, comes out a little differently.
    """
    cepstrum = np.fft.irfft(np.log(envelope) / 2, axis=1)[:, : envelope.shape[1]].T  # (F, T)
    cepstrum[1:-1] *= 2
    bent = np.zeros((order + 1, len(envelope)))
    for coefficient in cepstrum[::-1]:
        before = bent.copy()
        bent[0] = coefficient + alpha * before[0]
        bent[1] = (1 - alpha**2) * before[0] + alpha * before[1]
        for m in range(2, order + 1):
            bent[m] = before[m - 1] + alpha * (before[m] - bent[m - 1])
    return bent.T


def plain_mean_along_path(first: np.ndarray, second: np.ndarray) -> float:
    """(T, K), (U, K) -> mean Euclidean distance along the cheapest path, cell by cell."""
    cost = np.sqrt(((first[:, None] - second[None]) ** 2).sum(2)).tolist()
    n_rows, n_columns = len(first), len(second)
    total = [[math.inf] * n_columns for _ in range(n_rows)]
    came = [[(0, 0)] * n_columns for _ in range(n_rows)]
    for i in range(n_rows):
        for j in range(n_columns):
            best, step = (0.0, (0, 0)) if i == j == 0 else (math.inf, (0, 0))
            for back in ((1, 1), (1, 0), (0, 1)):
                if back[0] <= i and back[1] <= j and total[i - back[0]][j - back[1]] < best:
                    best, step = total[i - back[0]][j - back[1]], back
            total[i][j], came[i][j] = best + cost[i][j], step
    i, j, found = n_rows - 1, n_columns - 1, [cost[-1][-1]]
    while i or j:
        step = came[i][j]
        i, j = i - step[0], j - step[1]
        found.append(cost[i][j])
    return sum(found) / len(found)


def plain_mcd(reference: np.ndarray, estimated: np.ndarray) -> float:
    """Waves -> dB by the default protocol, with nothing of ours; WORLD alone is shared."""
    cepstra = []
    for wave in (reference, estimated):
        x = wave - wave.mean(dtype=float)
        x = np.clip(0.4 * x / np.percentile(np.abs(x), 99.9), -1, 1)
        f0, times = pyworld.dio(x, 16000, frame_period=5.0)
        f0 = pyworld.stonemask(x, f0, times, 16000)
        envelope = pyworld.cheaptrick(x, f0, times, 16000)
        level = 10 * np.log10(envelope.sum(1))
        cepstra.append(plain_cepstra(envelope, 24, 0.42)[level > level.max() - 40, 1:])
    return 10 / math.log(10) * math.sqrt(2) * plain_mean_along_path(*cepstra)


def pymcd_mcd(reference: np.ndarray, estimated: np.ndarray) -> float:
    """Waves -> dB of pymcd's cepstra and mean, at its order of 13, on an exact path.

    It hands CheapTrick's power to SPTK as a magnitude, with 1e-8 added to the square: its cepstra
    are twice what they should be where the power is large, and a floor where it is not. So they
    are halved here, and the envelope it finds is raised by 200 dB, which only c0 feels. Further it
    is told 16 kHz, and its distance, which counts c0, is given cepstra without.
    """
    fastdtw = pytest.importorskip("fastdtw")
    pymcd = pytest.importorskip("pymcd.mcd")
    calculator = pymcd.Calculate_MCD("dtw")
    calculator.SAMPLING_RATE = 16000
    wav2world = pymcd.pyworld.wav2world

    def raised(*args, **options):
        f0, envelope, aperiodicity = wav2world(*args, **options)
        return f0, 1e20 * envelope, aperiodicity

    with mock.patch.object(pymcd.pyworld, "wav2world", raised):
        first, second = (
            calculator.wav2mcep_numpy(0.8 / np.abs(wave).max() * wave.astype(float), 0.42, 1024)
            for wave in (reference, estimated)
        )
    first, second = first[:, 1:] / 2, second[:, 1:] / 2
    _, path = fastdtw.dtw(first, second, dist=lambda a, b: float(np.linalg.norm(a - b)))
    n_pairs, total = calculator.calculate_mcd_distance(first, second, path)
    return calculator.log_spec_dB_const * total / n_pairs


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """The 40 sentences of `test` that nathalie and flemishguy both read."""
    stems = (SPEECH / "splits/nathalie.test").read_text().split()
    assert sorted(stems) == sorted((SPEECH / "splits/flemishguy.test").read_text().split())
    return [
        tuple(
            audio.read(SPEECH / speaker / f"{stem}.flac", 16000).samples.numpy()
            for speaker in ("nathalie", "flemishguy")
        )
        for stem in stems
    ]


def test_plain_numpy_finds_the_same():
    waves = vowel(120.0, 0.3, 0.8), vowel(150.0, 0.4, 0.7)
    found = mcd.evaluate(*waves)["mel_cepstral_distortion"]
    assert found == pytest.approx(plain_mcd(*waves), abs=1e-9)


def test_pymcd_finds_the_same():
    waves = vowel(120.0, 0.3, 0.8), vowel(150.0, 0.4, 0.7)
    ours = MelCepstralProtocol(order=13, silence="none")
    found = mcd.evaluate(*waves, ours)["mel_cepstral_distortion"]
    assert found == pytest.approx(pymcd_mcd(*waves), abs=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not SPEECH.is_dir(), reason="needs ../shared/data/cc0_speech")
def test_forty_pairs_of_recordings():
    differences = [
        mcd.evaluate(*waves)["mel_cepstral_distortion"] - plain_mcd(*waves) for waves in pairs()
    ]
    assert len(differences) == 40
    assert np.abs(differences).max() < 1e-3  # dB, of about 9
