import json
import math
import os
from pathlib import Path

import pytest
from tiny_test import answers_of, tiny_folder, tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer, Listener, Store, read_store
from voiceconv.listen.exchange.importing import import_answers
from voiceconv.listen.exchange.webmushra import webmushra_csv
from voiceconv.listen.manifest import Test

LISTENER = "00112233445566ff"


def saved(test: Test, **changes) -> dict:
    """What the page saves of a listener who answered all of list 1, with changes."""
    answers = [
        {
            "trial": trial,
            "values": values,
            "heard": {name: 0.5 for name in values},
            "seconds": 4.25,
            "comment": "",
            "answered": f"2026-11-21T10:00:{number:02}.000Z",
        }
        for number, (trial, values) in enumerate(answers_of(test, 1, lambda _: 3).items())
    ]
    record = {
        "format": 1,
        "test": test.id,
        "listener": LISTENER,
        "list": 1,
        "setup": {"device": "headphones", "headphone_check": [5, 6]},
        "answers": answers,
        "comment": "nice voices",
        "finished": True,
    }
    return record | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_folder(tmp_path / "test", tiny_test("mos"))


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_the_page_saved_is_in_the_database(folder, tmp_path):
    test = tiny_test("mos")
    file = write(tmp_path / "answers-1.json", saved(test))

    summary = import_answers(folder, [file])

    listeners, answers = read_store(folder)
    (listener,) = listeners
    assert (listener.id, listener.list, listener.origin) == (LISTENER, 1, "answers-1.json")
    assert listener.started == "2026-11-21T10:00:00.000+00:00"
    assert listener.finished == "2026-11-21T10:00:07.000+00:00"
    assert listener.setup == {"device": "headphones", "headphone_check": [5, 6]}
    assert listener.comment == "nice voices"
    assert {a.trial: a.values for a in answers} == answers_of(test, 1, lambda _: 3)
    assert answers[0].seconds == 4.25 and set(answers[0].heard.values()) == {0.5}
    assert str(summary) == f"{file}: 8 new answers of 1 listener"


def test_a_file_that_is_imported_twice_adds_nothing_and_says_so(folder, tmp_path):
    file = write(tmp_path / "a.json", saved(tiny_test("mos")))
    import_answers(folder, [file])

    summary = import_answers(folder, [file, file])

    assert [(one.n_added, one.n_known) for one in summary.files] == [(0, 8), (0, 8)]
    assert str(summary.files[0]) == (
        f"{file}: 0 new answers of 1 listener, 8 had been imported before"
    )
    assert len(read_store(folder)[1]) == 8


def test_a_damaged_database_is_named(folder, tmp_path):
    file = write(tmp_path / "a.json", saved(tiny_test("mos")))
    import_answers(folder, [file])
    database = folder / "answers.sqlite"
    data = database.read_bytes()
    database.write_bytes(data[:4096] + bytes(4096) + data[8192:])  # the listeners' page
    with pytest.raises(InputError, match=r"answers\.sqlite does not take answers \(.*; restore it"):
        import_answers(folder, [file])


def test_a_longer_file_of_the_same_listener_adds_what_is_new(folder, tmp_path):
    whole = saved(tiny_test("mos"))
    part = whole | {"answers": whole["answers"][:3], "finished": False}
    import_answers(folder, [write(tmp_path / "a.json", part)])
    assert read_store(folder)[0][0].finished is None

    summary = import_answers(folder, [write(tmp_path / "b.json", whole)])

    assert summary.files[0][2:] == (5, 3, 0)
    assert read_store(folder)[0][0].finished == "2026-11-21T10:00:07.000+00:00"


@pytest.mark.parametrize("method", ["mos", "similarity", "ab", "abx", "mushra"])
def test_webmushras_results_are_in_the_database(method, tmp_path):
    test = tiny_test(method)
    folder = tiny_folder(tmp_path / "test", test)
    given = answers_of(test, 0, lambda name: 1 + int(name, 16) % 4)
    answers = [Answer("one", trial, values, seconds=1.5) for trial, values in given.items()]
    text = webmushra_csv(test, [Listener("one", 0, "")], answers)
    file = write(tmp_path / "results.csv", "\ufeff" + text)

    assert import_answers(folder, [file]).files[0].n_added == len(given)
    assert import_answers(folder, [file]).files[0].n_added == 0

    listeners, kept = read_store(folder)
    assert [(one.id, one.list, one.origin) for one in listeners] == [("one", 0, "results.csv")]
    assert {a.trial: a.values for a in kept} == given


