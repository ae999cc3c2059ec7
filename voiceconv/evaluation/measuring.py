"""The measures of one recording, each analysis done once, and of many in parallel processes.

`voices.py` compares an utterance with a whole voice (similarity, F0 statistics); this module only
computes the embedding and the F0 contour.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voiceconv import audio
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError, RunError
from voiceconv.evaluation.inputs import Case
from voiceconv.evaluation.protocol import Protocol
from voiceconv.metrics import (
    MEASURES,
    bandwidth,
    copy_synthesis,
    intelligibility,
    level,
    mel_cepstral_distortion,
    modulation_spectrum,
    music,
    naturalness,
    prosody,
    speaker_similarity,
    wave_input,
)
from voiceconv.metrics.analysis import analyse, pair
from voiceconv.metrics.intelligibility import CommandRecogniser, PocketSphinx, Recogniser
from voiceconv.metrics.wave_input import SAMPLE_RATE
from voiceconv.progress import Progress
from voiceconv.workers import Executor, n_cores, run_tasks

Wave = NDArray[np.float32]
POCKETSPHINX = "pocketsphinx"
WORTH = 8  # recordings per process: a process takes seconds to start
RETRIES = 1  # for a recording whose worker was killed

MELODY, MEL, INSTRUMENT = list(music.MELODY), ["mel_distance"], ["instrument"]
REFERENCE = [
    name for name, measure in MEASURES.items() if "reference" in measure.needs and name not in MEL
]
EMBEDDING = ["speaker_similarity", "source_similarity", "nearer_target"]
F0_STATISTICS = ["f0_mean_difference", "f0_spread_ratio"]
DNSMOS = ["dnsmos", "dnsmos_signal", "dnsmos_background"]
ERRORS = ["character_error", "word_error"]
COPY = [
    name for name, measure in MEASURES.items() if "copy_of" in measure.needs and name not in MELODY
]
LEVEL = ["loudness", "peak", "clipped", "silence"]
CONVERTED = "the recording"  # in reasons


class Job(NamedTuple):
    """The measures, protocol and recogniser of a worker."""

    names: tuple[str, ...]
    protocol: Protocol
    recogniser: str | None  # a command with {} in it; None: PocketSphinx


@dataclass
class Measured:
    """The results of one recording."""

    scores: dict[str, float] = field(default_factory=dict)
    embedding: NDArray[np.float64] | None = None  # (D,)
    contour: NDArray[np.float64] | None = None  # (T,) F0 in Hz
    timbre: NDArray[np.float64] | None = None  # (F,)
    sound: dict[str, float] = field(default_factory=dict)  # sample rates and bandwidths, Hz
    missing: dict[str, str] = field(default_factory=dict)  # measure -> why it has no value
    remarks: dict[str, str] = field(default_factory=dict)  # kind -> what its values suffer from


def recogniser_of(command: str | None) -> Recogniser:
    """PocketSphinx, or a command that prints a transcript."""
    return PocketSphinx() if command in (None, POCKETSPHINX) else CommandRecogniser(command)


def tools(names: Collection[str], recogniser: str | None) -> dict[str, Any]:
    """Build the tools of the measures `names`. Raises InputError if a package is missing."""
    makers: dict[str, tuple[Callable[[], Any], list[str]]] = {
        "encoder": (speaker_similarity.SpeakerEncoder, EMBEDDING),
        "dnsmos": (naturalness.Dnsmos, DNSMOS),
        "recogniser": (lambda: recogniser_of(recogniser), ERRORS),
        "rates": (intelligibility.ErrorRates, ERRORS),
        "pesq": (copy_synthesis.Pesq, ["pesq"]),
        "stoi": (copy_synthesis.Stoi, ["stoi"]),
        "onsets": (music.Onsets, ["onset_f"]),
    }
    return {tool: make() for tool, (make, of) in makers.items() if not set(of).isdisjoint(names)}


@contextmanager
def setup(_: int, job: Job) -> Iterator[Callable[[tuple[int, Case | Utterance]], Measured]]:
    """Give the function that measures a case or an utterance of a voice, on one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        measurer = Measurer(job)
        yield lambda numbered: measurer(numbered[1])
    finally:
        torch.set_num_threads(n_threads)


