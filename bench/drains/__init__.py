"""Loads for the benches: events, logs that hold them, and children that land them."""
