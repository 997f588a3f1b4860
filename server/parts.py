"""The parts of the HTTP app, in the order in which their resources are opened; a new part is one more entry here."""

from __future__ import annotations

import gateway.api
import serving.api
from web.part import HttpPart

PARTS: tuple[HttpPart, ...] = (gateway.api.PART, serving.api.PART)
