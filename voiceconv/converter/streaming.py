"""Live conversion: a wave goes in as it comes, and what it becomes comes out, 50 ms later.

Every frame takes the same path, whatever the chunks are: the causal spectrum, one step of the
network, one hop of synthesis. So, at the model's rate, streamed output is offline output, to the
bit. What is estimated of the voice (its spectrum's mean, its loudest level, its mean F0) is
estimated as it comes in, and begins with what is usual.
"""

import math
from collections.abc import Callable, Mapping
from typing import Self

import torch
from torch import Tensor

from voiceconv.audio import resample
from voiceconv.audio.streams import RATES, StreamResampler
from voiceconv.converter.conversion import Conversion
from voiceconv.converter.converter import Converter
from voiceconv.errors import InputError
from voiceconv.features import CausalSpectrum, DomainStats, World
from voiceconv.features.causal import Heard
from voiceconv.models.exported_streaming import OnnxStreamingTranslator
from voiceconv.models.streaming import Spoken, StreamingTranslator, f0_of
from voiceconv.progress import Share
from voiceconv.vocoders.harmonic import HarmonicNoise

HUSHED = -5.2  # nepers (45 dB): what is so far under the loudest level is the source's own
HEARD = -4.0  # nepers (35 dB): what is above this is converted; between the two, some of both
USUAL_F0 = math.log(150.0)
F0_PRIOR, F0_MEMORY = 0.25, 10.0  # seconds of voice that USUAL_F0 counts for; after which one fades
LOUDEST = 8.0  # full scales that a sample is cut at
WARM = 4000  # samples
BLOCK = 1.0  # seconds that a whole wave is pushed at once, for its progress


class StreamingConverter(Converter):
    """A model whose conversion needs at most its look-ahead of what is to come."""

    representation: World
    vocoder: HarmonicNoise
    translator: StreamingTranslator
    exported = OnnxStreamingTranslator
    streams = True

    def _open(self) -> None:
        super()._open()
        if not isinstance(self.vocoder, HarmonicNoise):
            raise InputError(
                f"{type(self.vocoder).__name__} does not stream; a streaming model needs the "
                "vocoder harmonic"
            )
        world = self.representation
        self.spectrum = CausalSpectrum(world.sample_rate, world.hop_length)
        self._is_warm = False

    def to(self, device: torch.device | str) -> Self:
        """See FrameConverter: it stays on the CPU; one frame is too little work for another."""
        return self

    @property
    def look_aheads(self) -> tuple[float, ...]:
        """Seconds, those that `stream` takes."""
        return tuple(self._seconds(n) for n in self.translator.look_aheads)

    def _seconds(self, n_frames: int) -> float:
        return n_frames * self.representation.hop_length / self.sample_rate

    def stream(
        self,
        target: str,
        sample_rate: int | None = None,
        look_ahead: float | None = None,
        semitones: float = 0.0,
    ) -> "Stream":
        """See Converter."""
        self.check_domains(target)
        self.check_semitones(semitones)
        rate = self.sample_rate if sample_rate is None else sample_rate
        if not RATES[0] <= rate <= RATES[1]:
            raise InputError(
                f"sample rate {rate} Hz: a stream takes {RATES[0]} to {RATES[1]} Hz; resample first"
            )
        frames = self.translator.look_ahead
        if look_ahead is not None:
            near = [
                n for n in self.translator.look_aheads if abs(self._seconds(n) - look_ahead) < 1e-6
            ]
            if not near:
                known = ", ".join(f"{1000 * one:g}" for one in self.look_aheads)
                raise InputError(
                    f"look-ahead {1000 * look_ahead:g} ms: this model has {known}; take one of them"
                )
            frames = near[0]
        if not self._is_warm:  # the first frames take ten times as long
            self._is_warm = True
            Stream(self, 0, self.sample_rate, frames, 0.0).push(torch.zeros(WARM))
        return Stream(self, self.domains.index(target), rate, frames, semitones)

    def convert(
        self,
        wave: Tensor,
        target: str,
        source: str | None = None,
        sample_rate: int | None = None,
        progress: Share | None = None,
        semitones: float = 0.0,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
        name: str = "the recording",
        noted: Callable[[Conversion], None] = lambda conversion: None,
    ) -> Tensor:
        """See Converter: what a stream of the whole wave gives.

        The source and target_stats are never looked at.
        """
        if sample_rate is not None:
            wave = resample(wave, sample_rate, self.sample_rate)
        self.complete(condition or {})
        stream = self.stream(target, semitones=semitones)
        block, parts = int(BLOCK * self.sample_rate), []
        for start in range(0, len(wave), block):
            parts.append(stream.push(wave[start : start + block]))
            if progress:
                progress(min(1.0, (start + block) / len(wave)))
        noted(Conversion(None, "unseen", None, semitones))
        return torch.cat([*parts, stream.flush()])