def without(record: dict, name: str) -> dict:
    return {key: value for key, value in record.items() if key != name}


def with_first(record: dict, **changes) -> dict:
    first, *others = record["answers"]
    return record | {"answers": [first | changes, *others]}


RECORD = saved(tiny_test("mos"))
FIRST = RECORD["answers"][0]
STIMULUS = next(iter(FIRST["values"]))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "holds no answers that are known here; give webMUSHRA's mushra.csv"),
        ("a,b\n1,2\n", "holds no answers that are known here"),
        ("\x00\x01\x02", "has a NUL, which is in no text"),
        ("[1, 2]", "holds no answers that are known here"),
        ("{", "no file that our page has saved"),
        ("{}", "no file that our page has saved (format: Field required)"),
        ('{"a":' * 100_000, "no file that our page has saved"),
        (RECORD | {"format": 2}, "(format: Input should be 1)"),
        (RECORD | {"test": "ffffffff"}, "answers test 'ffffffff'"),
        (RECORD | {"list": 2}, "there is no list 2, this test has 2"),
        (RECORD | {"list": -1}, "(list: Input should be greater than or equal to 0)"),
        (RECORD | {"list": 10**400}, "(list: Input should be less than or equal to 1000000)"),
        (RECORD | {"list": True}, "(list: Input should be a valid integer)"),
        (RECORD | {"list": "1"}, "(list: Input should be a valid integer)"),
        (RECORD | {"listener": "../../etc"}, "(listener: String should match pattern"),
        (RECORD | {"listener": "a" * 65}, "(listener: String should match pattern"),
        (RECORD | {"answers": []}, "(answers: "),
        (RECORD | {"answers": {}}, "(answers: "),
        (RECORD | {"answers": [FIRST, FIRST]}, "answers a trial twice"),
        (RECORD | {"comment": "x" * 1001}, "(comment: "),
        (RECORD | {"comment": None}, "(comment: Input should be a valid string"),
        (RECORD | {"setup": {"device": "telephone"}}, "(setup.Setup.device: Input should be"),
        (RECORD | {"setup": [[]]}, "(setup."),
        (RECORD | {"admin": True}, "(admin: Extra inputs are not permitted)"),
        (without(RECORD, "finished"), "(finished: Field required)"),
        (with_first(RECORD, trial="000000000000"), "trial '000000000000' is not in list 1"),
        (with_first(RECORD, values={STIMULUS: 6}), "6.0 for "),
        (with_first(RECORD, values={STIMULUS: 2.5}), "is no whole number from 1 to 5"),
        (with_first(RECORD, values={}), "this trial asks for"),
        (with_first(RECORD, values={"other": 3}), "values for ['other']"),
        (with_first(RECORD, values={STIMULUS: math.nan}), "(answers.0.values."),
        (with_first(RECORD, values={STIMULUS: math.inf}), "(answers.0.values."),
        (with_first(RECORD, values={STIMULUS: "3"}), "(answers.0.values."),
        (with_first(RECORD, heard={"other": 1.0}), "heard names a stimulus that is not in it"),
        (with_first(RECORD, heard={STIMULUS: -1.0}), "(answers.0.heard."),
        (with_first(RECORD, seconds=math.nan), "(answers.0.seconds: "),
        (with_first(RECORD, seconds=-1), "(answers.0.seconds: "),
        (with_first(RECORD, answered="yesterday"), "(answers.0.answered: "),
        (with_first(RECORD, answered="2026-11-21T10:00:00"), "(answers.0.answered: "),
        (RECORD | {"participant": "x" * 65}, "(participant: String should have at most 64"),
        (RECORD | {"participant": 7}, "(participant: Input should be a valid string"),
        (with_first(RECORD, comment="\ud800"), "(JSON: Invalid JSON"),
    ],
)
def test_any_other_file_is_refused_in_one_sentence_and_nothing_kept(
    folder, tmp_path, content, complaint
):
    good = write(tmp_path / "good.json", saved(tiny_test("mos")))
    bad = write(tmp_path / "bad.json", content)

    with pytest.raises(InputError) as refusal:
        import_answers(folder, [good, bad])

    assert complaint in str(refusal.value) and str(bad) in str(refusal.value)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 1000
    assert not (folder / "answers.sqlite").exists()


