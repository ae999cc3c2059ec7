"""The scores of a run's validations, in its folder."""

import json

import pytest

from voiceconv.errors import InputError
from voiceconv.runs.history import HISTORY, History, read_history

ENTRY = {"step": 1, "rule": "least", "measures": {"score": 1.0}}


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "{}", "3", "[3]", "[{}]", '[{"step": "1", "measures": {}}]', '[{"step": 1}]',
        '[{"step": 1, "measures": 3}]', "[" * 100_000, "\udcff",
    ],
)  # fmt: skip
def test_a_damaged_history_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / HISTORY).write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match="validation.json is damaged; delete it: training goes on"):
        History(tmp_path, "least")


def test_a_history_goes_on_where_it_was_set_back(tmp_path):
    (tmp_path / HISTORY).write_text(json.dumps([ENTRY, ENTRY | {"step": 5}]), "utf-8-sig")
    History(tmp_path, "least").record(4, {"score": 0.5})
    assert [entry["step"] for entry in read_history(tmp_path / HISTORY)] == [1, 4]
