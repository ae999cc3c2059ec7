"""The paper-size MaskCycleGAN-VC generator at inference against the popular port's, in one run.

git clone https://github.com/GANtastic3/MaskCycleGAN-VC ../port
python benchmarks/inference.py --port ../port
"""

from collections.abc import Callable
from typing import Any

import torch
from common import PORT, crops, parser, port_module, race, report, shown
from torch import Tensor

from voiceconv.models.maskcyclegan_vc import MaskedGenerator

N_CHANNELS, FRAMES_PER_SECOND = 80, 22050 / 256
LENGTHS = (64, 256, 1024)  # frames: a training crop, 3 s, 12 s


def inferring(network: Callable[[Tensor], Tensor], frames: Tensor) -> Callable[[], Tensor]:
    """The call to be timed."""

    def run() -> Tensor:
        with torch.inference_mode():
            return network(frames)

    return run


def main() -> None:
    """Time, print, write."""
    options = parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    ours = MaskedGenerator(N_CHANNELS).eval()
    networks: dict[str, Callable[[Tensor], Tensor]] = {"voiceconv": ours}
    if options.port:
        port = port_module(options.port, "mask_cyclegan_vc.model").Generator().eval()
        networks["port"] = lambda frames: port(frames, torch.ones_like(frames))
    figures: dict[str, Any] = {}
    rows = []
    for n_frames in LENGTHS:
        (frames,) = crops(N_CHANNELS, n_frames, count=1)
        contestants = {name: inferring(network, frames) for name, network in networks.items()}
        seconds = race(contestants, options.rounds)
        audio = n_frames / FRAMES_PER_SECOND
        for name, took in seconds.items():
            ratio = shown(seconds["port"] / took if "port" in seconds else None, ".2f")
            label = PORT if name == "port" else name
            rows.append((str(n_frames), label, f"{took:.3f}", f"{took / audio:.3f}", ratio))
        figures[str(n_frames)] = {
            "seconds": seconds,
            "real_time_factor": {name: took / audio for name, took in seconds.items()},
        }
        if "port" in seconds:
            figures[str(n_frames)]["times_the_port"] = seconds["port"] / seconds["voiceconv"]
    header = ("frames", "generator", "seconds", "real-time factor", "times the port")
    report("MaskCycleGAN-VC generator, paper size", header, rows, figures, options.json)


if __name__ == "__main__":
    main()
