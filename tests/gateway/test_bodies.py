"""Request bodies of any size and shape are taken apart, or refused, in bounded memory."""

from __future__ import annotations

import tracemalloc

import pytest

from gateway.bodies import BOM, MAX_RECORDS, refuse_binary_mode, refuse_encoded, split_body
from web.problem import WrongRequest

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


JSON = "application/json"
TWO = [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize(
    ("body", "content_type", "records"),
    [
        (BOM + TWO[0], JSON, TWO[:1]),
        (BOM + b' [{"a":1},\r\n {"a":2}]', JSON, TWO),
        (BOM + b"\n".join(TWO), NDJSON, TWO),
        (BOM + TWO[0] + b"\r\n" + BOM + TWO[1], NDJSON, TWO),
        (TWO[0] + b"\n\n" + BOM + TWO[1] + b"\n", NDJSON, TWO),
        (b'{"a":"\xef\xbb\xbf"}', NDJSON, [b'{"a":"\xef\xbb\xbf"}']),
    ],
    ids=["object", "array", "lines", "put together", "later line", "inside a value"],
)
def test_a_byte_order_mark_is_skipped(body: bytes, content_type: str, records: list[bytes]) -> None:
    assert split_body(body, content_type) == records


@pytest.mark.parametrize("body", [BOM, BOM + b" \n", b"\n"])
def test_a_body_of_nothing_is_empty(body: bytes) -> None:
    with pytest.raises(WrongRequest, match="the body is empty"):
        split_body(body, JSON)


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (TWO[0].decode().encode("utf-16"), JSON, "UTF-16"),
        (TWO[0].decode().encode("utf-16-le"), JSON, "UTF-16"),
        (TWO[0].decode().encode("utf-16-be"), NDJSON, "UTF-16"),
        (TWO[0].decode().encode("utf-32"), JSON, "UTF-32"),
        (b"[" + TWO[0] + b"]", "text/csv", "text/csv"),
        ('{"a":"é"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", "iso-8859-1"),
        ('{"a":"é"}'.encode(), 'application/json;Charset="Windows-1252"', "windows-1252"),
        (b"\x1f\x8b\x08\x00", JSON, "gzip"),
        (b"\x28\xb5\x2f\xfd\x04", NDJSON, "zstd"),
        (b"PAR1\x15", JSON, "Parquet"),
    ],
    ids=["UTF-16", "little end", "big end", "UTF-32", "CSV", "Latin 1", "Windows", "gzip", "zstd", "Parquet"],
)
def test_what_is_no_utf8_text_is_refused_by_its_name(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(WrongRequest, match=words) as refused:
        split_body(body, content_type)

    assert refused.value.status == 415


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON", "",
     "application/json; charset=iso-8859-1", "application/cloudevents-batch+json; charset=UTF-8"],
)  # fmt: skip
def test_a_charset_that_changes_nothing_is_fine(content_type: str) -> None:
    assert split_body(b"[" + TWO[0] + b"," + TWO[1] + b"]", content_type) == TWO


@pytest.mark.parametrize(
    ("coding", "named"),
    [
        ("", None),
        ("identity", None),
        (" Identity , identity", None),
        ("gzip", "gzip"),
        ("x-snappy, br", "x-snappy, br"),
    ],
)
def test_only_a_coding_that_changes_the_body_is_refused(coding: str, named: str | None) -> None:
    if named is None:
        refuse_encoded({"content-encoding": coding})
        return
    with pytest.raises(WrongRequest, match=named):
        refuse_encoded({"content-encoding": coding})


@pytest.mark.parametrize(
    ("headers", "body", "is_binary"),
    [
        ({"ce-id": "1", "ce-specversion": "1.0"}, TWO[0], True),
        ({"ce-type": "click"}, b"[" + TWO[0] + b"]", True),
        ({"ce-id": "1"}, b"not JSON", True),
        ({"ce-id": "1"}, BOM + b'{"specversion":"1.0","id":"1"}', False),
        ({"ce-id": "1", "content-type": "application/cloudevents+json"}, TWO[0], False),
        ({"ce-something": "else"}, TWO[0], False),
    ],
    ids=["object", "array", "no JSON", "envelope", "structured", "another header"],
)
def test_binary_mode_is_known_by_its_headers(headers: dict[str, str], body: bytes, is_binary: bool) -> None:
    if not is_binary:
        refuse_binary_mode(headers, body)
        return
    with pytest.raises(WrongRequest, match="binary mode") as refused:
        refuse_binary_mode(headers, body)
    assert refused.value.status == 415
