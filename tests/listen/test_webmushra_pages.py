import re
import wave
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_test import tiny_folder, tiny_test

from voiceconv.listen.exchange.webmushra import write_webmushra
from voiceconv.listen.manifest import Test

METHODS = ["mos", "similarity", "ab", "abx", "mushra"]

# Options by webMUSHRA's doc/experimenter.md, "Configuration": those that a page must have here,
# and their types.
TOP = {
    "testname": str,
    "testId": str,
    "bufferSize": int,
    "stopOnErrors": bool,
    "showButtonPreviousPage": bool,
    "remoteService": str,
    "pages": list,
}
PAGE = {"type": str, "id": str, "name": str, "content": str}
DOCUMENTED = {
    "generic": PAGE,
    "consent": PAGE | {"mustConsent": bool},
    "volume": PAGE | {"stimulus": str, "defaultVolume": float},
    "mushra": PAGE
    | {
        "showWaveform": bool,
        "enableLooping": bool,
        "strict": bool,
        "reference": str,
        "createAnchor35": bool,
        "createAnchor70": bool,
        "randomize": bool,
        "showConditionNames": bool,
        "stimuli": dict,
    },
    "paired_comparison": PAGE
    | {"showWaveform": bool, "enableLooping": bool, "reference": str, "stimuli": dict},
    "likert_single_stimulus": PAGE
    | {
        "showWaveform": bool,
        "mustRate": bool,
        "mustPlayback": str,
        "stimuli": dict,
        "response": list,
    },
    "finish": {
        "type": str,
        "name": str,
        "content": str,
        "showResults": bool,
        "writeResults": bool,
    },
}
# Documented, and not used here.
OTHERS = {
    "mushra": {"switchBack"},
    "paired_comparison": {"unforced"},
    "likert_single_stimulus": {"maxStimuli"},
}
# In no documentation, but in its examples: configs/default.yaml, configs/mushra_nowav.yaml.
IN_EXAMPLES = {"finish": {"questionnaire": list, "popupContent": str}}
QUESTION = {"type", "label", "name"}
TYPE_OF = {
    "mos": "likert_single_stimulus",
    "similarity": "likert_single_stimulus",
    "ab": "likert_single_stimulus",
    "abx": "paired_comparison",
    "mushra": "mushra",
}


def check_page(page: dict) -> None:
    """Raise AssertionError unless a page has what its type documents, and nothing else."""
    documented = DOCUMENTED[page["type"]]
    known = documented | IN_EXAMPLES.get(page["type"], {})
    assert documented.keys() <= page.keys(), page
    assert page.keys() <= known.keys(), page
    for key, value in page.items():
        assert type(value) is known[key], (key, value)
    if "defaultVolume" in page:
        assert 0 <= page["defaultVolume"] <= 1
    if "mustPlayback" in page:
        assert page["mustPlayback"] in ("ended", "processUpdate")
    for response in page.get("response", []):
        assert response.keys() == {"value", "label"}
    for question in page.get("questionnaire", []):
        assert QUESTION <= question.keys() <= {*QUESTION, "optional"}


