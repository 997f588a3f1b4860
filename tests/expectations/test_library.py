"""Great Expectations itself: it can be imported, and is imported only when rules run."""

from __future__ import annotations

import subprocess
import sys


def test_the_library_survives_being_imported_in_a_fresh_interpreter() -> None:
    """Without pyspark's connect extra the import ends the process, silently and with status 0."""
    script = "import feedback, great_expectations; print('still here')"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "still here")


def test_the_suites_are_known_without_importing_the_library() -> None:
    script = (
        "import sys; import expectations.suites.registry, expectations.validation, expectations.data_docs; "
        "print([name for name in ('great_expectations', 'pandas', 'pyspark') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=True)

    assert done.stdout.strip() == "[]"
