import csv
import io
from pathlib import Path

import pytest
from tiny_test import answers_of, stimulus_of, tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.exchange.webmushra import is_results, read_webmushra, webmushra_csv
from voiceconv.listen.manifest import Test

METHODS = ["mos", "similarity", "ab", "abx", "mushra"]

# What webMUSHRA wrote (commit 07130f2, in Chromium, by rows as of service/write.php): the
# beginning of tiny tests' files.
SESSION = "78165c36-2c3e-46e5-be7b-f702ce851b64"
MUSHRA_CSV = f"""\
session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment
test-761153f8,{SESSION},tc67ecf3659ab,sfbc8a4b967d7,7,327,
test-761153f8,{SESSION},tc67ecf3659ab,s633de7603ae9,14,327,
test-761153f8,{SESSION},tc67ecf3659ab,sedb3476b1578,21,327,
test-761153f8,{SESSION},tc67ecf3659ab,reference,100,327,
test-761153f8,{SESSION},tc67ecf3659ab,sa827605df5a9,35,327,
"""
LSS_CSV = f"""\
session_test_id,session_uuid,trial_id,stimuli_rating,stimuli,rating_time
test-7e6bab6b,{SESSION},tc67ecf3659ab,4,sa827605df5a9,404
test-7e6bab6b,{SESSION},t482741e4883a,3,sa827605df5a9,474
test-7e6bab6b,{SESSION},t924967d80088,2,s633de7603ae9,421
"""
AB_CSV = f"""\
session_test_id,session_uuid,trial_id,stimuli_rating,stimuli,rating_time
test-8e809858,{SESSION},tc67ecf3659ab,s633de7603ae9,tc67ecf3659ab,1237
"""
PAIRED_CSV = f"""\
session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer,\
choice_time,choice_comment
test-e0200512,{SESSION},tc67ecf3659ab,reference,sa827605df5a9,incorrect,183,
test-e0200512,{SESSION},td7e17918d2cc,reference,sa827605df5a9,correct,218,
"""
ONE = "F-M/one"


@pytest.fixture
def read(tmp_path: Path):
    def read_text(test: Test, *texts: str) -> tuple[list[Listener], list[Answer]]:
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"results{number}.csv")
            files[-1].write_bytes(text.encode("utf-8", "surrogatepass"))
        return read_webmushra(test, files)

    return read_text


def test_mushra_results_are_ratings_and_the_hidden_reference_is_ours(read):
    test = tiny_test("mushra")
    (listener,), (answer,) = read(test, MUSHRA_CSV)

    assert (listener.id, listener.list, listener.origin) == (SESSION, 0, "results0.csv")
    assert listener.finished == answer.answered
    assert answer.values == {
        stimulus_of(test, "anchor35", ONE): 7,
        stimulus_of(test, "beta", ONE): 14,
        stimulus_of(test, "anchor70", ONE): 21,
        stimulus_of(test, "reference", ONE): 100,
        stimulus_of(test, "alpha", ONE): 35,
    }
    assert (answer.listener, answer.seconds, answer.heard) == (SESSION, 0.327, {})


def test_likert_results_are_ratings(read):
    test = tiny_test("mos")
    _, answers = read(test, LSS_CSV)

    alpha, beta = stimulus_of(test, "alpha", ONE), stimulus_of(test, "beta", ONE)
    assert [answer.values for answer in answers] == [{alpha: 4}, {alpha: 3}, {beta: 2}]
    assert [test.trials[answer.trial].kind for answer in answers] == ["training", "trial", "trial"]


def test_a_preference_is_the_stimulus_that_was_named(read):
    test = tiny_test("ab")
    _, (answer,) = read(test, AB_CSV)

    assert answer.values == {
        stimulus_of(test, "alpha", ONE): 0,
        stimulus_of(test, "beta", ONE): 1,
    }


def test_correct_in_abx_is_the_one_that_x_is(read):
    test = tiny_test("abx")
    _, (wrong, right) = read(test, PAIRED_CSV)

    alpha, beta = stimulus_of(test, "alpha", ONE), stimulus_of(test, "beta", ONE)
    assert {test.stimuli[test.trials[one.trial].x].system for one in (wrong, right)} == {"beta"}
    assert wrong.values == {alpha: 1, beta: 0}
    assert right.values == {alpha: 0, beta: 1}


@pytest.mark.parametrize("method", METHODS)
def test_our_own_table_comes_back_as_the_same_answers(read, method):
    test = tiny_test(method)
    listeners = [Listener(f"listener-{n}", n, "") for n in range(2)]
    answers = [
        Answer(one.id, trial, values, seconds=1.234)
        for one in listeners
        for trial, values in answers_of(
            test, one.list, lambda name, one=one: 1 + (int(name, 16) + one.list) % 4
        ).items()
    ]

    again, back = read(test, webmushra_csv(test, listeners, answers))

    assert [(one.id, one.list) for one in again] == [(one.id, one.list) for one in listeners]
    assert [one._replace(answered="") for one in back] == answers


