"""Packages that aren't there are named, with what brings them."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from voiceconv.errors import InputError
from voiceconv.optional import NO_TELEMETRY, NUMBA_CACHE, load, place_numba_cache


@pytest.mark.parametrize(
    ("module", "package", "missing"),
    [
        ("voiceconv.web.running", None, "uvicorn"),
        ("voiceconv.listen.reporting.figures", None, "matplotlib"),
        ("no_such_package", "No-Such-Package", "no_such_package"),
    ],
)
def test_who_needs_what_and_where_it_comes_from(monkeypatch, module, package, missing):
    monkeypatch.setitem(sys.modules, missing, None)  # None: importing it fails
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError) as raised:
        load(module, "a thing", package, extra="listen")
    assert str(raised.value).startswith(f"a thing needs {package or missing}, which cannot be")
    assert str(raised.value).endswith("install it with: pip install 'voiceconv[listen]'")


def test_a_mistake_of_our_own_is_not_a_missing_package():
    with pytest.raises(ModuleNotFoundError, match="voiceconv.no_such_module"):
        load("voiceconv.no_such_module", "a thing")


def test_packages_are_loaded_without_their_telemetry(monkeypatch):
    monkeypatch.delenv(NO_TELEMETRY, raising=False)
    load("json", "a thing")
    assert os.environ[NO_TELEMETRY] == "1"
    monkeypatch.setenv(NO_TELEMETRY, "0")  # a user's own choice
    load("json", "a thing")
    assert os.environ[NO_TELEMETRY] == "0"


def test_numba_gets_a_folder_only_where_it_would_find_none(monkeypatch, tmp_path):
    """Its own rule: beside librosa, else in the user's cache; else compiling fails."""
    monkeypatch.delenv(NUMBA_CACHE, raising=False)
    monkeypatch.setenv("HOME", "/dev/null")  # a folder that even root can't write into
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    place = tmp_path / "librosa/__init__.py"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: SimpleNamespace(origin=str(place)))
    place_numba_cache()  # beside librosa
    assert NUMBA_CACHE not in os.environ
    place = Path("/dev/null/librosa/__init__.py")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place_numba_cache()  # in the user's cache
    assert NUMBA_CACHE not in os.environ
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for variable, value in (("XDG_CACHE_HOME", "/dev/null/cache"), ("XDG_CACHE_HOME", "relative")):
        monkeypatch.setenv(variable, value)
        monkeypatch.delenv(NUMBA_CACHE, raising=False)
        place_numba_cache()
        folder = Path(os.environ[NUMBA_CACHE])
        assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
    place_numba_cache()
    assert os.environ[NUMBA_CACHE] == str(folder)  # once is enough
