"""Any voice into many: an encoder of content, a decoder that knows the target; and their judge.

Ours. The encoder does not know who speaks, so it takes any voice; a narrow code of unit power,
with noise on it in training, keeps it from telling the decoder (the information bottleneck of
AutoVC, Qian et al. 2019, arXiv:1905.05879, by width, and here by noise too). Only the decoder gets
the target, as the bias of its gates. No instance norm: nothing depends on the whole recording.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.base import (
    MIX,
    Discriminator,
    DomainId,
    Translator,
    Verdict,
    domain_codes,
    grown_rows,
    same_shapes,
)
from voiceconv.models.layers import conv2d, pad_rows
from voiceconv.schema import Count, Range, Some

DILATIONS = (1, 2, 4, 8)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each frame: (B, K, T) -> (B, K, T)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n_channels, 1))
        self.offset = nn.Parameter(torch.zeros(n_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, T) -> (B, K, T)."""
        return unit_power(x - x.mean(1, keepdim=True)) * self.scale + self.offset


def unit_power(x: Tensor) -> Tensor:
    """(B, K, T) -> the same, the mean square over channels 1 in each frame; in float32."""
    x = x.float()
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-5)


class DomainAdapters(nn.Module):
    """Maps of low rank, (B, n_inputs, T) -> (B, n_outputs, T), one for each domain: LoRA.

    Hu et al. 2021, arXiv:2106.09685; here the code of the domain chooses the map. All are 0 at
    first, and a domain whose `up` is 0 adds exactly 0.
    """

    def __init__(self, n_inputs: int, n_outputs: int, rank: int, n_domains: int) -> None:
        super().__init__()
        self.rank = rank
        self.down = nn.Parameter(torch.randn(n_domains, rank, n_inputs) / math.sqrt(n_inputs))
        self.up = nn.Parameter(torch.zeros(n_domains, n_outputs, rank))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(B, n_inputs, T), codes (B, D) -> (B, n_outputs, T)."""
        within = F.conv1d(x, self.down.flatten(0, 1)[..., None])
        within = within * codes.repeat_interleave(self.rank, 1)[..., None]
        return F.conv1d(within, self.up.movedim(0, 1).flatten(1)[..., None])


class GatedBlock(nn.Module):
    """Norm, dilated gated convolution and a plain one around a skip: the layers.

    n_domains: if not 0, the gates' biases depend on the codes of domains.
    padding: frames on each side of the convolution.
    """

    def __init__(
        self, width: int, kernel: int, dilation: int, n_domains: int, padding: int
    ) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.gated = nn.Conv1d(width, 2 * width, kernel, padding=padding, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)
        self.domains = nn.Embedding(n_domains, 2 * width) if n_domains else None
        if self.domains is not None:
            nn.init.normal_(self.domains.weight, std=0.3)
        with torch.no_grad():
            self.out.weight.mul_(0.3)  # near the identity at first

    def around(self, x: Tensor, gated: Tensor, codes: Tensor | None) -> Tensor:
        """(B, width, T), the convolution (B, 2 width, T), codes (B, D) -> (B, width, T)."""
        if self.domains is not None and codes is not None:
            # no matrix product: under autocast it would round the table
            gated = gated + (codes[..., None] * self.domains.weight).sum(1)[..., None]
        return x + self.out(F.glu(gated, dim=1))


class DilatedBlock(GatedBlock):
    """See GatedBlock; as many frames after as before.

    rank: if not 0, domains have adapters of this rank beside the gated convolution.
    """

    def __init__(
        self, width: int, kernel: int, dilation: int, n_domains: int = 0, rank: int = 0
    ) -> None:
        super().__init__(width, kernel, dilation, n_domains, dilation * (kernel // 2))
        self.adapters = DomainAdapters(width, 2 * width, rank, n_domains) if rank else None

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """(B, width, T), codes of domains (B, D) -> (B, width, T)."""
        normal = self.norm(x)
        gated = self.gated(normal)
        if self.adapters is not None and codes is not None:
            gated = gated + self.adapters(normal, codes)
        return self.around(x, gated, codes)


class AnyToManyTranslator(Translator):
    """Frames of any voice into those of a target; it never looks at `source`.

    Args:
        n_channels: C of the frames.
        n_domains: D, the targets.
        width: channels of the hidden layers.
        code_channels: of the code between encoder and decoder.
        code_noise: deviation of the noise on the code in training; the code's own is 1.
        fold: frames that the network sees as one, side by side.
        kernel: of the dilated convolutions, odd.
        smooth: frames that the change of the frames is averaged over, odd; 1 leaves it as it is.
        adapter_rank: of the adapters that domains have in the decoder; 0: none.
    """

    shared = True
    any_source = True
    window: Tensor

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        width: Count = 256,
        code_channels: Count = 48,
        code_noise: Annotated[float, Range(0, most=10)] = 0.3,
        fold: Count = 4,
        kernel: Count = 3,
        smooth: Count = 1,
        adapter_rank: Some = 0,
    ) -> None:
        super().__init__()
        for name, value in (("kernel", kernel), ("smooth", smooth)):
            if value % 2 == 0:
                raise ValueError(f"{name} {value} must be odd, or frames would move")
        self.frame_multiple = self.fold = fold
        self.n_domains = n_domains
        self.code_noise = code_noise
        window = torch.hann_window(smooth + 2, periodic=False)[1:-1]
        self.register_buffer("window", window / window.sum(), persistent=False)
        self.entry = nn.Conv1d(n_channels * fold, width, kernel, padding=kernel // 2)
        self.encoder = nn.ModuleList(DilatedBlock(width, kernel, d) for d in DILATIONS)
        self.to_code = nn.Sequential(ChannelNorm(width), nn.Conv1d(width, code_channels, 1))
        self.from_code = nn.Conv1d(code_channels, width, 1)
        self.decoder = nn.ModuleList(
            DilatedBlock(width, kernel, d, n_domains, adapter_rank) for d in reversed(DILATIONS)
        )
        self.norm = ChannelNorm(width)
        self.exit = nn.Conv1d(width, n_channels * fold, kernel, padding=kernel // 2)
        with torch.no_grad():
            self.exit.weight.mul_(0.1)
            nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]
        self.adapters = (
            DomainAdapters(width, n_channels * fold, adapter_rank, n_domains)
            if adapter_rank
            else None
        )

    def encode(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> the content's code (B, code_channels, T / fold), T rounded up."""
        frames = pad_rows(frames, self.fold)
        n_items, n_channels, n_frames = frames.shape
        folded = frames.reshape(n_items, n_channels, n_frames // self.fold, self.fold)
        x = self.entry(folded.transpose(2, 3).flatten(1, 2))
        for block in self.encoder:
            x = block(x)
        return unit_power(self.to_code(x))

    def decode(
        self, code: Tensor, frames: Tensor, domain_ids: DomainId, mix: Tensor | None = None
    ) -> Tensor:
        """Codes (B, code_channels, T / fold), their frames (B, C, T), targets (B,) -> (B, C, T).

        mix: see `domain_codes`.
        In training with noise on the code. What the network wants otherwise than the frames are is
        averaged over time: the voice changes slowly, and words keep their fast parts.
        """
        if self.training and self.code_noise:
            code = code + self.code_noise * torch.randn_like(code)
        x = self.from_code(code)
        voices = domain_codes(domain_ids, len(code), self.n_domains, mix).to(x.device)
        for block in self.decoder:
            x = block(x, voices)
        normal = self.norm(x)
        folded = self.exit(normal)
        if self.adapters is not None:
            folded = folded + self.adapters(normal, voices)
        folded = folded.unflatten(1, (-1, self.fold))  # (B, C, fold, T / fold)
        change = folded.transpose(2, 3).flatten(2)[..., : frames.shape[-1]] - frames
        n_around = len(self.window) // 2
        change = F.pad(change, (n_around, n_around), mode="replicate")
        window = self.window.to(change.dtype).expand(change.shape[1], 1, -1)
        return frames + F.conv1d(change, window, groups=change.shape[1])

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator.

        strength (B, 1): 0 leaves the frames as they are, 1 converts them. mix: see `domain_codes`.
        """
        converted = self.decode(self.encode(frames), frames, target, condition.get(MIX))
        if "strength" not in condition:
            return converted
        return torch.lerp(frames, converted, condition["strength"][..., None])

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator; a lone domain's is from anybody."""
        return super().directions(n_domains) or [(0, 0)]

    def default_condition(self) -> dict[str, Tensor]:
        """See Translator."""
        return {"strength": torch.ones(1, 1), MIX: torch.zeros(1, self.n_domains)}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """See Translator; a new voice starts from the mean of the gates' biases.

        Its adapters are those that it has here, and so are all where a model has none.
        """
        grown = {
            name: grown_rows(weight, places) if name.endswith("domains.weight") else weight
            for name, weight in weights.items()
        }
        for name, own in self.state_dict().items():
            if "adapters." in name:
                rows = own.clone()
                for domain_id, place in enumerate(places):
                    if place is not None and name in weights:
                        rows[domain_id] = weights[name][place]
                grown[name] = rows
        return same_shapes(self.state_dict(), grown)

    def of_domains(self) -> list[nn.Parameter]:
        """All parameters of which each domain has a part of its own, the first dimension's."""
        return [
            parameter
            for name, parameter in self.named_parameters()
            if "adapters." in name or name.endswith("domains.weight")
        ]


class ProjectionDiscriminator(Discriminator):
    """Judges of time scales and of patches, each of which is told the voice.

    Projection: Miyato and Koyama 2018, arXiv:1802.05637, eq. 3.

    Args:
        n_channels: C of the frames.
        n_domains: D.
        width: filters of the first layer of the judges along time.
        patch_width: of the judge of patches.
        scales: a judge along time sees means over so many frames.
    """

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        width: Count = 128,
        patch_width: Count = 32,
        scales: Sequence[int] = (1, 3),
    ) -> None:
        super().__init__()
        self.scales = list(scales)
        self.judges = nn.ModuleList(_TimeJudge(n_channels, n_domains, width) for _ in scales)
        self.patches = _PatchJudge(n_domains, patch_width)

    def forward(self, frames: Tensor, domain_ids: Tensor) -> list[Verdict]:  # type: ignore[override]
        """(B, C, T), (B,) -> a verdict per scale along time, and one of patches."""
        verdicts = [
            judge(F.avg_pool1d(frames, scale) if scale > 1 else frames, domain_ids)
            for scale, judge in zip(self.scales, self.judges, strict=True)
        ]
        return [*verdicts, self.patches(frames[:, None], domain_ids)]

    def default_condition(self) -> dict[str, Tensor]:
        """See Discriminator."""
        return {"domain_ids": torch.zeros(1, dtype=torch.long)}


