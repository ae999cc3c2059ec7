"""The jobs of a command: the files that its arguments name, and what each becomes."""

import glob
import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from voiceconv import audio
from voiceconv.audio import EXTENSIONS
from voiceconv.data.content import content_files
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir
from voiceconv.errors import InputError
from voiceconv.files import abridged, below, plain_name, printable

STREAM = "-"
WAV = ".wav"
log = logging.getLogger(__name__)


class Job(NamedTuple):
    """One file, or seconds [start, end) and one channel of it, and the file that it becomes."""

    path: Path | str
    output: Path | str
    domain: str | None = None
    start: float = 0.0
    end: float | None = None
    channel: int | None = None

    @property
    def source(self) -> str:
        """The file, and which part of it, as the output's name has it, for messages."""
        is_whole = (self.start, self.end, self.channel) == (0.0, None, None)
        return str(self.path) if is_whole else f"{self.path} ({Path(self.output).stem})"


def plan(
    inputs: Sequence[str],
    output: str | None,
    suffix: str,
    domain: str | None,
    without: str | None = None,
    extensions: Collection[str] | None = None,
    into_sound: bool = False,
) -> list[Job]:
    """Files, folders, patterns, Kaldi data directories or `-` -> jobs.

    Of a data directory, only `domain` is taken, or all but the domain `without`.

    extensions: how names of files end, their outputs' too, unless these are sound; None: sound
    files. What becomes sound becomes WAV.

    One file goes to `output` if that is no folder, else to a file of its own name in it; without
    an output, to `<name>-<suffix>.wav` in the current directory. Of several files of a name, each
    but a .wav keeps its extension: a.wav, a.flac.wav. An `output` in a folder is no input. Raises
    InputError where nothing is found, and where an output would be an input, be written twice or
    be of no known format.
    """
    if extensions is not None and STREAM in (*inputs, output):
        raise InputError("- stands for sound, and these features have files; name a file")
    place = None if output is None else Path(output)
    made = None if into_sound else extensions
    found = [job for one in inputs for job in _find(one, domain, extensions, made, place)]
    found = [job for job in found if without is None or job.domain != without]
    if not found:
        kind = "sound" if extensions is None else " or ".join(sorted(extensions))
        raise _nothing(inputs, kind)
    found = _apart(found)
    outputs = [_output(job, len(found), inputs, output, suffix, made) for job in found]
    jobs = [job._replace(output=place) for job, place in zip(found, outputs, strict=True)]
    _check(jobs, made)
    return jobs


def recordings(inputs: Sequence[str]) -> list[Utterance]:
    """Sound files, folders, patterns or Kaldi data directories -> what they name.

    Raises InputError where nothing is found.
    """
    if STREAM in inputs:
        raise InputError("- stands for one recording from a pipe; name files or folders")
    found = [job for one in inputs for job in _find(one, None, None, None, None)]
    if not found:
        raise _nothing(inputs)
    return [
        Utterance(
            str(job.output), job.domain or "", Path(job.path), job.start, job.end, None, job.channel
        )
        for job in found
    ]


def _nothing(inputs: Sequence[str], kind: str = "sound") -> InputError:
    return InputError(f"no {kind} file in {', '.join(map(repr, inputs))}; name files or folders")


def _check(jobs: Sequence[Job], extensions: Collection[str] | None) -> None:
    """Refuse outputs that are inputs too, that are written twice, or of no known format."""
    sources = {_identity(job.path) for job in jobs if job.path != STREAM}
    taken: dict[Path, Job] = {}
    for job in jobs:
        if job.output == STREAM:
            continue
        _check_output(job.output, extensions)
        place = _identity(job.output)
        if place in sources:
            raise InputError(f"{job.output} is an input too; choose another output with -o")
        other = taken.setdefault(place, job)
        if other != job:
            raise InputError(
                f"{job.output} would be written twice, of {printable(other.path)} and of "
                f"{printable(job.path)}; rename one, or convert them with another -o for each"
            )


def _find(
    given: str,
    domain: str | None,
    extensions: Collection[str] | None,
    made: Collection[str] | None,
    without: Path | None,
) -> Iterator[Job]:
    """What one argument stands for; outputs are names relative to an output folder as yet."""

    def becomes(name: Path, suffix: str) -> Path:
        return name.with_suffix(WAV if made is None else suffix)

    path = Path(given)
    if given == STREAM:
        yield Job(STREAM, Path("stdin.wav"))
    elif path.is_dir() and is_data_dir(path):
        for utterance in read_data_dir(path):
            if domain is None or plain_name(domain) == utterance.domain:
                yield Job(
                    utterance.path,
                    below(f"{utterance.id}{WAV if made is None else utterance.path.suffix}"),
                    utterance.domain,
                    utterance.start or 0.0,
                    utterance.end,
                    utterance.channel,
                )
    elif path.is_dir():
        for file in content_files(path, extensions, without):
            yield Job(file, becomes(file.relative_to(path), file.suffix))
    elif not path.exists() and glob.has_magic(given):
        for name in sorted(glob.glob(given, recursive=True)):
            yield from _find(name, domain, extensions, made, without)
    else:
        yield Job(path, becomes(Path(path.name), path.suffix))  # reading says what is wrong with it


def _apart(jobs: Sequence[Job]) -> list[Job]:
    """Give a recording in several formats an output of each, and say which."""
    formats: dict[tuple[Path | str, Path], set[Path | str]] = {}
    for job in jobs:
        formats.setdefault(_recording(job), set()).add(job.path)
    apart = list(jobs)
    for number, job in enumerate(jobs):
        name, output = Path(job.path).name, Path(job.output)
        if len(formats[_recording(job)]) > 1 and name != output.name:
            apart[number] = job._replace(output=output.with_name(name + output.suffix))
    if renamed := [new for old, new in zip(jobs, apart, strict=True) if new != old]:
        log.warning(
            "another file has the same name in another format, so that an output's name keeps the "
            "extension: %s", abridged(f"{job.path} -> {job.output}" for job in renamed),
        )  # fmt: skip
    return apart


def _recording(job: Job) -> tuple[Path | str, Path]:
    return job.output, Path(job.path).with_suffix("")


def _output(
    job: Job,
    n_jobs: int,
    inputs: Sequence[str],
    output: str | None,
    suffix: str,
    extensions: Collection[str] | None,
) -> Path | str:
    relative = Path(job.output)
    if output == STREAM or (output is None and job.path == STREAM):
        if n_jobs > 1:
            raise InputError(f"-o - takes one input, not {n_jobs}; give an output folder")
        return STREAM
    if output is None:
        return relative.parent / below(f"{relative.stem}-{suffix}{relative.suffix}")
    folder = output.endswith(("/", "\\")) or Path(output).is_dir()
    single = n_jobs == 1 and not Path(inputs[0]).is_dir()
    known = EXTENSIONS if extensions is None else extensions
    if not single and not folder and Path(output).suffix.lower() in known:
        raise InputError(f"{output} names one file for a folder or several; give a folder with -o")
    return Path(output) if single and not folder else Path(output) / relative


def _check_output(output: Path | str, extensions: Collection[str] | None) -> None:
    """Refuse a file of a kind that is not written, before anything is converted."""
    if extensions is None:
        audio.check_output(output)
    elif Path(output).suffix.lower() not in extensions:
        raise InputError(
            f"{output} is no name of a file of these features; let it end in "
            f"{' or '.join(sorted(extensions))}"
        )


def _identity(path: Path | str) -> Path:
    return Path(path).resolve()
