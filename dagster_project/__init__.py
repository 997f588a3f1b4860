"""Orchestration: the loop as Dagster assets."""
