"""A mended copy of a corpus: `voiceconv check DATA --fix OUT`.

OUT becomes a Kaldi data directory, or a folder of them if DATA has splits, with FLAC files in
`OUT/wav/<speaker>/`; `OUT/mended.json` lists the changes of each utterance. Everything is written
to a temporary folder and renamed at the end. DATA is only read.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from voiceconv import audio
from voiceconv.check.corpus import Item
from voiceconv.check.doctor import Report
from voiceconv.check.evidence import usual_rate
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, write_data_dir
from voiceconv.errors import InputError, NoRoomError, RunError
from voiceconv.files import abridged, appearing, below, replace_text
from voiceconv.progress import Progress
from voiceconv.workers import Executor, GiveUp, run_tasks

LOUDNESS = -23.0  # LUFS; `extract` uses the same loudness
_HIGHEST_PEAK = 0.99
# Longer silence at an end is cut to the margin, because weak consonants count as silence.
_LONGEST_SILENCE, _MARGIN = 0.5, 0.2  # s
_FULL_RESOLUTION = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # sources that keep 24 bits


@dataclass(frozen=True)
class Treatment:
    """The changes of a recording; without any, the samples stay equal."""

    sample_rate: int
    lead: float = 0.0  # s to cut off at the start
    tail: float = 0.0
    dc: float = 0.0  # to subtract
    loudness: float | None = None  # LUFS to bring it to


class _Task(NamedTuple):
    item: Item
    treatment: Treatment
    output: Path


def check_output(data: Path, output: Path) -> None:
    """Raise InputError unless a copy of `data` may be written to `output`."""
    if output.resolve().is_relative_to(data.resolve()):
        raise InputError(f"{output} lies in {data}, which is never changed; choose another place")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output} is there already; give a new or an empty folder")
    if not output.resolve().parent.is_dir():
        raise InputError(f"there is no folder {output.resolve().parent}; make it first")


def mend(
    report: Report,
    data: Path,
    output: Path,
    jobs: int | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> str:
    """Write the mended copy; return a sentence about it.

    Raises InputError, and RunError if some utterances could not be mended; all others are there.
    """
    check_output(data, output)
    dropped = plan_drops(report)
    treatments = plan_treatments(report, dropped)
    if not treatments:
        raise RunError(f"nothing of {data} is worth keeping; {output} is not written")
    with appearing(output) as scratch:
        log, failed = _write_waves(treatments, scratch, jobs, progress, executor)
        treatments = {item: one for item, one in treatments.items() if item not in failed}
        dropped |= failed
        why = abridged(f"{item.name}: {error}" for item, error in failed.items())
        if not treatments:
            raise RunError(f"nothing of {data} could be mended ({why}); {output} is not written")
        for split in dict.fromkeys(item.split for item in treatments):
            kept = [item for item in treatments if item.split == split]
            write_data_dir(scratch / split, [_moved(item, output) for item in kept])
        log |= {item.name: {"left_out": why} for item, why in dropped.items()}
        said = f"{len(treatments)} utterances written to {output}, {len(dropped)} left out"
        entries = {item.name: log[item.name] for item in report.items}
        record = {"data": str(data), "said": said, "utterances": entries}
        replace_text(scratch / "mended.json", json.dumps(record, indent=2) + "\n")
    if failed:
        raise RunError(f"{said}; of these {len(failed)} could not be mended ({why})")
    return said


def plan_drops(report: Report) -> dict[Item, str]:
    """Utterances that the copy leaves out -> reason."""
    reasons = {"unreadable": "unreadable", "too short": "too short", "silence": "silent",
               "leak": "leak", "duplicate": "duplicate"}  # fmt: skip
    dropped: dict[Item, str] = {}
    for finding in report.findings:
        for case in finding.cases:
            measured = report.evidence.measured.get(case.item)
            if finding.rule == "silence" and measured and math.isfinite(measured.loudness):
                continue
            if finding.rule in reasons:
                note = f": {case.note}" if case.note else ""
                dropped.setdefault(case.item, reasons[finding.rule] + note)
    return dropped


def plan_treatments(report: Report, dropped: Mapping[Item, str]) -> dict[Item, Treatment]:
    """Kept utterances -> their treatment."""
    found: dict[str, set[Item]] = {}
    for finding in report.findings:
        found.setdefault(finding.rule, set()).update(case.item for case in finding.cases)
    quiet_speakers = {f.speaker for f in report.findings if f.rule == "low level"}
    rate = report.evidence.needs.sample_rate or usual_rate(report.evidence)
    treatments = {}
    for item, m in report.evidence.measured.items():
        if item in dropped:
            continue
        is_quiet = item.utterance.domain in quiet_speakers or item in found.get(
            "quiet utterances", ()
        )
        treatments[item] = Treatment(
            rate,
            _cut(m.lead),
            _cut(m.tail),
            m.dc if item in found.get("DC", ()) else 0.0,
            LOUDNESS if is_quiet else None,
        )
    return treatments


def _cut(silence: float) -> float:
    """Seconds of silence at an end -> seconds to cut."""
    return silence - _MARGIN if silence > _LONGEST_SILENCE else 0.0


def treat(wave: Tensor, sample_rate: int, treatment: Treatment) -> tuple[Tensor, dict[str, object]]:
    """Wave (N,) -> (M,) at the treatment's rate, and the list of changes."""
    done: dict[str, object] = {}
    first, last = (round(s * sample_rate) for s in (treatment.lead, treatment.tail))
    if first or last:
        wave = wave[first : len(wave) - last]
        done["cut_seconds"] = [round(treatment.lead, 3), round(treatment.tail, 3)]
    if treatment.dc:
        wave = wave - treatment.dc
        done["dc_subtracted"] = treatment.dc
    if sample_rate != treatment.sample_rate:
        wave = audio.resample(wave, sample_rate, treatment.sample_rate)
        done["resampled_from"] = sample_rate
    peak = float(wave.abs().max())
    gain = 1.0
    if treatment.loudness is not None and peak > 0:
        wanted = audio.loudness_gain(wave, treatment.sample_rate, treatment.loudness)
        gain = min(wanted, _HIGHEST_PEAK / peak)
    elif peak > 1:  # clipped samples overshoot when resampled
        gain = _HIGHEST_PEAK / peak
    if gain != 1.0:
        wave = wave * gain
        done["gain_db"] = round(20 * math.log10(gain), 2)
    return wave, done