class _Judge(nn.Module):
    """Convolutions, then a verdict that depends on the voice."""

    def __init__(self, layers: Sequence[nn.Module], exit: nn.Module, n_domains: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.exit = exit
        n_features = layers[-1].out_channels
        self.domains = nn.Embedding(n_domains, int(n_features))  # type: ignore[arg-type]
        nn.init.normal_(self.domains.weight, std=0.05)

    def forward(self, x: Tensor, domain_ids: Tensor) -> Verdict:
        """(B, K, [C,] T), (B,) -> logits (B, 1, [C',] T')."""
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        voice = self.domains(domain_ids)
        voice = voice.view(*voice.shape, *[1] * (x.ndim - 2))
        projected = (voice * x).sum(1, keepdim=True) / math.sqrt(x.shape[1])
        return Verdict(self.exit(x) + projected, features)


class _TimeJudge(_Judge):
    def __init__(self, n_channels: int, n_domains: int, width: int) -> None:
        layers = [
            nn.Conv1d(n_channels, width, 5, padding=2),
            nn.Conv1d(width, width, 5, 2, padding=2),
            nn.Conv1d(width, 2 * width, 5, 2, padding=2),
            nn.Conv1d(2 * width, 2 * width, 5, padding=2),
        ]
        super().__init__(layers, nn.Conv1d(2 * width, 1, 3, padding=1), n_domains)


class _PatchJudge(_Judge):
    def __init__(self, n_domains: int, width: int) -> None:
        kernel, stride, padding = (3, 5), 2, (1, 2)
        layers = [
            conv2d(1, width, kernel, stride, padding),
            nn.Conv2d(width, 2 * width, kernel, stride, padding),
            nn.Conv2d(2 * width, 4 * width, kernel, stride, padding),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
        ]
        super().__init__(layers, nn.Conv2d(4 * width, 1, 3, padding=1), n_domains)
