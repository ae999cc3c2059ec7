"""Two thousand damaged files, each given to a command that reads it: what do they do to us?

    python benchmarks/damaged_inputs.py [--n 2000] [--seed 0] [--jobs 2] [--only KIND]
        [--numbers N ...] [--keep DIR]

Clean files of every kind are made once, by voiceconv's own commands (damaged_world.py). One of them
is damaged (damage.py), and one of the commands that read it runs as `voiceconv` runs it, in a
process of its own, forked from this one, with its own folder, TMPDIR and home. A violation is

- an exit code other than 0, 1 and 2, a signal, or more than 20 seconds;
- a traceback, or a line on stderr that is not ours (libraries, torch's advice, Python's warnings);
- an exit code of 1 or 2 without exactly one error, of one line, at the end of stderr (`check` has
  findings on stdout in its place);
- a changed input, a temporary file that stays, an output that is torn;
- an exit code of 0 without a word about garbage. Garbage is a file whose first 64 bytes, or more
  than 5% of whose bytes, are others. A word is a line on stderr, or the file's name in what the
  command prints or writes. Silence is right where the output is that of the clean file, and where
  no reader can know: see `legal`.

Prints a table by kind, and every violation with the numbers that repeat it (--seed S --numbers N).
"""

import argparse
import gc
import importlib
import multiprocessing
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from damage import damaged
from damaged_rules import LIMIT, Found, Said, Trial, contents, hashes, judge, named
from damaged_world import Kind, kinds, make_world

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Print the table; exit code 1 where there is a violation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--numbers", type=int, nargs="+", help="only these of the inputs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="only this kind")
    parser.add_argument("--keep", type=Path, help="keep the folder of each violation here")
    options = parser.parse_args()
    if not os.environ.items() >= ONE_THREAD.items():  # with threads no fork is safe
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    preload()
    gc.freeze()  # what a fork's collector does not touch it need not copy
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch).resolve()
        world = place / "world"
        world.mkdir()
        start = time.monotonic()
        make_world(world, lambda words, folder: ran_clean(words, folder, place / "making"))
        print(f"clean files in {time.monotonic() - start:.0f} s", file=sys.stderr)
        chosen = [one for one in kinds(world) if options.only in (None, one.name)]
        numbers = options.numbers or range(options.n)
        trials = (make_trial(number, options.seed, chosen, world) for number in numbers)
        results = []
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for result in run_all(trials, world, place, options.jobs, options.keep):
                results.append(result)
        except KeyboardInterrupt:
            print(f"ended after {len(results)} of {len(numbers)} inputs", file=sys.stderr)
    report(results)
    sys.exit(any(found.violations for *_, found in results))


