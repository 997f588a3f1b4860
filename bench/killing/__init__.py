"""The parts of the kill bench: workers and a sender to kill, faults, a reader that watches, and the comparison."""
