"""Values and their scales: which of them an event needs, and whether the value lies within its scale."""

from __future__ import annotations

import math

from feedback.contract import SURVEY_SCALES, Event, Survey
from feedback.errors import Code
from feedback.verdicts import Rejected


def value_objection(event: Event, event_id: str | None) -> Rejected | None:
    """Describe what is wrong with an event's value or scale; `None` if they are valid."""
    value, scale = getattr(event, "value", None), getattr(event, "scale", None)
    if isinstance(event, Survey):
        if event.metric in SURVEY_SCALES and value is None:
            return Rejected(Code.MISSING_FIELD, f"a {event.metric} answer needs `value`", "value", event_id)
        if event.metric == "choice" and not event.choices:
            return Rejected(Code.MISSING_FIELD, "a choice answer needs `choices`", "choices", event_id)
        if event.metric == "text" and event.text is None:
            return Rejected(Code.MISSING_FIELD, "an open answer needs `text`", "text", event_id)
        scale = survey_scale(event)
    if scale is not None and not (scale[0] < scale[1] and math.isfinite(scale[1] - scale[0])):
        return Rejected(Code.OUT_OF_RANGE, f"scale {list(scale)} must run from low to high", "scale", event_id)
    if value is None:
        return None
    if scale is None:
        return Rejected(Code.MISSING_FIELD, "a `value` needs its `scale`, like [1, 5]", "scale", event_id)
    if not scale[0] <= value <= scale[1]:
        return Rejected(Code.OUT_OF_RANGE, f"{value:g} is not within {scale[0]:g} to {scale[1]:g}", "value", event_id)
    return None


def survey_scale(event: Survey) -> tuple[float, float] | None:
    """The scale of a survey's answer: its metric's, unless it states one."""
    if event.metric == "nps":
        return SURVEY_SCALES["nps"]
    return event.scale or SURVEY_SCALES.get(event.metric)
