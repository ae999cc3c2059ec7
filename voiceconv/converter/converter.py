"""Wave to wave; the command line, recipes, validation and evaluation all use this class."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from voiceconv.audio import level, loudness_gain, read, resample
from voiceconv.build import build, class_of
from voiceconv.converter.chunks import CONTEXT, FADE, crossfade_into, cut_chunks
from voiceconv.converter.conversion import LARGEST, Conversion, Known, f0_move, transposed
from voiceconv.converter.frames import FrameConverter
from voiceconv.converter.novelty import Novelty, Verdict
from voiceconv.converter.pauses import cut_pauses, hush, restore_pauses
from voiceconv.converter.traits import Traits, mean_traits
from voiceconv.converter.unseen import keep_intervals, listen, own_stats, voiced_share
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, FeatureExtractor, Features
from voiceconv.models import Translator
from voiceconv.models.streaming import StreamingTranslator
from voiceconv.progress import Share
from voiceconv.vocoders import Vocoder

if TYPE_CHECKING:
    from voiceconv.converter.streaming import Stream

MOSTLY_UNVOICED = 0.4  # of loud frames; speech has 0.6 and more
NEARLY_SILENT = -70.0  # LUFS: the absolute gate of BS.1770, below which is no programme
log = logging.getLogger(__name__)


class _Origin(NamedTuple):
    """The source of a wave: whose statistics, whose network, how that is known.

    heard: parts of the wave with their features, where somebody listened.
    voiced: the share of its loud frames with F0; 1 where nobody looked.
    """

    stats: DomainStats
    domain: str
    known: Known
    heard: list[tuple[Tensor, Features]]
    voiced: float = 1.0

    @property
    def whole(self) -> Features | None:
        """The features of all of the wave, where they are known already."""
        return self.heard[0][1] if len(self.heard) == 1 else None


class Converter(FrameConverter):
    """A trained translator with all that belongs to it: analysis, statistics, synthesis."""

    kind = FeatureExtractor
    representation: FeatureExtractor
    vocoder: Vocoder[Any]
    streams: ClassVar[bool] = False  # whether `stream` works
    novelty: Novelty | None = None  # what its speech is like, where `calibrate` has measured it

    def _open(self) -> None:
        self.loudness: float | None = self.config["loudness"]
        if self.config["vocoder"] is None:
            raise InputError("these features are of waves and vocoder is null; choose a vocoder")
        translator = class_of(self.config["translator"], Translator)
        if issubclass(translator, StreamingTranslator) and not self.streams:
            raise InputError("this model streams; open it by voiceconv.open_model")
        self.vocoder = build(self.config["vocoder"], Vocoder, extractor=self.extractor)

    def _read_more(self, folder: Path) -> None:
        self.novelty = Novelty.load(folder)

    def save_pretrained(self, folder: Path | str, card: Mapping[str, object]) -> None:
        """See FrameConverter."""
        super().save_pretrained(folder, card)
        if self.novelty is not None:
            self.novelty.save(Path(folder))

    @property
    def extractor(self) -> FeatureExtractor:
        """The representation."""
        return self.representation

    def to(self, device: torch.device | str) -> Self:
        """See FrameConverter; a neural vocoder, too."""
        self.vocoder.to(device)
        return super().to(device)

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
        progress: Share | None = None,
        semitones: float = 0.0,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
        name: str = "the recording",
        noted: Callable[[Conversion], None] = lambda conversion: None,
    ) -> Tensor:
        """Wave (N,) -> wave (N,) of the target domain at the model's rate, as loud as the input.

        Args:
            wave: mono, at the model's rate, or at `sample_rate` and then resampled first.
            source: its domain; without one it is recognised, or taken with its own statistics.
            progress: called with the share that is done.
            semitones: moves F0 on top of the move to the target's.
            condition: what the translator is told beside the domains, by name, each (1, ...): a
                style, the frames of a reference. What is not named stays as the translator has it.
            target_stats: of the output, such as those of a recording in the target's voice; None:
                those of `target`, or of the mixture that `condition` asks for.
            name: of the wave, in warnings.
            noted: called with what was done.

        What was done is logged as a Conversion, at level INFO, too. A wave that is far from the
        speech that the model has learned from is converted with a warning (`novelty`).
        Pauses stay as they are, or as far below speech as they are (`pauses`). Long waves go chunk
        by chunk: memory beyond three waves does not grow with N. A wave without a sample stays one.
        Raises InputError for a domain or a condition that the model does not know.
        """
        if sample_rate is not None:
            wave = resample(wave, sample_rate, self.sample_rate)
        self.check_domains(target, source)
        self.check_semitones(semitones)
        told = self.complete(condition or {})
        spoken, middles = cut_pauses(wave, self.sample_rate)
        gain = self._gain(spoken)
        wanted = target_stats or self.stats_of(target, told)
        origin = self._know(spoken, gain, target, source, wanted)
        whole = origin.whole

        def translate(features: Features) -> Features:
            if not origin.heard:  # nobody listened: the first chunk has to tell
                first = cut_chunks(spoken, self.sample_rate)[0]
                origin.heard.append((spoken[first.start : first.stop], features))
            translated = self.translate(features, origin.stats, origin.domain, target, told, wanted)
            return transposed(translated, semitones)

        converted = through_features(self.vocoder, spoken, translate, gain, progress, whole)
        verdict = None
        if self.novelty is not None:  # else nobody pays for the traits
            verdict = self._judge(mean_traits(self.extractor, origin.heard))
        self._warn(name, level(wave, self.sample_rate), origin.voiced, verdict)
        nobody = origin.known == "unseen" and self.translator.any_source
        move = f0_move(origin.stats, wanted)
        source = None if nobody else origin.domain
        conversion = Conversion(source, origin.known, move, semitones, verdict)
        log.info(conversion)
        noted(conversion)
        return restore_pauses(converted, wave, middles, self.sample_rate)

    def describe(self, wave: Tensor, sample_rate: int | None = None) -> Traits | None:
        """Wave (N,) -> what it is like, as `convert` hears it; None where it has too little sound.

        sample_rate: see `convert`.
        """
        if sample_rate is not None:
            wave = resample(wave, sample_rate, self.sample_rate)
        spoken, _ = cut_pauses(wave, self.sample_rate)
        return mean_traits(self.extractor, listen(self.extractor, spoken, self._gain(spoken)))

    def examine(self, wave: Tensor, sample_rate: int | None = None) -> Verdict | None:
        """Wave (N,) -> how near it is to the speech that the model has learned from.

        None where the model does not know (`voiceconv calibrate`), and where the wave has too
        little sound.
        """
        return None if self.novelty is None else self._judge(self.describe(wave, sample_rate))

    @property
    def look_aheads(self) -> tuple[float, ...]:
        """Seconds of what is to come that `stream` may wait for, each a choice; none by default."""
        return ()

    def stream(
        self,
        target: str,
        sample_rate: int | None = None,
        look_ahead: float | None = None,
        semitones: float = 0.0,
    ) -> "Stream":
        """A voice on its way to a target, chunk by chunk.

        sample_rate: of the chunks; None: the model's. look_ahead: one of `look_aheads`; None: the
        model's default. semitones: see `convert`.

        Raises InputError for a model that does not stream, for a target that it does not know, for
        another look-ahead and for a rate that no stream takes.
        """
        raise InputError(
            "this model does not stream: it hears whole recordings. In chunks it would be at least "
            f"{CONTEXT + FADE / 2:.2f} s late, the length of what it hears beyond a cut; take a "
            "streaming model (`voiceconv models`)"
        )

    def _know(
        self, wave: Tensor, gain: float, target: str, source: str | None, wanted: DomainStats
    ) -> _Origin:
        """By the recording's own statistics, if no source is named or the translator takes any.

        F0 and aperiodicity of a named source are known better from its domain.
        """
        if source is not None and not self.translator.any_source:
            return _Origin(self.stats[source], source, "named", [])
        heard = listen(self.extractor, wave, gain)
        own, voiced = own_stats(self.extractor, heard), voiced_share(self.extractor, heard)
        if source is not None:
            own = replace(
                self.stats[source], frames_mean=own.frames_mean, frames_std=own.frames_std
            )
            return _Origin(own, source, "named", heard, voiced)
        stats, domain = self.nearest(own, target)
        known: Known = "recognised" if stats is self.stats[domain] else "unseen"
        if known == "unseen":
            stats = keep_intervals(stats, wanted)
        return _Origin(stats, domain, known, heard, voiced)

    def _gain(self, wave: Tensor) -> float:
        """What brings a wave to the loudness of the recordings that the model has learned from."""
        if self.loudness is None:
            return 1.0
        return loudness_gain(wave, self.sample_rate, self.loudness)

    def _judge(self, found: Traits | None) -> Verdict | None:
        return None if self.novelty is None or found is None else self.novelty.judge(found)

    def _warn(self, name: str, loudness: float, voiced: float, verdict: Verdict | None) -> None:
        """Of a recording that has hardly a voice in it, or is unlike what the model knows."""
        if loudness < NEARLY_SILENT:
            how = "silent" if loudness == -math.inf else f"nearly silent, at {loudness:.0f} LUFS"
            log.warning(
                "%s is %s, and so is its conversion; check that it is the right recording",
                name,
                how,
            )
        elif verdict is not None and verdict.is_out_of_domain:
            log.warning(
                "%s is unlike the speech that this model has learned from (%s): %s; expect a poor "
                "conversion",
                name,
                str(verdict),
                verdict.reason,
            )
        elif voiced < MOSTLY_UNVOICED and any(
            one.log_f0.isfinite().all() for one in self.stats.values()
        ):
            log.warning(
                "no pitch is found in %.0f%% of the loud parts of %s, as in a whisper; they are "
                "converted without one",
                100 * (1 - voiced),
                name,
            )

    def listen_to(self, path: Path) -> tuple[DomainStats, Tensor]:
        """See FrameConverter."""
        wave = read(path, self.sample_rate).samples
        if self.loudness is not None:
            wave = wave * loudness_gain(wave, self.sample_rate, self.loudness)
        heard = listen(self.extractor, wave)
        own = own_stats(self.extractor, heard)
        return own, torch.cat([own.normalize(features.frames) for _, features in heard], 1)[None]

    def check_semitones(self, semitones: float) -> None:
        """Raise InputError where `convert` could not move F0 by so much."""
        if not -LARGEST <= semitones <= LARGEST:
            raise InputError(
                f"semitones {semitones:g}: F0 is moved by {-LARGEST:g} to {LARGEST:g} of them; "
                "choose a number between"
            )
        if semitones and all(one.log_f0.isnan().any() for one in self.stats.values()):
            raise InputError(
                f"semitones {semitones:g}: {type(self.extractor).__name__} features have no F0 to "
                "move; leave it out, or take a model of WORLD features"
            )


@torch.no_grad()  # not inference_mode, whose tensors nobody may change in place afterwards
def through_features(
    vocoder: Vocoder[Any],
    wave: Tensor,
    change: Callable[[Features], Features] = lambda features: features,
    gain: float = 1.0,
    progress: Share | None = None,
    whole: Features | None = None,
) -> Tensor:
    """Wave (N,) -> features, changed -> wave (N,), as loud as the first; chunk by chunk.

    Changing nothing is copy-synthesis: the ceiling of any conversion. Pauses stay as far below
    speech as they are, digital silence stays digital silence. whole: the features of all of the
    wave, where they are known already.
    """
    extractor, sample_rate = vocoder.extractor, vocoder.extractor.sample_rate
    output, before = torch.zeros_like(wave), level(wave, sample_rate)
    if before == -math.inf:
        return output
    for chunk in cut_chunks(wave, sample_rate):
        if whole is None:
            features = extractor.extract(wave[chunk.start : chunk.stop] * gain)
        else:
            first, end = chunk.start // extractor.hop_length, chunk.stop // extractor.hop_length
            chunk = chunk._replace(start=first * extractor.hop_length)
            features = whole.at(slice(first, end + 1))
        spoken = vocoder.synthesize(change(features))[: chunk.stop - chunk.start]
        crossfade_into(output, spoken, chunk, sample_rate)
        if progress:
            progress(chunk.end / len(wave))
    hush(output, wave, sample_rate)
    output *= loudness_gain(output, sample_rate, before)
    return output
