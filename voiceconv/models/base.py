"""The interfaces of the networks: translators, generators, vocoder generators, discriminators."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceconv.models.layers import pad_rows


class Verdict(NamedTuple):
    """The output of a discriminator at one scale. logits: any shape, unbounded.

    features: the layers' outputs for feature matching, may be empty.
    """

    logits: Tensor
    features: list[Tensor]


def split_verdicts(verdicts: list[Verdict], n_real: int) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts on a batch whose first n_real items are real -> those on the real, on the fakes."""
    of_real = [Verdict(v.logits[:n_real], [f[:n_real] for f in v.features]) for v in verdicts]
    of_fake = [Verdict(v.logits[n_real:], [f[n_real:] for f in v.features]) for v in verdicts]
    return of_real, of_fake


def judge_both(
    judge: Callable[[Tensor], list[Verdict]], real: Tensor, fake: Tensor
) -> tuple[list[Verdict], list[Verdict]]:
    """Real and fake (B, ...) in one pass, told apart again."""
    return split_verdicts(judge(torch.cat([real, fake])), len(real))


DomainId = int | Tensor  # of a whole batch, or of each item: (B,)
STYLE = "style"  # the condition of a translator with styles: (B, n_style)
MIX = "mix"  # the condition of a translator whose target may be a mixture: shares (B, D)


def domain_codes(
    domain: DomainId, n_items: int, n_domains: int, mix: Tensor | None = None
) -> Tensor:
    """Domain_ids, one or (B,) -> one-hot codes (B, D); where `mix` (B, D) is not 0, its shares."""
    device = None if mix is None else mix.device
    domain_ids = torch.as_tensor(domain, device=device).expand(n_items)
    codes = F.one_hot(domain_ids.long(), n_domains).float()
    if mix is None:
        return codes
    total = mix.sum(1, keepdim=True)
    return torch.where(total > 0, mix / total.clamp(min=1e-6), codes)


class Translator(nn.Module, ABC):
    """The network that ships.

    `frame_multiple`: a generator's T must be a multiple of it; forward takes any T.
    `shared`: whether one network has all directions; then domain_ids may be tensors (B,), and an
    export is one graph with the domain_ids as inputs.
    `any_source`: whether it never looks at the source; then it converts any voice, and may have a
    single domain.
    `is_export`: whether it has graphs in place of weights, and runs on the CPU alone.
    """

    frame_multiple: int = 1
    shared: ClassVar[bool] = False
    is_export: ClassVar[bool] = False
    any_source: bool = False

    @abstractmethod
    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """Normalised frames (B, C, T) of domain_id `source` -> frames (B, C, T) of `target`.

        condition: further inputs of the network, by name, each (B, ...).
        """

    def directions(self, n_domains: int) -> list[tuple[int, int]]:
        """The (source, target) pairs that it converts, of `n_domains`; by default all."""
        return list(permutations(range(n_domains), 2))

    def default_condition(self) -> dict[str, Tensor]:
        """The conditions that a user can set for a conversion, with their default values.

        Each (1, ...), by name; by default none. `voiceconv convert --condition` sets these, and an
        export has them as inputs.
        """
        return {}

    def grown(
        self, weights: Mapping[str, Tensor], places: Sequence[int | None]
    ) -> dict[str, Tensor]:
        """The weights of this network that a model of other domains can give, for a start.

        places: by domain_id here, the domain_id there; None for a domain that is new. Raises
        ValueError where the networks differ, and by default where the domains do.
        """
        if list(places) != list(range(len(places))):
            raise ValueError(f"{type(self).__name__} starts only from a model of the same domains")
        return same_shapes(self.state_dict(), weights)

    def networks(self) -> dict[str, nn.Module]:
        """The networks that `voiceconv info` describes, by name; each maps only (B, C, T)."""
        return {"translator": Direction(self, 0, 1)}


def grown_rows(weight: Tensor, places: Sequence[int | None], dim: int = 0) -> Tensor:
    """A weight of D' domains along `dim` -> of len(places); a new domain gets the mean of all."""
    rows = weight.movedim(dim, 0)
    grown = [rows.mean(0) if place is None else rows[place] for place in places]
    return torch.stack(grown).movedim(0, dim)


