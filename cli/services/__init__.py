"""Commands that run processes: up, serve, keys."""
