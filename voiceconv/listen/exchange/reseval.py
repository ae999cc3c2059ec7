"""A test for ReSEval (https://github.com/reseval/reseval, Morrison et al. 2022): TEST/reseval/.

Facts from its README ("Adding files"), examples/audio/*.yaml and reseval/test/*.py: a folder for
each condition, the same file names in all of them; AB and ABX compare two conditions, ABX has
them beside a folder `reference`; `reseval.create` publishes all files of the given folder. So the
sounds are in a separate folder beside `files.csv`, and with more than two systems there is an AB or
ABX test for each pair. ReSEval draws the trials of each listener, and has its own questions before
the test: training, attention checks and lists are not exported.

Conditions have the names of systems; a listener can read them in the addresses of ReSEval's page.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from voiceconv.files import appearing
from voiceconv.listen.exchange.pcm import place
from voiceconv.listen.manifest import PAGE, SYSTEM, TRIAL, Test, Trial
from voiceconv.listen.spreadsheet import csv_text

FOLDER = "reseval"
COLUMNS = ("evaluation", "condition", "system", "file", "stimulus", "item", "direction", "sha256")
_X = "reference"  # ReSEval's name for X of ABX
_NO_SIMILARITY = (
    "ReSEval has no test that shows a reference beside a scale of four points, so there is nothing "
    "here for it; listen build --test abx makes the nearest that it has."
)
_HEADER = """\
# For ReSEval: python -m reseval.create {name}.yaml {name} --local
# Before it goes to a crowd: payment (US dollars), participants, countries, and whom to write to.
"""
_TASKS = {
    "mos": "Listen to the recording. Then rate its quality from 1 (bad) to 5 (excellent).",
    "ab": "Listen to both recordings. Then choose the one that you prefer.",
    "abx": "Listen to the reference at the top and to both recordings. Then choose the recording "
    "that is the reference.",
    "mushra": "Listen to all recordings. Then rate the quality of each from 0 (bad) to 100 "
    "(excellent).",
}
_WELCOME = (
    "# Welcome\n\nYou will hear short recordings, and are asked to judge them. Your "
    "answers are stored without your name, and you may stop at any time. By pressing "
    "**I Agree** you agree to take part.\n\nQuestions: <contact>"
)

Row = Mapping[str, str]  # condition -> stimulus; these get the same file name in each folder


def write_reseval(folder: Path, test: Test) -> None:
    """Write TEST/reseval/: for each evaluation a configuration and a folder; files.csv, the key."""
    with appearing(folder / FOLDER) as root:
        if test.method_name == "similarity":
            (root / "NOTE.txt").write_text(f"{_NO_SIMILARITY}\n", encoding="utf-8")
            return
        key: list[Sequence[str]] = [COLUMNS]
        for name, rows in _evaluations(test).items():
            width = len(str(len(rows) - 1))
            for number, row in enumerate(rows):
                for condition, stimulus in row.items():
                    target = root / name / condition / f"{number:0{width}}.wav"
                    place(folder / PAGE / "stimuli" / f"{stimulus}.wav", target)
                    key.append(_key(test, name, condition, target, stimulus))
            content = _configuration(test, name, rows)
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            header = _HEADER.format(name=name)
            (root / f"{name}.yaml").write_text(header + text, encoding="utf-8")
        (root / "files.csv").write_text(csv_text(key), encoding="utf-8")


def _evaluations(test: Test) -> dict[str, list[Row]]:
    """Name -> rows: one for each trial, or for MOS one for each sentence that all systems have."""
    folders = _folders(test)
    trials = [trial for trial in test.trials.values() if trial.kind == TRIAL]
    evaluations: dict[str, list[Row]] = {}
    if test.method.is_choice:
        pairs = list(combinations([folders[name] for name in test.names(SYSTEM)], 2))
        rows = [_row(test, folders, trial) for trial in trials]
        for pair in pairs:
            name = "-".join([test.method_name, *pair]) if len(pairs) > 1 else test.method_name
            evaluations[name] = [row for row in rows if set(pair) <= row.keys()]
    else:
        evaluations[test.method_name] = list(_by_item(test, folders, trials))
    return {name: rows for name, rows in evaluations.items() if rows}


def _by_item(test: Test, folders: Mapping[str, str], trials: Iterable[Trial]) -> Iterator[Row]:
    items: dict[str, dict[str, str]] = {}
    for trial in trials:
        items.setdefault(trial.item, {}).update(_row(test, folders, trial))
    everything = {condition for row in items.values() for condition in row}
    for row in items.values():
        if row.keys() == everything:
            yield row


def _row(test: Test, folders: Mapping[str, str], trial: Trial) -> dict[str, str]:
    row = {folders[test.stimuli[stimulus].system]: stimulus for stimulus in trial.shown}
    return row if trial.x is None else {_X: trial.x} | row


def _folders(test: Test) -> dict[str, str]:
    """System -> the unique name of its folder."""
    taken = {_X} if test.method_name == "abx" else set()
    folders = {}
    for system in test.systems:
        name = re.sub(r"[^\w.-]+", "_", system).strip(".") or "_"
        while name in taken:
            name += "_"
        taken.add(name)
        folders[system] = name
    return folders


def _key(test: Test, name: str, condition: str, target: Path, stimulus: str) -> list[str]:
    """A line of files.csv; sha256 is the file's."""
    known = test.stimuli[stimulus]
    direction = {trial.item: trial.direction for trial in test.trials.values()}[known.item]
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    return [
        name, condition, known.system, target.name, stimulus, known.item, direction, digest
    ]  # fmt: skip


def _configuration(test: Test, name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """All keys of ReSEval's examples, without its own listening test."""
    n_judged = len(rows) * (len(rows[0]) if test.method_name == "mos" else 1)
    per_list = [sum(test.trials[t.trial].kind == TRIAL for t in turns) for turns in test.lists]
    return {
        "name": f"voiceconv-{test.id}-{name}",
        "test": test.method_name,
        "datatype": "audio",
        "storage": "aws",
        "database": "aws",
        "server": "aws",
        "crowdsource": {
            "platform": "mturk",
            "title": test.title,
            "description": "Listen to short recordings and judge them.",
            "keywords": "listening, audio",
            "filter": {"countries": ["US"], "approved_tasks": 0, "approval_rating": 0},
            "payment": {"base": 0.0, "completion": 0.0},
            "duration": {"total": 86400, "assignment": 3600, "autoapprove": 172800},
        },
        "participants": len(test.lists),
        "samples_per_participant": min(n_judged, *per_list),
        "random_seed": test.seed,
        "welcome_text": _WELCOME,
        "prescreen_questions": [
            {
                "name": "Headphones",
                "type": "multiple-choice",
                "text": "Are you wearing headphones or earphones?",
                "answers": ["Yes", "No"],
                "correct_answer": "Yes",
            }
        ],
        "survey_instructions": test.question or _TASKS[test.method_name],
        "followup_questions": [
            {
                "name": "Trouble",
                "type": "free-response",
                "text": "Was there any trouble with the recordings?",
                "placeholder": "No",
            }
        ],
    }
