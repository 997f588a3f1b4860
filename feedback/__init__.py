"""What an event is, who may send it, and the log that keeps it."""
