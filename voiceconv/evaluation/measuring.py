"""The measures of one recording, each analysis done once, and of many in parallel processes.

`voices.py` compares an utterance with a whole voice (similarity, F0 statistics); this module only
computes the embedding and the F0 contour.
"""

import os
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
    copy_synthesis,
    intelligibility,
    level,
    mel_cepstral_distortion,
    modulation_spectrum,
    naturalness,
    prosody,
    speaker_similarity,
)
from voiceconv.metrics.analysis import analyse, pair
from voiceconv.metrics.intelligibility import CommandRecogniser, PocketSphinx, Recogniser
from voiceconv.metrics.wave_input import SAMPLE_RATE
from voiceconv.progress import Progress
from voiceconv.workers import run_tasks

Wave = NDArray[np.float32]
POCKETSPHINX = "pocketsphinx"
WORTH = 8  # recordings per process: a process takes seconds to start
RETRIES = 1  # for a recording whose worker was killed

REFERENCE = [name for name, measure in MEASURES.items() if "reference" in measure.needs]
EMBEDDING = ["speaker_similarity", "source_similarity", "nearer_target"]
F0_STATISTICS = ["f0_mean_difference", "f0_spread_ratio"]
DNSMOS = ["dnsmos", "dnsmos_signal", "dnsmos_background"]
ERRORS = ["character_error", "word_error"]
COPY = [name for name, measure in MEASURES.items() if "copy_of" in measure.needs]
LEVEL = ["loudness", "peak", "clipped", "silence"]


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
    error: str | None = None  # why it cannot be scored


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
        """A case, or an utterance of a voice -> its results, or the reason why there are none."""
        utterance = task.converted if isinstance(task, Case) else task
        try:
            return self.case(task) if isinstance(task, Case) else self.voice(task)
        except ValueError as error:
            return Measured(error=f"{utterance.path} cannot be scored: {error}")
        except InputError as error:
            return Measured(error=str(error))

    def voice(self, utterance: Utterance) -> Measured:
        """An utterance of the training recordings -> its embedding and F0."""
        wave = self.read(utterance)[0]
        return Measured(embedding=self.embedding(wave), contour=self.contour(wave))

    def case(self, case: Case) -> Measured:
        """A converted recording -> all requested measures."""
        wave, own, rate = self.read(case.converted)
        found: dict[str, float] = {}
        contour = None
        if case.reference and self.any_of(REFERENCE):
            contour = self.parallel(case.reference, wave, found)
        if self.any_of(DNSMOS):
            found |= naturalness.evaluate(self.tools["dnsmos"], wave)
        if case.text and self.any_of(ERRORS):
            found |= intelligibility.evaluate(
                self.tools["recogniser"], self.tools["rates"], wave, case.text
            )
        if case.original and self.any_of(COPY):
            found |= copy_synthesis.evaluate(
                self.read(case.original)[0],
                wave,
                self.tools.get("pesq"),
                self.tools.get("stoi"),
                self.protocol.mcd.f0,
            )
        if self.any_of(LEVEL):
            found |= level.evaluate(own, rate)
        if contour is None:
            contour = self.contour(wave)
        return Measured(found, self.embedding(wave), contour)

    def parallel(
        self, reference: Utterance, wave: Wave, found: dict[str, float]
    ) -> NDArray[np.float64]:
        """Add the measures that need the reference; return the wave's F0 (T,)."""
        target = self.read(reference)[0]
        mel_cepstral_distortion.validate(target, wave)
        estimated = analyse(wave, self.protocol.mcd)
        aligned = pair(analyse(target, self.protocol.mcd), estimated)
        for module in (mel_cepstral_distortion, prosody, modulation_spectrum):
            found |= module.evaluate_pair(aligned)
        return estimated.f0

    def embedding(self, wave: Wave) -> NDArray[np.float64] | None:
        """(N,) at 16 kHz -> (D,), if it is requested."""
        return self.tools["encoder"].embed(wave) if "encoder" in self.tools else None

    def contour(self, wave: Wave) -> NDArray[np.float64] | None:
        """(N,) at 16 kHz -> F0 (T,) in Hz, if it is requested."""
        return prosody.contour(wave, self.protocol.mcd.f0) if self.any_of(F0_STATISTICS) else None

    def read(self, utterance: Utterance) -> tuple[Wave, Wave, int]:
        """The wave (N,) at 16 kHz, the wave (M,) of the file, and the file's rate."""
        own, rate = read_wave(utterance)
        wave = audio.resample(own, rate, SAMPLE_RATE, self.protocol.quality)
        return wave.numpy(), own.numpy(), rate

    def any_of(self, names: Collection[str]) -> bool:
        """Whether one of these measures is requested."""
        return not set(names).isdisjoint(self.names)


def measure_all(
    tasks: Sequence[Case | Utterance], job: Job, jobs: int | None, on_progress: Progress | None
) -> list[Measured]:
    """Measure in `jobs` processes (None: one per core, if there is enough to do); one job runs in
    this process. The results are in the tasks' order.

    Raises InputError for the first recording that cannot be scored.
    """
    say = on_progress or (lambda done, total: None)
    jobs = min(jobs or min(os.cpu_count() or 1, len(tasks) // WORTH), len(tasks)) or 1
    found: dict[int, Measured] = {}
    numbered = list(enumerate(tasks))
    if jobs == 1:
        with setup(0, job) as measure:
            for number, task in numbered:
                found[number] = _checked(measure((number, task)))
                say(len(found), len(tasks))
        return list(found.values())
    with closing(run_tasks(numbered, setup, lambda _: (job,), jobs, RETRIES)) as outcomes:
        for (number, _), _, error, result in outcomes:
            if error is not None:
                raise RunError(error)
            found[number] = _checked(result)
            say(len(found), len(tasks))
    return [found[number] for number in range(len(tasks))]


def _checked(measured: Measured) -> Measured:
    if measured.error is not None:
        raise InputError(measured.error)
    return measured
