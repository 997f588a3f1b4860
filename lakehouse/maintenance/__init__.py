"""Maintenance of the tables: compaction, checkpoints, vacuum, retention."""