def written(tmp_path: Path, test: Test) -> tuple[Path, list[dict]]:
    """TEST/webmushra and its configurations."""
    folder = tiny_folder(tmp_path / "test", test)
    write_webmushra(folder, test)
    root = folder / "webmushra"
    files = sorted((root / "configs").glob("*.yaml"))
    return root, [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


def trial_pages(content: dict) -> list[dict]:
    return [page for page in content["pages"] if "stimuli" in page]


def files_of(page: dict) -> list[str]:
    single = [page[key] for key in ("stimulus", "reference") if key in page]
    return [*single, *page.get("stimuli", {}).values()]


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, 16_000)
        return file.readframes(file.getnframes())


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_documented_for_its_page_type(tmp_path, method):
    test = tiny_test(method, n_lists=3)
    root, contents = written(tmp_path, test)

    names = sorted(file.name for file in (root / "configs").glob("*.yaml"))
    assert names == [f"test-{test.id}-{number:02}.yaml" for number in (1, 2, 3)]
    for content in contents:
        assert {key: type(value) for key, value in content.items()} == TOP
        assert content["bufferSize"] in [2**n for n in range(8, 15)]
        pages = content["pages"]
        for page in pages:
            check_page(page)
        ids = [page.get("id") for page in pages]
        assert len(set(ids)) == len(ids)
        assert [page["type"] for page in pages[:3]] == ["consent", "generic", "volume"]
        assert pages[-1]["type"] == "finish"
        assert {page["type"] for page in pages[3:-1]} == {TYPE_OF[method]}
        asked = [question["name"] for question in pages[-1]["questionnaire"]]
        assert asked == ["session_uuid"] * (method != "mushra") + ["participant_id"]
        assert "id|PROLIFIC_PID|workerId" in pages[-1]["content"]  # who answers for the listener


@pytest.mark.parametrize("method", METHODS)
def test_every_file_that_a_page_names_is_there_and_no_other(tmp_path, method):
    root, contents = written(tmp_path, tiny_test(method))

    named = {file for content in contents for page in content["pages"] for file in files_of(page)}
    there = {str(file.relative_to(root)) for file in root.rglob("*.wav")}
    assert there == named


@pytest.mark.parametrize("method", METHODS)
def test_the_pages_are_the_lists_trials_in_their_order(tmp_path, method):
    test = tiny_test(method)
    _, contents = written(tmp_path, test)

    for content, turns in zip(contents, test.lists, strict=True):
        assert content["testId"] == f"test-{test.id}"
        pages = trial_pages(content)
        assert [page["id"] for page in pages] == [f"t{turn.trial}" for turn in turns]
        names = [page["name"] for page in pages]
        assert names == ["Practice", *[f"{n} of {len(turns) - 1}" for n in range(1, len(turns))]]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_that_a_listener_is_sent_names_a_system_a_sentence_or_what_is_expected(
    tmp_path, method
):
    root, _ = written(tmp_path, tiny_test(method))

    sent = "\n".join(file.read_text(encoding="utf-8") for file in root.glob("configs/*.yaml"))
    sent += "\n".join(str(file.relative_to(root)) for file in root.rglob("*"))
    for word in ["alpha", "beta", "anchor35", "anchor70", "F-M", "M-F", "one.wav", "expected"]:
        assert word not in sent.replace("createAnchor", "")
    # No number is left that a parser of YAML, a spreadsheet or pymushra would change.
    for key in re.findall(r"[st][0-9a-f]{12}", sent):
        with pytest.raises(ValueError, match="could not convert"):
            float(key)


def test_mushra_has_all_but_the_hidden_reference_equally_long(tmp_path):
    test = tiny_test("mushra")
    root, (content, _) = written(tmp_path, test)

    for page in trial_pages(content):
        trial = test.trials[page["id"][1:]]
        judged = {name for name in trial.shown if test.stimuli[name].system != "reference"}
        assert page["stimuli"].keys() == {f"s{name}" for name in judged}
        assert (page["createAnchor35"], page["createAnchor70"]) == (False, False)
        assert page["randomize"] and not page["showConditionNames"] and page["strict"]
        longest = max(
            round(test.stimuli[one].seconds * 16_000) for one in (*judged, trial.reference)
        )
        originals = {f"s{name}": name for name in judged}
        for key, file in [*page["stimuli"].items(), (f"s{trial.reference}", page["reference"])]:
            name = originals.get(key, trial.reference)
            original = samples(tmp_path / "test" / "page" / "stimuli" / f"{name}.wav")
            assert samples(root / file) == original.ljust(2 * longest, b"\0")


