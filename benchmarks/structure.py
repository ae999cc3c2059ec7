"""What a reader of the tree walks through: files, imports, and the calls of one command.

    python benchmarks/structure.py                     # this tree
    PYTHONPATH=OTHER python benchmarks/structure.py    # another checkout's

Prints the files at the package's top, the imports between parts (folders, and files at the top),
the longest chain of them, and the imports of `convert` in seconds. Then it traces one conversion
of the bundled sample and the set-up of one training on synthetic recordings: files, functions and
calls of voiceconv, and changes of file.
"""

import ast
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(importlib.util.find_spec("voiceconv").origin).parent  # type: ignore[union-attr, arg-type]
TRACE = """
import sys
from collections import Counter
from pathlib import Path
import voiceconv
from voiceconv.cli import main
root = str(Path(voiceconv.__file__).parent)
calls, changes, last = Counter(), 0, None

class Done(BaseException):
    pass

def profile(frame, event, argument):
    global changes, last
    code = frame.f_code
    if not code.co_filename.startswith(root) or code.co_name.startswith("<"):
        return
    if "__qualname__" in code.co_names:  # a class body
        return
    if event == "call":
        calls[code.co_filename, code.co_qualname] += 1
    if event in ("call", "return") and code.co_filename != last:
        changes, last = changes + 1, code.co_filename
    if event == "return" and code.co_qualname == UNTIL:
        sys.setprofile(None)
        raise Done

sys.argv = ["voiceconv", *WORDS]
sys.setprofile(profile)
try:
    main()
except (Done, SystemExit):
    pass
sys.setprofile(None)
n_files, n_calls = len({file for file, _ in calls}), sum(calls.values())
print(f"{n_files} files, {len(calls)} functions, {n_calls} calls, {changes} changes of file")
"""


def modules() -> dict[str, Path]:
    """Dotted name below voiceconv -> its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of voiceconv that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{one.name}" for one in node.names] + [node.module]
        for name in names:
            module = name.removeprefix("voiceconv.")
            if name.startswith("voiceconv.") and module in known:
                yield module


def show_imports() -> None:
    """Print the files at the top, the imports between parts, and their longest chain."""
    known = modules()
    graph = {name: set(imports(path, known)) - {name} for name, path in known.items()}
    between = {
        (a, b) for a, some in graph.items() for b in some if a.split(".")[0] != b.split(".")[0]
    }
    parts: dict[str, set[str]] = {}
    for a, b in between:
        parts.setdefault(a.split(".")[0], set()).add(b.split(".")[0])

    @cache
    def chain(part: str) -> tuple[str, ...]:
        longest = max((chain(other) for other in parts.get(part, ())), key=len, default=())
        return (part, *longest)

    longest = max((chain(part) for part in parts if part), key=len)
    print(f"{len(list(PACKAGE.glob('*.py')))} files at the top, {len(known)} in all")
    print(
        f"{len(between)} imports between parts; longest chain {len(longest)}: {' > '.join(longest)}"
    )


def trace(name: str, words: list[str], until: str = "") -> None:
    """Print what one command goes through."""
    script = f"WORDS = {words!r}\nUNTIL = {until!r}\n{TRACE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    print(f"{name}: {done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr[-300:]}")


def show_start_up(folder: Path) -> None:
    """Print the imports of `convert` in seconds, of three runs the least."""
    script = (
        "import sys; from voiceconv.cli import main; sys.argv = ['voiceconv', 'convert', 'none', "
    )
    script += "'--target', 'x']; main()"
    command = [sys.executable, "-X", "importtime", "-c", script]
    seconds = []
    for _ in range(3):
        lines = subprocess.run(
            command, capture_output=True, text=True, cwd=folder
        ).stderr.splitlines()
        spent = [
            int(line.split("|")[0].split(":")[1])
            for line in lines
            if "|" in line and "us" not in line
        ]
        seconds.append(sum(spent) / 1e6)
    print(f"imports of convert: {min(seconds):.2f} s")


def record(folder: Path) -> None:
    """Two speakers, four recordings each."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    for speaker, pitch in (("anna", 210), ("ben", 110)):
        (folder / speaker).mkdir(parents=True)
        for number in range(4):
            phase = 2 * np.pi * pitch * np.arange(48_000) / 24_000
            wave = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 20))
            wave += 0.001 * rng.standard_normal(len(phase))
            soundfile.write(folder / speaker / f"{speaker}{number}.wav", wave, 24_000)


def main() -> None:
    """See the head."""
    show_imports()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample = str(PACKAGE / "pretrained" / "sample.wav")
        show_start_up(folder)
        trace("convert", ["convert", sample, "--target", "flemishguy", "-o", str(folder / "a.wav")])
        record(folder / "speakers")
        command = [sys.executable, "-c", "from voiceconv.cli import main; main()"]
        features = ["--features", "experiment=cyclegan_vc2_small"]
        for words in (
            [
                "prepare",
                str(folder / "speakers"),
                str(folder / "data"),
                "--n-val",
                "1",
                "--n-test",
                "1",
            ],
            ["extract", str(folder / "data"), str(folder / "dump"), *features],
            ["stats", str(folder / "dump" / "train")],
        ):
            subprocess.run([*command, *words], check=True, capture_output=True)
        words = ["train", "experiment=cyclegan_vc2_small", f"data.dump={folder / 'dump'}"]
        words += [f"run_dir={folder / 'run'}", "trainer.n_steps=1"]
        trace("training set-up", words, until="Trainer.__init__")


if __name__ == "__main__":
    main()
