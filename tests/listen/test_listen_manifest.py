"""The key of a test: there and back, what the page is told of it, and damaged ones."""

import json

import pytest
from tiny_test import tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.manifest import FILE, blind_id, public, read_test, write_test
from voiceconv.listen.methods import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_what_is_written_is_read(tmp_path, method):
    test = tiny_test(method)
    write_test(tmp_path, test)
    assert read_test(tmp_path) == test
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("method", METHODS)
def test_the_page_is_not_told_what_made_anything(method):
    test = tiny_test(method)
    told = json.dumps(public(test))
    assert public(test)["checks"] == (method != "mushra")
    secrets = ["alpha", "beta", "anchor", '"check"', "F-M", "two", "expected", "key", '"tiny"']
    assert [secret for secret in secrets if secret in told] == []
    assert set(next(iter(public(test)["trials"].values()))) == {"practice", "reference", "x"}


def test_what_the_page_is_told_is_in_an_order_that_says_nothing():
    told = public(tiny_test("mushra"))
    assert list(told["trials"]) == sorted(told["trials"])
    assert list(told["seconds"]) == sorted(told["seconds"])


def test_ids_say_nothing_without_the_key():
    assert blind_id("key", "ours", "one") == blind_id("key", "ours", "one")
    assert len(blind_id("key", "ours", "one")) == 12
    others = {
        blind_id("yek", "ours", "one"), blind_id("key", "ou", "rsone"), blind_id("key", "oursone")
    }  # fmt: skip
    assert len(others | {blind_id("key", "ours", "one")}) == 4


def test_roles_and_turns():
    test = tiny_test("mushra", systems=["beta", "alpha"])
    assert test.names("system") == ["beta", "alpha"]
    assert test.names("anchor") == ["anchor35", "anchor70"]
    turn = test.lists[0][0]
    assert test.turn(0, turn.trial) == turn
    assert test.turn(0, "of no list") is None


def _without(content, *keys):
    for key in keys[:-1]:
        content = content[key]
    del content[keys[-1]]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: _without(content, "lists"), "'lists'"),
        (lambda content: content.update(format=2), "is of format 2, this version reads 1; use the"),
        (lambda content: content.update(method="moss"), "'moss'"),
        (lambda content: content.update(level="nothing"), "'nothing'"),
        (lambda content: content.update(more=1), "more"),
        (lambda content: content["stimuli"].pop(content["level"]), "is no listening test"),
        (lambda content: content["systems"].clear(), "is no listening test"),
        (lambda content: content["lists"][0][0][1].append("z"), "shows other stimuli"),
        (lambda content: content.update(trials=[]), "is no listening test"),
    ],
)
def test_a_damaged_manifest_is_refused_in_a_sentence(tmp_path, damage, said):
    write_test(tmp_path, tiny_test())
    content = json.loads((tmp_path / FILE).read_text())
    damage(content)
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        read_test(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, "\x00"])
def test_no_json_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match="make one with voiceconv listen build"):
        read_test(tmp_path)


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match="holds no listening test"):
        read_test(tmp_path)


@pytest.mark.parametrize("part", ["id", "stimulus"])
def test_a_name_that_leads_out_of_the_test_is_refused(tmp_path, part):
    test = tiny_test("mos")
    write_test(tmp_path, test)
    name = test.id if part == "id" else next(iter(test.stimuli))
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(text.replace(f'"{name}"', '"../../x"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json: no file can be called '\.\./\.\./x'"):
        read_test(tmp_path)


def test_a_manifest_may_come_from_an_editor_of_windows(tmp_path):
    write_test(tmp_path, tiny_test("mos"))
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(text, encoding="utf-8-sig")
    assert read_test(tmp_path) == tiny_test("mos")
