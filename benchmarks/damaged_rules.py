"""What a command may do with a damaged file, and what not: the rules of damaged_inputs.py."""

import hashlib
import json
import re
import shlex
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from damage import Damaged
from damaged_world import Kind, seconds_of

LIMIT = 20.0  # s
PREFIX, ERROR = "voiceconv: ", "voiceconv: error: "
OURS = re.compile(r"voiceconv: |step \d+/\d+: ")  # what training says of its steps
DATES = re.compile(rb"\d{4}-\d\d-\d\d[T ][\d:.,+]+Z?")
LONGEST = 1000  # characters of a sentence
UNCHECKED = {  # kinds whose bytes nothing can check: any value is a value
    "wav": "PCM", "aiff": "PCM", "mp3": "frames without checksum", "m4a": "frames without checksum",
}  # fmt: skip


class Trial(NamedTuple):
    """One damaged file and the command that reads it."""

    number: int
    kind: Kind
    file: str
    command: str
    damaged: Damaged

    @property
    def words(self) -> list[str]:
        """The command's arguments."""
        return shlex.split(self.command)


class Said(NamedTuple):
    """What a command did."""

    code: int  # negative: the signal that ended it
    out: str
    err: str
    seconds: float
    hung: bool

    @property
    def warnings(self) -> list[str]:
        """Our lines on stderr, but the error."""
        lines = self.err.splitlines()
        return [one for one in lines if one.startswith(PREFIX) and not one.startswith(ERROR)]


Clean = Callable[[Trial], tuple[str, dict[str, object]]]


class Found(NamedTuple):
    """What was found out about a trial: sentences; and why silence was right, if it was."""

    violations: list[str]
    silence: str = ""


