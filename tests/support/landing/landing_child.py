"""A real landing process for crash tests: streams the log of a home until it is killed or told to stop."""

from __future__ import annotations

import signal
import sys
import threading

from beam_jobs.landing import stream
from feedback.settings.home import load_settings

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stream(load_settings(sys.argv[1], landing_flush_seconds=0.02), stop)
