"""`POST /v1/feedback`: records in, a verdict for each out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from prometheus_client import Counter

from feedback.intake import Intake, open_intake
from feedback.log.tracing import receiving
from feedback.settings.home import Settings
from feedback.verdicts import Verdict, count_verdicts
from gateway.bodies import refuse_binary_mode, refuse_encoded, split_body
from web.guard import require
from web.part import LOG_KEY, HttpPart

VERDICTS = Counter("heed_verdicts", "Records by verdict and code", ["verdict", "code"])
INTAKE_KEY = "intake"


class FeedbackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of one request, in their order."""

    accepted: int
    duplicates: int
    rejected: int
    verdicts: list[Verdict]


@post(
    "/v1/feedback",
    guards=[require("feedback:write")],
    status_code=202,
    summary="Send feedback",
    description=(
        "One event, an array, NDJSON (`application/x-ndjson`) or CloudEvents. Every record gets a verdict; an "
        "accepted one is durable. 202 if any was accepted or known already, 422 if all were rejected."
    ),
    tags=["feedback"],
)
async def receive_feedback(request: Request[Any, Any, Any]) -> Response[FeedbackAnswer]:
    """Admit the records of one request; the append waits for the disk off the event loop."""
    refuse_encoded(request.headers)
    body = await request.body()
    refuse_binary_mode(request.headers, body)
    records = split_body(body, request.headers.get("content-type", ""))
    intake: Intake = request.app.state[INTAKE_KEY]
    with receiving(request.headers) as headers:
        verdicts = await anyio.to_thread.run_sync(partial(intake.submit, records, headers=headers))
    counts = count_verdicts(verdicts)
    for verdict in verdicts:
        VERDICTS.labels(verdict.verdict, verdict.code or "").inc()
    answer = FeedbackAnswer(
        accepted=counts.accepted, duplicates=counts.duplicates, rejected=counts.rejected, verdicts=verdicts
    )
    return Response(answer, status_code=422 if counts.rejected == counts.sent else 202)


@contextmanager
def _resources(settings: Settings, state: State) -> Iterator[None]:
    intake = state[INTAKE_KEY] = open_intake(settings)
    state[LOG_KEY] = intake.log
    try:
        yield
    finally:
        intake.log.close()


PART = HttpPart((receive_feedback,), _resources)

__all__ = ["INTAKE_KEY", "PART", "FeedbackAnswer"]
