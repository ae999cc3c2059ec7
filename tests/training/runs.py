"""Runs in processes of their own, which tests kill, or start in twos."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny import NoiseBatches, cyclegan, pair_translator, trainer
from torch import Tensor

from voiceconv.data.segments import WaveSegments
from voiceconv.features import MelSpectrogram
from voiceconv.models.hifigan import MultiPeriodDiscriminator
from voiceconv.models.maskcyclegan_vc import MaskedGenerator
from voiceconv.models.vocos import MultiResolutionDiscriminator, Vocos
from voiceconv.objectives.cyclegan import FillingInFrames
from voiceconv.objectives.vocoder import Vocoding
from voiceconv.training.distributed import joined_ranks
from voiceconv.training.trainer import Batches, Trainer

# A server that has torch loaded forks each of them in milliseconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch._dynamo", "voiceconv.training.trainer"])


Make = Callable[..., Trainer]  # (folder, n_steps, batches)


class CountedBatches:
    """Says in a shared counter how many batches were asked for."""

    def __init__(self, batches: Batches, counter: Any) -> None:
        self.batches, self.counter = batches, counter

    def batch(self, step: int) -> list[Tensor]:
        with self.counter.get_lock():
            self.counter.value += 1
        return self.batches.batch(step)


def with_everything(folder: Path, n_steps: int, batches: Any = None) -> Trainer:
    """All that a checkpoint must hold: masks, replay pool, average, rates that fall."""
    torch.manual_seed(0)
    objective = cyclegan(
        translator=pair_translator(generator=MaskedGenerator),
        corruption=FillingInFrames(16),
        identity_steps=n_steps // 2,
    )
    return trainer(
        folder,
        n_steps,
        objective,
        batches,
        decay_start=n_steps // 3,
        replay_size=3,
        ema_decay=0.99,
        gradient_clip=5.0,
        checkpoint_every=2,
        log_every=5,
    )


def segments() -> WaveSegments:
    """Of noise, with its mel."""
    rng = np.random.default_rng(0)
    waves = [(0.1 * rng.standard_normal(2000)).astype(np.float32) for _ in range(3)]
    mel = MelSpectrogram(8000, 128, 32, 10)
    frames = [mel.extract(torch.from_numpy(wave)).frames.T.numpy() for wave in waves]
    return WaveSegments(list(zip(frames, waves, strict=True)), 32, 16, 2)


def vocoder_with_everything(folder: Path, n_steps: int, batches: Any = None) -> Trainer:
    """Spectra first and waves from a third of the way on, judged in two ways."""
    torch.manual_seed(0)
    judges = {
        "period": MultiPeriodDiscriminator((2, 3), base_channels=2),
        "resolution": MultiResolutionDiscriminator((128, 64), channels=2),
    }
    adversarial = {f"adversarial_{kind}": 1.0 for kind in judges}
    matching = {f"matching_{kind}": 1.0 for kind in judges}
    distances = dict.fromkeys(("mel", "stft", "magnitude", "group_delay", "frequency"), 1.0)
    objective = Vocoding(
        Vocos(10, 32, 128, 8, 16, 2, n_refinements=1, with_levels=True),
        judges,
        MelSpectrogram(8000, 128, 32, 10).log_mel,
        {"generator": adversarial | matching | distances, "discriminator": adversarial},
        resolutions=((64, 64, 16),),
        waves_start=n_steps // 3,
    )
    return trainer(
        folder,
        n_steps,
        objective,
        batches or segments(),
        decay_start=n_steps // 2,
        ema_decay=0.99,
        checkpoint_every=2,
        log_every=5,
    )


BATCHES = {with_everything: NoiseBatches, vocoder_with_everything: segments}


def train(make: Make, folder: Path, n_steps: int, counter: Any) -> None:
    """The body of a process that may be killed."""
    torch.set_num_threads(1)
    make(folder, n_steps, CountedBatches(BATCHES[make](), counter)).run()


def train_with_kills(
    folder: Path, n_steps: int, n_kills: int, seed: int, make: Make = with_everything
) -> int:
    """Kill that many times, each after a random piece of the rest, then let it end.

    Gives how many processes were killed in the middle of their work.
    """
    rng = random.Random(seed)
    furthest = 2 * (n_steps - 8) // (n_kills + 1)
    n_killed = 0
    for kill in range(n_kills + 1):
        counter = CONTEXT.Value("i", 0)
        process = CONTEXT.Process(target=train, args=(make, folder, n_steps, counter))
        process.start()
        if kill < n_kills:
            _kill(process, counter, rng.randint(1, furthest - 1), rng.uniform(0, 0.03))
        process.join()
        n_killed += process.exitcode == -signal.SIGKILL
    assert process.exitcode == 0
    return n_killed


def _kill(process: Any, counter: Any, n_batches: int, delay: float) -> None:
    """Kill when it has asked for so many batches, and `delay` seconds later than that."""
    while counter.value < n_batches and process.is_alive():
        time.sleep(0.001)
    time.sleep(delay)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)


def rank(number: int, n_ranks: int, port: int, folder: Path, body: Any) -> None:
    """Run body(ranks, folder) as torchrun would start it."""
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(n_ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with joined_ranks() as ranks:
        body(ranks, folder)
