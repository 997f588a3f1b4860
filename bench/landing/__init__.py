"""Benches of landing: speed, cost by stage, windows, redaction, faults, memory over hours, trimming of the log."""
