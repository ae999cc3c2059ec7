"""Process many files, one by one or in processes, and collect the errors."""

import logging
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from voiceconv import audio
from voiceconv.audio import HIGHEST_RATE, LOWEST_RATE
from voiceconv.commands.jobs import STREAM, Job
from voiceconv.errors import NO_ROOM, InputError, NoRoomError, RunError
from voiceconv.files import abridged, printable, unwritable
from voiceconv.workers import Executor, Kept, Logged, describe, log_again, run_tasks

log = logging.getLogger(__name__)
Report = Callable[[float], None]
Change = Callable[[Tensor, Job, Report], Tensor]  # a wave, the job that it is of, progress
Write = Callable[[Job, Tensor, int], None]  # of a job; a wave at a rate
_Failure = InputError | RunError  # of one job
_End = tuple[Logged, Exception | None]  # what a worker says of a job
Show = Callable[[Job, float], None]  # what is worked on, how many are done


def _write(job: Job, wave: Tensor, sample_rate: int) -> None:
    audio.write(job.output, wave, sample_rate)


class Opened(NamedTuple):
    """What changes waves, the rate at which it takes them, and the rate at which it gives them.

    made_rate: None is the same.
    write: what writes the output.
    """

    change: Change
    sample_rate: int
    made_rate: int | None = None
    write: Write = _write

    def do(self, job: Job, output_rate: int | None, report: Report) -> None:
        """Read, change and write a job's wave."""
        wave = audio.read(job.path, self.sample_rate, job.start, job.end, job.channel).samples
        changed = self.change(wave, job, report)
        made_rate = self.made_rate or self.sample_rate
        if output_rate is not None:
            changed = audio.resample(changed, made_rate, output_rate)
        make_folder(job)
        self.write(job, changed, output_rate or made_rate)


class OpenedFiles(NamedTuple):
    """What converts files of another kind than sound."""

    convert: Callable[[Job], None]

    def do(self, job: Job, output_rate: int | None, report: Report) -> None:
        """Convert a job's file. Raises InputError for an output rate, which sound alone has."""
        if output_rate is not None:
            raise InputError(f"--sample-rate {output_rate} is for sound; leave it out")
        make_folder(job)
        self.convert(job)


