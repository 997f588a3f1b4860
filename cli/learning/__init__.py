"""Commands about learning and lists: run, evaluate, recommend, rollback."""
