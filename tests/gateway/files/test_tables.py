from __future__ import annotations

from dataclasses import replace

import pytest

from feedback.errors import ImportFileError
from gateway.files.columns import ImportPlan
from tests.gateway.files.importing import AT, HEADER, RATINGS, Importing

ITEMS = ImportPlan(kind="item")
REVIEWS = ImportPlan(kind="review", scale=(1, 5))
REVIEW_HEADER = "user_id,item_id,value,text,occurred_at\n"


def reviews(*texts: str) -> str:
    return REVIEW_HEADER + "".join(f"u{n},i{n},4,{text},{AT}\n" for n, text in enumerate(texts))


def places(importing: Importing) -> list[tuple[int, str]]:
    return [(row["row"], row["code"]) for row in importing.refused()]


@pytest.mark.parametrize(
    ("texts", "broken"),
    [
        (("a", '"great', "b", "c"), [3]),
        (("a", '"great', "b", '"good, really"', "c"), [3]),
        (("a", '"great', 'say "hi"', "c"), [3]),
        (("a", '"great', 'a 12"', "c"), [3]),
        (("a", '"great', '""', "c"), [3]),
        (("a", '"one', "b", '"two', "c"), [3, 5]),
        (("a", '"Best" of 2019', "c"), [3]),
        (('"great', "b", "c"), [2]),
        (("a", "b", '"great'), [4]),
        (("a", '"great\nbut, not', "c"), [3, 4]),
    ],
    ids=["alone", "before quotes", "before plain quotes", "closed far away", "before empty quotes", "two", "goes on",
         "first", "last", "over lines"],
)  # fmt: skip
def test_an_open_quote_costs_its_own_line_and_no_other(
    importing: Importing, texts: tuple[str, ...], broken: list[int]
) -> None:
    content = reviews(*texts)

    report = importing.file("r.csv", content, REVIEWS)

    assert places(importing) == [(line, "malformed_row") for line in broken]
    assert report.counts.accepted == content.count("\n") - 1 - len(broken)


def test_a_quoted_cell_may_span_lines_and_hold_separators(importing: Importing) -> None:
    texts = ('"one\ntwo, three, and, four, more\n\n""five"""', "plain", '"a\r\nb"')

    assert importing.file("r.csv", reviews(*texts), REVIEWS).counts.accepted == 3
    assert [e.text for e in importing.events()] == ['one\ntwo, three, and, four, more\n\n"five"', "plain", "a\r\nb"]


def test_the_first_cell_may_span_lines_too(importing: Importing) -> None:
    content = 'title,item_id,price\n"Up\nand away",a,5\n"b\nc","b","6"\n'

    assert importing.file("i.csv", content, ITEMS).counts.accepted == 2
    assert [payload["title"] for payload in importing.payloads()] == ["Up\nand away", "b\nc"]


def test_a_line_of_another_width_is_refused_with_its_number(importing: Importing) -> None:
    content = (
        "item_id,title,categories\nm1,Crouching Tiger, Hidden Dragon,Action\nm2,Up,Family,,\nm3,Cut\nm4,Ok,\n\n,,\n"
    )

    report = importing.file("items.csv", content, ITEMS)

    assert places(importing) == [(2, "malformed_row"), (4, "malformed_row")]
    assert [event.item_id for event in importing.events()] == ["m2", "m4"]
    assert "line 2 has 4 cells, 3 columns are named" in importing.refused()[0]["detail"]
    assert [(note.note, note.count) for note in report.notes] == [("blank_row", 1)]


def test_names_and_cells_may_end_in_empty_ones(importing: Importing) -> None:
    importing.file("items.csv", "item_id,title,,\na,A,,\nb,B\nc,C,,x\n", ITEMS)

    assert [event.item_id for event in importing.events()] == ["a", "b"]
    assert places(importing) == [(4, "malformed_row")]