class Stream:
    """One voice on its way to a target; made by `Converter.stream`.

    sample_rate: of what is pushed; output_rate: of what comes out. `latency`: seconds from an input
    sample to the output sample of the same time, at most, computing aside; `parts` by name.
    """

    def __init__(
        self,
        converter: StreamingConverter,
        target: int,
        sample_rate: int,
        look_ahead: int,
        semitones: float,
    ) -> None:
        self._spectrum, self._vocoder = converter.spectrum, converter.vocoder
        self._network, self._target, self._look_ahead = converter.translator, target, look_ahead
        self._hop, self._half = self._spectrum.hop_length, self._spectrum.half
        self.sample_rate, self.output_rate = sample_rate, converter.sample_rate
        self._resampler = StreamResampler(sample_rate, self.output_rate)
        rate = self.output_rate
        self.parts: dict[str, float] = {
            "analysis": self._half / rate,
            "look-ahead": look_ahead * self._hop / rate,
            "synthesis": self._hop / rate,
            "resampling": self._resampler.delay / sample_rate,
        }
        mean = converter.stats[converter.domains[target]].log_f0[0]
        self._f0_target = float(mean) + semitones / 12 * math.log(2)
        self._f0 = RunningF0(rate / self._hop)
        self._heard, self._states = Heard.nothing(), self._network.start(look_ahead)
        self._synthesis = self._vocoder.start()
        # Samples from half a window before the next frame, and those that wait for their hop.
        self._ahead = torch.zeros(self._half)
        self._waiting = torch.zeros(self._hop)
        self._levels: list[tuple[float, float]] = []  # of frames that are not spoken of yet
        self._share = 0.0  # of the conversion, at the end of the last hop
        self._n_before = look_ahead  # frames that come of nothing
        self._n_left_out = self._hop  # samples before the wave
        self._n_in = self._n_out = 0
        self._is_done = False

    @property
    def latency(self) -> float:
        """Seconds."""
        return sum(self.parts.values())

    def push(self, chunk: Tensor) -> Tensor:
        """(n,) at `sample_rate`, any n -> (m,) at `output_rate`, what is complete with it.

        What is not finite counts as silence, what is beyond LOUDEST is cut. Raises InputError after
        `flush`, for a chunk that is no tensor, and for one of another shape or of whole numbers.
        """
        if self._is_done:
            raise InputError("this stream has been flushed; begin another")
        if not isinstance(chunk, Tensor):
            raise InputError(f"a chunk is a {type(chunk).__name__}; a stream takes torch tensors")
        if chunk.ndim != 1:
            raise InputError(f"a chunk is {list(chunk.shape)}; a stream takes one channel, (n,)")
        if not chunk.is_floating_point():
            raise InputError(f"a chunk is of {chunk.dtype}; a stream takes floats within -1 and 1")
        finite = torch.nan_to_num(chunk.float(), 0.0, 0.0, 0.0).clamp(-LOUDEST, LOUDEST)
        with torch.inference_mode():
            wave = self._resampler.push(finite)
            self._n_in += len(wave)
            made = self._advance(wave)
        return made.clone()  # a plain tensor, which may be changed in place

    def flush(self) -> Tensor:
        """The rest, after which as much has come out as went in."""
        if self._is_done:
            return torch.zeros(0)
        self._is_done = True
        with torch.inference_mode():
            wave = self._resampler.flush()
            self._n_in += len(wave)
            silence = torch.zeros((self._look_ahead + 2) * self._hop + self._half)
            rest = self._advance(torch.cat([wave, silence]))
        return rest[: max(0, len(rest) - (self._n_out - self._n_in))].clone()

    def _advance(self, wave: Tensor) -> Tensor:
        self._ahead = torch.cat([self._ahead, wave])
        self._waiting = torch.cat([self._waiting, wave])
        hops = []
        while len(self._ahead) >= 2 * self._half:
            hop = self._frame(self._ahead[None, None, : 2 * self._half])
            self._ahead = self._ahead[self._hop :]
            if hop is not None:
                hops.append(hop)
        made = torch.cat(hops) if hops else torch.zeros(0)
        made = made[self._n_left_out :] if hops else made
        self._n_left_out = 0 if hops else self._n_left_out
        self._n_out += len(made)
        return made

    def _frame(self, window: Tensor) -> Tensor | None:
        """(1, 1, 2 half) -> the hop that is complete with this frame, if there is one yet."""
        frame, levels, loudest, self._heard = self._spectrum.frames(
            window, self._heard, self._network.usual
        )
        self._levels.append((float(levels), float(levels - loudest)))
        spoken, self._states = self._network.step(
            frame, self._states, self._target, self._look_ahead
        )
        if self._n_before:
            self._n_before -= 1
            return None
        level, under = self._levels.pop(0)
        return self._hushed(self._synthesize(spoken, level), under)

    def _synthesize(self, spoken: Spoken, level: float) -> Tensor:
        """What is said of a frame whose level is known -> the hop that ends with it."""
        f0 = float(f0_of(spoken, self._spectrum.pitches))
        if f0 > 0:
            move = self._f0_target - self._f0.follow(math.log(f0))
            f0 *= math.exp(move) if math.isfinite(move) else 1.0  # the target may have no F0
        cepstrum = spoken.cepstra[0, :, 0].double()
        cepstrum[0] += level
        hop, self._synthesis = self._vocoder.step(
            self._synthesis, cepstrum, f0, spoken.aperiodicity[0, :, 0]
        )
        return hop.float()

    def _hushed(self, hop: Tensor, under: float) -> Tensor:
        """The hop, and in its place the source's own where that is far under the loudest."""
        share = min(1.0, max(0.0, (under - HUSHED) / (HEARD - HUSHED)))
        ramp = torch.linspace(self._share, share, self._hop)
        source, self._waiting = self._waiting[: self._hop], self._waiting[self._hop :]
        self._share = share
        return ramp * hop + (1 - ramp) * source


class RunningF0:
    """The mean log F0 of a voice, as it comes in; it begins with what is usual."""

    def __init__(self, frames_per_second: float) -> None:
        self._kept = 1 - 1 / (F0_MEMORY * frames_per_second)
        self._weight = F0_PRIOR * frames_per_second
        self._total = self._weight * USUAL_F0

    def follow(self, log_f0: float) -> float:
        """A voiced frame's -> the mean with it."""
        self._weight = self._kept * self._weight + 1
        self._total = self._kept * self._total + log_f0
        return self._total / self._weight