class Measurer:
    """Measures one recording after another."""

    def __init__(self, job: Job) -> None:
        self.names, self.protocol, _ = job
        self.tools = tools(job.names, job.recogniser)

    def __call__(self, task: Case | Utterance) -> Measured:
        """A case, or an utterance of a voice -> its results; `missing` says what failed."""
        found = Measured()
        with self.guarded(found, self.names):
            if isinstance(task, Case):
                self.case(task, found)
            else:
                self.voice(task, found)
        return found

    @contextmanager
    def guarded(self, found: Measured, names: Collection[str]) -> Iterator[None]:
        """Turn an error into the reason why those of `names` without a value have none."""
        try:
            yield
        except (InputError, RunError, ValueError) as error:
            lacking = set(names).intersection(self.names) - found.scores.keys()
            found.missing |= dict.fromkeys(lacking - found.missing.keys(), str(error))

    def voice(self, utterance: Utterance, found: Measured) -> None:
        """Add the embedding and the F0 of one of the training recordings."""
        wave = self.analysed(*self.read(utterance), f"the recording {utterance.path}")
        found.embedding, found.contour = self.embedding(wave), self.contour(wave)
        found.timbre = self.timbre(wave)

    def case(self, case: Case, found: Measured) -> None:
        """Add all requested measures of a converted recording."""
        own, rate = self.read(case.converted)
        wave_input.validate(own, CONVERTED)
        found.sound = _sound("", own, rate)
        with self.guarded(found, LEVEL):
            if self.any_of(LEVEL):
                found.scores |= level.evaluate(own, rate)
        wave = self.analysed(own, rate, CONVERTED)
        found.remarks |= wave_input.remarks(wave)
        with self.guarded(found, REFERENCE):
            if case.reference and self.any_of(REFERENCE):
                self.parallel(case.reference, wave, found)
        with self.guarded(found, DNSMOS):
            if self.any_of(DNSMOS):
                found.scores |= naturalness.evaluate(self.tools["dnsmos"], wave)
        with self.guarded(found, ERRORS):
            if self.any_of(ERRORS):
                self.heard(case.text, wave, found)
        with self.guarded(found, COPY):
            if case.original and self.any_of(COPY):
                self.copied(case.original, wave, found)
        with self.guarded(found, MELODY):
            if case.original and self.any_of(MELODY):
                original = self.compared(case.original, "original", found)
                found.scores |= music.evaluate(original, wave, self.tools.get("onsets"))
        with self.guarded(found, MEL):
            if case.reference and self.any_of(MEL):
                reference = self.compared(case.reference, "reference", found)
                found.scores |= music.evaluate_parallel(reference, wave)
        with self.guarded(found, INSTRUMENT):
            found.timbre = self.timbre(wave)
        with self.guarded(found, EMBEDDING):
            found.embedding = self.embedding(wave)
        if found.contour is None:
            found.contour = self.contour(wave)

    def parallel(self, reference: Utterance, wave: Wave, found: Measured) -> None:
        """Add the measures that need the reference, and the wave's F0 (T,)."""
        target = self.compared(reference, "reference", found)
        estimated = analyse(wave, self.protocol.mcd)
        aligned = pair(analyse(target, self.protocol.mcd), estimated)
        for module in (mel_cepstral_distortion, prosody, modulation_spectrum):
            found.scores |= module.evaluate_pair(aligned)
        found.contour = estimated.f0

    def heard(self, text: str | None, wave: Wave, found: Measured) -> None:
        """Add the error rates."""
        if text is None:
            raise InputError("it has no transcript")
        found.scores |= intelligibility.evaluate(
            self.tools["recogniser"], self.tools["rates"], wave, text
        )
        if "word_error" not in found.scores:
            raise InputError(intelligibility.NO_WORDS)

    def copied(self, original: Utterance, wave: Wave, found: Measured) -> None:
        """Add the measures of a copy."""
        found.scores |= copy_synthesis.evaluate(
            self.compared(original, "original", found),
            wave,
            self.tools.get("pesq"),
            self.tools.get("stoi"),
            self.protocol.mcd.f0,
        )

    def compared(self, other: Utterance, role: str, found: Measured) -> Wave:
        """The reference or the original (N,) at 16 kHz, with its bandwidth noted."""
        own, rate = self.read(other)
        wave = self.analysed(own, rate, f"the {role}")
        found.sound |= _sound(f"{role}_", own, rate)
        rates = found.sound["sample_rate"], found.sound[f"{role}_sample_rate"]
        if SAMPLE_RATE in rates and rates[0] != rates[1]:  # only one has a resampler's edge of ours
            found.remarks["sample rate"] = (
                f"it is at {rates[0]} Hz and the {role} at {rates[1]} Hz, and the edge of the band "
                "alone adds 1 to 4 dB to a mel-cepstral distortion; give both at one rate"
            )
        widths = found.sound["bandwidth"], found.sound[f"{role}_bandwidth"]
        if bandwidth.are_unlike(*widths):
            found.remarks["bandwidth"] = (
                f"it has sound up to {widths[0]:.0f} Hz and the {role} up to {widths[1]:.0f} Hz, "
                "so measures that compare the two measure the missing band, too"
            )
        return wave

    def embedding(self, wave: Wave) -> NDArray[np.float64] | None:
        """(N,) at 16 kHz -> (D,), if it is requested."""
        return self.tools["encoder"].embed(wave) if "encoder" in self.tools else None

    def contour(self, wave: Wave) -> NDArray[np.float64] | None:
        """(N,) at 16 kHz -> F0 (T,) in Hz, if it is requested."""
        return prosody.contour(wave, self.protocol.mcd.f0) if self.any_of(F0_STATISTICS) else None

    def timbre(self, wave: Wave) -> NDArray[np.float64] | None:
        """(N,) at 16 kHz -> (F,), if it is requested."""
        return music.timbre(wave) if self.any_of(INSTRUMENT) else None

    def read(self, utterance: Utterance) -> tuple[Wave, int]:
        """The wave (N,) of the file, and its rate."""
        own, rate = read_wave(utterance)
        return own.numpy(), rate

    def analysed(self, own: Wave, rate: int, name: str) -> Wave:
        """(M,) of a file -> (N,) at 16 kHz, checked. Raises ValueError below that rate."""
        if rate < SAMPLE_RATE:
            raise ValueError(
                f"{name} is at {rate} Hz, and the measures analyse {SAMPLE_RATE} Hz: convert and "
                f"record at {SAMPLE_RATE} Hz or more"
            )
        wave = audio.resample(torch.from_numpy(own), rate, SAMPLE_RATE, self.protocol.quality)
        wave_input.validate(wave.numpy(), name)
        return wave.numpy()

    def any_of(self, names: Collection[str]) -> bool:
        """Whether one of these measures is requested."""
        return not set(names).isdisjoint(self.names)


