"""Request bodies of any size and shape are taken apart, or refused, in bounded memory."""

from __future__ import annotations

import tracemalloc

import pytest

from feedback.web.problem import WrongRequest
from gateway.bodies import MAX_RECORDS, split_body

NDJSON = "application/x-ndjson"
MIB = 1 << 20


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}\n" * (MAX_RECORDS + 1), NDJSON),
        (b"{}\n" * 1_000_000, NDJSON),
        (b"{}" + b"\r\n" * 1_000_000 + b"{}", NDJSON),
        (b"[" + b"{}," * MAX_RECORDS + b"{}]", "application/json"),
        (b"[" + b"1," * (8 * MIB) + b"1]", "application/json"),
    ],
    ids=["one too many", "a million lines", "blank lines", "array", "array of tiny values"],
)
def test_more_records_than_a_request_may_hold_are_refused_at_once(body: bytes, content_type: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WrongRequest, match="the limit is 50,000 records") as refused:
            split_body(body, content_type)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert refused.value.status == 413
    assert peak < 32 * MIB


def test_as_many_records_as_a_request_may_hold_are_taken_with_either_line_end() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        assert len(split_body((b"{}" + end) * MAX_RECORDS, NDJSON)) == MAX_RECORDS


@pytest.mark.parametrize("depth", [10_000, 1_000_000])
def test_an_array_that_is_nested_too_deeply_is_a_wrong_request(depth: int) -> None:
    with pytest.raises(WrongRequest, match="not valid JSON"):
        split_body(b"[" * depth + b"]" * depth, "application/json")
