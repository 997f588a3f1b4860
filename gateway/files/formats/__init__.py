"""Formats of import files: text tables, JSON, Parquet."""
