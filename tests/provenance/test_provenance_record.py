"""What files say of how they were made."""

import json

import pytest

from voiceconv.converter.directory import digest
from voiceconv.errors import InputError
from voiceconv.provenance import (
    CONVERSION,
    read_conversions,
    write_conversion,
    write_provenance,
)

MADE = {"model": "ours", "sha256": "a" * 64, "source": None, "target": "B"}


def test_calls_that_convert_alike_are_noted_once_and_others_beside_them(tmp_path):
    write_conversion(tmp_path, MADE)
    write_conversion(tmp_path, MADE)
    write_conversion(tmp_path, {**MADE, "sha256": "b" * 64})
    first, second = read_conversions(tmp_path)
    assert {key: first[key] for key in MADE} == MADE
    assert second["sha256"] == "b" * 64
    assert first["voiceconv"] and first["command"] and "seed" not in first


def test_a_file_of_that_name_that_is_not_ours_stays_and_is_named(tmp_path, caplog):
    assert read_conversions(tmp_path) == [] and not caplog.messages
    for content in ("[1, 2]", '{"a": 1}', "not JSON", "[" * 100_000):
        (tmp_path / CONVERSION).write_text(content)
        write_conversion(tmp_path, MADE)
        assert (tmp_path / CONVERSION).read_text() == content
        assert read_conversions(tmp_path) == []
    assert caplog.messages == 8 * [  # written to, and read
        f"{tmp_path / CONVERSION} is damaged, or of another program: how the recordings were made "
        "is not known; delete it to begin it anew"
    ]


def test_a_digest_is_of_what_a_model_computes_with(tmp_path):
    (tmp_path / "vocoder").mkdir()
    (tmp_path / "config.yaml").write_text("a: 1\n")
    (tmp_path / "vocoder" / "generator.safetensors").write_bytes(b"weights")
    before = digest(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "config.yaml").write_text("a: 1\ncard: {consent: none}\n")
    assert digest(tmp_path) == before and len(before) == 64
    (tmp_path / "vocoder" / "generator.safetensors").write_bytes(b"weighty")
    (tmp_path / "config.yaml").write_text("a: 1.5\n")
    assert digest(tmp_path) != before
    (tmp_path / "config.yaml").write_text("a: 1\n")
    weighty = digest(tmp_path)
    assert weighty != before
    (tmp_path / "export.json").write_text('{"translator": {"directions": [[0, 1]]}}')
    assert digest(tmp_path) != weighty


@pytest.mark.parametrize("content", ["", "{", "{}", "3", "[" * 100_000, "\udcff"])
def test_a_damaged_list_of_starts_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "provenance.json"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match="provenance.json is damaged; delete it: its list of sta"):
        write_provenance(path, seed=1)
    path.unlink()
    write_provenance(path, seed=1)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    write_provenance(path, seed=2)
    assert [start["seed"] for start in json.loads(path.read_text())] == [1, 2]
