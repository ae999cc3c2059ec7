"""Locks that die with their process, with and without POSIX's modules; names; markdown."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from voiceconv.data.archive import Archive, ArchiveWriter
from voiceconv.errors import InputError, NoRoomError
from voiceconv.files import (
    abridged,
    below,
    decode_text,
    locked,
    markdown,
    plain_name,
    read_text,
    replace_text,
    require_utf8,
    unwritable,
)
from voiceconv.model_folder import card_text, read_weights, write_weights

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
OF_DASK = {"voiceconv.executors.dask", "voiceconv.executors.queues"}
for module in pkgutil.walk_packages(voiceconv.__path__, "voiceconv."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:  # of an extra that is not installed, or that Linux's wheels lack
        if error.name in sys.modules and module.name not in OF_DASK:
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


def test_a_nul_in_a_text_is_named_with_its_line(tmp_path):
    """Of a damaged disk, or of UTF-16 without its mark: else it is read as a letter."""
    (tmp_path / "text").write_bytes("a one\nb two\n".encode("utf-16-le"))
    with pytest.raises(InputError, match=r"text:1 has a NUL, which is in no text: the file is dam"):
        read_text(tmp_path / "text")
    with pytest.raises(InputError, match=r"^text:2 has a NUL"):
        decode_text(b"a one\nb\0two\n", "text")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a b..c/ü", "a b..c/ü"),
        ("u\u0308", "ü"),  # as macOS has it
        ("\u1112\u1161\u11ab", "한"),
        ("\udcfc\udc80%", "%FC%80%"),
        ("\ud800", "\ud800"),  # no byte
    ],
)
def test_a_plain_name_is_composed_and_has_no_odd_bytes(name, plain):
    assert plain_name(name) == plain == plain_name(plain)


@pytest.mark.parametrize("name", ["a", "a/b.wav", ".a", "a..", "...", "\udcfc", "x" * 255])
def test_a_name_below_a_folder_is_its_path(name):
    assert below(name) == Path(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "/a", "//a", "a\0", "x" * 256])
def test_a_name_that_is_not_below_is_refused(name):
    with pytest.raises(
        InputError, match=f"^tables:3: no file can be called {re.escape(repr(name))}, "
    ):
        below(name, "tables:3")


def test_a_path_for_what_opens_no_other_than_utf_8():
    require_utf8(Path("/tmp/ü"), "TensorBoard")
    with pytest.raises(InputError) as caught:
        require_utf8(Path("run/\udcfc"), "TensorBoard")
    assert str(caught.value) == (
        "TensorBoard opens no path that is not UTF-8, as 'run/\\udcfc'; rename the folder"
    )


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


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_weights_that_do_not_fit_are_an_error_of_the_system_and_leave_nothing(tmp_path):
    """safetensors' own function raises an exception of its own; a limit stands for a full disk."""
    resource = pytest.importorskip("resource")
    write_weights(tmp_path / "a.safetensors", {"a": torch.ones(3)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            write_weights(tmp_path / "a.safetensors", {"a": torch.ones(1 << 21)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.filename == str(tmp_path / "a.safetensors")
    error = unwritable(raised.value.filename, raised.value)
    assert isinstance(error, NoRoomError) and str(error).endswith("File too large; make room")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert read_weights(tmp_path / "a.safetensors", "model")["a"].tolist() == [1, 1, 1]


def test_only_a_full_disk_ends_a_run_of_many_files():
    error = unwritable("out.wav", PermissionError(13, "Permission denied"))
    assert type(error) is InputError
    assert str(error) == "cannot write out.wav: Permission denied; choose another output"


def test_of_many_names_the_first_are_shown():
    assert abridged(["a", "b\n"]) == "a, 'b\\n'"
    assert abridged(map(str, range(12))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_a_name_in_markdown_is_neither_a_cell_nor_a_tag_nor_code():
    assert markdown("a|b `c` <b> *d*\n e\\f") == r"a\|b \`c\` \<b> \*d\* e\\f"
    assert markdown("nathalie_2, 24 kHz (f0-shift)") == "nathalie_2, 24 kHz (f0-shift)"
    card = card_text(
        "a|b", "One.", {"domains": "a|b", "steps": None}, {"a|b to c": {"mcd": 1}}, "x"
    )
    assert card.splitlines()[:10] == [
        r"# a\|b", "", "One.", "", "| | |", "| --- | --- |",
        r"| domains | a\|b |", "| steps | not stated |", "", r"## a\|b to c",
    ]  # fmt: skip
