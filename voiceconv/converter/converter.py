"""Wave to wave: the single door that the command line, recipes, validation and servers use."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.audio import loudness, loudness_gain, resample
from voiceconv.build import build
from voiceconv.converter.chunks import crossfade_into, cut_chunks
from voiceconv.converter.frames import FrameConverter
from voiceconv.converter.unseen import own_stats
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, Features
from voiceconv.vocoders import Vocoder

SILENCE = 1e-4  # -80 dB full scale: an input below it has nothing to convert
Progress = Callable[[float], None]
Extract = Callable[[Tensor], Features]


class Converter(FrameConverter):
    """A trained translator with all that belongs to it: analysis, statistics, synthesis."""

    kind = FeatureExtractor
    representation: FeatureExtractor
    vocoder: Vocoder[Any]

    def _open(self) -> None:
        self.loudness: float | None = self.config["loudness"]
        if self.config["vocoder"] is None:
            raise InputError("these features are of waves and vocoder is null; choose a vocoder")
        self.vocoder = build(self.config["vocoder"], Vocoder, extractor=self.extractor)

    @property
    def extractor(self) -> FeatureExtractor:
        """The representation."""
        return self.representation

    @property
    def sample_rate(self) -> int:
        """Of the waves that convert takes and gives."""
        return self.extractor.sample_rate

    def convert(
        self,
        wave: Tensor,
        target: str,
        source: str | None = None,
        sample_rate: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Wave (N,) -> wave (N,) of the target domain at the model's rate, as loud as the input.

        Args:
            wave: mono, at the model's rate, or at `sample_rate` and then resampled first.
            source: its domain; without one it is recognised, or taken with its own statistics.
            progress: called with the share that is done.

        Long waves go chunk by chunk: memory beyond the two waves does not grow with N. A wave
        without a sample stays one.
        Raises InputError for a domain that the model does not know.
        """
        if sample_rate is not None:
            wave = resample(wave, sample_rate, self.sample_rate)
        self.check_domains(target, source)
        gain = 1.0
        if self.loudness is not None:
            gain = loudness_gain(wave, self.sample_rate, self.loudness)
        extract = _remembering(self.extractor.extract)
        source_stats, source = self._know_source(
            wave, target, source, lambda part: extract(part * gain)
        )

        def translate(features: Features) -> Features:
            return self.translate(features, source_stats, source, target)

        return through_features(self.vocoder, wave, translate, gain, progress, extract)

    def _know_source(
        self, wave: Tensor, target: str, source: str | None, extract: Extract
    ) -> tuple[DomainStats, str]:
        """The statistics to normalise by, and the domain whose network is used."""
        if source is not None:
            return self.stats[source], source
        own = own_stats(self.extractor, wave, extract)
        return self.nearest(own, target)


@torch.no_grad()  # not inference_mode, whose tensors nobody may change in place afterwards
def through_features(
    vocoder: Vocoder[Any],
    wave: Tensor,
    change: Callable[[Features], Features] = lambda features: features,
    gain: float = 1.0,
    progress: Progress | None = None,
    extract: Extract | None = None,
) -> Tensor:
    """Wave (N,) -> features, changed -> wave (N,), as loud as the first; chunk by chunk.

    Changing nothing is copy-synthesis: the ceiling of any conversion.
    """
    sample_rate = vocoder.extractor.sample_rate
    output = torch.zeros_like(wave)
    if not len(wave):
        return output
    extract = extract or vocoder.extractor.extract
    for chunk in cut_chunks(wave, sample_rate):
        heard = wave[chunk.start : chunk.stop] * gain
        spoken = vocoder.synthesize(change(extract(heard)))
        spoken = spoken[: len(heard)] * _silence_gate(heard, sample_rate)
        crossfade_into(output, spoken, chunk, sample_rate)
        if progress:
            progress(chunk.end / len(wave))
    before, after = (loudness(one, sample_rate) for one in (wave, output))
    if math.isfinite(before) and math.isfinite(after):
        output *= 10 ** ((before - after) / 20)
    return output


def _remembering(extract: Extract) -> Extract:
    """The same, but for the wave that it was last asked for.

    A stranger's short wave is analysed for its statistics and to be converted: once is enough.
    """
    last: list[tuple[Tensor, Features]] = []

    def run(wave: Tensor) -> Features:
        if not (last and torch.equal(last[0][0], wave)):
            last[:] = [(wave, extract(wave))]
        return last[0][1]

    return run


def _silence_gate(wave: Tensor, sample_rate: int) -> Tensor:
    """(N,) -> (N,) in 0..1: 0 where the wave is digitally silent for 50 ms around, ramps of 5 ms.

    A network hears noise in silence, and would speak where nobody spoke.
    """
    reach, ramp = int(0.025 * sample_rate), int(0.0025 * sample_rate)
    loudest = F.max_pool1d(wave.abs()[None, None], 2 * reach + 1, 1, reach)
    sounding = (loudest > SILENCE).float()
    return F.avg_pool1d(sounding, 2 * ramp + 1, 1, ramp, count_include_pad=False)[0, 0]