def preload() -> None:
    """Import all that commands import, so that a fork of this process starts at once."""
    import voiceconv

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(voiceconv.__path__, "voiceconv."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        for name in ("av", "matplotlib.pyplot", "onnx", "onnxruntime", "torch._dynamo", "librosa",
                     "torch.utils.tensorboard", "torch.onnx", "webrtcvad"):  # fmt: skip
            try:
                importlib.import_module(name)
            except ImportError:
                print(f"without {name}", file=sys.stderr)
    from voiceconv import workers

    workers._context = lambda setup: multiprocessing.get_context("fork")  # a server takes seconds


def make_trial(number: int, seed: int, chosen: Sequence[Kind], world: Path) -> Trial:
    """The trial of a number: the same for the same seed, kinds and world."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([kind.weight for kind in chosen], float)
    kind = chosen[int(rng.choice(len(chosen), p=weights / weights.sum()))]
    file, command = (str(rng.choice(list(of))) for of in (kind.files, kind.commands))
    command = command.format(Path(file).parent)
    other = chosen[int(rng.integers(len(chosen)))].files[0]
    changed = damaged((world / file).read_bytes(), (world / other).read_bytes(), rng)
    return Trial(number, kind, file, command, changed)


def run_all(
    trials: Iterator[Trial], world: Path, place: Path, jobs: int, keep: Path | None
) -> Iterator[tuple[Trial, Said, Found]]:
    """Run the trials, `jobs` at a time."""
    running: list[tuple[Trial, Path, Process, dict[str, str]]] = []
    clean = Clean(world, place)
    for trial in [*trials, None]:
        while running and (trial is None or len(running) >= jobs):
            time.sleep(0.002)
            for one in [one for one in running if one[2].ended]:
                running.remove(one)
                done, folder, process, before = one
                said = process.said()
                found = judge(done, said, folder, before, clean.of, world)
                if found.violations and keep is not None:
                    shutil.copytree(folder, keep / str(done.number), dirs_exist_ok=True)
                for line in found.violations:
                    print(f"{named(done)}: {line}", file=sys.stderr, flush=True)
                shutil.rmtree(folder)
                yield done, said, found
        if trial is not None:
            folder = place / f"trial{trial.number}"
            copy_parts(world, folder, trial.kind.needs, trial.file)
            (folder / trial.file).write_bytes(trial.damaged.data)
            running.append((trial, folder, Process(trial.words, folder), hashes(folder)))


def copy_parts(world: Path, folder: Path, needs: Sequence[str], file: str) -> None:
    """Copy what a command needs of the world."""
    for part in dict.fromkeys([*needs, file]):
        source, goal = world / part, folder / part
        if source.is_dir():
            shutil.copytree(source, goal, dirs_exist_ok=True)
        else:
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, goal)


class Process:
    """`voiceconv WORDS` in a fork of this process; its streams, TMPDIR and home are in `.own`."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self._own = folder / ".own"
        for name in ("tmp", "home"):
            (self._own / name).mkdir(parents=True, exist_ok=True)
        self._start = time.monotonic()
        self._pid, self._status, self._hung = os.fork(), None, False
        if self._pid == 0:
            self._be_voiceconv(words, folder)
        self._seconds = 0.0

    @property
    def ended(self) -> bool:
        """Whether it has; it is killed when its time is over."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        self._seconds = time.monotonic() - self._start
        if pid:
            self._status = status
            return True
        if self._seconds > LIMIT and not self._hung:
            self._hung = True
            os.killpg(self._pid, signal.SIGKILL)
        return False

    def said(self) -> Said:
        """Of a process that has ended."""
        out, err = (
            (self._own / name).read_text("utf-8", "backslashreplace") for name in ("out", "err")
        )
        code = os.waitstatus_to_exitcode(self._status)  # type: ignore[arg-type]
        return Said(code, out, err, self._seconds, self._hung)

    def _be_voiceconv(self, words: Sequence[str], folder: Path) -> None:
        code: object = 70
        try:
            os.setsid()
            os.chdir(folder)
            names = {0: os.devnull, 1: str(self._own / "out"), 2: str(self._own / "err")}
            for number, name in names.items():
                flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                os.dup2(os.open(name, flags), number)
            os.environ |= {
                "TMPDIR": str(self._own / "tmp"),
                "XDG_STATE_HOME": str(self._own / "home"),
            }
            tempfile.tempdir = None
            sys.argv = ["voiceconv", *words]
            from voiceconv.cli import main as voiceconv

            voiceconv()
            code = 0
        except SystemExit as left:
            code = left.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            multiprocessing.util._exit_function()  # ends the processes that it has started
            os._exit(code if isinstance(code, int) else 1)


def ran_clean(words: Sequence[str], folder: Path, own: Path) -> int:
    """Run a command that makes a part of the world; its exit code."""
    process = Process(words, folder)
    process._start += 600  # a slow machine may take its time
    while not process.ended:
        time.sleep(0.01)
    said = process.said()
    if said.code:
        print(said.out + said.err, file=sys.stderr)
    shutil.rmtree(folder / ".own")
    return said.code


class Clean:
    """What a command makes of the undamaged file: its outputs' digests, found once."""

    def __init__(self, world: Path, place: Path) -> None:
        self.world, self._place = world, place
        self._known: dict[tuple[str, str], tuple[str, dict[str, object]]] = {}

    def of(self, trial: Trial) -> tuple[str, dict[str, object]]:
        """The text that it prints, and its outputs as `contents` gives them."""
        key = (trial.file, trial.command)
        if key not in self._known:
            folder = self._place / "clean"
            copy_parts(self.world, folder, trial.kind.needs, trial.file)
            process = Process(trial.words, folder)
            process._start += 600
            while not process.ended:
                time.sleep(0.01)
            said = process.said()
            if said.code and not trial.command.startswith("check "):
                print(f"{named(trial)} refuses the clean file: {said.err}")
            self._known[key] = said.out, contents(folder, trial)
            shutil.rmtree(folder)
        return self._known[key]


def report(results: Sequence[tuple[Trial, Said, Found]]) -> None:
    """The table by kind, and why silence was right."""
    header = ["kind", "inputs", "0", "1", "2", "3", "other", "warned", "hangs", "slowest s",
              "silent", "violations"]  # fmt: skip
    rows = [header, ["---"] * len(header)]
    names = list(dict.fromkeys(trial.kind.name for trial, *_ in results))
    for name in [*sorted(names), "all"]:
        of = [one for one in results if name in (one[0].kind.name, "all")]
        codes = Counter(said.code for _, said, _ in of)
        known = [codes[code] for code in range(4)]
        figures = [
            len(of), *known, len(of) - sum(known),
            sum(bool(said.warnings) for _, said, _ in of), sum(said.hung for _, said, _ in of),
            f"{max(said.seconds for _, said, _ in of):.1f}",
            sum(bool(found.silence) for *_, found in of),
            sum(bool(found.violations) for *_, found in of),
        ]  # fmt: skip
        rows.append([name, *map(str, figures)])
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    print("\nexit code 0 and no word about garbage, and why:")
    for why, count in Counter(f.silence for *_, f in results if f.silence).most_common():
        print(f"- {count}: {why}")


if __name__ == "__main__":
    main()
