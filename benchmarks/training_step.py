"""One training step of the paper-size MaskCycleGAN-VC against the popular port's, in one run.

Batch 1, 64 frames of 80 mels, the same loss terms (adversarial, two-step adversarial, cycle,
identity). The port's step is its own `train()`, imported and run as it is; ours is the trainer's.

    git clone https://github.com/GANtastic3/MaskCycleGAN-VC ../port
    python benchmarks/training_step.py --port ../port
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import torch
from common import PORT, PRODUCT_GFLOP, crops, parser, port_module, product, race, report, shown
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from voiceconv.models.base import PairTranslator
from voiceconv.models.cyclegan_vc2 import PatchDiscriminator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator
from voiceconv.objectives.cyclegan import CycleGAN, FillingInFrames
from voiceconv.training.trainer import LinearDecay, Precision, Trainer

N_CHANNELS, N_FRAMES = 80, 64
WEIGHTS = {
    "generator": {
        "adversarial_converted": 1.0,
        "adversarial_cycled": 1.0,
        "cycle": 10.0,
        "identity": 5.0,
    },
    "discriminator": {"adversarial_converted": 0.5, "adversarial_cycled": 0.5},
}


def our_trainer(precision: Precision, batch: list[Tensor], folder: Path) -> Trainer:
    """The trainer with the paper's networks, objective and optimisers, and one fixed batch."""
    translator = PairTranslator(N_CHANNELS, n_domains=2, generator=MaskedGenerator)
    judge = partial(PatchDiscriminator, N_CHANNELS)
    objective = CycleGAN(translator, judge, 2, WEIGHTS, corruption=FillingInFrames(N_FRAMES // 2))
    adam = partial(torch.optim.Adam, betas=(0.5, 0.999), fused=True)  # as conf/optimizer has it
    return Trainer(
        objective,
        SimpleNamespace(batch=lambda step: batch),
        {"generator": partial(adam, lr=2e-4), "discriminator": partial(adam, lr=1e-4)},
        LinearDecay(n_steps=500_000),
        folder,
        precision=precision,
    )


def port_step(folder: Path, batch: list[Tensor], device: str = "cpu") -> Callable[[], Any]:
    """One pass of the port's training loop over a loader that holds one item."""
    port = port_module(folder, "mask_cyclegan_vc.train")
    run = object.__new__(port.MaskCycleGANVCTraining)  # its constructor loads a vocoder and data
    run.num_epochs = run.start_epoch = 1
    run.generator_lr, run.discriminator_lr, run.decay_after = 2e-4, 1e-4, 1e9
    run.stop_identity_after, run.cycle_loss_lambda, run.identity_loss_lambda = 1e9, 10.0, 5.0
    run.device, run.n_samples, run.mini_batch_size = device, 1, 1
    run.epochs_per_plot = run.epochs_per_save = 10**9
    run.logger, run.saver = MagicMock(epoch=1, global_step=1), MagicMock()
    for name in ("generator_A2B", "generator_B2A"):
        setattr(run, name, port.Generator().to(device))
    judges = ("discriminator_A", "discriminator_B", "discriminator_A2", "discriminator_B2")
    for name in judges:
        setattr(run, name, port.Discriminator().to(device))
    players = ([run.generator_A2B, run.generator_B2A], [getattr(run, name) for name in judges])
    run.generator_optimizer, run.discriminator_optimizer = (
        torch.optim.Adam([p for n in networks for p in n.parameters()], lr=lr, betas=(0.5, 0.999))
        for networks, lr in zip(players, (2e-4, 1e-4), strict=True)
    )
    masks = [torch.ones_like(frames) for frames in batch]
    for mask in masks:
        mask[..., 20:36] = 0
    run.train_dataloader = [(batch[0], masks[0], batch[1], masks[1])]
    return run.train


def main() -> None:
    """Time, print, write."""
    options = parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    batch = crops(N_CHANNELS, N_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        trainers = {p: our_trainer(p, batch, Path(folder)) for p in ("float32", "bf16")}
        contestants: dict[str, Callable[[], Any]] = {n: t.train_step for n, t in trainers.items()}
        if options.port:
            contestants["port"] = port_step(options.port, batch)
        products = {name: f"product in {name}" for name in trainers}
        contestants[products["float32"]] = product(torch.float32)
        contestants[products["bf16"]] = product(torch.bfloat16)
        seconds = race(contestants, options.rounds)
        with FlopCounterMode(display=False) as counter:
            trainers["float32"].train_step()
    peaks = {name: PRODUCT_GFLOP / seconds.pop(key) for name, key in products.items()}
    gflop = counter.get_total_flops() / 1e9
    figures: dict[str, Any] = {
        "seconds": seconds,
        "gflop_per_step": gflop,
        "peak_gflop_per_s": peaks,
    }
    rows = []
    for name, took in seconds.items():
        ratio = seconds["port"] / took if "port" in seconds else None
        share = gflop / took / peaks[name] if name in peaks else None
        figures[name] = {"times_the_port": ratio, "share_of_peak": share}
        label = PORT if name == "port" else f"voiceconv, {name}"
        rows.append((label, f"{took:.3f}", shown(ratio, ".2f"), shown(share, ".0%")))
    header = ("training step", "seconds", "times the port", "of the cores' peak")
    report("MaskCycleGAN-VC, paper size, batch 1", header, rows, figures, options.json)


if __name__ == "__main__":
    main()
