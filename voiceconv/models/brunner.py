"""Networks of symbolic genre transfer, on piano rolls (B, 84, 64). Brunner et al. 2018,
arXiv:1809.07575, after Zhu et al. 2017; sizes and padding are those of the authors' code.

No convolution has a bias. TensorFlow's "SAME" padding is uneven for strides of 2: a 3x3 kernel has
nothing before and one cell after, a 7x7 kernel two before and three after.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import Discriminator, DomainId, Generator, PairTranslator, Verdict
from voiceconv.models.layers import PlaneConv2d
from voiceconv.schema import Count, Some

PHRASE = 64  # frames: four bars of 4/4 in sixteenths


class PhraseTranslator(PairTranslator):
    """Converts phrase by phrase, as it was trained: an instance norm is one phrase's.

    Phrases overlap by half. Each half of a phrase is the mean of the two that it is in, the share
    of the later one rising step by step, so that no border is a seam. Of up to PHRASE frames there
    is one phrase. What a song lacks of whole half phrases is silence.
    """

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator."""
        half = PHRASE // 2
        n_channels, n_frames = frames.shape[1:]
        n_halves = torch.sym_max((n_frames + half - 1) // half, 2)
        padded = F.pad(frames, (0, n_halves * half - n_frames))
        halves = padded.unflatten(2, (-1, half)).transpose(1, 2)  # (B, H, C, half)
        phrases = torch.cat([halves[:, :-1], halves[:, 1:]], 3)
        made = super().forward(phrases.flatten(0, 1), source, target, **condition)
        early, late = made.unflatten(0, (frames.shape[0], -1)).split(half, 3)
        share = (torch.arange(half, device=frames.device) + 0.5) / half  # of the later phrase
        middle = late[:, :-1] * (1 - share) + early[:, 1:] * share
        joined = torch.cat([early[:, :1], middle, late[:, -1:]], 1)
        return joined.transpose(1, 2).reshape(-1, n_channels, n_halves * half)[..., :n_frames]


class RollGenerator(Generator):
    """7x7, two halvings, residual blocks, two doublings, 7x7, sigmoid: (B, C, T) -> (B, C, T).

    Args:
        n_channels: C, a multiple of 4; the paper's 84.
        base_channels: filters of the first layer; the paper's 64.
        n_residual_blocks: the paper's 10.
        skip: logit that a cell of 1 adds to its own output, and one of 0 takes away; the paper's 0.
            Ours: with it a network begins as a copy, and learns what to change.
    """

    frame_multiple = 4

    def __init__(
        self,
        n_channels: int,
        base_channels: Count = 64,
        n_residual_blocks: Some = 10,
        skip: float = 0.0,
    ) -> None:
        super().__init__()
        self.skip = skip
        if n_channels % 4:
            raise ValueError(f"{n_channels} pitches are no multiple of 4; the network halves twice")
        c = base_channels
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            PlaneConv2d(1, c, 7, bias=False),
            *_normalized(c),
            *_down(c),
            *_down(2 * c),
            *(ReluResidualBlock(4 * c) for _ in range(n_residual_blocks)),
            *_up(4 * c),
            *_up(2 * c),
            nn.ReflectionPad2d(3),
            nn.Conv2d(c, 1, 7, bias=False),
        )
        _draw(self)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T) in 0..1."""
        logits: Tensor = self.layers(frames[:, None])[:, 0]
        return torch.sigmoid(logits + self.skip * (2 * frames - 1))


class ReluResidualBlock(nn.Module):
    """Two reflect-padded 3x3 convolutions with instance norm around a skip, and a ReLU after it."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(n_channels, n_channels, 3, bias=False),
            *_normalized(n_channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(n_channels, n_channels, 3, bias=False),
            nn.InstanceNorm2d(n_channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) -> (B, K, C, T)."""
        return F.relu(x + self.layers(x))


class RollDiscriminator(Discriminator):
    """Three 7x7 convolutions; its receptive field is 43 cells.

    noise: sigma of a half-normal noise |N(0, sigma)|, one plane for a whole batch, that is added to
        what it sees in training, real or fake; the paper's 0 to 5.
    """

    def __init__(self, n_channels: int, base_channels: Count = 64, noise: float = 0.0) -> None:
        super().__init__()
        c = base_channels
        self.n_channels, self.noise = n_channels, noise
        self.layers = nn.ModuleList(
            [
                nn.Sequential(*_halving(1, c), nn.LeakyReLU(0.2)),
                nn.Sequential(
                    *_halving(c, 4 * c), nn.InstanceNorm2d(4 * c, affine=True), nn.LeakyReLU(0.2)
                ),
            ]
        )
        self.exit = nn.Conv2d(4 * c, 1, 7, padding=3, bias=False)
        _draw(self)

    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, T) -> one verdict of patches (B, 1, C / 4, T / 4)."""
        x, features = frames[:, None], []
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x[:1]).abs()
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return [Verdict(self.exit(x), features)]


