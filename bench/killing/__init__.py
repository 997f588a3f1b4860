"""The parts of the kill bench: workers and a sender to kill, mishaps, a reader that watches, and the comparison."""