def measure_all(
    tasks: Sequence[Case | Utterance],
    job: Job,
    jobs: int | None,
    on_progress: Progress | None,
    executor: Executor | None = None,
) -> list[Measured]:
    """Measure in `jobs` processes (None: one per core, if there is enough to do); one job runs in
    this process. The results are in the tasks' order. executor: other machines in their place.
    """
    say = on_progress or (lambda done, total: None)
    jobs = min(jobs or min(n_cores(), len(tasks) // WORTH), len(tasks)) or 1
    found: dict[int, Measured] = {}
    numbered = list(enumerate(tasks))
    if jobs == 1 and executor is None:
        with setup(0, job) as measure:
            for number, task in numbered:
                found[number] = measure((number, task))
                say(len(found), len(tasks))
        return list(found.values())
    run = executor or run_tasks
    with closing(run(numbered, setup, lambda _: (job,), jobs, RETRIES)) as outcomes:
        for (number, _), _, error, result in outcomes:
            if error is not None:
                raise RunError(error)
            found[number] = result
            say(len(found), len(tasks))
    return [found[number] for number in range(len(tasks))]


def _sound(role: str, own: Wave, rate: int) -> dict[str, float]:
    """A wave (N,), not silent -> its rate and its bandwidth, by name."""
    width = bandwidth.bandwidth(wave_input.centre(own), rate)
    return {f"{role}sample_rate": rate, f"{role}bandwidth": round(width)}