def test_abx_plays_x_openly_beside_the_other_and_both_are_equally_long(tmp_path):
    test = tiny_test("abx")
    root, (content, _) = written(tmp_path, test)

    for page in trial_pages(content):
        trial = test.trials[page["id"][1:]]
        (key,) = page["stimuli"]
        if trial.kind != "check":
            assert test.stimuli[key[1:]].system != test.stimuli[trial.x].system
        else:  # of two with beeps it is the one that is not expected
            assert key[1:] not in trial.expected
        assert page["reference"].endswith(f"/s{trial.x}.wav")
        lengths = [len(samples(root / file)) for file in files_of(page)]
        longest = max(test.stimuli[name].seconds for name in (trial.x, key[1:]))
        assert lengths == [2 * round(longest * 16_000)] * 2


@pytest.mark.parametrize("method", ["similarity", "ab"])
def test_two_recordings_are_one_file_with_half_a_second_between(tmp_path, method):
    test = tiny_test(method)
    root, contents = written(tmp_path, test)
    stimuli = tmp_path / "test" / "page" / "stimuli"

    for content, turns in zip(contents, test.lists, strict=True):
        for page, turn in zip(trial_pages(content), turns, strict=True):
            trial = test.trials[turn.trial]
            first, second = turn.order if method == "ab" else (trial.reference, *turn.order)
            ((key, file),) = page["stimuli"].items()
            pause = bytes(2 * 8000)
            one, two = (samples(stimuli / f"{name}.wav") for name in (first, second))
            assert samples(root / file) == one + pause + two
            values = [response["value"] for response in page["response"]]
            if method == "ab":
                assert (key, values) == (page["id"], [f"s{first}", f"s{second}"])
            else:
                assert (key, values) == (f"s{second}", [4, 3, 2, 1])


def test_an_open_reference_comes_before_the_two_of_a_preference(tmp_path):
    test = tiny_test("ab", checks=False, training=False)
    trial = next(iter(test.trials.values()))
    changed = {trial.id: replace(trial, reference=test.level)}
    test = replace(test, trials={**test.trials, **changed})
    root, (content, _) = written(tmp_path, test)

    page = next(page for page in trial_pages(content) if page["id"] == f"t{trial.id}")
    stimuli = tmp_path / "test" / "page" / "stimuli"
    (file,) = page["stimuli"].values()
    parts = [samples(stimuli / f"{name}.wav") for name in (test.level, *trial.shown)]
    assert samples(root / file) == bytes(16_000).join(parts)
    assert page["content"].startswith("You hear a reference, and then two recordings. ")


def test_mos_has_the_five_points_of_p800_and_the_file_as_it_is(tmp_path):
    test = tiny_test("mos")
    root, (content, _) = written(tmp_path, test)

    for page in trial_pages(content):
        ((key, file),) = page["stimuli"].items()
        original = tmp_path / "test" / "page" / "stimuli" / f"{key[1:]}.wav"
        assert (root / file).samefile(original)  # a link: no second copy on the disk
        assert {one["value"]: one["label"] for one in page["response"]} == {
            5: "Excellent",
            4: "Good",
            3: "Fair",
            2: "Poor",
            1: "Bad",
        }


@pytest.mark.parametrize(("seconds", "n_systems"), [(12.5, 2), (1.0, 13)])
def test_webmushra_is_not_strict_where_it_would_stop(tmp_path, seconds, n_systems):
    test = tiny_test("mushra", systems=[f"s{n}" for n in range(n_systems)], n_lists=1)
    test = replace(
        test,
        stimuli={
            name: replace(one, seconds=seconds if one.system == "reference" else 0.1)
            for name, one in test.stimuli.items()
        },
    )
    _, (content,) = written(tmp_path, test)

    assert [page["strict"] for page in trial_pages(content)] == [False] * 3


def test_an_experimenters_words_are_shown_as_text(tmp_path):
    test = replace(tiny_test("mos"), title="a: <b> # 1", question="Is 1 < 2 & so on?")
    _, (content, _) = written(tmp_path, test)

    assert content["testname"] == "a: <b> # 1"  # webMUSHRA makes a text node of it
    assert trial_pages(content)[0]["content"] == "Is 1 &lt; 2 &amp; so on?"