def run(
    jobs: Sequence[Job],
    opened: Opened | OpenedFiles,
    reopen: Callable[[], Opened | OpenedFiles],
    output_rate: int | None = None,
    skip_existing: bool = False,
    n_workers: int = 1,
    done: Callable[[Job], None] = lambda job: None,
    executor: Executor | None = None,
) -> None:
    """Do the jobs with a progress bar on stderr: one by one, or in processes that each reopen.

    A single bad input raises its InputError or RunError; of several, all others are done first,
    and RunError then names the bad ones, in the order of the inputs. A full disk ends it at once.
    done: is called with each job that was. executor: other machines in place of the processes.
    """
    if output_rate is not None and not LOWEST_RATE <= output_rate <= HIGHEST_RATE:
        raise InputError(
            f"no output at {output_rate} Hz; choose a rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )
    todo = [job for job in jobs if not (skip_existing and _exists(job.output))]
    failed: list[Job] = []
    with _bar() as progress:
        bar = progress.add_task("", total=len(todo))

        def show(job: Job, n_done: float) -> None:
            progress.update(bar, completed=n_done, description=_name(job))

        streams = any(STREAM in (job.path, job.output) for job in todo)  # this process has them
        if executor is not None and streams:
            raise InputError("other machines don't have - (stdin or stdout); leave --executor out")
        if executor is not None or (n_workers > 1 and len(todo) > 1 and not streams):
            ends = _in_processes(todo, reopen, output_rate, n_workers, show, executor)
        else:
            ends = _one_by_one(todo, opened, output_rate, show)
        with closing(ends):
            for job, error in zip(todo, ends, strict=True):
                if error is None:
                    done(job)
                elif len(jobs) == 1:
                    raise error
                else:
                    failed.append(job)
                    # soft_wrap: one line for each, however narrow the terminal
                    progress.console.print(
                        f"voiceconv: {error}", markup=False, highlight=False, soft_wrap=True
                    )
    if failed:
        names = abridged(job.source for job in failed)
        raise RunError(
            f"{len(failed)} of {len(jobs)} inputs were not converted: {names}; see above"
        )


def _one_by_one(
    jobs: Sequence[Job], opened: Opened | OpenedFiles, output_rate: int | None, show: Show
) -> Generator[_Failure | None, None, None]:
    """Yield what was wrong with each input."""
    for number, job in enumerate(jobs):
        show(job, number)
        yield _do(job, opened, output_rate, lambda share: show(job, number + share))  # noqa: B023


def _in_processes(
    jobs: Sequence[Job],
    reopen: Callable[[], Opened | OpenedFiles],
    output_rate: int | None,
    n_workers: int,
    show: Show,
    executor: Executor | None,
) -> Generator[_Failure | None, None, None]:
    """The same, with what the workers log; raises what else a worker raised as soon as it has."""
    arguments = (reopen, output_rate)
    run_all = executor or run_tasks
    outcomes = run_all(enumerate(jobs), _setup, lambda _: arguments, n_workers, retries=1)
    remedy = "fewer --jobs" if executor is None else "workers with more memory"
    ends: dict[int, tuple[Logged, _Failure | None]] = {}
    n_yielded = 0
    with closing(outcomes):
        for (number, job), _, died, end in outcomes:
            logged, error = end or (
                [],
                InputError(f"{printable(job.path)}: {died}; try {remedy}"),
            )
            if isinstance(error, NoRoomError) or not isinstance(error, _Failure | None):
                raise error
            ends[number] = logged, error
            show(job, n_yielded + len(ends))
            while n_yielded in ends:  # in the order of the inputs
                logged, error = ends.pop(n_yielded)
                log_again(logged)
                yield error
                n_yielded += 1


@contextmanager
def _setup(
    worker: int, reopen: Callable[[], Opened | OpenedFiles], output_rate: int | None
) -> Iterator[Callable[[tuple[int, Job]], _End]]:
    """In a worker: give what does a job by a converter of this worker's own."""
    signal.signal(signal.SIGTERM, _leave)
    torch.set_num_threads(1)  # the processes share the cores
    kept, root = Kept(), logging.getLogger()
    root.handlers, others = [kept], root.handlers  # for the master logs in the order of the inputs
    opened = reopen()
    if isinstance(opened, Opened):
        opened = _killable(opened)
    kept.take()  # the master has opened the same, and logged it

    def handle(task: tuple[int, Job]) -> _End:
        try:
            error: Exception | None = _do(task[1], opened, output_rate, lambda share: None)
        except Exception as raised:
            error = raised
        return kept.take(), error and _portable(error)

    yield handle
    root.handlers = others


def _leave(number: int, frame: FrameType | None) -> None:
    """Stopped by the master: by an exception, so that a file that is half written goes."""
    sys.exit(128 + number)


def _killable(opened: Opened) -> Opened:
    """The same, ended by SIGTERM at once: analysis takes seconds in C, and no file is open then."""

    def change(wave: Tensor, job: Job, report: Report) -> Tensor:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            return opened.change(wave, job, report)
        finally:
            signal.signal(signal.SIGTERM, _leave)

    return opened._replace(change=change)


def _portable(error: Exception) -> Exception:
    """An exception that gets through a pipe, with its traceback as a note."""
    note = "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # its constructor takes something else than it keeps
        error = RuntimeError(describe(error))
    error.add_note(note)
    return error


def _do(
    job: Job, opened: Opened | OpenedFiles, output_rate: int | None, report: Report
) -> _Failure | None:
    """Do a job; what was wrong with it. Raises what the others would meet too, and bugs."""
    log.info("%s -> %s:", printable(job.path), printable(job.output))
    try:
        opened.do(job, output_rate, report)
    except NoRoomError:
        raise
    except (InputError, RunError) as error:
        return error
    except OSError as error:  # a disk fails in a place that did not expect it
        if error.errno in NO_ROOM:
            raise
        return RunError(f"{printable(job.path)}: {error.strerror}")
    return None


def _exists(output: Path | str) -> bool:
    return output != STREAM and Path(output).exists()


def make_folder(job: Job) -> None:
    """Of its output, where that is a file. Raises InputError."""
    if job.output == STREAM:
        return
    folder = Path(job.output).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


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
