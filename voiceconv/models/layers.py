"""Layers that networks of several papers use.

A gated linear unit (Dauphin et al. 2017, ICML, eq. 1) needs two convolutions, h = (x*W + b) .
sigmoid(x*V + c). Here both are one convolution of twice the channels, halved by `F.glu`: the same
function at one launch. `n_filters` counts both halves: a layer of 256 filters has 128 output
channels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

# The fewest frames that an instance norm gets. One frame has no variance. Over two values the norm
# is ill-conditioned: float32 was 1e-2 from float64; over four it is 1e-5.
FEWEST_ROWS = 4


class GatedConv1d(nn.Module):
    """Conv, instance norm by choice, GLU: (B, C, T) -> (B, n_filters / 2, T / stride)."""

    def __init__(
        self, n_inputs: int, n_filters: int, kernel: int, stride: int = 1, normalized: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_inputs, n_filters, kernel, stride, padding=kernel // 2)
        self.norm = nn.InstanceNorm1d(n_filters, affine=True) if normalized else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, n_filters / 2, T / stride)."""
        return F.glu(self.norm(self.conv(x)), dim=1)


class GatedConv2d(nn.Module):
    """Conv, instance norm by choice, GLU.

    (B, K, C, T) -> (B, n_filters / 2, C / stride, T / stride).
    """

    def __init__(
        self,
        n_inputs: int,
        n_filters: int,
        kernel: tuple[int, int],
        stride: int | tuple[int, int] = 1,
        normalized: bool = True,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = conv2d(n_inputs, n_filters, kernel, stride, padding)
        self.norm = nn.InstanceNorm2d(n_filters, affine=True) if normalized else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, n_filters / 2, C / stride, T / stride)."""
        return F.glu(self.norm(self.conv(x)), dim=1)


class ResidualBlock1d(nn.Module):
    """Gated conv and a plain one around a skip: (B, C, T) -> (B, C, T)."""

    def __init__(self, n_channels: int, n_gate_filters: int, kernel: int = 3) -> None:
        super().__init__()
        self.gated = GatedConv1d(n_channels, n_gate_filters, kernel)
        self.conv = nn.Conv1d(n_gate_filters // 2, n_channels, kernel, padding=kernel // 2)
        self.norm = nn.InstanceNorm1d(n_channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return x + self.norm(self.conv(self.gated(x)))


class PixelShuffle1d(nn.Module):
    """(B, factor * C, T) -> (B, C, factor * T), interleaving.

    output[c, factor * t + i] = input[factor * c + i, t].
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, factor * C, T) -> (B, C, factor * T)."""
        x = x.unflatten(1, (-1, self.factor))  # (B, C, factor, T)
        return torch.flatten(x.transpose(2, 3), 2)  # (B, C, T, factor) -> (B, C, factor * T)


class PlaneConv2d(nn.Conv2d):
    """Convolution of one or two planes as im2col and a product: (B, K, C, T) -> (B, L, C', T').

    With so few inputs, oneDNN 3 (torch 2.11) uses its gemm convolution on a CPU, and its weight
    gradient was seen to corrupt the heap. Without gradients the plain convolution is faster. The
    parameters are those of nn.Conv2d.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, L, C', T')."""
        if x.is_cuda or not torch.is_grad_enabled():
            return super().forward(x)
        padding: tuple[int, int] = self.padding  # type: ignore[assignment]
        rows, columns = (
            (size + 2 * p - k) // s + 1
            for size, p, k, s in zip(
                x.shape[2:], padding, self.kernel_size, self.stride, strict=True
            )
        )
        taps = F.unfold(x, self.kernel_size, padding=padding, stride=self.stride)
        y = self.weight.flatten(1) @ taps
        if self.bias is not None:
            y = y + self.bias[:, None]
        return y.unflatten(2, (rows, columns))


def conv2d(
    n_inputs: int,
    n_filters: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
) -> nn.Conv2d:
    """Make a convolution that is safe for its number of input planes."""
    convolution = PlaneConv2d if n_inputs <= 2 else nn.Conv2d
    return convolution(n_inputs, n_filters, kernel, stride, padding)


class MapConv2d(nn.Conv2d):
    """Stride-1 "same" convolution to one map, as a product and a sum of shifted taps.

    (B, K, C, T) -> (B, 1, C, T). With one filter, a CPU's convolution cannot vectorise: its
    backward took 44 of the 400 ms of CycleGAN-VC2's generator, this takes 7. On a GPU the plain
    convolution is faster. The parameters are those of nn.Conv2d in both cases.
    """

    def __init__(self, n_inputs: int, kernel: tuple[int, int]) -> None:
        super().__init__(n_inputs, 1, kernel, padding=(kernel[0] // 2, kernel[1] // 2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, 1, C, T)."""
        if x.is_cuda:
            return super().forward(x)
        # fold adds tap k of the kernel at +k, a correlation needs -k: hence the flip.
        taps = self.weight.flatten(2)[0].flip(1).t() @ x.flatten(2)  # (B, taps, C * T)
        # Under autocast the taps are bfloat16; summed so, 75 of them would lose two more digits.
        taps = taps.to(torch.promote_types(taps.dtype, torch.float32))
        maps = F.fold(taps, x.shape[2:], self.kernel_size, padding=self.padding)  # type: ignore[arg-type]
        return maps + self.bias.view(1, 1, 1, 1)  # type: ignore[union-attr]