def hashes(folder: Path) -> dict[str, str]:
    """The digest of each file, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".own" not in path.parts
    }


def contents(folder: Path, trial: Trial) -> dict[str, object]:
    """All files but the damaged one: digest without dates and our path; of sound its seconds."""
    made: dict[str, object] = {}
    for name in hashes(folder):
        path = folder / name
        if name == trial.file or path.name == ".lock" or "tfevents" in name:
            continue
        plain = DATES.sub(b"", path.read_bytes().replace(bytes(folder), b""))
        digest = hashlib.sha256(plain).hexdigest()
        is_sound = path.suffix in (".wav", ".flac")
        made[name] = (digest, seconds_of(path)) if is_sound else digest
    return made


def judge(
    trial: Trial, said: Said, folder: Path, before: dict[str, str], clean: Clean, world: Path
) -> Found:
    """Judge by all rules.

    before: digests of the files that the command found. clean: what it makes of the clean file:
    what it prints, and the contents of its folder. world: the clean files.
    """
    wrong = [*wrong_words(trial, said), *wrong_files(trial, folder, before)]
    if said.code != 0 or not trial.damaged.is_gross or wrong or said.warnings:
        return Found(wrong)
    out, wanted = clean(trial)
    made = contents(folder, trial)
    new = [folder / name for name in made if made[name] != wanted.get(name)]
    if mentions(said, new):
        return Found(wrong, "said in its output")
    if said.out == out and made == wanted:
        return Found(wrong, "the output is that of the clean file")
    if why := legal(trial, world, made, wanted):
        return Found(wrong, why)
    return Found([f"garbage, and no word: {said.out[-200:]!r} {changes(made, wanted)}"])


def wrong_words(trial: Trial, said: Said) -> list[str]:
    """What is wrong with the exit code and with stderr."""
    wrong = []
    lines = said.err.splitlines()
    if said.hung:
        return [f"more than {LIMIT:.0f} s"]
    if said.code not in (0, 1, 2):
        wrong.append(f"exit code {said.code}: {(lines or ['nothing'])[-1][:300]}")
    if "Traceback" in said.err + said.out:
        wrong.append("a traceback")
    if strange := [one for one in lines if not OURS.match(one)]:
        wrong.append(f"not ours: {strange[0][:200]!r}")
    errors = [one for one in lines if one.startswith(ERROR)]
    is_finding = trial.command.startswith("check ") and said.code == 1
    if len(errors) != int(said.code in (1, 2, 3) and not (is_finding and not errors)):
        wrong.append(f"exit code {said.code} and {len(errors)} errors: {lines[-2:]}")
    if errors and (lines[-1] != errors[-1] or len(errors[-1]) > LONGEST):
        wrong.append(f"no single sentence at the end: {lines[-1][:300]!r}")
    return wrong


def wrong_files(trial: Trial, folder: Path, before: dict[str, str]) -> list[str]:
    """Changed inputs, what stays half written, torn outputs."""
    wrong, after = [], hashes(folder)
    for name, digest in before.items():
        if not any(name == one or name.startswith(f"{one}/") for one in trial.kind.changes):
            if after.get(name) != digest:
                wrong.append(f"{name} is {'changed' if name in after else 'gone'}")
    if trial.file not in after:
        wrong.append(f"{trial.file} is gone")
    for name in after.keys() - before.keys():
        path = folder / name
        if path.name.startswith(".") and path.name != ".lock":
            wrong.append(f"{name} stays")
        elif why := torn(path):
            wrong.append(f"{name} is torn: {why}")
    left = [path.name for path in (folder / ".own/tmp").rglob("*")]
    if left := [name for name in left if not name.startswith(("pymp-", "matplotlib"))]:
        wrong.append(f"temporary files stay: {left[:3]}")
    return wrong


def torn(path: Path) -> str:
    """Why an output cannot be read; empty where it can."""
    try:
        if path.suffix in (".wav", ".flac"):
            seconds_of(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".sqlite":
            sqlite3.connect(path).execute("PRAGMA schema_version")
        elif path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
            return "no end"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def mentions(said: Said, new: Sequence[Path]) -> bool:
    """Whether what a command prints or writes says that something is damaged."""
    pages = [path for path in new if path.suffix in (".html", ".json", ".log")]
    texts = [said.out, *(page.read_text("utf-8", "replace") for page in pages)]
    words = ("left out", "cannot be read", "damaged", "not readable", "missing", "is cut")
    return any(word in text for word in words for text in texts)


def legal(trial: Trial, world: Path, made: dict[str, object], wanted: dict[str, object]) -> str:
    """Why a reader cannot know that a file is garbage; empty where it can."""
    name, path = trial.kind.name, Path(trial.file)
    clean, now = (world / trial.file).read_bytes(), trial.damaged.data
    if trial.file.startswith("sound/") and trial.command.startswith("prepare "):
        return "prepare reads headers, and no samples"
    if name in UNCHECKED:
        seconds, usual = (
            sorted(one[1] for one in of.values() if isinstance(one, tuple)) for of in (made, wanted)
        )
        if np.shape(seconds) == np.shape(usual) and np.allclose(seconds, usual, rtol=0.05):
            return f"{UNCHECKED[name]}: other samples, of the same length"
    if path.suffix in (".json", ".yaml") and shape(now) == shape(clean) != "":
        return "JSON or YAML: another value of the same kind"
    if path.name == "conversion.json" and shape(now):
        return "conversion.json: notes, which are copied as they are"
    if path.suffix == ".safetensors" and header(now) == header(clean):
        return "safetensors: other numbers in tensors of the same shape"
    if path.suffix in (".ark", ".onnx", ".sqlite"):
        return f"{path.suffix}: other numbers, in a file that is whole to its reader"
    if path.suffix in ("", ".scp", ".train", ".test", ".log", ".yaml"):
        if set(now.splitlines()) <= set(clean.splitlines()):
            return "text: lines are missing or in another order, the others are right"
        if clean.startswith(now):
            return "text: it ends early, where it is still text"
        is_free = path.suffix != ".yaml" and now.isascii()
        if is_free and all(line.decode().isprintable() for line in now.split(b"\n")):
            return "text: other letters in words that a reader cannot know"
    return ""


def header(data: bytes) -> bytes:
    """Of safetensors: names, types and shapes."""
    return data[: 8 + int.from_bytes(data[:8], "little")]


def shape(data: bytes) -> str:
    """Keys and types of JSON or YAML, in order; empty where it is neither."""

    def of(value: object) -> object:
        if isinstance(value, dict):
            return {str(key): of(one) for key, one in value.items()}
        if isinstance(value, list):
            return [of(one) for one in value]
        return type(value).__name__

    try:
        return json.dumps(of(yaml.safe_load(data.decode())))
    except (ValueError, yaml.YAMLError):
        return ""


def changes(made: dict[str, object], wanted: dict[str, object]) -> str:
    """Which outputs are others."""
    names = [name for name in {**made, **wanted} if made.get(name) != wanted.get(name)]
    return ", ".join(f"{name} {made.get(name)} not {wanted.get(name)}" for name in names[:3])


def named(trial: Trial) -> str:
    """A trial for people."""
    return (
        f"{trial.number} [{trial.kind.name}] {trial.damaged.how} in {trial.file}: "
        f"voiceconv {trial.command}"
    )
