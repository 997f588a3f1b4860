"""Benchmarks: one file per claim."""