def test_a_comma_in_a_number_never_becomes_another_cell(importing: Importing) -> None:
    importing.file("r.csv", f'{HEADER}u1,i1,4,5,1704164645\nu2,i2,"4,5",{AT}\nu3,i3,3,{AT}\n')

    assert places(importing) == [(2, "malformed_row"), (3, "invalid_field")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.csv", "user_id,item_id,value,value\nu,i,1,2\n", "columns 3 and 4 are both named 'value'"),
        ("r.csv", HEADER.replace(",", ";") + "u;i;4,5;1\n", "give --separator ';'"),
        ("r.csv", HEADER.replace(",", "\t") + "u\ti\t4\t1\n", r"give --separator '\\t'"),
        ("r.csv", HEADER.replace(",", "::") + "u::i::4::1\n", "give --separator '::'"),
        ("r.tsv", HEADER + f"u,i,4,{AT}\n", "give --separator ','"),
        ("r.csv", (HEADER + f"u,i,4,{AT}\n").encode("utf-16"), "the text is UTF-16"),
        ("r.csv", (HEADER + f"u,i,4,{AT}\n").encode("utf-16-le"), "the text is UTF-16"),
        ("r.csv", "sep=;\nuser_id;item_id\n", "a hint for a spreadsheet"),
        ("r.csv", b"PK\x03\x04xxxx", "zip archive or a spreadsheet"),
        ("r.csv", HEADER + "u,i\n" * 3, "none of the first 3 rows can be read: line 2 has 2 cells"),
        ("r.csv", f"u1,i1,4,{AT}\nu2,i2,5,{AT}\n", "--dry-run` proposes a map"),
    ],
    ids=["doubled", "semicolons", "tabs", "colons", "commas in tsv", "utf-16", "utf-16 without mark", "sep", "zip",
         "short", "no header"],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_before_anything_is_sent(
    importing: Importing, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(ImportFileError, match=words):
        importing.file(name, content)
    assert importing.events() == []


def test_titles_between_tabs_may_begin_with_a_quote(importing: Importing) -> None:
    rows = ['N1\t"Best of 2019\tnews', "N2\tPlain\tsport", 'N3\t12" vinyl\tmusic', 'N4\t"a ""b"" c"\tx',
            'N5\t"a\tb"\tx',
            'N6\t"a\nb"\tx', "N7\tEnd\tx"]  # fmt: skip

    report = importing.file("items.tsv", "item_id\ttitle\tcategories\n" + "\n".join(rows) + "\n", ITEMS)

    assert report.counts.accepted == 7
    titles = [payload["title"] for payload in importing.payloads()]
    assert titles == ['"Best of 2019', "Plain", '12" vinyl', 'a "b" c', "a\tb", "a\nb", "End"]


@pytest.mark.parametrize(
    ("rows", "titles"),
    [
        (['N1\t"a', 'b"', "N2\tB"], ["a\nb", "B"]),
        (['N1\t"Best of 2019', "N2\tPlain", 'N3\t12" vinyl', "N4\tEnd"],
         ['"Best of 2019', "Plain", '12" vinyl', "End"]),
        (['N1\t"open', "N2\tB"], ['"open', "B"]),
        (['N1\t"open', 'N2\t"open too', "N3\tC"], ['"open', '"open too', "C"]),
    ],
    ids=["over lines", "plain quotes", "never closed", "twice"],
)  # fmt: skip
def test_the_last_cell_between_tabs_goes_on_only_if_that_makes_a_row(
    importing: Importing, rows: list[str], titles: list[str]
) -> None:
    importing.file("items.tsv", "item_id\ttitle\n" + "\n".join(rows) + "\n", ITEMS)

    assert [payload["title"] for payload in importing.payloads()] == titles


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["newline", "both", "return"])
@pytest.mark.parametrize("name", ["r.csv", "r.tsv", "r.dat"])
def test_lines_may_end_in_three_ways_and_begin_with_a_mark(importing: Importing, name: str, end: str) -> None:
    content = "\ufeff" + HEADER + f"u1,i1,4,{AT}\nu2,i2,5,{AT}\n\n"
    separator = {"r.csv": ",", "r.tsv": "\t", "r.dat": "::"}[name]
    text = content.replace(",", separator).replace("\n", end)

    report = importing.file(name, text.encode(), replace(RATINGS, separator=separator))

    assert report.counts.accepted == 2


@pytest.mark.parametrize("name", ["r.csv", "r.tsv", "r.dat"])
def test_bytes_that_are_no_text_cost_their_own_line(importing: Importing, name: str) -> None:
    separator = {"r.csv": b",", "r.tsv": b"\t", "r.dat": b"::"}[name]
    lines = [b"item_id,title", b"a,Plain", b"b,Caf\xe9", b"c,N\x00l", b"d,Caf\xc3\xa9", b""]
    content = b"\n".join(line.replace(b",", separator) for line in lines)

    importing.file(name, content, replace(ITEMS, separator=separator.decode()))

    first, second = importing.refused()
    place = 5 + len(separator)
    assert f"line 3, byte {place} (0xE9) is not UTF-8" in first["detail"]
    assert f"line 4, byte {place - 2} is a NUL byte" in second["detail"]
    assert [event.item_id for event in importing.events()] == ["a", "d"]


def test_bytes_that_are_no_text_inside_a_quoted_cell(importing: Importing) -> None:
    content = b'item_id,title\na,"x\ny\xe9\nz"\nb,Plain\n'

    importing.file("items.csv", content, ITEMS)

    assert places(importing) == [(2, "malformed_row"), (3, "malformed_row"), (4, "malformed_row")]
    assert [event.item_id for event in importing.events()] == ["b"]


def test_a_cell_beyond_the_limit_is_one_row_too_large(importing: Importing) -> None:
    content = "item_id,title,description\na,A,short\nb,B," + "x" * 140_000 + "\nc,C,short\n"

    importing.file("items.csv", content, ITEMS)

    assert places(importing) == [(3, "too_large")]


def test_a_line_that_would_fill_the_memory_is_skipped(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.files.formats.sources.MAX_LINE_BYTES", 1_000)

    importing.file("items.csv", "item_id,title\na,A\nb," + "x" * 5_000 + "\nc,C\n", ITEMS)

    assert places(importing) == [(3, "too_large")]
    assert "line 3 has 5,003 bytes" in importing.refused()[0]["detail"]
    assert [event.item_id for event in importing.events()] == ["a", "c"]
