"""Lines of a producer that is a version ahead: fields without a column are kept in `attributes`."""

from __future__ import annotations

import json

import pytest

from beam_jobs.stages.admit import admit
from beam_jobs.stages.decode import decode
from feedback.admitted import HIDDEN
from tests.support.landing.lines import line, poll


def attributes_of(*lines: bytes) -> list[object]:
    batch = admit(decode(poll(*lines)))
    assert not batch.refused, batch.refused
    return [None if text is None else json.loads(text) for text in batch.events["attributes"]]


def test_a_field_that_no_column_knows_is_kept_in_attributes_beside_lines_without_any() -> None:
    lines = (line(id="1"), line(id="2", v=2, mood="glad", tags=[1, {"a": None}]), line(id="3", attributes='{"x":1}'))

    assert attributes_of(*lines) == [None, {"mood": "glad", "tags": [1, {"a": None}]}, {"x": 1}]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"attributes": '{"x":1}', "mood": "glad"}, {"x": 1, "mood": "glad"}),
        ({"attributes": '{"mood":"sad"}', "mood": "glad"}, {"mood": "sad", "mood@line": "glad"}),
        ({"attributes": "no json", "mood": "glad"}, {"attributes": "no json", "mood": "glad"}),
        ({"mood": None}, None),
        ({"user_id": "anna@example.org"}, {"user_id": HIDDEN}),
        ({"anonymous_id": 7}, {"anonymous_id": HIDDEN}),
    ],
    ids=["merged", "same name", "attributes that are none", "without a value", "raw user id", "raw anonymous id"],
)
def test_unknown_fields_and_attributes_lose_nothing_to_each_other(changes: dict[str, object], kept: object) -> None:
    assert attributes_of(line(**changes)) == [kept]


def test_numbers_are_kept_as_they_were_written() -> None:
    batch = decode(poll(line()[:-1] + b',"exact":12345678901234567890.10}'))

    assert batch.events["attributes"][0] == '{"exact":12345678901234567890.10}'


def test_unknown_fields_of_different_types_in_one_batch_do_not_disturb_each_other() -> None:
    lines = (line(id="1", mood=1), line(id="2", mood="glad"), line(id="3", mood={"a": 1}))

    assert attributes_of(*lines) == [{"mood": 1}, {"mood": "glad"}, {"mood": {"a": 1}}]


def test_unknown_fields_are_kept_where_a_neighbour_is_refused() -> None:
    batch = decode(poll(line(id="1", mood="glad"), b"{broken"))

    assert batch.events["attributes"].to_list() == ['{"mood":"glad"}']
    assert batch.refused[0]["log_index"].to_list() == [1]


def test_a_version_ahead_lands_and_one_that_cannot_be_is_refused() -> None:
    batch = admit(decode(poll(line(id="1", v=1), line(id="2", v=2), line(id="3", v=0), line(id="4", v=...))))

    assert batch.events["v"].to_list() == [1, 2]
    details = [row["detail"] for frame in batch.refused for row in frame.iter_rows(named=True)]
    assert sorted(details) == ["`v` is below 1", "`v` is missing"]


def test_an_optional_field_that_a_producer_drops_is_null() -> None:
    batch = admit(decode(poll(line(id="1", country="DE"), line(id="2"))))

    assert batch.events["country"].to_list() == ["DE", None]


def test_the_raw_ids_of_refused_lines_are_hidden() -> None:
    broken = b'{"user_id": "anna\\"@example.org", "anonymous_id":123, "kind":"click", '
    cut = b'{"user_id": "anna@exam'

    batch = decode(poll(broken, cut))

    raws = batch.refused[0]["raw"].to_list()
    assert raws == ['{"user_id": "[hidden]", "anonymous_id":"[hidden]", "kind":"click", ', '{"user_id": "[hidden]"']
