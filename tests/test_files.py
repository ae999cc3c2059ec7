"""Locks that die with their process, on systems with and without POSIX's modules."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from voiceconv.data.archive import Archive, ArchiveWriter
from voiceconv.errors import InputError
from voiceconv.files import locked, replace_text

# As on Windows: modules and functions that its Python lacks. What is not ours has its own guards.
WITHOUT_POSIX = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for module, name in ((os, "fchmod"), (os, "geteuid"), (os, "fork"), (signal, "pthread_sigmask")):
    delattr(module, name)
"""
LOCKS = """
import sys, time
from pathlib import Path
from voiceconv.files import locked
with locked(Path(sys.argv[1]), "training in"):
    print("locked", flush=True)
    time.sleep(60)
"""
WRITES = """
import sys, time
import numpy as np
from voiceconv.data.archive import ArchiveWriter
writer = ArchiveWriter(sys.argv[1], "feats", 0)
writer.write("a", np.ones((2, 3), np.float32))
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
writer.write("b", np.zeros((2, 3), np.float32))
"""


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


@contextmanager
def holding(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it has the lock."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


IMPORT_ALL = """
import importlib, pkgutil, voiceconv
for module in pkgutil.walk_packages(voiceconv.__path__, "voiceconv."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:  # of an extra that is not installed
        if error.name in sys.modules:
            raise
print("imported")
"""


def test_the_command_line_imports_without_fcntl():
    names = "voiceconv.files, voiceconv.data.archive, voiceconv.cli"
    done = run(f"import sys; sys.modules['fcntl'] = None\nimport {names}\nprint('imported')")
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


def test_all_of_it_imports_without_posix():
    done = run(f"{WITHOUT_POSIX}\n{IMPORT_ALL}")
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


def test_files_are_written_without_posix(tmp_path):
    write = "from voiceconv.files import replace_text; replace_text(sys.argv[1], 'whole')"
    done = run(f"{WITHOUT_POSIX}\n{write}", tmp_path / "a.txt")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_what_is_replaced_has_the_modes_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        replace_text(tmp_path / "a.txt", "whole")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_second_process_is_told_at_once_and_a_killed_one_leaves_no_lock(tmp_path):
    with holding(LOCKS, tmp_path) as process:
        start = time.monotonic()
        with pytest.raises(InputError) as refused, locked(tmp_path, "training in"):
            pass
        assert time.monotonic() - start < 5
        assert str(refused.value) == (
            f"another process is training in {tmp_path}; wait for it, or choose another folder"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(tmp_path, "training in"):
            pass


def test_a_lock_whose_work_fails_leaves_nothing_of_its_own(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("kept")
    for folder in (tmp_path / "new" / "deeper", tmp_path / "mine"):
        with pytest.raises(InputError, match="^no data$"), locked(folder, "training in"):
            assert (folder / ".lock").exists()
            raise InputError("no data")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes"]
    with pytest.raises(InputError), locked(tmp_path / "new", "training in"):
        (tmp_path / "new" / "log").write_text("kept")
        raise InputError("no data")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["log"]
    (tmp_path / "mine" / ".lock").touch()  # an earlier run's
    with pytest.raises(InputError), locked(tmp_path / "mine", "training in"):
        raise InputError("no data")
    assert (tmp_path / "mine" / ".lock").exists()


def test_a_writer_waits_for_the_one_before_it(tmp_path):
    """Which may be a worker whose master was killed: its last utterance is kept."""
    with holding(WRITES, tmp_path, 0.5), ArchiveWriter(tmp_path, "feats", 0) as writer:
        writer.write("c", np.full((2, 3), 2.0, np.float32))
    archive = Archive(tmp_path / "feats.0.scp")
    assert {name: float(array[0, 0]) for name, array in archive.items()} == {"a": 1, "b": 0, "c": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feats.0.ark", "feats.0.scp"]


def test_a_killed_writer_leaves_no_lock(tmp_path):
    with holding(WRITES, tmp_path, 60) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with ArchiveWriter(tmp_path, "feats", 0) as writer:
            writer.write("c", np.zeros((2, 3), np.float32))
    assert list(Archive(tmp_path / "feats.0.scp")) == ["a", "c"]
