"""A causal network for live conversion: spectra of any voice -> WORLD features of a target's.

Ours. Its layers are those of the any-to-many network, made causal: left padding only, norms over
the channels of each frame (as LLVC, Sadov et al. 2023, arXiv:2311.00873, does), and every state is
an argument and a result. The student of an offline teacher learns from what the teacher made. A
trunk serves every look-ahead; each has a small head, whose output for frame t comes with frame
t + look-ahead.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.any_to_many import ChannelNorm, GatedBlock
from voiceconv.models.base import DomainId, Translator, domain_codes
from voiceconv.schema import Count, Range, Some

NEAR = 3  # pitches on each side of the likeliest one that F0 is averaged over


class Spoken(NamedTuple):
    """What the network says of each frame.

    cepstra: (B, C, T) mel-cepstra of the target, c_0 as it is where the source's level is 0 nepers.
    aperiodicity: (B, K, T) in dB, of the target. voicing: (B, T), the logit that there is F0.
    pitch: (B, P, T), logits of the source's F0 on a scale of pitches.
    """

    cepstra: Tensor
    aperiodicity: Tensor
    voicing: Tensor
    pitch: Tensor


def f0_of(spoken: Spoken, pitches: Tensor) -> Tensor:
    """The source's F0 (B, T) in Hz, 0 where unvoiced. pitches: (P,) Hz, equally spaced in log.

    The mean over the pitches NEAR the likeliest, weighted by their probabilities, in log.
    """
    likeliest = spoken.pitch.argmax(1, keepdim=True)
    steps = torch.arange(len(pitches), device=pitches.device)[None, :, None]
    far = (steps - likeliest).abs() > NEAR
    share = spoken.pitch.double().masked_fill(far, -torch.inf).softmax(1)
    f0 = (share * pitches.double().log()[None, :, None]).sum(1).exp()
    return torch.where(spoken.voicing > 0, f0, 0.0)


class CausalBlock(GatedBlock):
    """See GatedBlock; only frames before.

    The state (B, width, n_kept) has the last normalised frames; zeros before the first.
    """

    def __init__(self, width: int, kernel: int, dilation: int, n_domains: int = 0) -> None:
        super().__init__(width, kernel, dilation, n_domains, padding=0)
        self.n_kept = dilation * (kernel - 1)

    def forward(self, x: Tensor, state: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """(B, width, T), the state before, codes of domains (B, D) -> (B, width, T), the state."""
        heard = torch.cat([state, self.norm(x)], 2)
        gated = self._of_one(heard) if x.shape[2] == 1 else self.gated(heard)
        return self.around(x, gated, codes), heard[..., heard.shape[2] - self.n_kept :]

    def _of_one(self, heard: Tensor) -> Tensor:
        """The convolution of a single frame as a product: 27 microseconds on a CPU, not 540."""
        taps = heard[..., :: self.gated.dilation[0]]
        return F.linear(taps.flatten(1), self.gated.weight.flatten(1), self.gated.bias)[..., None]


class Head(nn.Module):
    """The last block and the outputs of one look-ahead.

    States: that of the block, and the inputs (B, n_inputs, look_ahead) of frames not spoken of yet.
    """

    def __init__(
        self,
        look_ahead: int,
        width: int,
        kernel: int,
        n_domains: int,
        n_inputs: int,
        n_outputs: int,
    ) -> None:
        super().__init__()
        self.look_ahead = look_ahead
        self.block = CausalBlock(width, kernel, 1, n_domains)
        self.norm = ChannelNorm(width)
        self.exit = nn.Conv1d(width, n_outputs, 1)
        self.skip = nn.Conv1d(n_inputs, n_outputs, 1, bias=False)  # from the frame spoken of
        with torch.no_grad():
            self.exit.weight.mul_(0.1)
            nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]
            nn.init.zeros_(self.skip.weight)

    def forward(
        self, x: Tensor, inputs: Tensor, states: Sequence[Tensor], codes: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """(B, width, T), (B, n_inputs, T) -> (B, n_outputs, T) of frames look_ahead before."""
        y, block = self.block(x, states[0], codes)
        known = torch.cat([states[1], inputs], 2)
        n_frames = inputs.shape[2]
        said = self.exit(self.norm(y)) + self.skip(known[..., :n_frames])
        return said, [block, known[..., n_frames:]]


class StreamingTranslator(Translator):
    """Frames of `n_inputs` channels of any voice -> what a target would have said (`Spoken`).

    Unlike other translators it gives other channels than it takes: `features.causal` makes what it
    takes, and WORLD synthesis takes what it gives.

    Args:
        n_channels: C of the mel-cepstra.
        n_domains: D, the targets.
        n_inputs: channels of a frame of `features.causal`, the first n_mels its shape.
        n_bands: K of the aperiodicity.
        n_pitches: P of the scale of F0.
        width: channels of the hidden layers.
        kernel: of the dilated convolutions.
        dilations: of the trunk's blocks; those of the latter half know the target.
        look_aheads: frames that a head hears beyond the one that it speaks of, rising; the default
            is the second, or the only one.
    """

    shared = True
    any_source = True
    usual: Tensor
    input_mean: Tensor
    input_scale: Tensor
    output_mean: Tensor
    output_scale: Tensor

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        n_inputs: Count = 209,
        n_mels: Count = 80,
        n_bands: Count = 3,
        n_pitches: Count = 128,
        width: Count = 192,
        kernel: Annotated[int, Range(2, most=64)] = 3,
        dilations: Sequence[Count] = (1, 2, 4, 8, 1, 2, 4, 8),
        look_aheads: Sequence[Some] = (0, 2, 4, 8),
    ) -> None:
        super().__init__()
        if not look_aheads or sorted(set(look_aheads)) != list(look_aheads):
            raise ValueError(f"look_aheads are {list(look_aheads)}; give one or more, rising")
        self.n_channels, self.n_domains, self.n_inputs = n_channels, n_domains, n_inputs
        self.look_aheads = tuple(look_aheads)
        self._sizes = [n_channels, n_bands, 1, n_pitches]
        self.entry = nn.Conv1d(n_inputs, width, 1)
        knows = [number >= len(dilations) // 2 for number in range(len(dilations))]
        self.trunk = nn.ModuleList(
            CausalBlock(width, kernel, dilation, n_domains if known else 0)
            for dilation, known in zip(dilations, knows, strict=True)
        )
        self.heads = nn.ModuleDict(
            {
                str(n): Head(n, width, kernel, n_domains, n_inputs, sum(self._sizes))
                for n in look_aheads
            }
        )
        self.register_buffer("usual", torch.zeros(n_mels))
        self.register_buffer("input_mean", torch.zeros(n_inputs))
        self.register_buffer("input_scale", torch.ones(n_inputs))
        self.register_buffer("output_mean", torch.zeros(n_domains, n_channels + n_bands))
        self.register_buffer("output_scale", torch.ones(n_domains, n_channels + n_bands))

    @property
    def look_ahead(self) -> int:
        """The default."""
        return self.look_aheads[min(1, len(self.look_aheads) - 1)]

    def scale_by(self, **scales: Tensor) -> None:
        """Set the buffers: means and deviations of inputs and outputs, `usual`."""
        for name, value in scales.items():
            self.get_buffer(name).copy_(value)

    def start(self, look_ahead: int, n_items: int = 1) -> list[Tensor]:
        """The states before the first frame: one for each block of the trunk, then the head's."""
        head: Head = self.heads[str(look_ahead)]  # type: ignore[assignment]
        width, new = self.entry.out_channels, self.entry.weight.new_zeros
        kept = [block.n_kept for block in [*self.trunk, head.block]]
        states = [new(n_items, width, n) for n in kept]
        return [*states, new(n_items, self.n_inputs, look_ahead)]

    def step(
        self, frames: Tensor, states: Sequence[Tensor], target: DomainId, look_ahead: int
    ) -> tuple[Spoken, list[Tensor]]:
        """Frames (B, n_inputs, T), the states before -> what is said of frames `look_ahead` before.

        The first `look_ahead` frames of a stream come of frames before its start.
        """
        codes = domain_codes(target, len(frames), self.n_domains).to(frames.device)
        inputs, hidden, trunk = self._listen(frames, states, codes)
        said, after = self.heads[str(look_ahead)](hidden, inputs, states[-2:], codes)
        return self._spoken(said, codes), [*trunk, *after]

    def speak(self, frames: Tensor, target: DomainId) -> dict[int, Spoken]:
        """Whole waves' frames (B, n_inputs, T) -> by look-ahead n, of the first T - n frames."""
        codes = domain_codes(target, len(frames), self.n_domains).to(frames.device)
        states = self.start(self.look_aheads[0], len(frames))
        inputs, hidden, _ = self._listen(frames, states, codes)
        spoken = {}
        for n in self.look_aheads:
            said, _ = self.heads[str(n)](hidden, inputs, self.start(n, len(frames))[-2:], codes)
            spoken[n] = self._spoken(said[..., n:], codes)
        return spoken

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """(B, n_inputs, T) -> cepstra (B, C, T) at the default look-ahead."""
        padded = F.pad(frames, (0, self.look_ahead), mode="replicate")
        return self.speak(padded, target)[self.look_ahead].cepstra

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """See Translator; a lone domain's is from anybody."""
        return super().directions(n_domains) or [(0, 0)]

    def networks(self) -> dict[str, nn.Module]:
        """See Translator; none, because they give more than frames."""
        return {}

    def _listen(
        self, frames: Tensor, states: Sequence[Tensor], codes: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Normalised inputs, the trunk's outputs, its states after."""
        inputs = (frames - self.input_mean[:, None]) / self.input_scale[:, None]
        x, after = self.entry(inputs), []
        for block, state in zip(self.trunk, states, strict=False):
            x, kept = block(x, state, codes)
            after.append(kept)
        return inputs, x, after

    def _spoken(self, said: Tensor, codes: Tensor) -> Spoken:
        natural, voicing, pitch = said.split([sum(self._sizes[:2]), *self._sizes[2:]], 1)
        scale, mean = codes @ self.output_scale, codes @ self.output_mean
        natural = natural.float() * scale[..., None] + mean[..., None]
        cepstra, aperiodicity = natural.split(self._sizes[:2], 1)
        return Spoken(cepstra, aperiodicity, voicing[:, 0].float(), pitch.float())
