"""Names from outside are printed as they are: no markup, no emoji codes, no control characters."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from cli.output import Output, json_line
from cli.plain_text import one_line, printable
from cli.styled_text import styled_text

NAMES = [
    "AC[/]DC live",
    "[rec] 2 (2009)",
    "[red]Shirt[/red]",
    "x[i]y.csv",
    "[/i]",
    "a\\",
    "\\[b]",
    ":heart: Tour",
    "{0}",
]


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def output(told: io.StringIO) -> Output:
    output = Output(as_json=False)
    output.console = Console(file=told, width=100, emoji=True)
    return output


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is_wherever_it_stands(output: Output, told: io.StringIO, name: str) -> None:
    ways = {
        "say": lambda: output.say(f"file {name} here"),
        "styled": lambda: output.styled("[bold]{}[/bold] and {}", name, name),
        "verbatim": lambda: output.verbatim(f"heed up --home {name}"),
        "heading": lambda: output.heading(f"{name}: what is popular"),
        "cell": lambda: output.table("", ("item",), [(name,)]),
        "title": lambda: output.table(f"Customer {name}", ("item",), [("i1",)]),
    }
    for way, print_it in ways.items():
        told.seek(0)
        told.truncate()

        print_it()

        assert name in told.getvalue(), way


def test_the_label_of_a_progress_bar_is_printed_as_it_is(told: io.StringIO) -> None:
    output = Output(as_json=False)
    output.console = Console(file=told, width=100, force_terminal=True)

    with output.progress("ingesting x[/]y[red].csv") as bar:
        bar.to(1, total=2)
        bar.label("step [/b]")

    assert "x[/]y[red].csv" in told.getvalue()
    assert "step [/b]" in told.getvalue()


@given(st.text(alphabet="[]/\\ab:=@#({}", max_size=8), st.text(alphabet="[]/\\a{}", max_size=4))
def test_styled_text_holds_its_values_unchanged(one: str, other: str) -> None:
    text = styled_text("\n[bold]{}[/bold] of {}, [red]{:,}[/red]", one, other, 1234)

    assert text.plain == f"\n{one} of {other}, 1,234"
    assert text.get_style_at_offset(Console(), len(text.plain) - 1).color is not None
    assert styled_text("{}", one) == Text(one)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x9bc\x7f", "a\\rb\\x9bc\\x7f", "a\\rb\\x9bc\\x7f"),
        ("two\nlines\t.", "two\\nlines\\t.", "two\nlines\t."),
        ("\u202egpj.exe", "\\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff.csv", "\\udcff.csv", "\\udcff.csv"),
        ("é 😀 👩\u200d🚀 שלום", "é 😀 👩\u200d🚀 שלום", "é 😀 👩\u200d🚀 שלום"),
    ],
    ids=["clear screen", "window title", "other controls", "line ends", "turned", "undecodable", "other scripts"],
)
def test_what_would_steer_a_terminal_is_spelt_out(text: str, line: str, told: str) -> None:
    assert one_line(text) == line
    assert printable(text) == told


def test_a_file_name_that_is_no_utf8_is_escaped_in_json() -> None:
    assert json.loads(json_line({"file": "a\udcff.csv", "rows": 1})) == {"file": "a\udcff.csv", "rows": 1}
    assert json_line({"file": "é.csv"}) == '{"file":"é.csv"}\n'.encode()