def draw_convolutions(network: nn.Module, with_biases: bool = True) -> None:
    """Draw the weights of all 2-D convolutions from N(0, 0.02), as the image networks' code does.

    with_biases: whether biases become 0; if not, they keep torch's.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
            if part.bias is not None and with_biases:
                nn.init.zeros_(part.bias)


def fold_weight_norm(module: nn.Module) -> None:
    """Replace, in place, each weight-norm pair g . v / |v| by its product: faster, equal output.

    Names tell the two states apart: `parametrizations.weight.original0` and `original1` (g, v)
    before, `weight` after. Vocoder directories hold the latter.
    """
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            weight: Tensor = part.weight.detach()  # type: ignore[operator]
            learns = any(parameter.requires_grad for parameter in part.parameters())
            # Not torch's remove_parametrizations: it removes the weight from the class, which a
            # deep copy shares with the original.
            plain = parametrize.type_before_parametrizations(part)
            del part.parametrizations
            part.__class__ = plain
            part.weight = nn.Parameter(weight, requires_grad=learns)


def load_folded(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load folded weights into a module that is to be trained further with weight norm.

    Raises RuntimeError as load_state_dict does.
    """
    normed = [part for part in module.modules() if parametrize.is_parametrized(part, "weight")]
    fold_weight_norm(module)
    module.load_state_dict(weights)
    for part in normed:
        weight_norm(part)


def pad_rows(frames: Tensor, multiple: int, fewest: int = FEWEST_ROWS) -> Tensor:
    """(B, C, T) -> (B, C, T'): T' is a multiple of `multiple`, at least `fewest` times it.

    Repeats the last frame. It works for any T in an exported graph, too.
    """
    n_frames = frames.shape[-1]
    # sym_max, and a padding of 0, keep an exported graph valid for any T.
    rows = torch.sym_max((n_frames + multiple - 1) // multiple, fewest)
    return F.pad(frames, (0, rows * multiple - n_frames), mode="replicate")


def pad_plane(frames: Tensor, multiple: int, fewest: int = FEWEST_ROWS) -> Tensor:
    """(B, C, T) -> a plane (B, 1, C', T'), C' and T' multiples of `multiple`.

    Repeats the last channel and the last frame. Any T, in an exported graph, too. fewest: as in
    `pad_rows`.
    """
    plane = pad_rows(frames, multiple, fewest)[:, None]
    n_missing = -plane.shape[2] % multiple
    return F.pad(plane, (0, 0, 0, n_missing), mode="replicate") if n_missing else plane
