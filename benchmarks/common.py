"""What the benchmarks share: the port as it is, fair timing, a table and JSON."""

import argparse
import importlib
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

# What the port imports beside its step: command line, pictures, logs, checkpoints, progress bar.
_BESIDE_THE_STEP = {
    "args.cycleGAN_train_arg_parser": "CycleGANTrainArgParser",
    "dataset.vc_dataset": "VCDataset",
    "logger.train_logger": "TrainLogger",
    "saver.model_saver": "ModelSaver",
    "mask_cyclegan_vc.utils": "decode_melspectrogram get_mel_spectrogram_fig",
}
PORT = "GANtastic3/MaskCycleGAN-VC"


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--port", type=Path, help=f"a clone of {PORT}, to compare with")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument(
        "--rounds", type=int, default=5, help="each round times every contestant once"
    )
    made.add_argument("--json", type=Path, help="write the figures here too")
    return made


def port_module(folder: Path, name: str) -> ModuleType:
    """One of the port's modules, its own text; only what lies beside its step is stood in for."""
    if not (folder / "mask_cyclegan_vc" / "model.py").exists():
        raise SystemExit(f"no clone of {PORT} at {folder}: clone it there or leave --port out")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        for module, names in _BESIDE_THE_STEP.items():
            stand_in = ModuleType(module)
            for attribute in names.split():
                setattr(stand_in, attribute, MagicMock())
            sys.modules[module] = stand_in
        if importlib.util.find_spec("tqdm") is None:
            sys.modules["tqdm"] = ModuleType("tqdm")
            sys.modules["tqdm"].tqdm = lambda items: items  # type: ignore[attr-defined]
    return importlib.import_module(name)


def race(contestants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each one's fastest round, taken in turns: other jobs only ever add to a time."""
    for run in contestants.values():
        run()  # warm up: allocations, oneDNN's choices
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}


PRODUCT_SIZE = 2048
PRODUCT_GFLOP = 2 * PRODUCT_SIZE**3 / 1e9


def product(dtype: torch.dtype) -> Callable[[], Tensor]:
    """One large matrix product, the arithmetic peak of these cores: a contestant like others."""
    a, b = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE).to(dtype) for _ in range(2))
    return lambda: torch.mm(a, b)


def crops(n_channels: int, n_frames: int, count: int = 2) -> list[Tensor]:
    """As many batches of one crop of noise, (1, C, T)."""
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(1, n_channels, n_frames, generator=rng) for _ in range(count)]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "simd": torch.backends.cpu.get_cpu_capability(),
    }


def shown(figure: float | None, spec: str) -> str:
    """As `spec` has it, or nothing where there is no figure."""
    return "" if figure is None else format(figure, spec)


def report(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    figures: dict[str, Any],
    path: Path | None,
) -> None:
    """A table for people on stderr, JSON for programs on stdout and, if wanted, in a file."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*row)
    Console(stderr=True).print(table)
    text = json.dumps(figures | {"machine": machine()}, indent=2)
    print(text)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")
