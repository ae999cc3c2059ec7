"""Wave to wave; the command line, recipes, validation and evaluation all use this class."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.audio import loudness, loudness_gain, resample
from voiceconv.build import build
from voiceconv.converter.chunks import crossfade_into, cut_chunks
from voiceconv.converter.directory import engine_of, find_model, read_model, write_model
from voiceconv.converter.unseen import SAME_VOICE, distance, own_stats
from voiceconv.errors import InputError
from voiceconv.features import (
    DomainStats,
    FeatureExtractor,
    Features,
    MelSpectrogram,
    convert_aperiodicity,
    convert_f0,
)
from voiceconv.models import Translator
from voiceconv.models.exported import OnnxTranslator
from voiceconv.vocoders import Vocoder

PARTS = ("features", "translator", "vocoder")
SILENCE = 1e-4  # -80 dB full scale: an input below it has nothing to convert
Progress = Callable[[float], None]
Extract = Callable[[Tensor], Features]


class Converter:
    """A trained translator with all that belongs to it: analysis, statistics, synthesis.

    Args:
        config: nodes `features`, `translator` and `vocoder` as `build` takes them; `loudness`, the
            LUFS to which waves are brought before analysis, as in training, or None; `card`.
        stats: by domain; the sorted names are the domain_ids.
        translator: makes it of `n_channels` and `n_domains`; None: as `config` says.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        stats: Mapping[str, DomainStats],
        translator: Callable[..., Translator] | None = None,
    ) -> None:
        self.domains = sorted(stats)
        self.stats = dict(stats)
        self.config = {part: config[part] for part in PARTS} | {
            "domains": self.domains,
            "loudness": config["loudness"],
            "card": dict(config.get("card") or {}),
        }
        self.loudness: float | None = config["loudness"]
        self.extractor = build(config["features"], FeatureExtractor)
        if isinstance(self.extractor, MelSpectrogram):  # a default may change, a model's mel not
            self.config["features"] = self.extractor.spec.node
        for domain, one in self.stats.items():
            if one.frames_mean.shape != (self.extractor.n_channels,):
                raise InputError(
                    f"the statistics of {domain!r} are of {len(one.frames_mean)} channels, the "
                    f"features of {self.extractor.n_channels}; use those that belong together"
                )
        self.vocoder = build(config["vocoder"], Vocoder, extractor=self.extractor)
        make = translator or partial(build, config["translator"], Translator)
        self.translator = make(n_channels=self.extractor.n_channels, n_domains=len(self.domains))

    @classmethod
    def from_pretrained(cls, model: Path | str | None = None, engine: str | None = None) -> Self:
        """A model directory, a run directory, a bundled model's name; None: the bundled default.

        engine: `torch`, or `onnx` for what `voiceconv export` has written; None: what it is for.

        Raises InputError where it is missing, incomplete, damaged, for another engine, or asks for
        foreign classes.
        """
        folder = find_model(model)
        onnx = engine_of(folder, engine) == "onnx"
        config, stats, weights = read_model(folder)
        if onnx:
            return cls(config, stats, partial(OnnxTranslator, folder))
        converter = cls(config, stats)
        try:
            converter.translator.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"{folder}: the weights are not those of its configuration "
                f"({str(error).splitlines()[-1].strip()[:120]}); fetch the model again"
            ) from error
        converter.translator.requires_grad_(False).eval()
        return converter

    def save_pretrained(self, folder: Path | str, card: Mapping[str, object]) -> None:
        """Write config.yaml, weights, statistics, README.md, and a neural vocoder's directory."""
        if isinstance(self.translator, OnnxTranslator):
            raise InputError("an export has no weights to save; save the model that it was made of")
        config = self.config | {"card": dict(card)}
        write_model(
            Path(folder), config, self.stats, self.translator.state_dict(), self.vocoder.folder
        )

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

    def check_domains(self, target: str, source: str | None = None) -> None:
        """Raise InputError where `convert` could not take these."""
        for role, name in (("target", target), ("source", source)):
            if name is not None and name not in self.stats:
                raise InputError(f"no {role} {name!r}: this model knows {', '.join(self.domains)}")
        if source == target:
            raise InputError(f"source and target are both {target!r}; choose another target")

    def translate(
        self, features: Features, source_stats: DomainStats, source: str, target: str
    ) -> Features:
        """Features of `source`, normalised by `source_stats` -> features of `target`."""
        target_stats = self.stats[target]
        frames = self.translator(
            source_stats.normalize(features.frames)[None],
            self.domains.index(source),
            self.domains.index(target),
        )[0]
        f0, aperiodicity = features.f0, features.aperiodicity
        if f0 is not None:
            if aperiodicity is not None:
                aperiodicity = convert_aperiodicity(aperiodicity, f0, source_stats, target_stats)
            f0 = convert_f0(f0, source_stats, target_stats)
        frames = target_stats.denormalize(frames)
        return replace(features, frames=frames, f0=f0, aperiodicity=aperiodicity)

    def _know_source(
        self, wave: Tensor, target: str, source: str | None, extract: Extract
    ) -> tuple[DomainStats, str]:
        """The statistics to normalise by, and the domain whose network is used."""
        if source is not None:
            return self.stats[source], source
        own = own_stats(self.extractor, wave, extract)
        others = [domain for domain in self.domains if domain != target]
        distances = {domain: distance(own, self.stats[domain]) for domain in others}
        nearest = min(others, key=distances.__getitem__)
        known = distances[nearest] < SAME_VOICE
        return (self.stats[nearest] if known else own), nearest


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
    """Wrap `extract`: asked twice in a row for one wave, it analyses it once.

    A short wave of an unseen speaker is analysed for its statistics and for conversion.
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
