from __future__ import annotations

import pytest

from cli.pairs import limit_of, pairs_of, pairs_of_maps
from feedback.errors import UsageError

QUESTION = "How likely are you to recommend us, from 0 to 10?"


@pytest.mark.parametrize(
    ("texts", "pairs"),
    [
        (("user_id=a,value=b",), {"user_id": "a", "value": "b"}),
        (("user_id=a, value=b",), {"user_id": "a", "value": "b"}),
        (("user_id=a", "value=b"), {"user_id": "a", "value": "b"}),
        ((f"value={QUESTION}", "user_id=a"), {"value": QUESTION, "user_id": "a"}),
        ((f"user_id=a,value={QUESTION},occurred_at=At",), {"user_id": "a", "value": QUESTION, "occurred_at": "At"}),
        (("value=a, 2+2=4?",), {"value": "a, 2+2=4?"}),
        (("user_id=a", "user_id=a"), {"user_id": "a"}),
        ((), {}),
    ],
)
def test_maps_are_given_together_or_one_by_one(texts: tuple[str, ...], pairs: dict[str, str]) -> None:
    assert pairs_of_maps(texts) == pairs


@pytest.mark.parametrize(
    ("texts", "words"),
    [(("user_id",), "write field=column"), (("=a",), "write field=column"), (("user_id=",), "write field=column"),
     (("user_id=a", "user_id=b"), "given twice, as 'a' and as 'b'")],
)  # fmt: skip
def test_a_map_that_says_nothing_or_two_things_is_refused(texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pairs_of_maps(texts)


def test_other_pairs_say_their_own_form() -> None:
    with pytest.raises(UsageError, match="--set 'x': write field=value"):
        pairs_of("--set", ["x"], "field=value")


@pytest.mark.parametrize(("text", "limit"), [("0", 0), ("10", 10), ("1%", 2), ("100%", 200)])
def test_a_limit_is_a_number_or_a_share(text: str, limit: int) -> None:
    assert limit_of(text, 200) == limit


@pytest.mark.parametrize("text", ["-1", "few", "%", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-refused"):
        limit_of(text, 200)
