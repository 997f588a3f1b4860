"""A line with styles: markup in a template, and values that are printed as they are, whatever they hold."""

from __future__ import annotations

import string

from rich.text import Span, Text

from cli.plain_text import one_line

_HOLE = "\ue000"
"""Stands for a value while the template's markup is read; of a private range, which no template uses."""


def styled_text(template: str, *values: object) -> Text:
    """The template with its markup read and each `{}` filled by the next value."""
    markup, filled = "", []
    left = list(values)
    for literal, field, spec, _ in string.Formatter().parse(template):
        markup += literal
        if field is not None:
            markup += _HOLE
            filled.append(one_line(format(left.pop(0), spec or "")))
    text = Text.from_markup(markup, emoji=False)
    holes = [place for place, character in enumerate(text.plain) if character == _HOLE]
    pieces = text.divide([edge for hole in holes for edge in (hole, hole + 1)])
    told = iter(filled)
    return Text.assemble(*(_filled(piece, next(told)) if piece.plain == _HOLE else piece for piece in pieces))


def _filled(hole: Text, value: str) -> Text:
    return Text(value, spans=[Span(0, len(value), span.style) for span in hole.spans])
