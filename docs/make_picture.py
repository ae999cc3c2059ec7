"""Draw docs/images/convert.png: spectrogram and F0 of a sample and of its conversion.

pip install matplotlib
python docs/make_picture.py SOURCE CONVERTED docs/images/convert.png
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display needed; a script may choose, a library must not

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from voiceconv import audio
from voiceconv.features.world import World

F_MAX = 6000.0  # Hz


def draw(axes: Axes, wave: Tensor, sample_rate: int, title: str) -> None:
    """Spectrogram (20 ms windows, 60 dB range) of a wave (N,), and its F0 on its own scale."""
    n_fft = sample_rate // 50 * 2
    window = torch.hann_window(n_fft // 2)
    spectrum = torch.stft(wave, n_fft, n_fft // 8, n_fft // 2, window, return_complex=True)
    level = 20 * torch.log10(spectrum.abs() + 1e-9)
    level = (level - level.max()).clamp(min=-60)
    seconds = len(wave) / sample_rate
    axes.imshow(
        level.numpy(), origin="lower", aspect="auto", cmap="magma",
        extent=(0, seconds, 0, sample_rate / 2000),
    )  # fmt: skip
    axes.set(title=title, xlabel="seconds", ylim=(0, F_MAX / 1000))
    f0 = World(sample_rate, f0_method="swift").extract(wave).f0
    assert f0 is not None
    track = np.where(f0.numpy() > 0, f0.numpy(), np.nan)
    right = axes.twinx()
    right.plot(np.linspace(0, seconds, len(track)), track, color="cyan", linewidth=1.5)
    right.set(ylim=(0, 400))
    right.set_ylabel("F0, Hz", color="teal")


def main(source: Path, converted: Path, picture: Path) -> None:
    """Read both recordings, at one rate, and write the picture."""
    waves = [audio.read(path) for path in (source, converted)]
    figure, both = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
    for axes, wave, title in zip(both, waves, ("source", "converted"), strict=True):
        draw(axes, wave.samples, wave.sample_rate, title)
    both[0].set_ylabel("kHz")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