def _write_waves(
    treatments: Mapping[Item, Treatment],
    scratch: Path,
    jobs: int | None,
    progress: Progress | None,
    executor: Executor | None,
) -> tuple[dict[str, dict[str, object]], dict[Item, str]]:
    """Write all sound files; return utterance name -> changes, and what failed -> its error."""
    tasks = [_Task(item, t, scratch / _wave_path(item)) for item, t in treatments.items()]
    for folder in {task.output.parent for task in tasks}:
        folder.mkdir(parents=True, exist_ok=True)
    log: dict[str, dict[str, object]] = {}
    failed: dict[Item, str] = {}
    outcomes = (executor or run_tasks)(tasks, _setup, lambda worker: (), jobs, retries=1)
    with closing(outcomes):
        for number, (task, _, error, result) in enumerate(outcomes, 1):
            if error is None:
                log[task.item.name] = result
            else:
                failed[task.item] = error
            if progress:
                progress(number, len(tasks))
    return log, failed


@contextmanager
def _setup(worker: int) -> Iterator[Callable[[_Task], dict[str, object]]]:
    """In a worker: give the function that mends a recording and writes it."""
    torch.set_num_threads(1)  # the processes share the cores

    def handle(task: _Task) -> dict[str, object]:
        u = task.item.utterance
        wave, sample_rate = read_wave(u)
        is_fine = audio.probe(u.path).subtype in _FULL_RESOLUTION
        mended, done = treat(wave, sample_rate, task.treatment)
        try:
            subtype = "PCM_24" if is_fine else "PCM_16"
            audio.write(task.output, mended, task.treatment.sample_rate, subtype)
        except NoRoomError as error:
            raise GiveUp(str(error)) from None
        return done

    yield handle


def _wave_path(item: Item) -> Path:
    """The path of an utterance in the copy; ids are unique only within a split."""
    u = item.utterance
    return Path("wav", item.split) / below(u.domain) / below(f"{u.id}.flac")


def _moved(item: Item, output: Path) -> Utterance:
    """Return the utterance of the copy."""
    path = output.resolve() / _wave_path(item)
    return replace(item.utterance, path=path, start=None, end=None, channel=None)
