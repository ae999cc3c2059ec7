"""A test for webMUSHRA (https://github.com/audiolabs/webMUSHRA), and its results as answers.

`webmushra_pages` makes its configuration. Columns of results: webMUSHRA's service/write.php, and
the download of pymushra (https://github.com/nils-werner/pymushra; pymushra/casting.py, service.py).
"""

import csv
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import yaml

from voiceconv.errors import InputError
from voiceconv.files import appearing, read_text
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.exchange.pcm import join, n_samples, place
from voiceconv.listen.exchange.webmushra_pages import (
    HIDDEN,
    PARTICIPANT,
    PAUSE,
    SESSION,
    Sound,
    configuration,
    hidden_reference,
    pair_of,
    stimulus_key,
    test_name,
    trial_key,
)
from voiceconv.listen.given_answers import LONGEST_NAME
from voiceconv.listen.manifest import PAGE, Test, Trial
from voiceconv.listen.spreadsheet import csv_text, read_csv

FOLDER = "webmushra"
_HEADER = """\
# List {number} of {n_lists}, for webMUSHRA: copy the folder `configs` into its checkout, and send a
# listener to ?config={name}, the next one to the next list.
"""
_SESSION = re.compile(r"[\w-]{1,64}", re.ASCII)
_CORRECT, _INCORRECT = "correct", "incorrect"
_NO_ANSWER = {"", "NA", "unknown"}  # a skipped page
# Our name for a column: webMUSHRA's, pymushra's.
_COLUMNS = {
    "test": {"session_test_id", "wm_testId"},
    "session": {SESSION, "questionaire_uuid"},
    "participant": {
        PARTICIPANT, "participant", "PROLIFIC_PID", "workerId", "email",
        f"questionaire_{PARTICIPANT}", "questionaire_email",
    },
    "trial": {"trial_id", "wm_id"},
    "stimulus": {"rating_stimulus", "stimuli", "responses_stimulus"},
    "value": {
        "rating_score", "stimuli_rating", "choice_answer",
        "responses_score", "responses_stimulusRating", "responses_answer",
    },
    "time": {"rating_time", "choice_time", "responses_time"},
    "comment": {"rating_comment", "choice_comment", "responses_comment"},
    "date": {"wm_date"},
}  # fmt: skip
_NAMES = {theirs: ours for ours, names in _COLUMNS.items() for theirs in names}


class _Line(NamedTuple):
    """One line of a results file: its values, and its place for errors."""

    where: str
    session: str
    cells: Mapping[str, str]

    @property
    def seconds(self) -> float:
        milliseconds = _number(said := self.cells.get("time") or "0")
        if milliseconds is None or milliseconds < 0:
            raise InputError(f"{self.where}: {said!r} is no time in ms")
        return round(milliseconds / 1000, 3)


def write_webmushra(folder: Path, test: Test) -> None:
    """Write TEST/webmushra/, to be copied into a checkout of webMUSHRA.

    configs/test-<id>-<list>.yaml, one per list: give each listener the next address,
    `?config=test-<id>-01.yaml` and so on. configs/resources/test-<id>/: the files that they name.
    """
    with appearing(folder / FOLDER) as root:
        (root / "configs").mkdir()
        width = max(2, len(str(len(test.lists))))
        for number in range(len(test.lists)):
            content, sounds = configuration(test, number)
            name = f"{test_name(test)}-{number + 1:0{width}}.yaml"
            header = _HEADER.format(number=number + 1, n_lists=len(test.lists), name=name)
            text = yaml.dump(
                content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000
            )
            (root / "configs" / name).write_text(header + text, encoding="utf-8")
            for sound in sounds:
                if not (root / sound.path).exists():
                    _write_sound(folder / PAGE / "stimuli", sound, root / sound.path)


def read_webmushra(test: Test, files: Sequence[Path]) -> tuple[list[Listener], list[Answer]]:
    """Answers to this test from webMUSHRA's mushra.csv, lss.csv, paired_comparison.csv.

    Lines of other tests, repeated lines and pages without an answer are skipped. Columns may have
    any order, and there may be others. Without a session column, a session is a sequence of lines
    in which no page occurs twice. Raises InputError with file, line and value.
    """
    found: dict[tuple[str, str], tuple[_Line, dict[str, float]]] = {}
    origins: dict[str, Path] = {}
    people: dict[str, str] = {}
    for path in files:
        for line in _lines(test, path):
            trial, given = _given(test, line)
            if given is None:
                continue
            origins.setdefault(line.session, path)
            people.setdefault(line.session, line.cells.get("participant", "")[:LONGEST_NAME])
            _, values = found.setdefault((line.session, trial.id), (line, {}))
            for stimulus, value in given.items():
                if values.setdefault(stimulus, value) != value:
                    raise InputError(
                        f"{line.where}: {value:g} for {stimulus}, for which session "
                        f"{line.session} gave {values[stimulus]:g} before; remove one of the two"
                    )
    answers = [_answer(test, origins, *one) for one in found.values()]
    by_session: dict[str, list[Answer]] = {session: [] for session in origins}
    for answer in answers:
        by_session[answer.listener].append(answer)
    listeners = [
        _listener(test, origins[session], people[session], own)
        for session, own in by_session.items()
    ]
    return listeners, answers