class GenreClassifier(nn.Module):
    """Of which of two genres a phrase is: (B, 84, 64) -> logits (B, 2).

    An octave by a step first, then phrase-wide. Rolls are shown as -1 and 1; one that was trained
    with noise on them is not deceived by values between.
    """

    def __init__(self, base_channels: Count = 64) -> None:
        super().__init__()
        c = base_channels
        self.layers = nn.Sequential(
            PlaneConv2d(1, c, (12, 1), (12, 1), bias=False),
            nn.LeakyReLU(0.2),
            *_strided(c, 4),
            *_strided(2 * c, 2),
            *_strided(4 * c, 8),
            nn.Conv2d(8 * c, 2, (7, 1), bias=False),
        )
        _draw(self)

    def forward(self, frames: Tensor, noise: Tensor | None = None) -> Tensor:
        """Rolls of 0..1 (B, 84, 64), and what is added to them as -1..1 -> (B, 2)."""
        planes = 2 * frames[:, None] - 1
        if noise is not None:
            planes = planes + noise[:, None]
        logits: Tensor = self.layers(planes)
        return logits.flatten(1)


def _normalized(n_channels: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(n_channels, affine=True), nn.ReLU()]


def _down(n_inputs: int) -> list[nn.Module]:
    """Half the plane, twice the channels."""
    n_filters = 2 * n_inputs
    pad, conv = nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(n_inputs, n_filters, 3, 2, bias=False)
    return [pad, conv, *_normalized(n_filters)]


def _up(n_inputs: int) -> list[nn.Module]:
    """Twice the plane, half the channels: what the last row and column of 2n + 1 are, is cut."""
    n_filters = n_inputs // 2
    conv = nn.ConvTranspose2d(n_inputs, n_filters, 3, 2, bias=False)
    return [conv, nn.ZeroPad2d((0, -1, 0, -1)), *_normalized(n_filters)]


def _halving(n_inputs: int, n_filters: int) -> list[nn.Module]:
    """A 7x7 convolution to half the plane."""
    conv = PlaneConv2d if n_inputs == 1 else nn.Conv2d
    return [nn.ZeroPad2d((2, 3, 2, 3)), conv(n_inputs, n_filters, 7, 2, bias=False)]


def _strided(n_inputs: int, n_steps: int) -> list[nn.Module]:
    """Twice the channels, steps in groups of so many."""
    n_filters = 2 * n_inputs
    conv = nn.Conv2d(n_inputs, n_filters, (1, n_steps), (1, n_steps), bias=False)
    return [conv, nn.InstanceNorm2d(n_filters, affine=True), nn.LeakyReLU(0.2)]


def _draw(network: nn.Module) -> None:
    """Weights from N(0, 0.02) cut at two deviations, scales of norms from N(1, 0.02)."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.trunc_normal_(part.weight, 0.0, 0.02, -0.04, 0.04)
        elif isinstance(part, nn.InstanceNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