@pytest.mark.parametrize(
    ("given", "kept"), [({"participant": "P-7"}, "P-7"), ({"participant": None}, None), ({}, None)]
)
def test_a_participant_is_kept(folder, tmp_path, given, kept):
    import_answers(folder, [write(tmp_path / "a.json", RECORD | given)])
    assert read_store(folder)[0][0].participant == kept


def test_who_says_to_have_finished_and_has_not_is_unfinished(folder, tmp_path):
    part = RECORD | {"answers": RECORD["answers"][:-1]}
    import_answers(folder, [write(tmp_path / "a.json", part)])
    assert read_store(folder)[0][0].finished is None
    import_answers(folder, [write(tmp_path / "b.json", RECORD)])
    assert read_store(folder)[0][0].finished == "2026-11-21T10:00:07.000+00:00"


def test_a_listener_has_one_list_and_a_refused_file_leaves_nothing_of_the_others(folder, tmp_path):
    import_answers(folder, [write(tmp_path / "a.json", RECORD)])
    other = write(tmp_path / "b.json", RECORD | {"listener": "aabbccdd"})
    test = tiny_test("mos")
    values = {one["trial"]: one for one in RECORD["answers"]}
    moved = [values[turn.trial] for turn in test.lists[0]]
    bad = write(tmp_path / "c.json", RECORD | {"list": 0, "answers": moved})
    with pytest.raises(InputError) as refusal:
        import_answers(folder, [other, bad])
    assert str(refusal.value) == (
        f"c.json: listener {LISTENER} has list 1 in it, and list 2 in a.json, which was imported "
        "before; leave one of the files out"
    )
    listeners, answers = read_store(folder)
    assert [one.id for one in listeners] == [LISTENER] and len(answers) == 8


def test_other_values_are_said_to_differ_and_the_first_stay(folder, tmp_path):
    import_answers(folder, [write(tmp_path / "a.json", RECORD)])
    file = write(tmp_path / "b.json", with_first(RECORD, values={STIMULUS: 5}))
    summary = import_answers(folder, [file])
    assert summary.files[0][2:] == (0, 7, 1)
    assert str(summary) == (
        f"{file}: 0 new answers of 1 listener, 7 had been imported before, "
        "1 differs from what was imported before, which stays"
    )
    assert read_store(folder)[1][0].values == {STIMULUS: 3}


@pytest.mark.parametrize("wrong", ["1970-01-01T00:02:00Z", "0001-01-01T00:00:00+23:00"])
def test_for_a_clock_that_is_wrong_the_files_time_stands(folder, tmp_path, wrong):
    file = write(tmp_path / "a.json", with_first(RECORD, answered=wrong))
    os.utime(file, (0, 1_780_000_000.5))  # 28 May 2026, 20:26:40.5 UTC
    import_answers(folder, [file])
    (listener,), answers = read_store(folder)
    assert [a.answered for a in answers[:2]] == [
        "2026-05-28T20:26:40.500+00:00", "2026-11-21T10:00:01.000+00:00"
    ]  # fmt: skip
    assert listener.started == "2026-05-28T20:26:40.500+00:00"
    assert listener.finished == "2026-11-21T10:00:07.000+00:00"


def test_a_file_cannot_speak_for_a_listener_of_the_server(folder, tmp_path):
    store = Store(folder / "answers.sqlite")
    store.start(2)
    store.close()
    (listener,), _ = read_store(folder)
    file = write(tmp_path / "a.json", saved(tiny_test("mos"), listener=listener.id))

    with pytest.raises(InputError, match="has answered on the server"):
        import_answers(folder, [file])

    assert read_store(folder)[1] == []


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no file"),
        (lambda path: None, "there is no file"),
        (lambda path: path.open("wb").truncate(65 << 20), "has 65 MiB"),
    ],
)
def test_what_is_no_file_of_answers_is_named(folder, tmp_path, make, complaint):
    path = tmp_path / "here"
    make(path)

    with pytest.raises(InputError, match=f"{path}.*{complaint}|{complaint}.*{path}"):
        import_answers(folder, [path])
