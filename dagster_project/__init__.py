"""Orchestration: the loop as Dagster assets, its checks, and running it without a web page."""
