"""What happens behind a commit: the online store is told, live windows are counted."""
