"""A drain in a process of its own, for tests that measure it: prints what landed and the process's peak memory."""

from __future__ import annotations

import json
import resource
import sys

from beam_jobs.landing import drain
from feedback.settings.home import load_settings

report = drain(load_settings(sys.argv[1]))
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
sys.stdout.write(json.dumps({"landed": report.landed, "codes": report.codes, "peak_mib": peak_mib}))
