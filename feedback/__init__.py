"""What an event is, who may send it, and the log that keeps it."""

from feedback.process.telemetry import switch_off

switch_off()