def webmushra_csv(test: Test, listeners: Iterable[Listener], answers: Iterable[Answer]) -> str:
    """Answers in the format of webMUSHRA's results file for this method.

    There is a column of participants if there are any, as webMUSHRA has one for each question.
    """
    known = {listener.id: listener for listener in listeners}
    asked = [PARTICIPANT] if any(one.participant for one in known.values()) else []
    rows: list[list[object]] = [["session_test_id", *asked, SESSION, "trial_id"]]
    if test.method.together:
        rows[0] += ["rating_stimulus", "rating_score", "rating_time", "rating_comment"]
    elif test.method_name == "abx":
        rows[0] += ["choice_reference", "choice_non_reference"]
        rows[0] += ["choice_answer", "choice_time", "choice_comment"]
    else:
        rows[0] += ["stimuli_rating", "stimuli", "rating_time"]
    for answer in answers:
        if (one := known.get(answer.listener)) is not None:
            people = [one.participant] * len(asked)
            start = [test_name(test), *people, one.id, trial_key(answer.trial)]
            rows += [[*start, *row] for row in _rows(test, answer)]
    return csv_text(rows)


def is_results(text: str) -> bool:
    """Whether the first line is that of a webMUSHRA file, or of a pymushra download."""
    try:
        _, header = next(read_csv(text), (0, []))
    except csv.Error:
        return False
    return {"test", "trial", "value"} <= {_NAMES.get(name.strip()) for name in header}


class _Plain(yaml.SafeDumper):
    """YAML without references (anchors and aliases)."""

    def ignore_aliases(self, data: object) -> bool:
        """Write each value in full."""
        return True


def _write_sound(stimuli: Path, sound: Sound, target: Path) -> None:
    sources = [stimuli / f"{name}.wav" for name in sound.stimuli]
    longest = max((n_samples(stimuli / f"{name}.wav") for name in sound.beside), default=0)
    if len(sources) == 1 and n_samples(sources[0]) >= longest:
        place(sources[0], target)
    else:
        join(sources, target, PAUSE, longest)


def _rows(test: Test, answer: Answer) -> Iterator[list[object]]:
    """The part after the trial's id."""
    trial = test.trials[answer.trial]
    milliseconds = round(answer.seconds * 1000)
    comment = answer.comment
    if test.method.together:
        hidden = hidden_reference(test, trial)
        for stimulus, value in answer.values.items():
            key = HIDDEN if stimulus == hidden else stimulus_key(stimulus)
            yield [key, f"{value:g}", milliseconds, comment]
    elif trial.x is not None:
        right, other = pair_of(test, trial)
        said = _CORRECT if answer.values[right] else _INCORRECT
        yield [HIDDEN, stimulus_key(other), said, milliseconds, comment]
    elif test.method.is_choice:
        chosen = next(stimulus for stimulus, value in answer.values.items() if value)
        yield [stimulus_key(chosen), trial_key(trial.id), milliseconds]
    else:
        for stimulus, value in answer.values.items():
            yield [f"{value:g}", stimulus_key(stimulus), milliseconds]


class _Runs:
    """Names sessions without a session column: no page occurs twice within a session."""

    def __init__(self) -> None:
        self.name = ""
        self.lines: set[tuple[str, ...]] = set()
        self.pages: set[tuple[str, str]] = set()

    def session(self, row: Sequence[str], cells: Mapping[str, str]) -> str:
        """The session of the next line; its name is a digest of its first line, so it is stable."""
        line, page = tuple(row), (cells["trial"], cells.get("stimulus", ""))
        if line in self.lines:
            return self.name
        if page in self.pages or not self.name:
            self.name, self.lines, self.pages = _digest(line), set(), set()
        self.lines.add(line)
        self.pages.add(page)
        return self.name


