"""Joins a log and answers each line of its input with its partitions. Arguments: folder, address, name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from feedback.log.open import open_log
from feedback.settings.home import load_settings

folder, address, name = sys.argv[1:]
assignment = open_log(load_settings(Path(folder) / "home", log_url=address, log_name=name).log).join("child")
for _ in sys.stdin:
    sys.stdout.write(json.dumps(sorted(assignment.partitions())) + "\n")
    sys.stdout.flush()
