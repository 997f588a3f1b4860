"""Pure parts of orchestration: what assets build, compare and report."""