def _lines(test: Test, path: Path) -> Iterator[_Line]:
    """The lines of this test. Raises InputError if there are none, or for another file."""
    header, rows = _read(path)
    names = [_NAMES.get(name.strip()) for name in header]
    others: set[str] = set()
    runs, has_ours = _Runs(), False
    for number, row in rows:
        where = f"{path}, line {number}"
        cells = _cells(where, names, row)
        if cells["test"] != test_name(test):
            others.add(cells["test"][:80])
            continue
        has_ours = True
        session = cells.get("session") or runs.session(row, cells)
        if not _SESSION.fullmatch(session):
            raise InputError(f"{where}: {session[:80]!r} is no session's name")
        yield _Line(where, session, cells)
    if not has_ours:
        raise InputError(
            f"{path} holds no answers to {test_name(test)}"
            + (f", but to {', '.join(sorted(others))}" if others else "")
            + "; give the results of this test"
        )


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and numbered rows; empty lines are left out."""
    try:
        text = read_text(path)
        rows = list(read_csv(text))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    except csv.Error as error:
        raise InputError(f"{path} is not readable as CSV ({error}); fetch it again") from None
    if not is_results(text):
        raise InputError(
            f"{path} is none of webMUSHRA's results: its first line names no session_test_id, "
            "trial_id and rating or choice; give mushra.csv, lss.csv or paired_comparison.csv"
        )
    return rows[0][1], rows[1:]


def _cells(where: str, names: Sequence[str | None], row: list[str]) -> dict[str, str]:
    """A row by our column names; of two columns with one name, the one with a value.

    webMUSHRA never writes a new header: if questions were added later, or sent twice, a row is
    longer than the header, and its end counts.
    """
    surplus = len(row) - len(names)
    if surplus < 0:
        raise InputError(
            f"{where} has {len(row)} columns of {len(names)}: it is cut; fetch the file again"
        )
    cells: dict[str, str] = {}
    for name, cell in zip(names, [row[0], *row[1 + surplus :]], strict=True):
        if name is not None and not cells.get(name):
            cells[name] = cell.strip()
    return cells


def _given(test: Test, line: _Line) -> tuple[Trial, dict[str, float] | None]:
    """The trial of a line, and the value of each of its stimuli; None: no answer."""
    key = line.cells["trial"]
    trial = test.trials.get(key[1:])
    if trial is None or key != trial_key(trial.id):
        raise InputError(f"{line.where}: there is no trial {key!r} in this test")
    said = line.cells["value"].strip("[]'\" ")  # pymushra writes a list of one
    if said in _NO_ANSWER:
        return trial, None
    shown = {stimulus_key(stimulus): stimulus for stimulus in trial.shown}
    if trial.x is not None:
        right, other = pair_of(test, trial)
        if said not in (_CORRECT, _INCORRECT):
            raise InputError(f"{line.where}: {said!r} is neither {_CORRECT} nor {_INCORRECT}")
        return trial, {right: float(said == _CORRECT), other: float(said == _INCORRECT)}
    if test.method.is_choice:
        chosen = _stimulus(line, shown, said)
        return trial, {stimulus: float(stimulus == chosen) for stimulus in trial.shown}
    if test.method.together and (hidden := hidden_reference(test, trial)):
        shown[HIDDEN] = hidden
    stimulus = _stimulus(line, shown, line.cells.get("stimulus", ""))
    if (value := _number(said)) is None:
        raise InputError(f"{line.where}: {said!r} is no rating")
    return trial, {stimulus: value}


def _stimulus(line: _Line, shown: Mapping[str, str], key: str) -> str:
    if key not in shown:
        raise InputError(
            f"{line.where}: there is no stimulus {key!r} in trial {line.cells['trial']}"
        )
    return shown[key]


def _answer(
    test: Test, origins: Mapping[str, Path], line: _Line, values: dict[str, float]
) -> Answer:
    """An answer for the method. webMUSHRA stores no time; the file's time stamp is used."""
    trial = line.cells["trial"][1:]
    try:
        test.method.check(test.trials[trial].shown, values)
    except ValueError as error:
        raise InputError(f"{line.where}: session {line.session}, {error}") from None
    said = line.cells.get("date", "")
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        at = datetime.fromtimestamp(origins[line.session].stat().st_mtime, UTC)
    answered = at.astimezone(UTC).isoformat(timespec="milliseconds")
    comment = line.cells.get("comment", "")
    return Answer(line.session, trial, values, {}, line.seconds, comment, answered)


def _listener(test: Test, path: Path, participant: str, answers: Sequence[Answer]) -> Listener:
    """The listener of the answers; finished, because webMUSHRA sends no other sessions.

    The list is the first one with these trials in this order, or with these trials.
    """
    trials = [answer.trial for answer in answers]
    courses = [[turn.trial for turn in turns] for turns in test.lists]
    same = [number for number, course in enumerate(courses) if course == trials]
    same += [number for number, course in enumerate(courses) if set(trials) <= set(course)]
    at = max(answer.answered for answer in answers)
    number = [*same, 0][0]
    return Listener(answers[0].listener, number, at, at, participant or None, origin=path.name)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()
