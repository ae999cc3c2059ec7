"""Published HiFi-GAN checkpoints against what `voiceconv vocoder import` makes of them.

git clone https://github.com/jik876/hifi-gan ../hifi-gan
python benchmarks/hifigan_import.py ../hifi-gan

The authors' generators V1, V2 and V3 as they begin, with random weights, are saved as their code
saves them, imported by the command, and given the same frames. Prints how far the waves lie apart
at most; exit code 1 where that is more than 1e-5. Their weight norm is folded by torch, ours by
the import.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import nn

from voiceconv.build import build
from voiceconv.features import MelSpectrogram
from voiceconv.vocoders.directory import read_vocoder
from voiceconv.vocoders.neural import NeuralVocoder

TOLERANCE = 1e-5
N_FRAMES = 100


class Settings(dict[str, Any]):
    """config.json as the authors' code reads it: keys are attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def authors_models(folder: Path) -> ModuleType:
    """models.py of a clone; of what it imports beside torch only pictures are stood in for."""
    if not (folder / "models.py").exists():
        raise SystemExit(f"no clone of jik876/hifi-gan at {folder}")
    sys.path.insert(0, str(folder))
    for name in ("matplotlib", "matplotlib.pylab"):
        sys.modules.setdefault(name, MagicMock())
    spec = importlib.util.spec_from_file_location("hifigan_models", folder / "models.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def difference(models: ModuleType, config: Path, folder: Path) -> tuple[float, float, int]:
    """Largest difference of the waves, largest sample, weights; through files in `folder`."""
    settings = Settings(json.loads(config.read_text()))
    theirs: nn.Module = models.Generator(settings)
    checkpoint = folder / "g_00000000"
    torch.save({"generator": theirs.state_dict()}, checkpoint)
    words = ["vocoder", "import", config, checkpoint, "-o", folder / "vocoder"]
    command = [sys.executable, "-m", "voiceconv.cli", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    extractor = build(read_vocoder(folder / "vocoder")[0]["features"], MelSpectrogram)
    ours = NeuralVocoder(extractor, folder / "vocoder").generator
    frames = -5 + 3 * torch.randn(2, settings["num_mels"], N_FRAMES)
    with torch.no_grad():
        wanted, made = theirs(frames)[:, 0], ours(frames)
    assert wanted.shape == made.shape
    n_weights = sum(p.numel() for p in ours.parameters())
    return (wanted - made).abs().max().item(), wanted.abs().max().item(), n_weights


def main() -> None:
    """Build, save, import, compare, print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("clone", type=Path, help="a clone of jik876/hifi-gan")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    torch.manual_seed(chosen.seed)
    models, worst = authors_models(chosen.clone), 0.0
    for version in ("v1", "v2", "v3"):
        with tempfile.TemporaryDirectory() as folder:
            config = chosen.clone / f"config_{version}.json"
            apart, loudest, n_weights = difference(models, config, Path(folder))
        print(f"{version}: {n_weights:,} weights, waves up to {loudest:.3f}, apart {apart:.1e}")
        worst = max(worst, apart)
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
