"""A mark in the sound itself: Perth's implicit watermark, by the extra `watermark`.

It says only that it is there; it carries no message. What is added lies below 2 kHz, so that a wave
of any rate keeps its own frequencies above that.
"""

import contextlib
import hashlib
import io
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voiceconv.audio import resample
from voiceconv.errors import InputError
from voiceconv.files import read_mapping
from voiceconv.optional import load

NAME = "perth-implicit"
FOUND = 0.5  # of the confidence
# of the package resemble-perth 1.0.1, under the MIT licence
_FILE = "perth_net_250000.pth.tar"
_SHA256 = "a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670"
_SHORTEST = 0.1  # seconds; the network's window has 0.064
_PIECE, _FADE = 30, 1  # seconds that the network gets at once, and in which two pieces overlap


class Watermark:
    """Marks waves, and looks for the mark. Raises InputError without the extra `watermark`."""

    def __init__(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it says what it loads
            self._network = _network()
        self._rate: int = self._network.hp.sample_rate

    @torch.inference_mode()
    def mark(self, wave: Tensor, sample_rate: int) -> Tensor:
        """(N,) -> (N,) with the mark."""
        heard = resample(wave.cpu(), sample_rate, self._rate)
        if len(heard) < _SHORTEST * self._rate:
            return wave
        added, step = torch.zeros_like(heard), (_PIECE - _FADE) * self._rate
        starts = range(0, max(len(heard) - _FADE * self._rate, 1), step)
        for start in starts:
            piece = heard[start : start + _PIECE * self._rate]
            added[start : start + len(piece)] += self._added(piece) * self._fades(
                len(piece), start > 0, start + step in starts
            )
        change = resample(added, self._rate, sample_rate)[: len(wave)]
        return wave + torch.nn.functional.pad(change, (0, len(wave) - len(change))).to(wave)

    @torch.inference_mode()
    def confidence(self, wave: Tensor, sample_rate: int) -> float:
        """(N,) -> 0 to 1, the mean over pieces; 0 for what is too short, and for silence."""
        heard = resample(wave.cpu(), sample_rate, self._rate)
        n_pieces = math.ceil(len(heard) / (_PIECE * self._rate))
        if len(heard) < _SHORTEST * self._rate:
            return 0.0
        pieces = torch.tensor_split(heard, n_pieces)
        return sum(self._confidence(piece) for piece in pieces) / n_pieces

    def _added(self, piece: Tensor) -> Tensor:
        """(N,) at the network's rate -> (N,) what its encoder adds."""
        hop = self._network.hp.hop_size
        whole = torch.nn.functional.pad(piece, (0, -len(piece) % hop))
        magnitude, phase = self._network.ap.signal_to_magphase(whole)
        marked, _ = self._network.encoder(magnitude[None])
        made: Tensor = self._network.ap.magphase_to_signal(marked[0], phase)
        return made[: len(piece)] - piece

    def _confidence(self, piece: Tensor) -> float:
        magnitude, _ = self._network.ap.signal_to_magphase(piece)
        found = float(self._network.decoder(magnitude[None])[0])
        return 0.0 if math.isnan(found) else min(max(found, 0.0), 1.0)

    def _fades(self, n: int, at_start: bool, at_end: bool) -> Tensor:
        """(n,): 1, and ramps of _FADE at the ends where another piece overlaps."""
        gains, ramp = torch.ones(n), torch.linspace(0, 1, _FADE * self._rate)
        if at_start:
            gains[: len(ramp)] = ramp[:n]
        if at_end:
            gains[n - len(ramp) :] = ramp.flip(0)
        return gains


def _network() -> Any:
    """Perth's network, of the installed package's weights, as tensors: no pickle runs."""
    what, package = "a watermark", "resemble-perth"
    base = "perth.perth_net.perth_net_implicit"
    network = load(f"{base}.model.perth_net", what, package, extra="watermark")
    config = load(f"{base}.config", what, package, extra="watermark")
    folder = Path(network.__file__).parents[2] / "pretrained" / "implicit"
    settings = read_mapping(folder / "hparams.yaml", f"install {package} again")
    content = (folder / _FILE).read_bytes() if (folder / _FILE).is_file() else b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise InputError(
            f"{folder / _FILE} is not the watermark's network that this version knows; install it "
            "with: pip install 'voiceconv[watermark]'"
        )
    made = network.PerthNet(config.PerthConfig(**settings))
    made.load_state_dict(
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model"]
    )
    return made.eval().requires_grad_(False)
