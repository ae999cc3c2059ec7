"""Process many recordings: find the files, name the outputs, collect the errors."""

import glob
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from voiceconv import audio
from voiceconv.audio import EXTENSIONS, HIGHEST_RATE, LOWEST_RATE
from voiceconv.data.kaldi import is_data_dir, read_data_dir
from voiceconv.errors import InputError, RunError

STREAM = "-"
Report = Callable[[float], None]
Change = Callable[[Tensor, str | None, Report], Tensor]  # wave, its domain if known, progress


class Job(NamedTuple):
    """One recording, or seconds [start, end) of it, and the file that it becomes."""

    path: Path | str
    output: Path | str
    domain: str | None = None
    start: float = 0.0
    end: float | None = None


def plan(
    inputs: Sequence[str],
    output: str | None,
    suffix: str,
    domain: str | None,
    without: str | None = None,
) -> list[Job]:
    """Files, folders, patterns, Kaldi data directories or `-` -> jobs.

    Of a data directory, only `domain` is taken, or all but the domain `without`.

    One file goes to `output` if that is no folder, else to a file of its own name in it; without
    an output, to `<name>-<suffix>.wav` in the current directory. Raises InputError where nothing
    is found, and where an output would be an input, be written twice or be of no known format.
    """
    found = [job for one in inputs for job in _find(one, domain)]
    found = [job for job in found if without is None or job.domain != without]
    if not found:
        raise InputError(f"no sound file in {', '.join(map(repr, inputs))}; name files or folders")
    jobs = [job._replace(output=_output(job, len(found), inputs, output, suffix)) for job in found]
    sources = {_identity(job.path): job.path for job in jobs if job.path != STREAM}
    taken: dict[Path, Path | str] = {}
    for job in jobs:
        if job.output == STREAM:
            continue
        audio.check_output(job.output)
        place = _identity(job.output)
        if place in sources:
            raise InputError(f"{job.output} is an input too; choose another output with -o")
        if place in taken and taken[place] != (job.path, job.start):
            raise InputError(f"{job.output} would be written twice; give an output folder with -o")
        taken[place] = (job.path, job.start)  # type: ignore[assignment]
    return jobs


def run(
    jobs: Sequence[Job],
    change: Change,
    model_rate: int,
    output_rate: int | None = None,
    skip_existing: bool = False,
) -> None:
    """Do the jobs one by one with a progress bar on stderr.

    A single bad input raises its InputError; of several, all others are done first, and RunError
    then names the bad ones.
    """
    if output_rate is not None and not LOWEST_RATE <= output_rate <= HIGHEST_RATE:
        raise InputError(
            f"no output at {output_rate} Hz; choose a rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )
    failed: list[str] = []
    with _bar() as progress:
        bar = progress.add_task("", total=len(jobs))
        for number, job in enumerate(jobs):
            progress.update(bar, completed=number, description=_name(job))
            if skip_existing and job.output != STREAM and Path(job.output).exists():
                continue
            try:
                report = partial(_report, progress, bar, number)
                _do(job, change, model_rate, output_rate, report)
            except InputError as error:
                if len(jobs) == 1:
                    raise
                failed.append(str(error))
                # soft_wrap: one line for each, however narrow the terminal
                progress.console.print(
                    f"voiceconv: {error}", markup=False, highlight=False, soft_wrap=True
                )
        progress.update(bar, completed=len(jobs))
    if failed:
        raise RunError(f"{len(failed)} of {len(jobs)} inputs were not converted; see above")


def _do(job: Job, change: Change, model_rate: int, output_rate: int | None, report: Report) -> None:
    wave = audio.read(job.path, model_rate, job.start, job.end).samples
    changed = change(wave, job.domain, report)
    if output_rate is not None:
        changed = audio.resample(changed, model_rate, output_rate)
    if job.output != STREAM:
        _make_folder(Path(job.output).parent)
    audio.write(job.output, changed, output_rate or model_rate)


def _report(progress: Progress, bar: TaskID, n_done: int, share: float) -> None:
    progress.update(bar, completed=n_done + share)


def _find(given: str, domain: str | None) -> Iterator[Job]:
    """What one argument stands for; outputs are names relative to an output folder as yet."""
    path = Path(given)
    if given == STREAM:
        yield Job(STREAM, Path("stdin.wav"))
    elif path.is_dir() and is_data_dir(path):
        for utterance in read_data_dir(path):
            if domain in (None, utterance.domain):
                yield Job(
                    utterance.path,
                    Path(f"{utterance.id}.wav"),
                    utterance.domain,
                    utterance.start or 0.0,
                    utterance.end,
                )
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            is_sound = file.suffix.lower() in EXTENSIONS and not file.name.startswith(".")
            if is_sound and file.is_file():
                yield Job(file, file.relative_to(path).with_suffix(".wav"))
    elif not path.exists() and glob.has_magic(given):
        for name in sorted(glob.glob(given, recursive=True)):
            yield from _find(name, domain)
    else:
        yield Job(
            path, Path(path.name).with_suffix(".wav")
        )  # audio.read says what is wrong with it


def _output(
    job: Job, n_jobs: int, inputs: Sequence[str], output: str | None, suffix: str
) -> Path | str:
    relative = Path(job.output)
    if output == STREAM or (output is None and job.path == STREAM):
        if n_jobs > 1:
            raise InputError(f"-o - takes one input, not {n_jobs}; give an output folder")
        return STREAM
    if output is None:
        return relative.parent / f"{relative.stem}-{suffix}.wav"
    folder = output.endswith(("/", "\\")) or Path(output).is_dir()
    single = n_jobs == 1 and not Path(inputs[0]).is_dir()
    if not single and not folder and Path(output).suffix.lower() in EXTENSIONS:
        raise InputError(f"{output} names one file for a folder or several; give a folder with -o")
    return Path(output) if single and not folder else Path(output) / relative


def _identity(path: Path | str) -> Path:
    return Path(path).resolve()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}; choose another output"
        ) from error


def _name(job: Job) -> str:
    name = Path(job.path).name
    return "standard input" if job.path == STREAM else name if name.isprintable() else repr(name)


def _bar() -> Progress:
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # else it leaves an empty line in a log
    )
