"""Tables that spreadsheets open as they are, and tables that spreadsheets have saved."""

import csv
import io
import subprocess
from pathlib import Path

import pytest
from made import contrast, estimate, hand_made
from tiny_test import ITEMS, answers_of, tiny_folder, tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer, Listener, read_store
from voiceconv.listen.exchange.importing import import_answers
from voiceconv.listen.exchange.reseval import write_reseval
from voiceconv.listen.exchange.webmushra import webmushra_csv
from voiceconv.listen.reporting.report import rows
from voiceconv.listen.spreadsheet import answers_csv, csv_text, harmless, plain, read_csv

LINK = '=HYPERLINK("http://example.org","a")'


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (LINK, f"'{LINK}"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\N{FULLWIDTH EQUALS SIGN}1+1", "'\N{FULLWIDTH EQUALS SIGN}1+1"),
        ("good;=1+1", "good;'=1+1"),  # a cell of its own where semicolons separate
        ("two\n=1+1", "two\n'=1+1"),
        ("'=1", "''=1"),
        ("-0.31", "-0.31"),  # a figure stays one
        ("+1e-05", "+1e-05"),
        ("a=b, c-d @ e; f", "a=b, c-d @ e; f"),
        ("'tis well", "'tis well"),
        ("", ""),
    ],
)
def test_no_text_is_a_formula_and_all_text_comes_back(text, safe):
    assert harmless(text) == safe
    assert plain(safe) == text
    table = csv_text([[text, "x"]]).removeprefix("\ufeff")
    assert [row for _, row in read_csv(table)] == [[text.replace("\r", "\n"), "x"]]


def test_every_table_of_a_hostile_systems_name_is_safe(tmp_path):
    test = tiny_test("mos", systems=[LINK, "@beta"], items=ITEMS)
    listeners = [Listener("-a", 0, "", participant="+p", comment="=1")]
    answers = [
        Answer("-a", trial, values, comment="=cmd")
        for trial, values in answers_of(test, 0, lambda _: 3).items()
    ]
    means = {LINK: estimate(-0.31, -1, 2), "@beta": estimate(3)}
    analysis = hand_made("mos", means, [contrast("mos", LINK, "@beta", estimate(-0.5), 0.01)])
    write_reseval(tiny_folder(tmp_path / "test", test), test)
    tables = [
        answers_csv(test, listeners, answers),
        webmushra_csv(test, listeners, answers),
        (tmp_path / "test/reseval/files.csv").read_text(encoding="utf-8"),
        csv_text(one.values() for one in rows(analysis)),
    ]
    cells = [cell for text in tables for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [one for one in cells if one[:1] in ("=", "@", "+")] == []
    assert {one for one in cells if one[:1] == "-"} == {"-0.31", "-1", "-0.5"}
    assert {f"'{LINK}", "'@beta", "'-a", "'+p", "'=cmd"} <= set(cells)


def test_a_mark_tells_excel_of_umlauts_and_plain_tables_are_as_they_were():
    assert csv_text([["a", 1.0, None], ["b", 0.5, 2]]) == "a,1,\nb,0.5,2\n"
    assert csv_text([["\xfc"]]).encode() == b"\xef\xbb\xbf\xc3\xbc\n"


def resaved(text: str, separator: str, encoding: str, first: str = "", end: str = "\r\n") -> bytes:
    """A table as a spreadsheet saves it."""
    out = io.StringIO()
    table = csv.writer(out, delimiter=separator, lineterminator=end)
    table.writerows(csv.reader(io.StringIO(text)))
    return (first + out.getvalue()).encode(encoding)


@pytest.mark.parametrize(
    "way",
    [
        (",", "utf-8"),
        (",", "utf-8-sig"),
        (";", "utf-8-sig"),
        (";", "utf-8-sig", "sep=;\r\n"),
        ("|", "utf-8", "sep=|\r\n"),
        ("\t", "utf-16"),
        ("\t", "utf-8"),
        (";", "utf-16", '"sep=;"\n', "\n"),
    ],
)
def test_results_come_back_from_a_spreadsheet(tmp_path, way):
    test = tiny_test("abx")
    folder = tiny_folder(tmp_path / "test", test)
    said = "sch\xf6n; =1\nund \u201egut\u201c"
    answers = [
        Answer("session-1", trial, values, seconds=1.5, comment=said)
        for trial, values in answers_of(test, 0, lambda name: int(name, 16)).items()
    ]
    listener = Listener("session-1", 0, "", participant="=p7")
    text = webmushra_csv(test, [listener], answers).removeprefix("\ufeff")
    file = tmp_path / "results.csv"
    file.write_bytes(resaved(text, *way))

    import_answers(folder, [file])

    (one,), back = read_store(folder)
    assert (one.id, one.participant) == ("session-1", "=p7")
    assert [one._replace(answered="") for one in back] == answers


def test_results_in_a_code_page_are_refused_with_the_line_and_the_remedy(tmp_path):
    test = tiny_test("abx")
    folder = tiny_folder(tmp_path / "test", test)
    (turn, values), *_ = answers_of(test, 0, lambda name: int(name, 16)).items()
    answers = [Answer("s", turn, values, comment="sch\xf6n")]
    text = webmushra_csv(test, [Listener("s", 0, "")], answers).removeprefix("\ufeff")
    file = tmp_path / "results.csv"
    file.write_bytes(resaved(text, ";", "cp1252"))
    with pytest.raises(InputError, match="results.csv:2 has the byte 0xf6.*save the file as UTF-8"):
        import_answers(folder, [file])


def test_no_other_code_writes_csv():
    """One writer: a second one would not know of formulas."""
    root = Path(csv_text.__code__.co_filename).parents[1]
    found = subprocess.run(
        ["grep", "-rlE", r"csv\.(writer|DictWriter)|to_csv", "--include=*.py", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [Path(one).name for one in found.stdout.split()] == ["spreadsheet.py"]