def same_shapes(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given weights, of one's own names and shapes. Raises ValueError, naming a difference."""
    for name in own.keys() | given.keys():
        shapes = [list(one[name].shape) if name in one else None for one in (own, given)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} is {shapes[1]}, here {shapes[0]}")
    return dict(given)


@runtime_checkable
class Styled(Protocol):
    """A translator whose condition `style` (1, n_style) can be drawn, or taken from frames."""

    def encode_style(self, frames: Tensor, domain: DomainId) -> Tensor:
        """Normalised frames (B, C, T) of a domain -> styles (B, n_style)."""
        ...

    def sample_style(self, seed: int) -> Tensor:
        """A style (1, n_style) from the prior."""
        ...


class Direction(nn.Module):
    """A translator from one domain to another: frames (B, C, T) -> (B, C, T)."""

    def __init__(self, translator: Translator, source: int, target: int) -> None:
        super().__init__()
        self.translator, self.source, self.target = translator, source, target
        self.frame_multiple = translator.frame_multiple

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        condition = {
            name: value.to(frames.device).expand(len(frames), *value.shape[1:])
            for name, value in self.translator.default_condition().items()
        }
        converted: Tensor = self.translator(frames, self.source, self.target, **condition)
        return converted


class Discriminator(nn.Module, ABC):
    """Tells real frames of a domain from generated ones. Args: `n_channels`, C of the frames."""

    @abstractmethod
    def forward(self, frames: Tensor) -> list[Verdict]:
        """(B, C, T) -> one verdict per scale.

        A conditional network takes more tensors (B, ...), by name: a domain_id, source frames.
        """

    def default_condition(self) -> dict[str, Tensor]:
        """The default condition of `forward` for one item.

        Tensors (1, ...), by name; none for an unconditional network.
        """
        return {}


class WaveGenerator(nn.Module, ABC):
    """The network of a neural vocoder. Args: `n_channels`, C of the frames, and `hop_length`.

    `frame_centre`: the output sample at the centre of frame 0.
    """

    hop_length: int
    frame_centre: int = 0

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, C, T) -> waves (B, T * hop_length)."""


class SpectralGenerator(WaveGenerator):
    """A generator that ends in an inverse STFT: Hann window, `n_fft`, one column per frame."""

    n_fft: int

    @abstractmethod
    def spectra(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> natural log of the magnitudes, phases in radians, (B, F, T) each."""

    @abstractmethod
    def waves(self, log_magnitudes: Tensor, phases: Tensor) -> Tensor:
        """(B, F, T) each -> (B, T * hop_length)."""

    def forward(self, frames: Tensor) -> Tensor:
        """See WaveGenerator."""
        return self.waves(*self.spectra(frames))

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Set a rough initial map from frames to log-magnitudes: (F, C) @ frame + (F,)."""


class WaveDiscriminator(nn.Module, ABC):
    """Tells recordings from waves of a vocoder."""

    @abstractmethod
    def forward(self, waves: Tensor) -> list[Verdict]:
        """(B, N) -> one verdict per part: period, scale or resolution."""


class Generator(nn.Module, ABC):
    """A network for one direction. T must be a multiple of `frame_multiple`."""

    frame_multiple: int

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T).

        A conditional network takes more tensors (B, ., T), by name.
        """


class PairTranslator(Translator):
    """One generator for each ordered pair of domains, as in the CycleGAN papers.

    residual: generators give the difference from what they are given. Ours: training begins near a
        copy, in which all words are, and not at noise.
    """

    def __init__(
        self,
        n_channels: int,
        n_domains: int,
        generator: Callable[..., Generator],
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        if n_domains < 2:
            raise ValueError(f"a translator needs at least 2 domains, not {n_domains}")
        self.generators = nn.ModuleDict(
            {
                _key(*pair): generator(n_channels=n_channels)
                for pair in permutations(range(n_domains), 2)
            }
        )
        self.frame_multiple = self.generators[_key(0, 1)].frame_multiple  # type: ignore[assignment]

    def networks(self) -> dict[str, nn.Module]:
        """See Translator; the network of one direction, because all are alike."""
        return {"generator": self.generators[_key(0, 1)]}

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator; source and target are int. Conditions are (B, ., T), such as masks."""
        n_frames, multiple = frames.shape[-1], self.frame_multiple
        condition = {name: pad_rows(value, multiple) for name, value in condition.items()}
        generator = self.generators[_key(source, target)]
        converted: Tensor = generator(pad_rows(frames, multiple), **condition)
        return converted[..., :n_frames] + frames if self.residual else converted[..., :n_frames]


def _key(source: DomainId, target: DomainId) -> str:
    return f"{source}_to_{target}"
