"""Packages that aren't there are named, with what brings them."""

import sys

import pytest

from voiceconv.errors import InputError
from voiceconv.optional import load


@pytest.mark.parametrize(
    ("module", "package", "missing"),
    [
        ("voiceconv.listen.serving.server", None, "uvicorn"),
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
