"""What an event is, who may send it, and the log that keeps it."""

from feedback.telemetry import switch_off

switch_off()