@pytest.mark.parametrize(
    ("method", "text"),
    [("mushra", MUSHRA_CSV), ("mos", LSS_CSV), ("ab", AB_CSV), ("abx", PAIRED_CSV)],
)
def test_our_own_table_is_laid_out_as_webmushras(read, method, text):
    test = tiny_test(method)
    assert webmushra_csv(test, *read(test, text)) == text


def test_a_comment_comes_back_and_is_no_formula_on_the_way(read):
    test = tiny_test("abx")
    listeners, answers = read(test, PAIRED_CSV)
    said = ['=HYPERLINK("x")', 'quick, "and"\nlong']
    answers = [one._replace(comment=text) for one, text in zip(answers, said, strict=True)]

    text = webmushra_csv(test, listeners, answers)

    cells = [row["choice_comment"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert cells == ["'" + said[0], said[1]]
    assert [one.comment for one in read(test, text)[1]] == said


def rearranged(text: str) -> str:
    """Other columns, in another order, and other people's tests, behind a byte order mark."""
    rows = list(csv.reader(io.StringIO(text)))
    rows += [["test-ffffffff", "somebody", *row[2:]] for row in rows[1:]]
    extra = ["age", *["30"] * (len(rows) - 1)]
    out = io.StringIO()
    csv.writer(out).writerows(
        [*row[:0:-1], more, row[0]] for row, more in zip(rows, extra, strict=True)
    )
    return "\ufeff" + out.getvalue()


@pytest.mark.parametrize(
    ("method", "text"),
    [("mushra", MUSHRA_CSV), ("mos", LSS_CSV), ("ab", AB_CSV), ("abx", PAIRED_CSV)],
)
def test_the_order_of_columns_other_columns_and_other_tests_change_nothing(read, method, text):
    test = tiny_test(method)
    changed, plain = read(test, rearranged(text))[1], read(test, text)[1]
    # The time of an answer is the file's.
    assert [one._replace(answered="") for one in changed] == [
        one._replace(answered="") for one in plain
    ]


@pytest.mark.parametrize("method", METHODS)
def test_lines_and_files_that_come_twice_count_once(read, method):
    test = tiny_test(method)
    given = answers_of(test, 0, lambda name: 1 + int(name, 16) % 4)
    answers = [Answer("one", trial, values) for trial, values in given.items()]
    text = webmushra_csv(test, [Listener("one", 0, "")], answers)
    twice = text + text.partition("\n")[2]

    assert len(read(test, twice)[1]) == len(read(test, text, text)[1]) == len(given)


def without_session(text: str) -> str:
    rows = list(csv.reader(io.StringIO(text)))
    return "".join(",".join([row[0], *row[2:]]) + "\n" for row in rows)


@pytest.mark.parametrize("method", METHODS)
def test_without_a_column_for_the_session_a_page_that_comes_again_begins_the_next(read, method):
    test = tiny_test(method)
    listeners = [Listener(f"listener-{n}", n, "") for n in range(2)]
    answers = [
        Answer(one.id, trial, values, seconds=1 + one.list)
        for one in listeners
        for trial, values in answers_of(test, one.list, lambda name: 1 + int(name, 16) % 4).items()
    ]
    text = without_session(webmushra_csv(test, listeners, answers))

    found, back = read(test, text)
    again, _ = read(test, text)

    assert [one.list for one in found] == [0, 1]
    assert found[0].id != found[1].id and [one.id for one in again] == [one.id for one in found]
    assert [one.trial for one in back if one.listener == found[0].id] == [
        one.trial for one in answers if one.listener == "listener-0"
    ]
    assert [one.values for one in back] == [one.values for one in answers]


def test_a_line_that_comes_twice_begins_no_session(read):
    test = tiny_test("mos")
    lines = without_session(LSS_CSV).splitlines(keepends=True)

    once, twice = read(test, "".join(lines)), read(test, "".join([*lines[:3], *lines[2:]]))

    assert twice[0][0].id == once[0][0].id and len(twice[0]) == 1
    assert [one.trial for one in twice[1]] == [one.trial for one in once[1]]


def test_results_that_were_sent_twice_have_longer_rows_of_the_same_meaning(read):
    test = tiny_test("mos")
    longer = LSS_CSV.replace(f"{SESSION},", f"{SESSION},{SESSION},")
    longer = longer.replace("session_uuid,", "session_uuid,", 1)
    assert [one.values for one in read(test, longer)[1]] == [
        one.values for one in read(test, LSS_CSV)[1]
    ]


# What pymushra's download holds of the sessions above (its columns come in any order).
PYMUSHRA_CSV = """\
responses_score;wm_testId;wm_type;responses_comment;responses_stimulus;wm_date;responses_time;\
questionaire_uuid;wm_id;wm_config
7;test-761153f8;mushra;;sfbc8a4b967d7;2026-11-21 22:08:53.312317;327;b3ec849b;tc67ecf3659ab;a.yaml
14;test-761153f8;mushra;;s633de7603ae9;2026-11-21 22:08:53.312317;327;b3ec849b;tc67ecf3659ab;a.yaml
21;test-761153f8;mushra;;sedb3476b1578;2026-11-21 22:08:53.312317;327;b3ec849b;tc67ecf3659ab;a.yaml
100;test-761153f8;mushra;;reference;2026-11-21 22:08:53.312317;327;b3ec849b;tc67ecf3659ab;a.yaml
35;test-761153f8;mushra;;sa827605df5a9;2026-11-21 22:08:53.312317;327;b3ec849b;tc67ecf3659ab;a.yaml
"""
PYMUSHRA_LSS_CSV = """\
wm_testId;responses_stimulusRating;responses_stimulus;questionaire_uuid;responses_time;wm_id
test-7e6bab6b;[4];sa827605df5a9;6a46fc43;404;tc67ecf3659ab
"""
PYMUSHRA_AB_CSV = """\
wm_testId;responses_stimulusRating;responses_stimulus;questionaire_uuid;responses_time;wm_id
test-8e809858;['s633de7603ae9'];tc67ecf3659ab;a3c8dc2d;1237;tc67ecf3659ab
"""


@pytest.mark.parametrize(
    ("method", "text", "same"),
    [
        ("mushra", PYMUSHRA_CSV, MUSHRA_CSV),
        ("mos", PYMUSHRA_LSS_CSV, "".join(LSS_CSV.splitlines(keepends=True)[:2])),
        ("ab", PYMUSHRA_AB_CSV, AB_CSV),
    ],
)
def test_pymushras_download_holds_the_same_answers(read, method, text, same):
    test = tiny_test(method)
    kept = ("trial", "values", "seconds")

    theirs, ours = read(test, text)[1], read(test, same)[1]

    assert [[getattr(one, name) for name in kept] for one in theirs] == [
        [getattr(one, name) for name in kept] for one in ours
    ]


@pytest.mark.parametrize(
    ("method", "text", "complaint"),
    [
        ("mos", LSS_CSV.replace("t482741e4883a", "t0"), "line 3: there is no trial 't0'"),
        ("mos", LSS_CSV.replace("s633de7603ae9", "s0"), "line 4: there is no stimulus 's0'"),
        ("mos", LSS_CSV.replace(",3,", ",6,"), "line 3: .* 6.0 for .* from 1 to 5"),
        ("mos", LSS_CSV.replace(",3,", ",2.5,"), "line 3: .* 2.5 for .* from 1 to 5"),
        ("mos", LSS_CSV.replace(",3,", ",nan,"), "line 3: 'nan' is no rating"),
        ("mos", LSS_CSV.replace(",3,", ",Good,"), "line 3: 'Good' is no rating"),
        ("mos", LSS_CSV.replace("474", "soon"), "line 3: 'soon' is no time in ms"),
        ("mos", LSS_CSV.replace("474", "inf"), "line 3: 'inf' is no time in ms"),
        ("mos", LSS_CSV.replace("474", "-1"), "line 3: '-1' is no time in ms"),
        ("mos", LSS_CSV.replace(SESSION, "<b>"), "line 2: '<b>' is no session's name"),
        ("mos", LSS_CSV + LSS_CSV.splitlines()[1].replace(",4,", ",5,"), "line 5: 5 for .* gave 4"),
        ("mos", LSS_CSV[:-20], "line 4 has 4 columns of 6: it is cut"),
        ("mos", AB_CSV, "no answers to test-7e6bab6b, but to test-8e809858"),
        ("mos", LSS_CSV.partition("\n")[0], "no answers to test-7e6bab6b; give"),
        ("mos", "a,b\n1,2\n", "its first line names no session_test_id"),
        ("mos", "", "its first line names no session_test_id"),
        ("mos", LSS_CSV + "\udc80", ":5 has the byte 0xed, which is not UTF-8; save the file as"),
        ("mos", LSS_CSV + '"' + "x" * 200_000, "not readable as CSV"),
        ("ab", AB_CSV.replace("s633de7603ae9", "s0"), "line 2: there is no stimulus 's0'"),
        ("abx", PAIRED_CSV.replace("incorrect", "undecided"), "line 2: 'undecided' is neither"),
        ("mushra", MUSHRA_CSV.replace(",35,", ",101,"), "101.0 for .* from 0 to 100"),
        (
            "mushra",
            "".join(MUSHRA_CSV.splitlines(keepends=True)[:-1]),
            "line 2: session .* this trial asks for",
        ),
    ],
)
def test_what_cannot_be_an_answer_is_named_with_its_line(read, tmp_path, method, text, complaint):
    with pytest.raises(InputError, match=f"results0.csv.*{complaint}") as refusal:
        read(tiny_test(method), text)

    assert str(tmp_path) in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("said", ["NA", ""])
def test_a_page_without_a_rating_is_no_answer(read, said):
    _, answers = read(tiny_test("mos"), LSS_CSV.replace(",3,", f",{said},"))
    assert len(answers) == 2


def test_the_first_line_tells_results(read):
    for text in [MUSHRA_CSV, LSS_CSV, PAIRED_CSV, PYMUSHRA_CSV, PYMUSHRA_LSS_CSV]:
        assert is_results(text.partition("\n")[0])
    for line in ["", "{", "a,b,c", "trial_id,rating_score", '"', "\0"]:
        assert not is_results(line)
