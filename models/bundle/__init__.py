"""The published model: one folder with arrays, items and a manifest, and the pointer to it."""
